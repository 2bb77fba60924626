"""Events that cannot be applied: their cooperative waits, everybody else goes on, and an operator decides."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from uuid import UUID

import asyncpg

from services.chassis.ledger import Ledger, Transaction
from services.contracts.base import Event
from services.contracts.orders import IntakeClosed
from tests.chaos.arena import Arena
from tests.chaos.command import must
from tests.chaos.scenario import scenario
from tests.chaos.world import Member

READER = "allocation"
MOST_DEATHS = 3
ENOUGH = 20
"""Orders of the others that show that they go on."""
ACTOR = "trực ban"

_QUARANTINED = "select error from parked_event where status = 'quarantined' and (stream, sequence) = ($1, $2)"
_ACTS = "select producer, sequence, act, reason, actor from quarantine_act where stream = $1"


@dataclass(frozen=True)
class Poison:
    """An event of `orders` that its reader cannot apply."""

    stream: UUID
    sequence: int

    @property
    def words(self) -> tuple[str, str, str]:
        """How the command line names it."""
        return "orders", str(self.stream), str(self.sequence)


@scenario("a poison event", environment={READER: {"ALLOCATION_MAX_ATTEMPTS": "2"}})
async def poison(arena: Arena) -> None:
    """Orders closes an offer that belongs to another cooperative; allocation refuses to believe it."""
    await arena.load.until(0.2)
    sick, other = arena.random.sample(arena.world.members, 2)
    (event,) = await _append(arena, sick, [_of_another(arena, other)])
    await _until_quarantined(arena, event)
    error = await arena.books.value(READER, _QUARANTINED, event.stream, event.sequence)
    assert "belongs to another cooperative" in error, error
    await _others_go_on(arena, event.stream)
    listed = await must(arena, READER, "quarantine", "list")
    assert " ".join(event.words) in listed, listed
    shown = await must(arena, READER, "quarantine", "show", *event.words)
    assert "orders.intake_closed.v1" in shown, shown
    await must(arena, READER, "quarantine", "skip", *event.words, "--reason", "not theirs", "--actor", ACTOR)
    arena.fault_ends()
    await _must_be_recorded(arena, event, "skip", "not theirs")


@scenario("a cooperative full of poison", environment={READER: {"ALLOCATION_MAX_ATTEMPTS": "1"}})
async def much_poison(arena: Arena) -> None:
    """Event after event of one cooperative fails; each is skipped, and the next one waits already."""
    await arena.load.until(0.2)
    sick, other = arena.random.sample(arena.world.members, 2)
    for event in await _append(arena, sick, [_of_another(arena, other) for _ in range(5)]):
        await _until_quarantined(arena, event)
        await must(arena, READER, "quarantine", "skip", *event.words, "--reason", "not theirs", "--actor", ACTOR)
    arena.fault_ends()
    await _others_go_on(arena, event.stream, sick_waits=False)


@scenario("an event that crashes its reader", short=True)
async def crashing(arena: Arena) -> None:
    """Allocation dies whenever it takes a certain order in hand, until the event is set aside."""
    await arena.load.until(0.2)
    await arena.stop(READER)
    await arena.load.until(0.4)
    event, event_id = await _some_order(arena)
    arena.environment[READER]["ALLOCATION_FAULT_POINT"] = f"handling={event_id}"
    await arena.start_service(READER, ready=False)
    await _until_quarantined(arena, event)
    error = await arena.books.value(READER, _QUARANTINED, event.stream, event.sequence)
    assert "died over it" in error, error
    deaths = arena.deaths.at_points[READER]
    assert 1 <= deaths <= MOST_DEATHS, f"{READER} died {deaths} times"
    await _others_go_on(arena, event.stream)
    deaths = arena.deaths.all[READER]
    del arena.environment[READER]["ALLOCATION_FAULT_POINT"]
    await arena.restart(READER)
    await must(arena, READER, "quarantine", "retry", *event.words, "--reason", "mended", "--actor", ACTOR)
    arena.fault_ends()
    await _must_be_recorded(arena, event, "retry", "mended")
    assert arena.deaths.all[READER] == deaths, "it died again although the event was set aside"


def _of_another(arena: Arena, other: Member) -> IntakeClosed:
    offer = next(iter(other.offers.values()))
    return IntakeClosed(offer_id=UUID(offer.offer_id), delivery_day=arena.world.delivery_day, closes_day=False)


async def _append(arena: Arena, member: Member, events: Iterable[Event]) -> list[Poison]:
    """Publishes the events in the name of orders, as orders itself does: through its log."""
    stream = UUID(member.seeded.cooperative_id)
    async with asyncpg.create_pool(arena.dsn("orders"), min_size=1, max_size=1) as pool:
        ledger = Ledger(pool, _wherever, lambda touched: None)
        found = []
        for event in events:
            await ledger.transact(partial(_say, stream, event))
            query = "select max(sequence) from event_log where stream = $1 and type = $2 and data->>'offer_id' = $3"
            offer_id = json.loads(event.encode())["offer_id"]
            found.append(Poison(stream, await pool.fetchval(query, stream, event.type, offer_id)))
        return found


async def _say(stream: UUID, event: Event, tx: Transaction) -> None:
    tx.append(stream, event)


def _wherever(_: UUID) -> int:
    """Counts for new streams only; one that has a lane stays on it."""
    return 0


async def _some_order(arena: Arena) -> tuple[Poison, UUID]:
    """An order that allocation has not seen, with others of its cooperative behind it."""
    rows = await arena.sql("orders", "select stream, sequence, id, type from event_log order by stream, sequence")
    reached = {
        row["stream"]: row["sequence"]
        for row in await arena.sql(READER, "select stream, sequence from consumer_cursor where producer = 'orders'")
    }
    fresh = [row for row in rows if row["sequence"] > reached.get(row["stream"], 0)]
    placed = [row for row in fresh if row["type"] == "orders.order_placed.v1"]
    assert placed, "no order waits for allocation"
    chosen = arena.random.choice(placed)
    return Poison(chosen["stream"], chosen["sequence"]), chosen["id"]


async def _until_quarantined(arena: Arena, event: Poison) -> None:
    query = partial(arena.sql, READER, _QUARANTINED, event.stream, event.sequence)
    await arena.until(f"{' '.join(event.words)} is in quarantine", query)


async def _others_go_on(arena: Arena, sick: UUID, *, sick_waits: bool = True) -> None:
    """Orders pushed from now on are promised, but for those of the sick cooperative."""
    now = await arena.books.value("orders", "select now()")
    query = "select count(*) from customer_order where received_at > $1 and promised_at is not null"

    async def enough() -> bool:
        promised = await arena.books.value("orders", f"{query} and cooperative_id <> $2", now, sick)
        return bool(promised >= ENOUGH)

    await arena.until(f"{ENOUGH} orders of the others are promised", enough)
    if sick_waits:
        promised = await arena.books.value("orders", f"{query} and cooperative_id = $2", now, sick)
        assert not promised, "the sick cooperative's stream did not wait"


async def _must_be_recorded(arena: Arena, event: Poison, act: str, reason: str) -> None:
    rows = await arena.sql(READER, _ACTS, event.stream)
    found = [(row["producer"], row["sequence"], row["act"], row["reason"], row["actor"]) for row in rows]
    assert found == [("orders", event.sequence, act, reason, ACTOR)], found
