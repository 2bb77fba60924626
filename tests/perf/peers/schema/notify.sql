-- The service `notify` of every peer: how goods and orders are named, and what partners have to be told.
create table product (
    product_id uuid primary key,
    name text not null,
    unit text not null,
    step_milliunits int not null check (step_milliunits > 0)
);

create table partner_endpoint (
    cooperative_id uuid not null,
    partner_id uuid not null,
    url text not null,
    secret text not null,
    primary key (cooperative_id, partner_id)
);

create table partner_order (
    order_id uuid primary key,
    partner_id uuid not null,
    partner_ref text not null,
    refused_lines jsonb not null,
    lines jsonb not null
);

create table notice (
    notice_id uuid primary key,
    cooperative_id uuid not null,
    partner_id uuid not null,
    order_id uuid not null,
    event_id uuid not null,
    facts jsonb not null,
    happened_at timestamptz not null,
    state text not null default 'queued' check (state in ('queued', 'told', 'undeliverable')),
    told_at timestamptz
);
create index notice_by_order on notice (order_id);
create index notice_by_cooperative on notice (cooperative_id, notice_id);
create index notice_by_state on notice (cooperative_id, state, notice_id);

create table delivery (
    notice_id uuid not null,
    channel text not null,
    state text not null default 'queued' check (state in ('queued', 'sending', 'told', 'refused')),
    attempts int not null default 0,
    queued_at timestamptz not null default now(),
    next_at timestamptz not null default now(),
    primary key (notice_id, channel)
) with (fillfactor = 50);
create index delivery_due on delivery (channel, next_at) where state = 'queued';

create table inbox (
    event_id uuid primary key,
    taken_at timestamptz not null default now()
);
