-- Bearer keys by the hash of their secret. scope: a stream, or null for all of them.
create table access_key (
    key_id uuid primary key,
    secret_sha256 bytea not null check (octet_length(secret_sha256) = 32),
    role text not null,
    scope uuid,
    label text not null,
    revoked_at timestamptz
);
