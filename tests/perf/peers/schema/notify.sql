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

create table partner_message (
    message_id uuid primary key,
    cooperative_id uuid not null,
    partner_id uuid not null,
    order_id uuid not null,
    facts json not null,
    happened_at timestamptz not null,
    state text not null default 'queued' check (state in ('queued', 'sending', 'told', 'undeliverable')),
    attempts int not null default 0,
    next_at timestamptz default now(),
    told_at timestamptz
) with (fillfactor = 50);
create index partner_message_due on partner_message (cooperative_id, partner_id, next_at) where next_at is not null;
create index partner_message_by_order on partner_message (order_id);
create index partner_message_by_partner on partner_message (cooperative_id, partner_id, message_id);

create table inbox (
    event_id uuid primary key,
    taken_at timestamptz not null default now()
);
