-- What we ask a provider with, where its refresh tokens are good for one use. It appears in no log and in no event.
create table provider_token (
    provider text primary key,
    access_token text not null,      -- empty: none yet
    expires_at timestamptz not null, -- of the access token
    refresh_token text not null,
    seed_sha256 text not null,       -- of the token in the settings that all these come from
    refused_at timestamptz           -- since when the provider refuses the refresh token
);
