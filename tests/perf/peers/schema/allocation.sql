-- The service `allocation` of every peer: supply, and the places in the queue of each offer.
create table offer_book (
    offer_id uuid primary key,
    cooperative_id uuid not null,
    supply_steps bigint not null check (supply_steps >= 0),
    promised_steps bigint not null default 0,
    open boolean not null default true,
    last_position bigint not null default 0,
    check (promised_steps between 0 and supply_steps)   -- never oversold
) with (fillfactor = 50);

create table order_line (
    offer_id uuid not null,
    position bigint not null,
    order_id uuid not null,
    line_no int not null,
    ordered_steps bigint not null check (ordered_steps >= 1),
    promised_steps bigint not null check (promised_steps >= 0),
    short_steps bigint not null check (short_steps >= 0),
    reason text,
    primary key (offer_id, position),
    check (ordered_steps = promised_steps + short_steps)
) with (fillfactor = 80);
create index order_line_by_order on order_line (order_id);
create index order_line_waiting on order_line (offer_id, position) where short_steps > 0;

create table inbox (
    event_id uuid primary key,
    taken_at timestamptz not null default now()
);

create table outbox (
    id bigint generated always as identity primary key,
    event_id uuid not null,
    type text not null,
    payload json not null,
    created_at timestamptz not null default now()
);
