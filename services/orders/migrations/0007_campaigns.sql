-- Campaigns of the union: partners that sell offers pooled over several cooperatives, and whose cooperative_id is their
-- own id. Orders are split where they come in; each cooperative gets its part as an order of its seat in the campaign.
alter table partner add column campaign_id uuid references partner;
create unique index partner_of_campaign on partner (campaign_id, cooperative_id) where campaign_id is not null;

-- How much of a SKU each cooperative gives to the campaign on one delivery day, and how much of it is ordered.
create table campaign_share (
    campaign_id uuid not null references partner,
    sku text not null,
    delivery_day date not null,
    partner_id uuid not null references partner,
    share_steps bigint not null check (share_steps >= 0),
    taken_steps bigint not null default 0 check (taken_steps >= 0),
    primary key (campaign_id, sku, delivery_day, partner_id)
);

-- An order as the platform last pushed it; its parts are orders of the seats with the same partner_ref. refused:
-- lines that no cooperative has, [[line_no, sku, quantity, price], reason]. The contact is kept while a line waits only.
create table campaign_order (
    campaign_id uuid not null references partner,
    partner_ref text not null,
    revised_at timestamptz not null,
    status_rank smallint not null,
    digest text not null,
    kind text not null check (kind in ('upsert', 'cancel')),
    asked_day date,                      -- as pushed; delivery_day is what was found where it is null
    delivery_day date,
    wanted json not null,
    refused json not null,
    contact_name text,
    contact_phone text,
    contact_address text,
    contact_email text,
    contact_platform_id text,
    contact_erased boolean not null default false,
    waits_for text[] not null,           -- SKUs that nobody has given a meaning
    primary key (campaign_id, partner_ref)
);
create index campaign_order_waiting on campaign_order (campaign_id) where waits_for <> '{}';
