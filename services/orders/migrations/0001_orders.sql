-- The books that catalog's events keep up to date. Uniqueness of slugs and codes is catalog's business: events of
-- two cooperatives, or of one message, may pass through states in between.
create table cooperative (
    cooperative_id uuid primary key,
    slug text not null,
    timezone text not null
);
create index cooperative_by_slug on cooperative (slug);

create table product (
    product_id uuid primary key,
    cooperative_id uuid not null,
    code text not null,
    unit text not null,
    step_milliunits int not null check (step_milliunits > 0)
);
create index product_by_code on product (cooperative_id, code);

create table offer (
    offer_id uuid primary key,
    cooperative_id uuid not null,
    product_id uuid not null,
    delivery_day date not null,
    price_vnd bigint not null check (price_vnd >= 0),
    cut_off_at timestamptz not null,
    state text not null default 'open' check (state in ('open', 'closed', 'withdrawn'))
);
create index offer_by_product on offer (product_id, delivery_day);
create index offer_open on offer (product_id) where state = 'open';
create index offer_due on offer (cut_off_at) where state = 'open';
create index offer_open_day on offer (cooperative_id, delivery_day) where state = 'open';

-- A platform's shop of one cooperative. Secrets stand here as they are, since signatures are computed with them.
create table partner (
    partner_id uuid primary key,
    cooperative_id uuid not null,
    name text not null,
    adapter text not null,
    secret text not null,
    previous_secret text,                -- still valid until it is deleted
    created_at timestamptz not null default now()
);

-- factor: units of the product per sold item, as an exact fraction (a 300 g bag: 3/10 of kg).
create table sku_map (
    partner_id uuid not null references partner,
    sku text not null,
    product_id uuid not null,
    factor_numerator bigint not null check (factor_numerator > 0),
    factor_denominator bigint not null check (factor_denominator > 0),
    primary key (partner_id, sku)
);

-- An order of a customer. revised_at, status_rank and digest are the revision of the push that made it so, wanted
-- its lines as pushed, the contact its customer. No foreign key to partner (partners stay for ever): its check
-- would lock one hot row for each order.
create table customer_order (
    order_id uuid primary key,
    cooperative_id uuid not null,
    partner_id uuid not null,
    partner_ref text not null,
    revised_at timestamptz not null,
    status_rank smallint not null,
    digest text not null,
    kind text not null check (kind in ('upsert', 'cancel')),
    delivery_day date,
    wanted json not null,
    contact_name text,
    contact_phone text,
    contact_address text,
    state text not null check (state in ('placed', 'promised', 'part_promised', 'not_promised', 'cancelled')),
    announced boolean not null,
    received_at timestamptz not null,
    promised_at timestamptz,             -- when the first promise was applied
    unique (partner_id, partner_ref)
) with (fillfactor = 80);
create index customer_order_by_cooperative on customer_order (cooperative_id, order_id);

-- sold_quantity counts the partner's items; the steps are those of the product. promised_steps is still coming.
create table order_line (
    order_id uuid not null references customer_order,
    line_no int not null check (line_no > 0),
    sku text not null,
    sold_quantity numeric not null,
    price_vnd bigint,
    state text not null check (state in ('ordered', 'refused', 'cancelled')),
    product_id uuid,
    offer_id uuid,
    delivery_day date,
    quantity_steps bigint not null check (quantity_steps >= 0),
    promised_steps bigint not null check (promised_steps >= 0),
    short_steps bigint not null check (short_steps >= 0),
    reason text,
    primary key (order_id, line_no),
    check (state <> 'ordered' or (offer_id is not null and product_id is not null and quantity_steps > 0))
) with (fillfactor = 80);
create index order_line_in_review on order_line (sku) where state = 'refused' and reason = 'unknown_sku';
