"""The checks after each scenario, all from outside: SQL on the four databases, the receivers' own counts, the broker.

The laws of the demo's day hold here too. What is added is what only a fault can break: answers that were given, effects
that come twice, the order of each cooperative's events, and what is left over in queues and tables.
"""

from infra.demo import invariants, telling
from infra.demo.day import connect_all
from infra.demo.law import Databases, Invariant
from services.contracts.flow import SERVICES
from services.notify.sending import BATCH
from tests.chaos import answers, once, settled, streams
from tests.chaos.arena import Arena
from tests.chaos.hidden import leave_out

ALWAYS = (
    "offers",
    "orders",
    "acknowledged",
    "pushed",
    "placed",
    "produced",
    "applied",
    "webhooks",
    "queues",
    "causes",
    "effects",
)
"""What no scenario's day is without, wherever a law has compared it."""
IN_THE_EVENING = (
    *ALWAYS, "items", "baskets", "messages", "days", "entries", "vnd", "replies", "arrivals", "departures", "steps",
    "deliveries",
)  # fmt: skip
"""And what no settled day is without."""


async def check_all(arena: Arena) -> list[str]:
    """Every fault that can be seen once all is settled; an empty list is a passed scenario."""
    databases = await connect_all({name: arena.books.dsn_of(name) for name in SERVICES})
    try:
        await leave_out(databases, arena)
        while True:
            before = await _said(databases)
            faults = await check(databases, arena)
            if before == await _said(databases):
                return faults
            await settled.until_settled(arena)  # a job spoke meanwhile, so that the books are of different moments
    finally:
        for database in databases.values():
            await database.close()


async def _said(databases: Databases) -> list[int]:
    """How many events each service has logged."""
    count = "select coalesce(sum(last_sequence), 0)::bigint from stream_head"
    return [await databases[name].fetchval(count) for name in SERVICES]


async def check(databases: Databases, arena: Arena) -> list[str]:
    """The same on these connections."""
    for name, process in arena.services.items():
        if process.service == "notify":
            arena.interruptions.read_log("notify", arena.services[name].log_path)
    found = await _laws(databases, arena)
    has_ended = arena.evening is not None and bool(arena.evening.taken.departures)
    for law in found:
        law.must_have_compared(IN_THE_EVENING if has_ended else ALWAYS)
    faults = [f"{law.name}: {fault}" for law in found for fault in law.faults[:5]]
    return [f"wrong answer: {fault}" for fault in arena.load.faults[:10]] + faults


async def _laws(databases: Databases, arena: Arena) -> list[Invariant]:
    in_hand, unsure = await _in_hand(databases, arena), _unsure(arena)
    return [
        await invariants.quantities_balance(databases),
        await invariants.pledges_are_kept(databases, await answers.pledges_said_too_late(databases)),
        await invariants.every_order_has_one_effect(databases, set(arena.load.acknowledged)),
        await invariants.every_cursor_reaches_its_head(databases, arena.expected.rejected),
        await invariants.settlements_add_up(databases),
        await telling.households_are_told_what_the_books_say(databases, arena.received, in_hand),
        await telling.partners_are_told_what_the_books_say(databases, arena.received, unsure),
        await telling.deliveries_are_told(databases, arena.received),
        await answers.every_answer_stands(databases, arena),
        await answers.offers_stand(databases, arena),
        await answers.replies_stand(databases, arena),
        await answers.arrivals_stand(databases, arena),
        await once.revisions_have_one_effect(databases, arena),
        await once.promises_differ(databases, arena),
        await once.changes_are_said_once(databases),
        await once.webhooks_come_once(databases, arena),
        await streams.logs_are_whole(databases),
        await streams.causes_were_applied(databases),
        await streams.effects_came_after_their_causes(databases),
        await streams.orders_keep_their_turn(databases),
        await streams.no_message_is_left(arena),
    ]


async def _in_hand(databases: Databases, arena: Arena) -> set[str]:
    """The notices that notify was sending when it was interrupted: a batch at most, each time."""
    rows = await databases["notify"].fetch(
        "select notice_id::text, d.claimed_at from delivery d join notice n using (notice_id) "
        "where n.state = 'unknown' and d.claimed_at is not null"
    )
    claims = [(row["notice_id"], row["claimed_at"]) for row in rows]
    return arena.interruptions.in_hand("notify", claims, arena.held, BATCH)


def _unsure(arena: Arena) -> set[str]:
    """The webhooks that had come and that notify may not have noted, or has forgotten."""
    return {
        arrival.message_id
        for arrival in arena.received.arrivals
        if arena.interruptions.may_have_missed("notify", arrival.at, arena.held)
    }
