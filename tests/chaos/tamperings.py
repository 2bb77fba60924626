"""What can be wrong in the books: the database, a statement that makes it so, and words that its fault must have."""

_SAID = (
    "insert into event_log (stream, sequence, id, type, data, after)"
    " select stream, (select max(sequence) + 1 from event_log), gen_random_uuid(), type, data, after"
    " from event_log where "
)
"""One event a second time, under an id and a number of its own."""

TAMPERINGS = (
    # What is promised, pledged and paid
    (
        "allocation",
        "update order_line set promised_steps = promised_steps + 1, ordered_steps = ordered_steps + 1 where"
        " (offer_id, position) = (select offer_id, max(position) from order_line group by 1 limit 1)",
        "promises in orders and allocation",
    ),
    (
        "orders",
        "update order_line set quantity_steps = quantity_steps + 1 where (order_id, line_no) ="
        " (select order_id, line_no from order_line where state = 'ordered' limit 1)",
        "ordered = promised + short + cancelled",
    ),
    (
        "catalog",
        "update pledge set quantity_steps = 0 where (offer_id, household_id) ="
        " (select offer_id, household_id from pledge where quantity_steps > 9 limit 1)",
        "what staff stated of offers stands: pledges",
    ),
    ("catalog", "update pledge set quantity_steps = 0", "no household above its pledge"),
    (
        "allocation",
        "update settlement_entry set gross_vnd = gross_vnd + 1 where (event_id, household_id) ="
        " (select event_id, household_id from settlement_entry limit 1)",
        "settlements = accepted x price - fees",
    ),
    ("allocation", "delete from settlement_entry", "settlements = accepted x price - fees"),
    (
        "allocation",
        "insert into settlement_entry"
        " (event_id, household_id, cooperative_id, delivery_day, gross_vnd, fee_vnd, made_at)"
        " select gen_random_uuid(), household_id, cooperative_id, delivery_day, 0, 0, now()"
        " from settlement_entry limit 1",
        "was settled with 2 times",
    ),
    # What was answered
    (
        "orders",
        "update customer_order set revised_at = revised_at - interval '1 h' where order_id ="
        " (select order_id from customer_order limit 1)",
        "last word on",
    ),
    (
        "catalog",
        "update offer set withdrawn_at = now() where offer_id = (select offer_id from offer"
        " where withdrawn_at is null limit 1)",
        "withdrawn offers in catalog",
    ),
    (
        "allocation",
        "update arrival set accepted_steps = accepted_steps + 1 where arrival_id ="
        " (select arrival_id from arrival limit 1)",
        "arrivals and departures stand",
    ),
    (
        "notify",
        "update basket_reply set answer = case answer when 'less' then 'confirm' else 'less' end, reason = null"
        " where household_id = (select household_id from basket_reply limit 1)",
        "last replies in notify",
    ),
    (
        "allocation",
        "update basket set answer = null where household_id = (select household_id from basket where answer is not null"
        " limit 1)",
        "last replies in allocation",
    ),
    # What is said twice
    ("orders", _SAID + "type = 'orders.order_placed.v1' limit 1", "each revision of an order has one effect"),
    ("orders", _SAID + "type = 'orders.order_changed.v1' limit 1", "each revision of an order has one effect"),
    ("orders", _SAID + "type = 'orders.order_cancelled.v1' limit 1", "each revision of an order has one effect"),
    (
        "allocation",
        _SAID + "type = 'allocation.order_promised.v1' and not exists (select from event_log later where"
        " later.sequence > event_log.sequence and later.stream = event_log.stream"
        " and later.data->>'order_id' = event_log.data->>'order_id'"
        " and later.type <> 'allocation.order_delivered.v1') limit 1",
        "consecutive promises differ",
    ),
    ("allocation", _SAID + "type = 'allocation.order_delivered.v1' limit 1", "was told 2 times of"),
    ("allocation", _SAID + "type = 'allocation.basket_assigned.v1' limit 1", "each change of an offer and of a basket"),
    (
        "allocation",
        _SAID + "type = 'allocation.basket_confirmed.v1' limit 1",
        "each change of an offer and of a basket",
    ),
    ("allocation", _SAID + "type = 'allocation.arrival_recorded.v1' limit 1", "times said"),
    ("allocation", _SAID + "type = 'allocation.truck_departed.v1' limit 1", "truck_departed"),
    ("allocation", _SAID + "type = 'allocation.day_settled.v1' limit 1", "day_settled"),
    (
        "catalog",
        _SAID + "type = 'catalog.offer_changed.v1' order by sequence desc limit 1",
        "each change of an offer and of a basket",
    ),
    ("notify", _SAID + "type = 'notify.household_replied.v1' limit 1", "what households answered stands"),
    # Who was told
    (
        "notify",
        "update notice set state = 'undeliverable', told_at = null where notice_id ="
        " (select notice_id from notice where kind = 'basket' limit 1)",
        "households are told exactly",
    ),
    (
        "notify",
        "update notice set state = 'unknown', told_at = null where notice_id ="
        " (select notice_id from notice where kind <> 'basket' limit 1)",
        "was in nobody's hand",
    ),
    (
        "notify",
        "update partner_message set state = 'undeliverable', told_at = null where message_id ="
        " (select message_id from partner_message where state = 'told' limit 1)",
        "partners are told exactly",
    ),
    (
        "notify",
        "update partner_message set state = 'superseded', told_at = null where message_id ="
        " (select message_id from partner_message where state = 'told' limit 1)",
        "those that count as told",
    ),
    (
        "notify",
        "delete from partner_message where message_id ="
        " (select message_id from partner_message where kind = 'order_cancelled' limit 1)",
        "of cancelled order",
    ),
    (
        "allocation",
        "update event_log set data = replace(data::text, '\"delivered_steps\":', '\"delivered_steps\":1')::json"
        " where (stream, sequence) = (select stream, sequence from event_log"
        " where type = 'allocation.order_delivered.v1' limit 1)",
        "delivered = promised - shorted",
    ),
    (
        "allocation",
        "delete from event_log where type = 'allocation.order_delivered.v1'",
        "delivered = promised - shorted",
    ),
    # Streams
    (
        "allocation",
        "update order_line set position = -position where (offer_id, position) ="
        " (select offer_id, max(position) from order_line group by 1 having count(*) > 3 limit 1)",
        "orders keep their turn",
    ),
    (
        "orders",
        "delete from event_log where (stream, sequence) = (select stream, max(sequence) / 2 from event_log"
        " group by 1 having count(*) > 9 limit 1)",
        "every event log is contiguous",
    ),
    (
        "notify",
        "update consumer_cursor set sequence = sequence - 1 where (stream, producer) ="
        " (select stream, producer from consumer_cursor where sequence > 5 limit 1)",
        "every cursor reaches",
    ),
    (
        "allocation",
        "update event_log set after = 'catalog=1;orders=999999' where (stream, sequence) ="
        " (select stream, max(sequence) from event_log group by 1 having count(*) > 9 limit 1)",
        "causes had been applied",
    ),
    (
        "notify",
        "update applied_turn set first_sequence = first_sequence - 1 where producer = 'orders' and first_sequence > 1",
        "no reader applied an effect before its cause",
    ),
    (
        "notify",
        "insert into parked_event (producer, stream, sequence, status, event)"
        " values ('orders', gen_random_uuid(), 1, 'waiting', '{}')",
        "parked events of notify",
    ),
    ("notify", "insert into rejected_message (queue, reason, body) values ('', '', '')", "rejected messages of notify"),
)
