-- How a partner's endpoint fares, and the secret that signs beside the new one while the partner changes over.
alter table partner_endpoint
    add column old_secret text,
    add column old_secret_until timestamptz,
    add column failing_since timestamptz,     -- since when nothing has got through; null: the last attempt did
    add column failures int not null default 0,
    add column last_failure text,
    add column throttled_until timestamptz,   -- it wants to be left alone until then
    add column disabled_reason text,
    add column timeouts int not null default 0,  -- rounds in a row in which it did not answer at all
    add check ((old_secret is null) = (old_secret_until is null));
update partner_endpoint set disabled_reason = 'endpoint_gone' where disabled_at is not null;

-- A promise that comes for a cancelled order was decided before the cancellation.
alter table partner_order add column cancelled boolean not null default false;

-- Whom a cooperative wants to be told of what its staff must see to. It appears in no log and in no event.
create table staff_contact (
    cooperative_id uuid primary key references cooperative,
    email text not null,
    display_name text not null,
    language text not null,
    changed_at timestamptz not null
);

-- A notice to staff names no household and no order.
alter table notice drop constraint notice_check;
alter table notice add constraint notice_names_whom_it_is_about check (case kind
    when 'basket' then num_nulls(household_id, delivery_day, version) = 0
    when 'endpoint_disabled' then num_nonnulls(household_id, partner_id, order_id) = 0
    else num_nulls(partner_id, order_id, event_id, sequence) = 0 end);
