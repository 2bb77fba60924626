-- The contact book: persons, in which ways each is reached, and what it has consented to. What stands here appears in
-- no log and in no event. A person belongs to a household, else to the staff of a cooperative, else to the union.
alter table contact rename to contact_before;
alter index contact_pkey rename to contact_before_pkey;

create table contact (
    contact_id uuid primary key,
    cooperative_id uuid references cooperative,
    household_id uuid references household,
    recipient_id uuid not null generated always as (
        coalesce(household_id, cooperative_id, '00000000-0000-0000-0000-000000000000')) stored,
    display_name text not null,
    language text not null,
    quiet_from time,                 -- local time of the cooperative; may be later than quiet_until
    quiet_until time,
    rank int not null,               -- among those of the same recipient; the smallest is told first
    changed_at timestamptz not null,
    check (household_id is null or cooperative_id is not null),
    check ((quiet_from is null) = (quiet_until is null))
);
create index contact_by_recipient on contact (recipient_id, rank, contact_id);

-- gone_at: since when it is known that nothing should ever be sent there again.
create table contact_address (
    contact_id uuid not null references contact on delete cascade,
    channel text not null,
    address text not null,
    rank int not null,
    gone_at timestamptz,
    primary key (contact_id, channel)
);
-- For what somebody writes back. By hash, since some addresses are too long for a tree.
create index contact_address_by_address on contact_address using hash (address);

-- Every consent that was ever given, with its withdrawal. recorded_by is a key; null: nobody of ours.
create table consent (
    consent_id uuid primary key,
    contact_id uuid not null references contact on delete cascade,
    channel text not null,
    purpose text not null check (purpose in ('work', 'money', 'alerts', 'summary')),
    given_at timestamptz not null,
    source text not null,
    recorded_at timestamptz not null,
    recorded_by uuid,
    withdrawn_at timestamptz,
    withdrawn_source text,
    withdrawn_by uuid,
    check ((withdrawn_at is null) = (withdrawn_source is null)),
    check (withdrawn_by is null or withdrawn_at is not null)
);
create unique index consent_open on consent (contact_id, channel, purpose) where withdrawn_at is null;
create index consent_by_contact on consent (contact_id);

-- Whose erasure was asked for and done: who did it, when and why, and nothing of the person.
create table contact_erasure (
    contact_id uuid primary key,
    cooperative_id uuid,
    reason text not null,
    key_id uuid not null,
    erased_at timestamptz not null
);

-- Whom a delivery was for, so that everybody can be told what was sent to them.
alter table delivery add column contact_id uuid;
create index delivery_by_contact on delivery (contact_id) where contact_id is not null;

-- What was told before goes on being told.
insert into contact (contact_id, cooperative_id, household_id, display_name, language, rank, changed_at)
select md5('contact of household ' || household_id)::uuid, h.cooperative_id, household_id, c.display_name, c.language,
    1, c.changed_at
from contact_before c join household h using (household_id)
union all
select md5('contact of cooperative ' || cooperative_id)::uuid, cooperative_id, null, display_name, language, 1,
    changed_at
from staff_contact;

insert into contact_address (contact_id, channel, address, rank)
select md5('contact of household ' || household_id)::uuid, 'email', email, 1 from contact_before
union all
select md5('contact of cooperative ' || cooperative_id)::uuid, 'email', email, 1 from staff_contact;

insert into consent (consent_id, contact_id, channel, purpose, given_at, source, recorded_at)
select md5('consent of ' || contact_id)::uuid, contact_id, 'email',
    case when household_id is null then 'alerts' else 'work' end, changed_at,
    'contact book before consent was recorded', now()
from contact;

drop table contact_before;
drop table staff_contact;
