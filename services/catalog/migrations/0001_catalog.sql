-- Cooperatives and what they can bring. The zone is an IANA name; it is applied at the edge, never in SQL.
create table cooperative (
    cooperative_id uuid primary key,
    slug text not null unique,
    name text not null,
    timezone text not null,
    lane smallint check (lane >= 0),
    renew_at timestamptz          -- when its standing offers are looked at next; null while it has none
);
create index cooperative_to_renew on cooperative (renew_at) where renew_at is not null;

create table collection_point (
    collection_point_id uuid primary key,
    cooperative_id uuid not null references cooperative,
    name text not null,
    unique (cooperative_id, name)
);

create table household (
    household_id uuid primary key,
    cooperative_id uuid not null references cooperative,
    code text not null,
    name text not null,           -- stays in this database
    share_weight int not null check (share_weight >= 1),
    unique (cooperative_id, code)
);

create table product (
    product_id uuid primary key,
    cooperative_id uuid not null references cooperative,
    code text not null,
    name text not null,
    crop text not null,
    grade text not null,
    unit text not null,
    step_milliunits int not null check (step_milliunits >= 1),
    ocop_stars smallint check (ocop_stars between 3 and 5),
    certificates text[] not null,
    unique (cooperative_id, code)
);

-- One product for one delivery day. A withdrawn offer stays, and another may take its place.
create table offer (
    offer_id uuid primary key,
    cooperative_id uuid not null references cooperative,
    product_id uuid not null references product,
    delivery_day date not null,
    price_vnd bigint not null check (price_vnd >= 1),
    cut_off_at timestamptz not null,
    collection_point_id uuid not null references collection_point,
    arrive_by_at timestamptz not null,
    withdrawn_at timestamptz,
    check (cut_off_at < arrive_by_at)
);
create unique index offer_live on offer (product_id, delivery_day) where withdrawn_at is null;
create index offer_by_day on offer (cooperative_id, delivery_day);

create table pledge (
    offer_id uuid not null references offer,
    household_id uuid not null references household,
    quantity_steps int not null check (quantity_steps >= 0),
    primary key (offer_id, household_id)
);

-- What allocation last said of an offer; apart from it, so that its events never wait for staff.
create table offer_availability (
    offer_id uuid primary key,
    supply_steps bigint not null check (supply_steps >= 0),
    available_steps bigint not null check (available_steps >= 0)
) with (fillfactor = 50);

-- What a cooperative offers every day by itself, in local times of its zone.
create table standing_offer (
    product_id uuid primary key references product,
    cooperative_id uuid not null references cooperative,
    price_vnd bigint not null check (price_vnd >= 1),
    cut_off_time time not null,
    cut_off_days_before smallint not null check (cut_off_days_before between 0 and 7),
    arrive_by_time time not null,
    collection_point_id uuid not null references collection_point
);
create index standing_offer_by_cooperative on standing_offer (cooperative_id);

create table standing_pledge (
    product_id uuid not null references standing_offer on delete cascade,
    household_id uuid not null references household,
    quantity_steps int not null check (quantity_steps >= 0),
    primary key (product_id, household_id)
);
