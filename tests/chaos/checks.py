"""The checks after each scenario, all from outside: SQL on the four databases, the receivers' own counts, the broker.

The laws of the demo's day hold here too. What is added is what only a fault can break: answers that were given, the
order of each cooperative's events, and what is left over in queues and tables.
"""

import json
from collections import defaultdict
from datetime import datetime
from typing import Any

from infra.demo import invariants
from infra.demo.day import connect_all
from infra.demo.invariants import Databases, Invariant
from infra.demo.pushes import Push
from services.contracts.flow import SERVICES
from tests.chaos.arena import Arena
from tests.chaos.settled import left_in_queues


async def check_all(arena: Arena) -> list[str]:
    """Every fault that can be seen once all is settled; an empty list is a passed scenario."""
    databases = await connect_all({name: arena.books.dsn_of(name) for name in SERVICES})
    try:
        await _leave_out_forgotten(databases, arena)
        await _leave_out_lost_words(databases, arena)
        refs = set(arena.load.acknowledged)
        laws = [
            await invariants.quantities_balance(databases),
            await invariants.pledges_are_kept(databases),
            await invariants.every_order_has_one_effect(databases, refs),
            await invariants.every_cursor_reaches_its_head(databases, arena.expected.rejected),
            await invariants.households_are_told_what_the_books_say(databases, arena.received, crashes=True),
            await invariants.partners_are_told_what_the_books_say(databases, arena.received),
            await invariants.deliveries_are_told(databases, arena.received),
            await invariants.settlements_add_up(databases),
            await every_answer_stands(databases, arena),
            await logs_are_whole(databases),
            await causes_were_applied(databases),
            await orders_keep_their_turn(databases),
            await no_message_is_left(arena),
        ]
    finally:
        for database in databases.values():
            await database.close()
    faults = [f"{law.name}: {fault}" for law in laws for fault in law.faults[:5]]
    return [f"wrong answer: {fault}" for fault in arena.load.faults[:10]] + faults


async def _leave_out_forgotten(databases: Databases, arena: Arena) -> None:
    """Hides what allocation's books and the partners' webhooks say of orders that nobody can name any more."""
    forgotten = arena.expected.forgotten
    if not forgotten:
        return
    connection = databases["allocation"]
    await connection.execute("create temp table forgotten (order_id uuid primary key)")
    await connection.executemany("insert into forgotten values ($1::text::uuid)", [(it,) for it in forgotten])
    await connection.execute(
        "create temp view order_line as select * from public.order_line where order_id not in (table forgotten)"
    )
    webhooks = arena.received.webhooks
    for message_id in [it for it, body in webhooks.items() if body["data"].get("order_id") in forgotten]:
        del webhooks[message_id]


async def _leave_out_lost_words(databases: Databases, arena: Arena) -> None:
    """Hides webhooks of decisions that every database has lost; that orders and allocation agree is checked as ever."""
    if not arena.expected.all_restored:
        return
    said = {str(row["id"]) for row in await databases["allocation"].fetch("select id from event_log")}
    webhooks = arena.received.webhooks
    for message_id in webhooks.keys() - said:
        del webhooks[message_id]


async def every_answer_stands(databases: Databases, arena: Arena) -> Invariant:
    """Each acknowledged order is there under the id that was answered, and says what its partner said last."""
    found = Invariant("what was answered stands")
    rows = await databases["orders"].fetch(
        "select partner_id::text, partner_ref, order_id::text, revised_at, kind, state, wanted from customer_order"
    )
    closed = {
        row["order_id"]
        for row in await databases["orders"].fetch(
            "select distinct order_id::text from order_line join offer using (offer_id) where offer.state = 'withdrawn'"
        )
    }
    stored = {(row["partner_id"], row["partner_ref"]): row for row in rows}
    for key, push in arena.load.acknowledged.items():
        row = stored.get(key)
        if row is None:
            found.faults.append(f"order {key[1]} was acknowledged and is lost")
            continue
        found.must_equal(f"id of {key[1]}", row["order_id"], arena.load.order_ids[key])
        found.must_equal(f"last word on {key[1]}", _said(push), _kept(row))
        # What a withdrawn offer was promised of cannot be cancelled any more.
        if push.cancelled and row["state"] != "cancelled" and row["order_id"] not in closed:
            found.faults.append(f"order {key[1]} was cancelled and is {row['state']}")
    found.compared = {"acknowledged": len(arena.load.acknowledged)}
    if not arena.load.acknowledged:
        found.faults.append("no push was acknowledged")
    return found


def _said(push: Push) -> tuple[datetime, str, Any]:
    lines = [] if push.cancelled else sorted((sku, str(quantity)) for sku, quantity in push.lines)
    return push.updated_at, "cancel" if push.cancelled else "upsert", lines


def _kept(row: Any) -> tuple[datetime, str, Any]:
    wanted = json.loads(row["wanted"])
    lines = [] if row["kind"] == "cancel" else sorted((sku, quantity) for _, sku, quantity, *_ in wanted)
    return row["revised_at"], row["kind"], lines


async def logs_are_whole(databases: Databases) -> Invariant:
    """Every log runs from 1 to its head without a hole, and no id stands in two places."""
    found = Invariant("every event log is contiguous")
    for name in SERVICES:
        rows = await databases[name].fetch(
            "select stream, count(*) as events, min(sequence) as first, max(sequence) as last,"
            " count(distinct id) as ids from event_log group by stream"
        )
        for row in rows:
            whole = (row["events"], row["first"], row["ids"]) == (row["last"], 1, row["last"])
            if not whole:
                found.faults.append(f"{name} {row['stream']}: {dict(row)}")
        found.compared[name] = sum(row["events"] for row in rows)
    return found


async def causes_were_applied(databases: Databases) -> Invariant:
    """What an event says it came after has been applied by its service; else it would hold its readers for ever."""
    found = Invariant("each event's causes had been applied")
    for name in SERVICES:
        cursors = {
            (row["stream"], row["producer"]): row["sequence"]
            for row in await databases[name].fetch("select stream, producer, sequence from consumer_cursor")
        }
        for row in await databases[name].fetch("select stream, sequence, after from event_log"):
            for producer, sequence in _vector(row["after"]).items():
                if sequence > cursors.get((row["stream"], producer), 0):
                    found.faults.append(f"{name} {row['stream']} {row['sequence']}: {producer} {sequence}")
    return found


def _vector(after: str | None) -> dict[str, int]:
    pairs = (pair.split("=") for pair in (after or "").split(";") if pair)
    return {producer: int(sequence) for producer, sequence in pairs}


async def orders_keep_their_turn(databases: Databases) -> Invariant:
    """For each offer, orders got their places in the order of the events that brought them."""
    found = Invariant("orders keep their turn")
    brought: dict[str, list[str]] = defaultdict(list)
    events = await databases["orders"].fetch(
        "select data from event_log where type in ('orders.order_placed.v1', 'orders.order_changed.v1')"
        " order by stream, sequence"
    )
    for event in events:
        said = json.loads(event["data"])
        for line in said["lines"]:
            if said["order_id"] not in brought[line["offer_id"]]:
                brought[line["offer_id"]].append(said["order_id"])
    placed: dict[str, list[str]] = defaultdict(list)
    for row in await databases["allocation"].fetch(
        "select offer_id::text, order_id::text from order_line group by 1, 2 order by offer_id, min(position)"
    ):
        placed[row["offer_id"]].append(row["order_id"])
    for offer in sorted({*brought, *placed}):
        found.must_equal(f"turns at offer {offer}", placed[offer], brought[offer])
    found.compared = {"offers": len(brought), "places": sum(map(len, placed.values()))}
    return found


async def no_message_is_left(arena: Arena) -> Invariant:
    """Queues are empty and consumed, and quarantine holds exactly what was injected."""
    found = Invariant("nothing is left over")
    for queue, depth in (await left_in_queues(arena)).items():
        found.must_equal(f"messages in {queue}", depth, 0)
    for name in SERVICES:
        count = await arena.books.value(name, "select count(*) from parked_event where status = 'quarantined'")
        found.must_equal(f"quarantine of {name}", count, arena.expected.quarantined[name])
    return found
