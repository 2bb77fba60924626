-- The service `orders` of every peer: its books, the orders, and what it has to announce.
create table product (
    product_id uuid primary key,
    cooperative_id uuid not null,
    step_milliunits int not null check (step_milliunits > 0)
);

create table offer (
    offer_id uuid primary key,
    cooperative_id uuid not null,
    product_id uuid not null,
    delivery_day date not null,
    cut_off_at timestamptz not null,
    state text not null default 'open' check (state in ('open', 'closed', 'withdrawn'))
);
create index offer_open on offer (product_id, delivery_day) where state = 'open';

create table partner (
    partner_id uuid primary key,
    cooperative_id uuid not null,
    secret text not null
);

create table sku_map (
    partner_id uuid not null references partner,
    sku text not null,
    product_id uuid not null,
    factor_numerator bigint not null check (factor_numerator > 0),
    factor_denominator bigint not null check (factor_denominator > 0),
    primary key (partner_id, sku)
);

create table customer_order (
    order_id uuid primary key,
    cooperative_id uuid not null,
    partner_id uuid not null,
    partner_ref text not null,
    revised_at timestamptz not null,
    digest text not null,
    delivery_day date,
    wanted json not null,
    contact_name text,
    contact_phone text,
    contact_address text,
    state text not null check (state in ('placed', 'promised', 'part_promised', 'not_promised')),
    received_at timestamptz not null,
    promised_at timestamptz,                             -- when the promise was applied
    unique (partner_id, partner_ref)
) with (fillfactor = 50);
create index customer_order_by_cooperative on customer_order (cooperative_id, order_id);

-- No foreign keys on what one statement or transaction writes together: looking each row up again costs too much.
create table order_line (
    order_id uuid not null,
    line_no int not null check (line_no > 0),
    sku text not null,
    sold_quantity numeric not null,
    price_vnd bigint,
    state text not null check (state in ('ordered', 'refused')),
    product_id uuid,
    offer_id uuid,
    delivery_day date,
    quantity_steps bigint not null check (quantity_steps >= 0),
    promised_steps bigint not null default 0 check (promised_steps >= 0),
    short_steps bigint not null default 0 check (short_steps >= 0),
    reason text,
    primary key (order_id, line_no)
) with (fillfactor = 50);
create index order_line_in_review on order_line (sku) where state = 'refused' and reason = 'unknown_sku';
create index order_line_by_day on order_line (delivery_day, order_id) where delivery_day is not null;

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
