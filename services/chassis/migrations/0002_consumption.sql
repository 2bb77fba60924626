-- How far this service has applied each stream that it reads, and how far it knows the stream to reach.
create table consumer_cursor (
    producer text not null,
    stream uuid not null,
    sequence bigint not null default 0,
    head bigint not null default 0,
    behind_since timestamptz,      -- since when head > sequence without progress
    asked_at timestamptz,          -- when a resend was last requested
    primary key (stream, producer)
) with (fillfactor = 50);
create index consumer_cursor_behind on consumer_cursor (behind_since) where behind_since is not null;

-- Events that cannot be applied yet: ahead of a gap or of a cause (waiting), failed (retry), given up (quarantined).
create table parked_event (
    producer text not null,
    stream uuid not null,
    sequence bigint not null,
    status text not null check (status in ('waiting', 'retry', 'quarantined')),
    attempts int not null default 0,
    next_at timestamptz,
    error text,
    event json not null,
    parked_at timestamptz not null default now(),
    primary key (stream, producer, sequence)
);
create index parked_event_due on parked_event (next_at) where status = 'retry';
create index parked_event_quarantined on parked_event (parked_at) where status = 'quarantined';

-- What an operator did about a quarantined event.
create table quarantine_act (
    id bigint generated always as identity primary key,
    producer text not null,
    stream uuid not null,
    sequence bigint not null,
    act text not null check (act in ('retry', 'skip')),
    reason text not null,
    actor text not null,
    event json not null,
    acted_at timestamptz not null default now()
);

-- Messages whose envelope could not be read or whose sender was not who it claimed to be; kept to be looked at.
create table rejected_message (
    id bigint generated always as identity primary key,
    queue text not null,
    reason text not null,
    body bytea not null,
    received_at timestamptz not null default now()
);
