-- What each household brings on a day as the books have it now: the page that its link leads to shows this.
create table basket (
    household_id uuid not null,
    delivery_day date not null,
    cooperative_id uuid not null,
    version int not null,
    sequence bigint not null,  -- of the event in the stream of allocation that told of it
    facts jsonb not null,
    confirmed_by text,
    primary key (household_id, delivery_day)
);

-- The household's last answer; those before it are in the event log. It refers to no basket by a key, because baskets
-- are made anew by a rebuild and answers are not.
create table basket_reply (
    household_id uuid not null,
    delivery_day date not null,
    version int not null,
    answer text not null check (answer in ('confirm', 'less', 'cannot')),
    reason text check ((reason is not null) = (answer = 'cannot')),
    lines jsonb not null,
    channel text not null,
    seen_sequence bigint not null,  -- the state of the basket that it answers
    replied_at timestamptz not null,
    primary key (household_id, delivery_day)
);
