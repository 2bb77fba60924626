"""The invariants of the design, checked by SQL against the four databases and by what the receivers really got.

Nothing here asks a service: the books are compared with each other, and with the mails and webhooks that arrived.
"""

from collections import Counter
from collections.abc import Mapping
from uuid import UUID

from infra.demo import telling
from infra.demo.law import Databases, Invariant, mapping
from infra.demo.peers import Received
from services.contracts.flow import READS, SERVICES


async def check_all(
    databases: Databases, refs: set[tuple[str, str]], received: Received, set_aside: int
) -> list[Invariant]:
    """Every invariant that one day can show; `refs` are the (partner, order number) that partners pushed.

    `set_aside`: how many of their pushes were faulty and are kept for an operator.
    """
    return [
        await quantities_balance(databases),
        await pledges_are_kept(databases),
        await every_order_has_one_effect(databases, refs),
        await every_cursor_reaches_its_head(databases, {"orders": set_aside}),
        await telling.households_are_told_what_the_books_say(databases, received),
        await telling.partners_are_told_what_the_books_say(databases, received),
        await telling.deliveries_are_told(databases, received),
        await settlements_add_up(databases),
    ]


async def quantities_balance(databases: Databases) -> Invariant:
    """Invariant 1, per offer: ordered = promised + short + cancelled, and baskets carry promised - shorted."""
    found = Invariant("ordered = promised + short + cancelled; baskets = promised - shorted")
    wanted = await mapping(
        databases["orders"],
        "select offer_id, sum(quantity_steps)::bigint from order_line where state = 'ordered' group by offer_id",
    )
    books = await databases["allocation"].fetch(
        "select b.offer_id, b.open, b.supply_steps, coalesce(o.settled, false) as settled,"
        " coalesce((select sum(f.quantity_steps) from line_lot f where f.offer_id = b.offer_id), 0) as filled,"
        " coalesce(l.ordered, 0) as ordered,"
        " coalesce(l.promised, 0) as promised,"
        " coalesce(l.short, 0) as short, coalesce(l.cancelled, 0) as cancelled, coalesce(l.shorted, 0) as shorted,"
        " coalesce((select sum(i.quantity_steps) from basket_item i where i.offer_id = b.offer_id), 0) as carried "
        "from offer_book b left join offer o using (offer_id)"
        " left join lateral (select sum(ordered_steps) as ordered, sum(promised_steps) as promised,"
        " sum(short_steps) as short, sum(cancelled_steps) as cancelled, sum(shorted_steps) as shorted"
        " from order_line l where l.offer_id = b.offer_id) l on true order by b.offer_id"
    )
    total: Counter[str] = Counter()
    for book in books:
        offer = book["offer_id"]
        found.must_equal(f"offer {offer} law", book["ordered"], book["promised"] + book["short"] + book["cancelled"])
        found.must_equal(f"offer {offer} orders", wanted.pop(offer, 0), book["promised"] + book["short"])
        net = book["promised"] - book["shorted"]
        if book["settled"]:
            found.must_equal(f"offer {offer} lots", book["filled"], net)
        elif not book["open"]:
            found.must_equal(f"offer {offer} baskets", book["carried"], net)
        if net > book["supply_steps"]:
            found.faults.append(f"offer {offer}: {net} promised of {book['supply_steps']}")
        for word in ("ordered", "promised", "short", "cancelled", "shorted", "carried"):
            total[word] += int(book[word])
    found.faults += [f"offer {offer} is ordered and not in the books of allocation" for offer in wanted]
    found.compared = {"offers": len(books), **total}
    return found


async def pledges_are_kept(
    databases: Databases, said_too_late: Mapping[UUID, Mapping[UUID, int]] | None = None
) -> Invariant:
    """Invariant 1: no household brings more than it pledged, by the pledges in catalog's own books.

    `said_too_late`: what counts of offers that were changed after they were closed, by offer and household.
    """
    found = Invariant("no household above its pledge")
    pledges = {
        (row["offer_id"], row["household_id"]): row["quantity_steps"]
        for row in await databases["catalog"].fetch("select offer_id, household_id, quantity_steps from pledge")
    }
    for offer_id, stood in (said_too_late or {}).items():
        pledges |= {(offer_id, household_id): steps for household_id, steps in stood.items()}
    items = await databases["allocation"].fetch("select offer_id, household_id, quantity_steps from basket_item")
    for item in items:
        pledged = pledges.get((item["offer_id"], item["household_id"]), 0)
        if item["quantity_steps"] > pledged:
            found.faults.append(f"household {item['household_id']}: {item['quantity_steps']} of {pledged} pledged")
    found.compared = {"items": len(items), "pledges": len(pledges)}
    return found


async def settlements_add_up(databases: Databases) -> Invariant:
    """Invariant 5: the sum of all settlements is that of accepted x price - fees, to the đồng."""
    found = Invariant("settlements = accepted x price - fees")
    rows = await databases["allocation"].fetch(
        "select m.cooperative_id, m.delivery_day, m.fee_permille, count(e.*) as entries,"
        " coalesce(sum(e.gross_vnd), 0)::bigint as gross, coalesce(sum(e.fee_vnd), 0)::bigint as fee,"
        " coalesce((select sum(a.accepted_steps * o.step_value_vnd) from arrival a join offer o using (offer_id)"
        "  where o.settled and a.cooperative_id = m.cooperative_id and a.delivery_day = m.delivery_day), 0)::bigint"
        " as worth from market_day m left join settlement_entry e using (cooperative_id, delivery_day)"
        " group by m.cooperative_id, m.delivery_day"
    )
    for row in rows:
        found.must_equal(f"gross of {row['delivery_day']}", row["gross"], row["worth"])
        found.must_equal(
            f"fee of {row['delivery_day']}", row["fee"], (row["worth"] * row["fee_permille"] + 500) // 1000
        )
    found.compared = {
        "days": len(rows),
        "entries": sum(row["entries"] for row in rows),
        "vnd": sum(row["gross"] - row["fee"] for row in rows),
    }
    return found


async def every_order_has_one_effect(databases: Databases, refs: set[tuple[str, str]]) -> Invariant:
    """Invariant 2: each pushed order exists once, was placed once, and is cancelled where its last word was that."""
    found = Invariant("each order of a partner has one effect")
    stored = await databases["orders"].fetch(
        "select partner_id::text, partner_ref, order_id, state from customer_order"
    )
    found.must_equal("orders", {(row["partner_id"], row["partner_ref"]) for row in stored}, refs)
    placed = Counter(
        row["order_id"]
        for row in await databases["orders"].fetch(
            "select data->>'order_id' as order_id from event_log where type = 'orders.order_placed.v1'"
        )
    )
    found.faults += [f"order {order} was placed {n} times" for order, n in placed.items() if n != 1]
    lines = {
        (row["order_id"], row["line_no"], row["offer_id"]): (row["promised_steps"], row["short_steps"])
        for row in await databases["orders"].fetch("select * from order_line where state = 'ordered'")
    }
    promised = {
        (row["order_id"], row["line_no"], row["offer_id"]): (row["net"], row["short"])
        for row in await databases["allocation"].fetch(
            "select order_id, line_no, offer_id, sum(promised_steps - shorted_steps)::bigint as net,"
            " sum(short_steps + shorted_steps)::bigint as short from order_line group by 1, 2, 3"
            " having sum(ordered_steps - cancelled_steps) > 0"
        )
    }
    found.must_equal("promises in orders and allocation", lines, promised)
    found.compared = {"pushed": len(refs), "stored": len(stored), "placed": sum(placed.values()), "lines": len(lines)}
    return found


async def every_cursor_reaches_its_head(databases: Databases, rejected: Mapping[str, int] | None = None) -> Invariant:
    """Invariant 3: produced = applied, per stream, with nothing parked and nothing in quarantine.

    `rejected`: how many messages each service must have set aside as unreadable; none where nothing is said.
    """
    found = Invariant("every cursor reaches the producer's head")
    produced = applied = 0
    for producer in SERVICES:
        heads = await mapping(databases[producer], "select stream, last_sequence from stream_head")
        logged = await mapping(databases[producer], "select stream, count(*) from event_log group by stream")
        found.must_equal(f"log of {producer}", {s: n for s, n in heads.items() if n}, logged)
        produced += sum(heads.values())
        for consumer in (name for name, reads in READS.items() if producer in reads):
            cursors = await mapping(
                databases[consumer], "select stream, sequence from consumer_cursor where producer = $1", producer
            )
            applied += sum(cursors.values())
            for stream, head in heads.items():
                found.must_equal(f"{consumer} of {producer} {stream}", cursors.get(stream, 0), head)
    for name in SERVICES:
        parked = await databases[name].fetchval("select count(*) from parked_event")
        set_aside = await databases[name].fetchval("select count(*) from rejected_message")
        found.must_equal(f"parked events of {name}", parked, 0)
        found.must_equal(f"rejected messages of {name}", set_aside, (rejected or {}).get(name, 0))
    found.compared = {"produced": produced, "applied": applied}
    return found
