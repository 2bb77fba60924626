-- The event log: one stream per tenant, a contiguous sequence number taken under the row lock of its head.
create table stream_head (
    stream uuid primary key,
    lane smallint not null check (lane >= 0),
    last_sequence bigint not null default 0
) with (fillfactor = 50);
create index stream_head_by_lane on stream_head (lane);

create table event_log (
    stream uuid not null,
    sequence bigint not null,
    id uuid not null,
    type text not null,
    occurred_at timestamptz not null default now(),
    after text,            -- what this service had applied of the streams it reads: 'catalog=12;orders=7'
    traceparent text,
    data json not null check (octet_length(data::text) <= 262144),
    primary key (stream, sequence)
);

-- How far each stream has reached the broker. The log rows themselves are never updated.
create table relay_cursor (
    stream uuid primary key,
    sequence bigint not null,
    relayed_at timestamptz not null default now()
) with (fillfactor = 50);

-- One relay per lane at a time; `fence` grows with each new holder, so that an old one can mark nothing.
create table relay_lease (
    lane smallint primary key,
    holder text not null,
    until timestamptz not null,
    fence bigint not null default 1
);
