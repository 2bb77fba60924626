-- What a cooperative states in advance, what a household may pledge and can carry, and what a step weighs.
alter table cooperative
    add column promise_rule text not null default 'first_come' check (promise_rule in ('first_come', 'fair')),
    add column buffer_permille smallint not null default 0 check (buffer_permille between 0 and 900),
    add column memory_days smallint not null default 30 check (memory_days between 1 and 366),
    add column minimum_delivery_vnd bigint not null default 0 check (minimum_delivery_vnd >= 0),
    add column reply_minutes smallint not null default 120 check (reply_minutes between 1 and 1440),
    add column silence text not null default 'yes' check (silence in ('yes', 're_offer')),
    add column reply_rounds smallint not null default 2 check (reply_rounds between 1 and 5),
    add column shortfall_rule text not null default 'equal' check (shortfall_rule in ('equal', 'pro_rata')),
    add column fee_permille smallint not null default 0 check (fee_permille between 0 and 1000);

alter table household
    add column crops text[] not null default '{}',         -- empty: all
    add column grades text[] not null default '{}',        -- empty: all
    add column certificates text[] not null default '{}',
    add column maximum_load_grams int check (maximum_load_grams >= 1);

-- Staff who pledged a certified product for a household said with it that the household holds the certificates.
-- Without this, the next renewal would offer what is certified without any pledge.
update household h set certificates = held.certificates
from (
    select household_id, array_agg(distinct certificate order by certificate) as certificates
    from (
        select household_id, product_id from standing_pledge
        union select g.household_id, o.product_id from pledge g join offer o using (offer_id)
    ) pledged join product using (product_id) cross join unnest(product.certificates) as certificate
    group by household_id
) held where h.household_id = held.household_id;

alter table product add column step_grams int check (step_grams >= 1);
update product set step_grams = step_milliunits where unit = 'kg';
update product set step_grams = step_milliunits / 1000 where unit = 'g' and step_milliunits % 1000 = 0;
