-- The lines of an order are only ever read all together, so they stand in its row: one row an order instead of three.
-- {"<line number>/<offer>": ["<sku>", "<product>"]}; a line that an order had once keeps its name, since a promise for
-- it may still come.
alter table partner_order add column lines jsonb not null default '{}';
update partner_order o set lines = l.lines from (
    select order_id, jsonb_object_agg(line_no || '/' || offer_id, jsonb_build_array(sku, product_id)) as lines
    from order_line group by order_id
) l where l.order_id = o.order_id;
drop table order_line;

-- A notice of a partner has the id of its event, and needs no second key; a basket's has one of its own.
alter table notice drop constraint notice_order_id_event_id_key;
create index notice_by_order on notice (order_id, sequence) where order_id is not null;
alter table notice drop constraint notice_household_id_delivery_day_version_key;
create unique index notice_of_basket on notice (household_id, delivery_day, version) where household_id is not null;

-- Both rows come from one statement; to look the notice up again for each delivery costs more than to write it.
alter table delivery drop constraint delivery_notice_id_fkey;
