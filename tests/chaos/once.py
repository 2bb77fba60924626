"""Laws against double effects under a new name: what is said twice, by events or webhooks with ids of their own."""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from infra.demo.law import Databases, Invariant
from infra.demo.peers import Arrival
from services.chassis.incarnation import lost_type
from tests.chaos.arena import Arena

PLACED, CHANGED, CANCELLED = "orders.order_placed.v1", "orders.order_changed.v1", "orders.order_cancelled.v1"
PROMISED, SHORTED = "allocation.order_promised.v1", "allocation.order_shorted.v1"
BASKETS = ("allocation.basket_assigned.v1", "allocation.basket_changed.v1", "allocation.basket_confirmed.v1")
UNKNOWN = "unknown_sku"
OFFERED = ("catalog.offer_published.v1", "catalog.offer_changed.v1", "catalog.offer_withdrawn.v1")


@dataclass(frozen=True)
class Said:
    """One event of a log. `after`: up to where its service had applied each producer of the same stream."""

    stream: str
    sequence: int
    type: str
    content: Any
    after: Mapping[str, int]


async def said_by(databases: Databases, service: str, types: Collection[str]) -> list[Said]:
    """Its events of these types, in the order of each stream."""
    rows = await databases[service].fetch(
        "select stream::text, sequence, type, data, after from event_log where type = any($1)"
        " order by stream, sequence",
        list(types),
    )
    return [Said(r["stream"], r["sequence"], r["type"], json.loads(r["data"]), vector(r["after"])) for r in rows]


def vector(after: str | None) -> dict[str, int]:
    """What an event says that it came after: producer → sequence number."""
    pairs = (pair.split("=") for pair in (after or "").split(";") if pair)
    return {producer: int(sequence) for producer, sequence in pairs}


def by(events: Iterable[Said], *names: str) -> dict[Any, list[Said]]:
    """The events by these fields of their content."""
    found: defaultdict[Any, list[Said]] = defaultdict(list)
    for event in events:
        found[tuple(event.content[name] for name in names) if len(names) > 1 else event.content[names[0]]].append(event)
    return found


# -- Orders ----------------------------------------------------------------------------------------------------


async def revisions_have_one_effect(databases: Databases, arena: Arena) -> Invariant:
    """No more is said of an order than was pushed of it, and never the same twice in a row.

    An order is placed once, first of all. What was taken in because a SKU became known needs no push. Of an order that
    is not in the books, as after a restore, only a cancellation can be said.
    """
    found = Invariant("each revision of an order has one effect")
    events = by(await said_by(databases, "orders", (PLACED, CHANGED, CANCELLED)), "order_id")
    rows = await databases["orders"].fetch(
        "select order_id::text, partner_id::text, partner_ref, announced from customer_order"
    )
    revisions = arena.load.acknowledged.revisions
    for row in rows:
        own = events.pop(row["order_id"], [])
        allowed = len(revisions[row["partner_id"], row["partner_ref"]]) + _released(own)
        kinds = [event.type for event in own]
        if row["announced"] != (kinds[:1] == [PLACED]) or PLACED in kinds[1:]:
            found.faults.append(f"order {row['order_id']} is announced: {row['announced']}, and it was said: {kinds}")
        if len(own) > allowed:
            found.faults.append(f"order {row['order_id']}: {len(own)} events of {allowed} revisions")
        found.faults += [f"order {row['order_id']}: {twice} twice" for twice in _repeated(own)]
    for order_id, own in events.items():
        if order_id not in arena.expected.forgotten or any(event.type != CANCELLED for event in own):
            found.faults.append(f"order {order_id} is not in the books: {[event.type for event in own]}")
    found.compared = {"orders": len(rows), "revisions": sum(map(len, revisions.values()))}
    return found


def _released(events: Sequence[Said]) -> int:
    """How many of an order's events took in a line whose SKU had not been known."""
    waiting = [
        {(line["line_no"], line["sku"]) for line in event.content.get("refused_lines", ()) if line["reason"] == UNKNOWN}
        for event in events
    ]
    return sum(bool(before - after) for before, after in pairwise(waiting))


def _repeated(events: Iterable[Said]) -> list[str]:
    """What was said twice in a row with the same content."""
    return [
        f"{one.type} {one.sequence} and {other.sequence}"
        for one, other in pairwise(events)
        if (one.type == CANCELLED == other.type) or _content(one) == _content(other)
    ]


def _content(event: Said) -> Any:
    return event.type == CANCELLED, event.content.get("lines"), event.content.get("refused_lines")


async def promises_differ(databases: Databases, arena: Arena) -> Invariant:
    """Of one order, a promise repeats the one before it only where the order itself was changed in between."""
    found = Invariant("consecutive promises differ")
    caused = await said_by(databases, "orders", (PLACED, CHANGED, CANCELLED, lost_type("orders")))
    causes: defaultdict[tuple[str, str | None], list[int]] = defaultdict(list)
    for event in caused:
        causes[event.stream, event.content.get("order_id")].append(event.sequence)
    promises = by(await said_by(databases, "allocation", (PROMISED, SHORTED)), "order_id")
    for order_id, words in promises.items():
        for one, other in pairwise(words):
            own = [*causes[one.stream, order_id], *causes[one.stream, None]]
            began, ended = one.after.get("orders", 0), other.after.get("orders", 0)
            changed = any(began < sequence <= ended for sequence in own)
            if (one.type, one.content) == (other.type, other.content) and not changed:
                found.faults.append(f"order {order_id}: {one.type} {one.sequence} and {other.sequence} say the same")
    found.compared = {"orders": len(promises), "words": sum(map(len, promises.values()))}
    return found


async def changes_are_said_once(databases: Databases) -> Invariant:
    """Of one offer nothing is said twice in a row, of one basket nothing twice at all; each version is said once."""
    found = Invariant("each change of an offer and of a basket is said once")
    offers = by(await said_by(databases, "catalog", OFFERED), "offer_id")
    baskets = by(await said_by(databases, "allocation", BASKETS), "household_id", "delivery_day")
    for name, events in offers.items():
        found.faults += [
            f"offer {name}: {one.sequence} and {other.sequence} say the same"
            for one, other in pairwise(events)
            if one.content == other.content
        ]
    for name, events in baskets.items():
        times = Counter((event.type, json.dumps(event.content, sort_keys=True)) for event in events)
        found.faults += [f"basket of {name}: {kind} is said {n} times" for (kind, _), n in times.items() if n > 1]
        versions = [event.content["version"] for event in events if event.type != BASKETS[-1]]
        found.must_equal(f"versions of the basket of {name}", versions, list(range(1, len(versions) + 1)))
    found.compared = {"offers": len(offers), "baskets": len(baskets)}
    return found


# -- Webhooks --------------------------------------------------------------------------------------------------


async def webhooks_come_once(databases: Databases, arena: Arena) -> Invariant:
    """A webhook comes again only where its sender was interrupted with it in hand, or was set back.

    An order's come in their order, but where the older one may have been tried and lost before the newer one came, or
    was refused: that holds up no newer one. Two that follow one another in the books never say the same.
    """
    found = Invariant("each webhook comes once and in its turn")
    webhooks, interruptions = arena.received.webhooks, arena.interruptions
    repeats = [(one, again) for one, again in arena.received.repeats() if one.message_id in webhooks]
    found.faults += [
        f"webhook {again.message_id} came at {one.at:%H:%M:%S.%f} and {again.at:%H:%M:%S.%f}, and nothing died over it"
        for one, again in repeats
        if not interruptions.may_have_missed("notify", one.at, arena.held)
    ]
    arrivals: defaultdict[str, list[Arrival]] = defaultdict(list)
    for arrival in arena.received.arrivals:
        data = webhooks.get(arrival.message_id, {}).get("data", {})
        if arrival.copy == 1 and "sequence" in data:
            arrivals[data["order_id"]].append(arrival)
    for order_id, own in arrivals.items():
        for one, other in pairwise(own):
            backwards = webhooks[one.message_id]["data"]["sequence"] > webhooks[other.message_id]["data"]["sequence"]
            was_tried = arena.received.refused.get(other.message_id, other.at) < one.at
            known_at = max(own[0].at, datetime.fromisoformat(webhooks[other.message_id]["timestamp"]))
            was_lost = interruptions.within("notify", known_at, one.at) or interruptions.forgot("notify", one.at)
            if backwards and not was_tried and not was_lost:
                found.faults.append(f"order {order_id}: {one.message_id} came before {other.message_id}")
    found.faults += await _said_again(databases, webhooks)
    found.compared = {"webhooks": len(webhooks), "repeats": len(repeats), "orders": len(arrivals)}
    return found


async def _said_again(databases: Databases, webhooks: Mapping[str, Any]) -> list[str]:
    """Webhooks of one order between which no message stands in the books, and that differ in nothing but their place.

    Only of events that are still in the log: what allocation lost it decides again, and says again.
    """
    logged = {row["id"] for row in await databases["allocation"].fetch("select id::text from event_log")}
    rows = await databases["notify"].fetch("select message_id::text, order_id::text, sequence from partner_message")
    places: defaultdict[str, set[int]] = defaultdict(set)
    for row in rows:
        places[row["order_id"]].add(row["sequence"])
    orders: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    known = {row["message_id"] for row in rows}
    for message_id, body in webhooks.items():
        if "sequence" in body["data"] and (message_id in logged or message_id not in known):
            orders[body["data"]["order_id"]].append((body["data"]["sequence"], message_id))
    found = []
    for order_id, own in orders.items():
        for (first, one), (second, other) in pairwise(sorted(own)):
            between = any(first < place < second for place in places[order_id])
            if not between and _words(webhooks[one]) == _words(webhooks[other]):
                found.append(f"order {order_id}: webhooks {one} and {other} say the same")
    return found


def _words(body: Mapping[str, Any]) -> Any:
    """What it says: order.promised and order.changed are one, and its place and time are no part of it."""
    kind = "order.promised" if body["type"] == "order.changed" else body["type"]
    return kind, {name: value for name, value in body["data"].items() if name != "sequence"}
