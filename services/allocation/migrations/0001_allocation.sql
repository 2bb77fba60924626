-- Supply, promises and baskets. What others decide (members, products, offers) is copied here as far as it is needed.

-- Whoever changes the books of a cooperative locks its row first.
create table cooperative (
    cooperative_id uuid primary key
);

create table household (
    household_id uuid primary key,
    cooperative_id uuid not null references cooperative,
    code text not null,
    share_weight bigint not null check (share_weight >= 1)
);
create index household_by_cooperative on household (cooperative_id);

create table product (
    product_id uuid primary key,
    cooperative_id uuid not null references cooperative,
    code text not null,
    step_milliunits bigint not null check (step_milliunits >= 1)
);

-- An offer as it was published or last changed before its cut-off; frozen from there on.
create table offer (
    offer_id uuid primary key,
    cooperative_id uuid not null references cooperative,
    product_id uuid not null references product,
    delivery_day date not null,
    price_vnd bigint not null,
    step_value_vnd bigint not null check (step_value_vnd >= 1),
    collection_point_id uuid not null,
    arrive_by_at timestamptz not null,
    assigned boolean not null default false   -- shared out: its basket items are there
);
create index offer_by_day on offer (cooperative_id, delivery_day);

create table pledge (
    offer_id uuid not null references offer,
    household_id uuid not null references household,
    quantity_steps bigint not null check (quantity_steps >= 0),
    primary key (offer_id, household_id)
);

-- The totals of an offer. Apart from it, since an order can name an offer that is not known (yet).
create table offer_book (
    offer_id uuid primary key,
    cooperative_id uuid not null references cooperative,
    supply_steps bigint not null check (supply_steps >= 0),
    promised_net_steps bigint not null,       -- sum of promised - shorted over the lines
    open boolean not null,
    listed boolean not null,
    last_position bigint not null,
    check (promised_net_steps between 0 and supply_steps)   -- never oversold
) with (fillfactor = 50);

-- A place in an offer's queue: an order line, or the difference by which it was raised later.
create table order_line (
    offer_id uuid not null,
    position bigint not null,
    order_id uuid not null,
    line_no bigint not null,
    ordered_steps bigint not null check (ordered_steps >= 1),
    promised_steps bigint not null check (promised_steps >= 0),
    short_steps bigint not null check (short_steps >= 0),
    shorted_steps bigint not null,
    cancelled_steps bigint not null check (cancelled_steps >= 0),
    reason text,
    primary key (offer_id, position),
    check (ordered_steps = promised_steps + short_steps + cancelled_steps),
    check (shorted_steps between 0 and promised_steps),
    check ((reason is null) = (short_steps = 0 and shorted_steps = 0))
) with (fillfactor = 80);
create index order_line_by_order on order_line (order_id);
create index order_line_waiting on order_line (offer_id, position) where short_steps > 0;
create index order_line_coming on order_line (offer_id, position) where promised_steps > shorted_steps;

-- Each version of what a household brings on a day; the highest is the one that holds.
create table basket_version (
    cooperative_id uuid not null references cooperative,
    delivery_day date not null,
    household_id uuid not null references household,
    version bigint not null check (version >= 1),
    told_at timestamptz,       -- the channel's receipt for this version
    untold_reason text,        -- why no channel could tell it
    primary key (cooperative_id, delivery_day, household_id, version),
    check (told_at is null or untold_reason is null)
);

create table basket_item (
    offer_id uuid not null references offer,
    household_id uuid not null,
    since_version bigint not null,            -- the version of the basket that brought it
    quantity_steps bigint not null,
    pledged_steps bigint not null,
    why jsonb not null,
    primary key (offer_id, household_id),
    foreign key (offer_id, household_id) references pledge,
    check (quantity_steps between 1 and pledged_steps)
);

-- What each household got on a day on which it offered goods, and its fair part of that day.
create table fairness_entry (
    cooperative_id uuid not null references cooperative,
    delivery_day date not null,
    household_id uuid not null references household,
    assigned_vnd bigint not null check (assigned_vnd >= 0),
    fair_vnd bigint not null check (fair_vnd >= 0),
    primary key (cooperative_id, delivery_day, household_id)
);
