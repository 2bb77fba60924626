-- From the cut-off to the settlement: what households answer, what arrives, what is missing, what is owed.

-- What a cooperative states in advance, and what catalog says of its members and products.
alter table cooperative
    add column promise_rule text not null default 'first_come',
    add column buffer_permille int not null default 0,
    add column memory_days int not null default 30,
    add column minimum_delivery_vnd bigint not null default 0,
    add column reply_minutes int not null default 120,
    add column silence text not null default 'yes',
    add column reply_rounds int not null default 2,
    add column shortfall_rule text not null default 'equal',
    add column fee_permille int not null default 0;
alter table household add column load_grams bigint check (load_grams >= 1);
alter table product                           -- of those listed before, `rebuild` learns the names
    add column name text not null default '',
    add column unit text not null default '',
    add column step_grams bigint check (step_grams >= 1);

-- The policies that hold for a delivery day, as they were when it first closed; and the round in which it asks.
create table market_day (
    cooperative_id uuid not null references cooperative,
    delivery_day date not null,
    silence text not null check (silence in ('yes', 're_offer')),
    rounds int not null check (rounds >= 1),
    reply_minutes int not null check (reply_minutes >= 1),
    shortfall_rule text not null check (shortfall_rule in ('equal', 'pro_rata')),
    fee_permille int not null check (fee_permille between 0 and 1000),
    round_no int not null default 0,
    last_round_no int not null default 0,
    open boolean not null default false,
    reply_by_at timestamptz,                  -- until when the open round can be answered
    primary key (cooperative_id, delivery_day),
    check (not open or reply_by_at is not null)
);
create index market_day_due on market_day (reply_by_at) where open;

-- A household's basket as it stands; its versions say who was told which.
create table basket (
    cooperative_id uuid not null references cooperative,
    delivery_day date not null,
    household_id uuid not null references household,
    version bigint not null check (version >= 1),
    weight bigint not null,                   -- its share weight, its memory of past days and its greatest load, as
    memory_vnd bigint not null,               --   they were when the day closed
    load_grams bigint,
    round_no int not null,                    -- the last round in which it was asked; 0: never
    answer text check (answer in ('confirm', 'less', 'cannot')),
    reason text,                              -- the code that came with `cannot`
    primary key (cooperative_id, delivery_day, household_id)
);

-- An item of 0 steps is kept: what the household said that it cannot bring, it is not asked for again.
alter table basket_item
    drop constraint basket_item_check,
    alter column why drop not null,           -- nothing was asked at the cut-off; only raised since
    add column raises jsonb not null default '[]',
    add column confirmed_steps bigint not null default 0,
    add column most_steps bigint;
update basket_item set most_steps = pledged_steps;
alter table basket_item
    alter column most_steps set not null,
    add constraint basket_item_steps check (confirmed_steps between 0 and quantity_steps
        and quantity_steps <= most_steps and most_steps <= pledged_steps);

-- What of an offer was shared out, and what of it nobody brings.
alter table offer
    add column step_grams bigint check (step_grams >= 1),     -- the weight of a step; null: not known
    add column assigned_steps bigint,
    add column missing_steps bigint not null default 0,
    add column settled boolean not null default false;
update offer o set assigned_steps = b.promised_net_steps from offer_book b where b.offer_id = o.offer_id and o.assigned;
alter table offer add constraint offer_assigned check (not assigned or assigned_steps is not null);

-- Days that closed before there were rounds are not asked.
insert into market_day (cooperative_id, delivery_day, silence, rounds, reply_minutes, shortfall_rule, fee_permille)
select distinct cooperative_id, delivery_day, 'yes', 1, 1, 'equal', 0 from offer where assigned;
insert into basket (cooperative_id, delivery_day, household_id, version, weight, memory_vnd, round_no)
select v.cooperative_id, delivery_day, household_id, max(version), max(share_weight), 0, 0
from basket_version v join household using (household_id) group by 1, 2, 3;

-- What was received at the collection point; recorded anew, an arrival stands in place of what it was.
create table arrival (
    cooperative_id uuid not null references cooperative,
    arrival_id uuid not null,                 -- staff's own name for it
    delivery_day date not null,
    offer_id uuid not null references offer,
    household_id uuid not null references household,
    lot text not null,
    accepted_steps bigint not null check (accepted_steps >= 0),
    rejected_steps bigint not null check (rejected_steps >= 0),
    reason text check (reason is not null or rejected_steps = 0),
    grams bigint check (grams >= 0),
    recorded_at timestamptz not null,
    primary key (cooperative_id, arrival_id)
);
create index arrival_by_day on arrival (cooperative_id, delivery_day);

-- Which lots fill which line of an order.
create table line_lot (
    order_id uuid not null,
    line_no bigint not null,
    offer_id uuid not null references offer,
    lot text not null,
    quantity_steps bigint not null check (quantity_steps >= 1),
    primary key (order_id, line_no, offer_id, lot)
);
create index line_lot_by_lot on line_lot (lot);

-- The accounts of the households: rows are only added. Without a reason it is the settlement of the day itself.
create table settlement_entry (
    event_id uuid not null,                   -- the command that made it
    household_id uuid not null references household,
    cooperative_id uuid not null references cooperative,
    delivery_day date not null,
    gross_vnd bigint not null,
    fee_vnd bigint not null,
    adjustment_vnd bigint not null default 0,
    reason text,
    made_at timestamptz not null,
    correction_id uuid,                       -- what staff call a correction, so that it is booked once
    primary key (event_id, household_id),
    unique (cooperative_id, correction_id)
);
create index settlement_entry_by_day on settlement_entry (cooperative_id, delivery_day);
