"""Events whose handling fails: the others go on, retries follow, an operator decides, nothing is lost."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from infra.local.stack import Stack
from services.chassis import quarantine
from services.chassis.cli import _parser
from services.chassis.ids import uuid7
from services.chassis.inbox import Handler, Received
from services.chassis.lanes import shared_lane
from services.chassis.ledger import Transaction
from services.contracts.catalog import OfferWithdrawn
from tests.support.node import Node, node, record, until


class Poison:
    """A handler that fails on one event as long as it is told to."""

    def __init__(self) -> None:
        self.poison: UUID | None = None
        self.tries = 0

    async def handle(self, tx: Transaction, events: Sequence[Received[Any]]) -> None:
        for received in events:
            if received.event.offer_id == self.poison:
                self.tries += 1
                raise RuntimeError("this one cannot be applied")
        await record(tx, events)


async def act(reader: Node, *words: str) -> int:
    options = _parser(reader.service).parse_args(["quarantine", *words])
    return await quarantine.run(reader.dsn, options)


async def status(reader: Node) -> list[str]:
    return [row["status"] for row in await reader.fetch("select status from parked_event order by sequence")]


async def test_other_streams_go_on_and_the_failed_one_waits_in_order(stack: Stack, vhost: str, producer: Node) -> None:
    bad = Poison()
    async with node(stack, "orders", vhost, {OfferWithdrawn: bad.handle}, max_attempts=1000) as reader:
        sick, healthy, offer = uuid7(), uuid7(), uuid7()
        bad.poison = offer
        withdrawn = OfferWithdrawn(offer_id=uuid7())
        await producer.append(
            (sick, withdrawn), (healthy, withdrawn), (sick, OfferWithdrawn(offer_id=offer)),
            (healthy, withdrawn), (sick, withdrawn),
        )  # fmt: skip

        async def others_done() -> bool:
            return sorted(await reader.applied()) == sorted([(sick, 1), (healthy, 1), (healthy, 2)])

        await until(others_done)

        async def retried() -> bool:
            return bad.tries >= 3

        await until(retried)
        assert await status(reader) == ["retry", "waiting"]
        bad.poison = None

        async def all_done() -> bool:
            return [n for s, n in await reader.applied() if s == sick] == [1, 2, 3]

        await until(all_done)
        assert await status(reader) == []


@pytest.mark.parametrize(("decision", "applied"), [("retry", [1, 2, 3]), ("skip", [1, 3])])
async def test_an_operator_resolves_the_quarantine(
    stack: Stack, vhost: str, producer: Node, capsys: pytest.CaptureFixture[str], decision: str, applied: list[int]
) -> None:
    bad = Poison()
    async with node(stack, "orders", vhost, {OfferWithdrawn: bad.handle}, max_attempts=2) as reader:
        stream, offer = uuid7(), uuid7()
        bad.poison = offer
        withdrawn = OfferWithdrawn(offer_id=uuid7())
        await producer.append((stream, withdrawn), (stream, OfferWithdrawn(offer_id=offer)), (stream, withdrawn))

        async def quarantined() -> bool:
            return await status(reader) == ["quarantined", "waiting"]

        await until(quarantined)
        assert await act(reader, "list") == 0
        assert "RuntimeError: this one cannot be applied" in capsys.readouterr().out
        assert await act(reader, "show", "catalog", str(stream), "2") == 0
        assert str(offer) in capsys.readouterr().out
        assert await act(reader, "skip", "catalog", str(stream), "1", "--reason", "x") == 1
        bad.poison = None
        why = ("--reason", "the cause is mended", "--actor", "Lò Thị Mai")
        assert await act(reader, decision, "catalog", str(stream), "2", *why) == 0

        async def done() -> bool:
            return [n for _, n in await reader.applied()] == applied

        await until(done)
        assert await status(reader) == []
        (kept,) = await reader.fetch("select act, reason, actor, event from quarantine_act")
        assert (kept["act"], kept["reason"], kept["actor"]) == (decision, "the cause is mended", "Lò Thị Mai")
        assert str(offer) in kept["event"]


async def test_a_skipped_event_at_the_end_leaves_its_stream_complete(stack: Stack, vhost: str, producer: Node) -> None:
    """A stream that seems to be behind would ask for its next event for ever."""
    bad = Poison()
    async with node(stack, "orders", vhost, {OfferWithdrawn: bad.handle}, max_attempts=1) as reader:
        bad.poison, stream = uuid7(), uuid7()
        await producer.append((stream, OfferWithdrawn(offer_id=bad.poison)))

        async def quarantined() -> bool:
            return await status(reader) == ["quarantined"]

        await until(quarantined)
        assert await act(reader, "skip", "catalog", str(stream), "1", "--reason", "x", "--actor", "y") == 0
        (cursor,) = await reader.fetch(
            "select * from consumer_cursor where stream = $1 and producer = 'catalog'", stream
        )
        assert (cursor["sequence"], cursor["head"], cursor["behind_since"]) == (1, 1, None)


async def too_big(tx: Transaction, _: Sequence[Received[Any]]) -> None:
    await tx.conn.execute("select $1::int4", 2**40)


async def unprintable(_: Transaction, events: Sequence[Received[Any]]) -> None:
    raise ValueError("a text that no table takes: \0")


@pytest.mark.parametrize("handler", [too_big, unprintable])
async def test_a_fault_that_looks_like_bad_weather_does_not_hold_the_lane(
    stack: Stack, vhost: str, producer: Node, handler: Handler
) -> None:
    async with node(stack, "orders", vhost, {OfferWithdrawn: handler}, max_attempts=1) as reader:
        await producer.append((uuid7(), OfferWithdrawn(offer_id=uuid7())))

        async def quarantined() -> bool:
            return await status(reader) == ["quarantined"]

        await until(quarantined)


async def test_what_follows_a_commit_cannot_make_it_fail(stack: Stack, vhost: str, producer: Node) -> None:
    def fails() -> None:
        raise RuntimeError("too late")

    async def handle(tx: Transaction, events: Sequence[Received[Any]]) -> None:
        await record(tx, events)
        tx.after_commit(fails)

    async with node(stack, "orders", vhost, {OfferWithdrawn: handle}) as reader:
        stream = uuid7()
        await producer.append((stream, OfferWithdrawn(offer_id=uuid7())), (stream, OfferWithdrawn(offer_id=uuid7())))

        async def applied() -> bool:
            return await reader.applied() == [(stream, 1), (stream, 2)]

        await until(applied)
        assert await status(reader) == []


async def test_a_body_that_breaks_its_contract_is_set_aside_without_its_values(producer: Node, reader: Node) -> None:
    stream = uuid7()
    await producer.fetch(
        "with head as (insert into stream_head (stream, lane, last_sequence) values ($1, 0, 1)) "
        "insert into event_log (stream, sequence, id, type, data) values ($1, 1, $2, $3, $4)",
        stream,
        uuid7(),
        OfferWithdrawn.type,
        '{"offer_id": "0912345678"}',
    )

    async def failed() -> bool:
        return bool(await reader.fetch("select from parked_event where stream = $1", stream))

    await until(failed)
    (row,) = await reader.fetch("select status, error from parked_event where stream = $1", stream)
    assert row["status"] in ("retry", "quarantined")
    assert "offer_id" in row["error"]
    assert "0912345678" not in row["error"]
    assert await reader.applied() == []


async def test_a_failed_event_is_tried_again_by_the_processes_of_its_own_lane_only(
    stack: Stack, vhost: str, producer: Node
) -> None:
    bad = Poison()
    async with node(stack, "orders", vhost, {OfferWithdrawn: bad.handle}, max_attempts=1000) as reader:
        bad.poison = uuid7()
        on_lane = {shared_lane(stream, 2): stream for stream in (uuid7() for _ in range(50))}
        await producer.append(*((stream, OfferWithdrawn(offer_id=bad.poison)) for stream in on_lane.values()))

        async def attempts() -> dict[UUID, int]:
            return {row["stream"]: row["attempts"] for row in await reader.fetch("select * from parked_event")}

        async def both_failed() -> bool:
            failed = await attempts()
            return all(failed.get(stream, 0) >= 1 for stream in on_lane.values())

        await until(both_failed)
        await reader.stop()
        before = await attempts()
        await reader.start(lanes=(1,))

        async def tried_again() -> bool:
            return (await attempts())[on_lane[1]] >= before[on_lane[1]] + 3

        await until(tried_again)
        assert (await attempts())[on_lane[0]] == before[on_lane[0]]
