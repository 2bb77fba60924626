-- Orders that a platform has told of without their lines. keys: those of the pushes at the newest updated_at, by which
-- the same push is known again. due_at null: pulled since the newest push. told_at: since when something waits.
-- faults: how many of the attempts failed because of this order.
create table pull (
    partner_id uuid not null,
    partner_ref text not null,
    updated_at timestamptz not null,
    status text not null,
    keys text[] not null,
    told_at timestamptz not null,
    due_at timestamptz,
    attempts int not null default 0,
    faults int not null default 0,
    last_error text,
    primary key (partner_id, partner_ref)
) with (fillfactor = 50);
create index pull_due on pull (partner_id, due_at) where due_at is not null;

-- What opens a platform's API for a partner, as it is, since requests are made with it. app_secret null: the partner's
-- newest secret. refreshing_until: one process gets the next token, and nobody else before then, since a refresh token
-- may be good for one use only.
-- next_call_at: before it the platform is not to be asked again, by any process; while one asks, the end of its lease.
create table platform_token (
    partner_id uuid primary key references partner,
    app_secret text,
    access_token text not null,
    refresh_token text not null,
    expires_at timestamptz not null,
    next_call_at timestamptz not null,
    refreshing_until timestamptz,
    at_once int not null default 1000,  -- orders to ask for at once, at the most: fewer where many failed together
    failures int not null default 0,    -- how often it failed at all that it was asked for, since it last did not
    refused_at timestamptz              -- since when the seller has to authorise the app again
);

-- WooCommerce never sends a push again: its orders are asked for now and then. seen_until, trash_seen_until: the newest
-- time of change that was read, by the shop's clock, of its orders and of those in its trash; nothing before since is
-- asked for.
create table reconciliation (
    partner_id uuid primary key references partner,
    consumer_key text not null,
    consumer_secret text not null,
    since timestamptz not null,
    seen_until timestamptz not null,
    trash_seen_until timestamptz not null,
    due_at timestamptz not null,
    done_at timestamptz not null,       -- when everything had been read for the last time
    attempts int not null default 0,
    last_error text
);
create index reconciliation_due on reconciliation (due_at);
