-- Partners that may push over AMQP. password_hash is RabbitMQ's salted SHA-256 of a random password that is stored
-- nowhere; `python -m services.orders accounts` gives it to the broker.
create table amqp_account (
    partner_id uuid primary key references partner,
    password_hash text not null,
    renewed_at timestamptz not null
);
