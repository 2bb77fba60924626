"""What the books of our services have to say once all is quiet: invariants 1 to 3 and the notices, by SQL."""

from collections.abc import Mapping

import asyncpg

_NOT_RELAYED = (
    "select coalesce(sum(last_sequence - coalesce(sequence, 0)), 0)::bigint "
    "from stream_head left join relay_cursor using (stream)"
)

_COUNTED = {  # service → what is wrong, and how often
    "catalog": {
        "parked events": "select count(*) from parked_event",
    },
    "orders": {
        "orders that are not logged once": "select count(*) from customer_order o full join "
        "(select data ->> 'order_id' as order_id, count(*) as times from event_log "
        "where type = 'orders.order_placed.v1' group by 1) e on e.order_id = o.order_id::text "
        "where o.order_id is null or e.times is distinct from 1",
        "orders that wait for their promise": "select count(*) from customer_order where state = 'placed'",
        "lines that are not covered by their promise": "select count(*) from order_line "
        "where state = 'ordered' and promised_steps + short_steps <> quantity_steps",
        "parked events": "select count(*) from parked_event",
        "events that are not relayed": _NOT_RELAYED,
    },
    "allocation": {
        "offers that do not add up": "select count(*) from offer_book b join (select offer_id, "
        "sum(promised_steps - shorted_steps) as net from order_line group by 1) l using (offer_id) "
        "where b.promised_net_steps <> l.net",
        "parked events": "select count(*) from parked_event",
        "events that are not relayed": _NOT_RELAYED,
    },
    "notify": {
        "orders told twice": "select count(*) - count(distinct order_id) from partner_message",
        "parked events": "select count(*) from parked_event",
        "events that are not relayed": _NOT_RELAYED,
    },
}
_SUM = "select count(*), coalesce(sum(hashtextextended(concat_ws('/', {}), 0)::numeric), 0) from {}"
"""Of rows in any order: equal where the rows are the same."""
_APPLIED = "select coalesce(sum(sequence), 0) from consumer_cursor where producer = 'allocation'"
_MESSAGE_LINES = "partner_message, json_array_elements(facts -> 'lines') l"
_SAME = {  # what must be the same in the services, each with its query
    "orders": {
        "orders": _SUM.format("order_id", "customer_order"),
        "allocation": _SUM.format("order_id", "(select distinct order_id from order_line) o"),
        "notify": _SUM.format("order_id", "partner_order"),
    },
    "orders that are told": {
        "orders": _SUM.format("order_id", "customer_order"),
        "notify": _SUM.format("order_id", "partner_message"),
    },
    "promises": {
        "orders": _SUM.format(
            "order_id, line_no, offer_id, promised_steps, short_steps", "order_line where state = 'ordered'"
        ),
        "allocation": _SUM.format("order_id, line_no, offer_id, promised_steps, short_steps", "order_line"),
    },
    "promises that are told": {
        "orders": _SUM.format(
            "order_id, line_no, sku, promised_steps, short_steps", "order_line where state = 'ordered'"
        ),
        "notify": _SUM.format(
            "order_id, l ->> 'line_no', l ->> 'sku', l ->> 'promised_steps', l ->> 'short_steps'", _MESSAGE_LINES
        ),
    },
    "events of allocation that are applied": {
        "catalog": _APPLIED,
        "orders": _APPLIED,
        "notify": _APPLIED,
        "allocation": "select coalesce(sum(last_sequence), 0) from stream_head",
    },
    "offers of the lines": {
        "orders": _SUM.format("order_id, line_no || '/' || offer_id", "order_line where state = 'ordered'"),
        "notify": _SUM.format("order_id, line", "partner_order, jsonb_object_keys(lines) line"),
    },
}


async def check(dsns: Mapping[str, str]) -> list[str]:
    """What is wrong, in each database and between them; `dsns` are those of all services."""
    wrong = []
    sums: dict[str, dict[str, tuple[object, ...]]] = {what: {} for what in _SAME}
    for service, dsn in dsns.items():
        connection = await asyncpg.connect(dsn)
        try:
            for what, query in _COUNTED[service].items():
                if found := await connection.fetchval(query):
                    wrong.append(f"{service}: {found} {what}")
            for what, queries in _SAME.items():
                if service in queries:
                    sums[what][service] = tuple(await connection.fetchrow(queries[service]) or ())
        finally:
            await connection.close()
    for what, found in sums.items():
        if len(set(found.values())) != 1:
            counts = ", ".join(f"{count} in {service}" for service, (count, *_) in found.items())
            wrong.append(f"{what} are not the same: {counts}")
    return wrong
