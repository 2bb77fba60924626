"""The invariants of the design, checked by SQL against the four databases and by what the receivers really got.

Nothing here asks a service: the books are compared with each other, and with the mails and webhooks that arrived.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

import asyncpg

from infra.demo.peers import Received
from services.contracts.flow import READS, SERVICES

Databases = Mapping[str, "asyncpg.Connection[asyncpg.Record]"]


@dataclass
class Invariant:
    """One law with the numbers that were compared; `faults` says in words where it does not hold."""

    name: str
    compared: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether no fault was found."""
        return not self.faults

    def must_equal(self, what: str, one: Any, other: Any) -> None:
        """Notes a fault where the two differ; of collections, a few of the members in which they do."""
        if one == other:
            return
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            differing = [key for key in {**one, **other} if one.get(key) != other.get(key)]
            shown = "; ".join(f"{key}: {one.get(key)} is not {other.get(key)}" for key in differing[:3])
            self.faults.append(f"{what}: {len(differing)} differ: {shown}")
        elif isinstance(one, set) and isinstance(other, set):
            extra, missing = sorted(one - other, key=str), sorted(other - one, key=str)
            self.faults.append(f"{what}: {len(extra)} too many {extra[:3]}, {len(missing)} missing {missing[:3]}")
        else:
            self.faults.append(f"{what}: {one} is not {other}")

    def as_json(self) -> dict[str, Any]:
        """For the report; at most ten faults."""
        return {"holds": self.holds, "compared": self.compared, "faults": self.faults[:10]}


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
        await households_are_told_what_the_books_say(databases, received),
        await partners_are_told_what_the_books_say(databases, received),
        await deliveries_are_told(databases, received),
        await settlements_add_up(databases),
    ]


async def mapping(database: "asyncpg.Connection[asyncpg.Record]", query: str, *values: object) -> dict[Any, int]:
    """A query of two columns as a mapping."""
    return {row[0]: row[1] for row in await database.fetch(query, *values)}


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


async def pledges_are_kept(databases: Databases) -> Invariant:
    """Invariant 1: no household brings more than it pledged, by the pledges in catalog's own books."""
    found = Invariant("no household above its pledge")
    pledges = {
        (row["offer_id"], row["household_id"]): row["quantity_steps"]
        for row in await databases["catalog"].fetch("select offer_id, household_id, quantity_steps from pledge")
    }
    items = await databases["allocation"].fetch("select offer_id, household_id, quantity_steps from basket_item")
    for item in items:
        pledged = pledges.get((item["offer_id"], item["household_id"]), 0)
        if item["quantity_steps"] > pledged:
            found.faults.append(f"household {item['household_id']}: {item['quantity_steps']} of {pledged} pledged")
    found.compared = {"items": len(items), "pledges": len(pledges)}
    return found


async def deliveries_are_told(databases: Databases, received: Received) -> Invariant:
    """Of each order line of a settled day: delivered = promised - shorted, told once per order and day."""
    found = Invariant("delivered = promised - shorted, and the partner is told so")
    books: dict[tuple[str, str], dict[tuple[int, str], int]] = {}
    for row in await databases["allocation"].fetch(
        "select order_id::text, o.delivery_day::text, line_no, offer_id::text,"
        " sum(promised_steps - shorted_steps)::bigint as net from order_line join offer o using (offer_id)"
        " where o.settled group by 1, 2, 3, 4 having sum(promised_steps) > 0"
    ):
        books.setdefault((row["order_id"], row["delivery_day"]), {})[row["line_no"], row["offer_id"]] = row["net"]
    events = [
        json.loads(row["data"])
        for row in await databases["allocation"].fetch(
            "select data from event_log where type = 'allocation.order_delivered.v1' order by stream, sequence"
        )
    ]
    times = Counter((event["order_id"], event["delivery_day"]) for event in events)
    found.faults += [f"order {order} was told {n} times of {day}" for (order, day), n in times.items() if n > 1]
    said = {
        (event["order_id"], event["delivery_day"]): {
            (line["line_no"], line["offer_id"]): line["delivered_steps"] for line in event["lines"]
        }
        for event in events
    }
    for key, lines in books.items():
        told = said.get(key, {})
        found.must_equal(f"order {key[0]} on {key[1]}", {place: told.get(place) for place in lines}, lines)
        extra = [place for place, steps in told.items() if steps and place not in lines]
        found.faults += [f"order {key[0]} was told of line {line_no} that never came" for line_no, _ in extra]
    cancelled = {
        row["order_id"]
        for row in await databases["orders"].fetch(
            "select order_id::text from customer_order where state = 'cancelled'"
        )
    }
    heard = received.deliveries()
    for key in books.keys() - {key for key in books if key[0] in cancelled}:
        by_number = Counter[int]()
        for (line_no, _), steps in said.get(key, {}).items():
            by_number[line_no] += steps
        found.must_equal(f"webhook on order {key[0]}", dict(heard.get(key, {})), dict(by_number))
    found.compared = {"orders": len(books), "steps": sum(sum(own.values()) for own in books.values())}
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


async def households_are_told_what_the_books_say(
    databases: Databases, received: Received, crashes: bool = False
) -> Invariant:
    """Invariant 4: one message per household and basket version, by mail, Zalo, SMS or Telegram, or one call instead.

    It is told by receipt, with the quantities of the books; no notice of any kind comes twice. After `crashes` the
    outcome of a message may be unknown: it came at most once, and the household counts as untold.
    """
    found = Invariant("households are told exactly what the books say, once per change")
    baskets = await databases["allocation"].fetch(
        "select household_id, delivery_day, version, told_at is not null as told, untold_reason from basket_version"
    )
    every = await databases["notify"].fetch(
        "select notice_id, kind, household_id, delivery_day, version, state, facts, told_by from notice"
    )
    notices = [n for n in every if n["kind"] == "basket"]
    found.must_equal(
        "baskets and notices",
        {(b["household_id"], b["delivery_day"], b["version"]) for b in baskets},
        {(n["household_id"], n["delivery_day"], n["version"]) for n in notices},
    )
    told_here = {(b["household_id"], b["delivery_day"], b["version"]) for b in baskets if b["told"]}
    untold = {(b["household_id"], b["delivery_day"], b["version"]) for b in baskets if b["untold_reason"]}
    sent = [n for n in notices if n["state"] != "superseded"]  # overtaken by a newer version before it was sent
    unknown = {str(n["notice_id"]) for n in sent if crashes and n["state"] == "unknown"}
    for notice in sent:
        key = (notice["household_id"], notice["delivery_day"], notice["version"])
        if key not in (untold if str(notice["notice_id"]) in unknown else told_here):
            found.faults.append(f"notice {notice['notice_id']} is {notice['state']}, and the books say otherwise")
        elif notice["state"] not in ("told", "unknown" if crashes else "told"):
            found.faults.append(f"notice {notice['notice_id']} is {notice['state']}")
    arrived = await messages_by_notice(databases, received)
    found.faults += [f"notice {notice} came {count} times" for notice, count in arrived.items() if count > 1]
    told_others = {str(n["notice_id"]) for n in every if n["kind"] != "basket" and n["state"] == "told"}
    found.faults += [f"notice {notice} is told and never came" for notice in told_others - arrived.keys()]
    mails = Counter({str(n["notice_id"]): arrived[str(n["notice_id"])] for n in notices})
    certain = Counter({notice: count for notice, count in mails.items() if count and notice not in unknown})
    by_message = Counter(str(n["notice_id"]) for n in sent if n["told_by"] != "call")
    found.must_equal("messages per notice", certain, by_message - Counter(unknown))
    items: Counter[tuple[str, str, date]] = Counter()
    for row in await databases["allocation"].fetch(
        "select i.household_id, o.product_id, o.delivery_day, i.quantity_steps"
        " from basket_item i join offer o using (offer_id) where i.quantity_steps > 0"
    ):
        items[str(row["household_id"]), str(row["product_id"]), row["delivery_day"]] += row["quantity_steps"]
    latest: dict[tuple[Any, Any], Any] = {}
    for notice in sorted(notices, key=lambda n: n["version"]):
        latest[notice["household_id"], notice["delivery_day"]] = notice
    told: Counter[tuple[str, str, date]] = Counter()
    found.faults += [f"the newest basket of {n['household_id']} was not sent" for n in latest.values() if n not in sent]
    for notice in latest.values():
        for item in json.loads(notice["facts"])["items"]:
            told[str(notice["household_id"]), item["product_id"], notice["delivery_day"]] += item["quantity_steps"]
    found.must_equal("quantities told", told, items)
    found.compared = {
        "baskets": len(baskets),
        "told": sum(n["state"] == "told" for n in notices),
        "unknown": len(unknown),
        "messages": mails.total(),
        "called": sum(n["told_by"] == "call" for n in notices),
    }
    return found


async def messages_by_notice(databases: Databases, received: Received) -> Counter[str]:
    """How often each notice arrived anywhere: by Message-ID, or by the delivery that a provider's id stands for."""
    rows = await databases["notify"].fetch(
        "select delivery_id, notice_id, channel, coalesce(provider_id, receipt) as provider_id from delivery"
    )
    by_ours = {row["delivery_id"]: str(row["notice_id"]) for row in rows}
    by_theirs = {(row["channel"], row["provider_id"]): str(row["notice_id"]) for row in rows}
    found = Counter(received.mail_ids())
    for one in received.delivered():
        notice = by_ours.get(UUID(one.our_id)) if one.our_id else by_theirs.get((one.channel, one.provider_id))
        found[notice or f"unknown {one.channel} {one.provider_id}"] += 1
    return found


async def partners_are_told_what_the_books_say(databases: Databases, received: Received) -> Invariant:
    """Invariant 4 for partners: the newest webhook of each order says what allocation's books say."""
    found = Invariant("partners are told exactly what the books say")
    messages = await databases["notify"].fetch("select message_id, state from partner_message")
    found.faults += [
        f"message {m['message_id']} is {m['state']}" for m in messages if m["state"] not in ("told", "superseded")
    ]
    rows: Sequence[asyncpg.Record] = await databases["allocation"].fetch(
        "select order_id, line_no, offer_id, sum(promised_steps - shorted_steps)::bigint as net from order_line"
        " group by 1, 2, 3 having sum(ordered_steps - cancelled_steps) > 0"
    )
    books: dict[str, Counter[int]] = {}
    for row in rows:
        books.setdefault(str(row["order_id"]), Counter())[row["line_no"]] += row["net"]
    cancelled = {
        str(row["order_id"])
        for row in await databases["orders"].fetch("select order_id from customer_order where state = 'cancelled'")
    }
    said = {order: lines for order, lines in received.last_promises().items() if order not in cancelled}
    for order_id, lines in said.items():
        found.must_equal(f"order {order_id}", dict(+lines), dict(+books.get(order_id, Counter())))
    found.faults += [f"nobody was told of order {order_id}" for order_id in books if order_id not in said]
    found.compared = {"orders": len(said), "webhooks": received.webhook_count()}
    found.faults += received.bad_signatures + received.changed_copies
    return found
