-- How a cooperative wants its notices to go.
create table notice_policy (
    cooperative_id uuid primary key references cooperative,
    step_s int not null check (step_s >= 120),
    call_before_s int not null check (call_before_s >= 0),
    gather_s int not null check (gather_s >= 0),
    remind_before_s int not null check (remind_before_s >= 0),
    changed_at timestamptz not null
);

-- A notice is for a household, the staff of a cooperative or the union, which belongs to no cooperative.
alter table notice
    drop constraint notice_names_whom_it_is_about,
    alter column cooperative_id drop not null,
    add column recipient_id uuid,
    add column not_before timestamptz,
    add column alarm_at timestamptz,     -- from when on a person is to tell it; null: it does not press
    add column expires_at timestamptz,   -- after that it is of no use
    add column told_by text,             -- the channel of the receipt
    add column called_at timestamptz,    -- when somebody last tried to call
    add column calls int not null default 0;
update notice n set
    recipient_id = coalesce(household_id, cooperative_id),
    not_before = happened_at,
    told_by = case when state = 'told' then 'email' end;
alter table notice
    alter column recipient_id set not null,
    alter column not_before set not null,
    add constraint notice_of_basket_is_complete check (
        kind <> 'basket' or num_nulls(household_id, delivery_day, version) = 0);
drop index notice_of_basket;
create unique index notice_version on notice (recipient_id, delivery_day, kind, version);
create index notice_undelivered on notice (recipient_id, happened_at) where state in ('undeliverable', 'unknown');
create index notice_open on notice (happened_at, cooperative_id) where state in ('queued', 'undeliverable', 'unknown');

-- One way of the ladder: a contact by a channel. `sending` is committed before the first byte leaves; `sent` waits for
-- the provider's receipt until step_by_at, and then, like whatever still waits then, the next way begins.
alter table delivery rename to delivery_before;
create table delivery (
    delivery_id uuid primary key,
    notice_id uuid not null,
    contact_id uuid not null,
    channel text not null,
    state text not null check (
        state in ('queued', 'sending', 'sent', 'told', 'refused', 'lapsed', 'unknown', 'superseded')),
    attempts int not null default 0,
    queued_at timestamptz not null,
    next_at timestamptz not null,
    step_by_at timestamptz not null,
    claimed_at timestamptz,
    reason text,
    provider_id text                     -- the message as the provider names it, or its receipt
) with (fillfactor = 50);
insert into delivery
select md5('delivery of ' || d.notice_id)::uuid, d.notice_id,
    coalesce(d.contact_id, md5(case when n.household_id is null then 'contact of cooperative ' || n.cooperative_id
        else 'contact of household ' || n.household_id end)::uuid),
    d.channel, d.state, d.attempts, d.queued_at, d.next_at, d.queued_at + interval '12 hours', d.claimed_at, d.reason,
    d.receipt
from delivery_before d join notice n using (notice_id);
drop table delivery_before;
create unique index delivery_of_notice on delivery (notice_id, contact_id, channel);
create index delivery_due on delivery (channel, next_at) where state = 'queued';
create index delivery_in_hand on delivery (channel, claimed_at) where state = 'sending';
create index delivery_late on delivery (step_by_at) where state in ('queued', 'sent', 'unknown');
create index delivery_by_provider on delivery (channel, provider_id) where state in ('sent', 'unknown', 'lapsed');
create index delivery_by_contact on delivery (contact_id);

-- Receipts that came before we knew the provider's id, or for messages that are not ours. Kept for a day.
create table stray_receipt (
    channel text not null,
    provider_id text not null,
    at timestamptz not null,
    arrived boolean not null,
    reason text,
    kept_at timestamptz not null,
    primary key (channel, provider_id)
);

-- What people wrote back. It appears in no log and in no event.
create table words (
    words_id uuid primary key,
    channel text not null,
    said_id text not null,               -- as the provider names it
    contact_id uuid,
    cooperative_id uuid,
    household_id uuid,
    text text not null,
    said_at timestamptz not null,
    became text not null,
    received_at timestamptz not null,
    read_at timestamptz,                 -- since when a person has seen to it
    unique (channel, said_id)
);
create index words_by_cooperative on words (cooperative_id, words_id);
create index words_by_contact on words (contact_id) where contact_id is not null;

-- What notify adds up itself, to say it in one notice: what was weighed in from a household on a day (by arrival), ...
create table received_day (
    household_id uuid not null,
    delivery_day date not null,
    cooperative_id uuid not null,
    version int not null,
    lines jsonb not null,
    primary key (household_id, delivery_day)
);
-- ... what a household is owed for a day, and what was added to that later, ...
create table settled_day (
    household_id uuid not null,
    delivery_day date not null,
    cooperative_id uuid not null,
    gross_vnd bigint not null,
    fee_vnd bigint not null,
    net_vnd bigint not null,
    primary key (household_id, delivery_day)
);
create table settlement_correction (
    correction_id uuid primary key,
    household_id uuid not null,
    delivery_day date not null,
    cooperative_id uuid not null,
    amount_vnd bigint not null
);
create index settled_day_by_cooperative on settled_day (cooperative_id, delivery_day);
create index settlement_correction_by_cooperative on settlement_correction (cooperative_id, delivery_day);
-- ... what staff are told about a day (by kind: product or offer to what is to be said), ...
create table staff_day (
    cooperative_id uuid not null,
    delivery_day date not null,
    kind text not null,
    version int not null,
    content jsonb not null,
    primary key (cooperative_id, delivery_day, kind)
);
-- ... which orders a day had, and whether they got less than was promised, ...
create table order_day (
    delivery_day date not null,
    cooperative_id uuid not null,
    order_id uuid not null,
    shorted boolean not null,
    primary key (delivery_day, cooperative_id, order_id)
);
-- ... and which day and product an offer is of.
create table offer (
    offer_id uuid primary key,
    product_id uuid not null,
    delivery_day date not null
);

-- By when a household's first goods must be there; null: it brings nothing.
alter table basket add column arrive_by_at timestamptz;
update basket set arrive_by_at = (
    select min((item ->> 'arrive_by_at')::timestamptz) from jsonb_array_elements(facts -> 'items') item
    where (item ->> (case when confirmed_by is null then 'quantity_steps' else 'confirmed_steps' end))::int > 0);
create index basket_due on basket (cooperative_id, arrive_by_at) where arrive_by_at is not null;

-- Months of which something was settled that households have not been told yet.
create table month_to_tell (
    cooperative_id uuid not null,
    month date not null,                 -- its first day
    changed_at timestamptz not null,
    primary key (cooperative_id, month)
);

-- When staff were last told that they have to see to something, by kind of notice, and how often so far.
create table staff_alert (
    cooperative_id uuid not null,
    kind text not null,
    told_at timestamptz not null,
    version int not null,
    primary key (cooperative_id, kind)
);
-- Quarantined events that staff know of; those that are decided on are forgotten.
create table quarantine_told (
    stream uuid not null,
    producer text not null,
    sequence bigint not null,
    primary key (stream, producer, sequence)
);

-- Since when staff know of what they have to see to.
alter table notice add column staff_told_at timestamptz;
alter table words add column staff_told_at timestamptz;
create index words_unread on words (cooperative_id, received_at)
    where read_at is null and staff_told_at is null and became in ('not_understood', 'not_asked');
