-- What a partner registers beside its secret, by the names that its adapter declares: app key, shop id, verify token.
alter table partner add column settings jsonb not null default '{}';
