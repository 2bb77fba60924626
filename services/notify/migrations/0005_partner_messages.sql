-- What partners have to be told, one row a message. It waits, or is being sent, as long as it has a `next_at`: no index
-- holds its state, and so taking it in hand touches no index. Half of each page is left for that, since the messages
-- of a batch stand side by side.
create table partner_message (
    message_id uuid primary key,  -- of the event that told of it, and what it is sent under
    cooperative_id uuid not null,
    partner_id uuid not null,
    order_id uuid not null,
    kind text not null,
    sequence bigint not null,     -- the place of the event in the stream of allocation
    facts jsonb not null,
    happened_at timestamptz not null,
    traceparent text,
    queued_at timestamptz not null,
    state text not null check (state in ('queued', 'sending', 'told', 'undeliverable', 'superseded')),
    attempts int not null default 0,
    next_at timestamptz,
    claimed_at timestamptz,
    told_at timestamptz,
    reason text,                  -- why it is undeliverable
    receipt text,                 -- what came of the last attempt: the partner's receipt, or what went wrong
    check ((next_at is not null) = (state in ('queued', 'sending'))),
    check ((told_at is not null) = (state = 'told'))
) with (fillfactor = 50);

insert into partner_message
select n.notice_id, n.cooperative_id, n.partner_id, n.order_id, n.kind, n.sequence, n.facts, n.happened_at,
    n.traceparent, coalesce(d.queued_at, n.happened_at),
    case when n.state = 'queued' then coalesce(d.state, 'queued') else n.state end, coalesce(d.attempts, 0),
    case when n.state = 'queued' then coalesce(d.next_at, n.happened_at) end, d.claimed_at, n.told_at,
    case when n.state <> 'queued' then n.reason end, coalesce(d.receipt, d.reason)
from notice n left join delivery d on d.notice_id = n.notice_id and d.channel = 'webhook'
where n.partner_id is not null;

create index partner_message_due on partner_message (cooperative_id, partner_id, next_at) where next_at is not null;
create index partner_message_by_order on partner_message (order_id, sequence);
create index partner_message_by_partner on partner_message (cooperative_id, partner_id, message_id);

-- From here on notices are for people alone.
delete from delivery where channel = 'webhook';
delete from notice where partner_id is not null;
drop index notice_by_order;
alter table notice
    drop constraint notice_names_whom_it_is_about,
    drop column partner_id, drop column order_id, drop column event_id, drop column sequence,
    add constraint notice_names_whom_it_is_about check (case kind
        when 'basket' then num_nulls(household_id, delivery_day, version) = 0
        when 'endpoint_disabled' then household_id is null else true end);

-- An endpoint has one batch under way, over all processes, and the one that waited longest for its turn is next.
alter table partner_endpoint
    add column taken_at timestamptz,     -- when the last batch was taken in hand
    add column taken_until timestamptz;  -- until when nobody takes another one; null: none is under way
