-- What notify has learned from the other services and needs to name things.
create table cooperative (
    cooperative_id uuid primary key,
    name text not null,
    timezone text not null
);
create table collection_point (
    collection_point_id uuid primary key,
    name text not null
);
create table household (
    household_id uuid primary key,
    cooperative_id uuid not null,
    code text not null
);
create table product (
    product_id uuid primary key,
    name text not null,
    unit text not null,
    step_milliunits int not null check (step_milliunits > 0)
);
create table partner_order (
    order_id uuid primary key,
    partner_id uuid not null,
    partner_ref text not null,
    refused_lines jsonb not null
);
-- A line stays when it is cancelled: the promise still speaks of it.
create table order_line (
    order_id uuid not null references partner_order,
    line_no int not null,
    offer_id uuid not null,
    sku text not null,
    product_id uuid not null,
    primary key (order_id, line_no, offer_id)
);

-- The contact book. What stands here appears in no log and in no event.
create table contact (
    household_id uuid primary key references household,
    email text not null,
    display_name text not null,
    language text not null,
    changed_at timestamptz not null
);
-- Kept per cooperative, so that one cooperative's staff can never direct another's orders to an address of theirs.
-- The secret is kept as it is: signing needs it.
create table partner_endpoint (
    cooperative_id uuid not null references cooperative,
    partner_id uuid not null,
    url text not null,
    secret text not null,
    disabled_at timestamptz,
    changed_at timestamptz not null,
    primary key (cooperative_id, partner_id)
);

-- What somebody has to be told, once. `queued` lasts until a delivery has settled it.
create table notice (
    notice_id uuid primary key,
    cooperative_id uuid not null,
    kind text not null,
    household_id uuid,
    delivery_day date,
    version int,
    partner_id uuid,
    order_id uuid,
    event_id uuid,         -- the event in the stream of allocation that told of it, and its place there
    sequence bigint,
    facts jsonb not null,
    happened_at timestamptz not null,
    traceparent text,
    state text not null check (state in ('queued', 'told', 'undeliverable', 'unknown', 'superseded')),
    reason text,
    told_at timestamptz,
    unique (household_id, delivery_day, version),
    unique (order_id, event_id),
    check (case when kind = 'basket' then num_nulls(household_id, delivery_day, version) = 0
           else num_nulls(partner_id, order_id, event_id, sequence) = 0 end),
    check ((state = 'told') = (told_at is not null))
);
create index notice_by_cooperative on notice (cooperative_id, notice_id);
create index notice_by_day on notice (cooperative_id, delivery_day, notice_id) where delivery_day is not null;
create index notice_by_state on notice (cooperative_id, state, notice_id);

-- One channel's way with a notice. `sending` is committed before the first byte leaves.
create table delivery (
    notice_id uuid not null references notice,
    channel text not null,
    state text not null check (state in ('queued', 'sending', 'told', 'refused', 'unknown', 'superseded')),
    attempts int not null default 0,
    queued_at timestamptz not null,
    next_at timestamptz not null,
    claimed_at timestamptz,
    reason text,
    receipt text,
    primary key (notice_id, channel)
) with (fillfactor = 50);
create index delivery_due on delivery (channel, next_at) where state = 'queued';
create index delivery_in_hand on delivery (channel, claimed_at) where state = 'sending';
