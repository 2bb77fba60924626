-- Campaigns of the union: a platform that sells offers pooled over several cooperatives. Orders are split where they
-- come in; each cooperative gets its part as an order of its own seat, a partner of the campaign.
create table campaign (
    campaign_id uuid primary key,
    name text not null,
    adapter text not null,
    tier smallint not null check (tier between 1 and 99),
    secret text not null,
    previous_secret text                 -- still valid until it is deleted
);
alter table partner add column campaign_id uuid references campaign;
create unique index partner_of_campaign on partner (campaign_id, cooperative_id) where campaign_id is not null;

-- How much of a SKU each cooperative gives to the campaign on one delivery day, and how much of it is ordered.
create table campaign_share (
    campaign_id uuid not null references campaign,
    sku text not null,
    delivery_day date not null,
    partner_id uuid not null references partner,
    share_steps bigint not null check (share_steps >= 0),
    taken_steps bigint not null default 0 check (taken_steps >= 0),
    primary key (campaign_id, sku, delivery_day, partner_id)
);

-- An order as the platform last pushed it; its parts are orders of the seats with the same partner_ref. refused:
-- lines that no cooperative has, [line_no, sku, quantity, reason]; only while there are any is the contact kept here.
create table campaign_order (
    campaign_id uuid not null references campaign,
    partner_ref text not null,
    revised_at timestamptz not null,
    status_rank smallint not null,
    digest text not null,
    kind text not null check (kind in ('upsert', 'cancel')),
    delivery_day date,
    wanted json not null,
    refused json not null,
    contact_name text,
    contact_phone text,
    contact_address text,
    waits_for text[] not null,           -- SKUs that nobody has given a meaning
    primary key (campaign_id, partner_ref)
);
create index campaign_order_waiting on campaign_order (campaign_id) where waits_for <> '{}';
