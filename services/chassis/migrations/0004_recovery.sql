-- Attempts that kill the process. An event is marked as begun before it is tried again; who finds it begun by a
-- process that is no more counts a death.
alter table parked_event
    add column begun_by uuid,
    add column deaths int not null default 0;

-- In which order the producers' events of a stream were applied here: a row for each change of producer. From
-- `first_sequence` on that producer's events were applied, until the next row. With it a rebuild repeats every
-- decision as it was made.
create table applied_turn (
    stream uuid not null,
    turn bigint not null,
    producer text not null,
    first_sequence bigint not null,
    primary key (stream, turn)
);
-- `asked_at` is '-infinity' where what was asked for has come; the stream may ask for the next part at once.
-- `turn`: the last row of applied_turn that speaks of this stream and producer.
-- `ahead_since`: since when the producer says that its stream ends before what was applied here.
alter table consumer_cursor
    add column turn bigint not null default 0,
    add column ahead_since timestamptz;

-- Which database this is: the server, its timeline, the database, its log. A restored copy or a promoted standby
-- is another one, and may lack what was published already; see chassis/incarnation.py.
create function present_identity() returns text language sql stable as $$
    select concat_ws('/', (select system_identifier from pg_control_system()),
        left(pg_walfile_name(pg_current_wal_lsn()), 8),
        (select oid from pg_database where datname = current_database()), 'event_log'::regclass::oid)
$$;
create table incarnation (
    one boolean primary key default true check (one),
    identity text not null
);
-- A log that was written before this migration may be that of an old backup: its readers are asked first.
insert into incarnation (identity)
select case when exists (select from event_log) then '' else present_identity() end;

-- While a new identity is not settled: which readers have answered for which lane, and how far they know a stream.
create table settling_answer (
    identity text not null,
    lane smallint not null,
    reader text not null,
    primary key (identity, lane, reader)
);
create table settling_reach (
    identity text not null,
    stream uuid not null,
    sequence bigint not null,
    primary key (identity, stream)
);

-- Numbers that were published by an earlier incarnation and whose events are not in this database.
create table lost_events (
    stream uuid not null,
    first_sequence bigint not null,
    last_sequence bigint not null,
    found_at timestamptz not null default now(),
    primary key (stream, first_sequence)
);
