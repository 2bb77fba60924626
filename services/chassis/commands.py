"""Commands: what people or the clock decide in this service. Each is kept as an event of the service's own stream.

The event is written first, then its handler makes of it what follows, in the same transaction; as with an event of
another service. `applied_turn` says between which events of others it came, so tables stay a function of events, and a
rebuild repeats commands too.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import groupby
from typing import Any
from uuid import UUID

import asyncpg

from services.chassis import cursors
from services.chassis.cursors import Cursor
from services.chassis.gate import Place
from services.chassis.inbox import Handler, Received
from services.chassis.ledger import Ledger, Transaction
from services.chassis.turns import Turn
from services.contracts.base import Event

Decide = Callable[[Transaction], Awaitable[Sequence[tuple[UUID, Event]]]]
"""Says which events, of which streams, the command is; none where nothing is to be done. Raises where it is refused."""


class Commands:
    """The commands of the service `own`, which reads the producers in `reads`."""

    def __init__(self, own: str, reads: Sequence[str], ledger: Ledger, handlers: Mapping[type[Event], Handler]) -> None:
        self.own = own
        self._producers = (*reads, own)
        self._ledger = ledger
        self._handlers = {kind.type: handler for kind, handler in handlers.items()}
        self._kinds = {kind.type: kind for kind in handlers}

    async def execute(self, streams: Sequence[UUID], decide: Decide) -> list[Received[Any]]:
        """Runs a command for these streams in one transaction; returns its events once they are committed.

        While `decide` runs, nothing is applied to the streams. Raises what it raises (nothing is changed then).
        """

        async def work(tx: Transaction) -> list[Received[Any]]:
            before = await cursors.lock_cursors(tx.conn, self._producers, sorted(streams))
            events = await decide(tx)
            if not events:
                return []
            for stream, event in events:
                tx.append(stream, event)
            (traceparent,) = {traceparent for _, _, traceparent in tx.appended}
            logged = await self._ledger.append_now(tx)
            received = [
                Received(row["stream"], row["sequence"], row["id"], row["occurred_at"], traceparent, event)
                for row, (_, event) in zip(logged, events, strict=True)
            ]
            await self._apply(tx, received, before)
            return received

        return await self._ledger.transact(work)

    async def repeat(self, command: Received[Any]) -> None:
        """Does once more what was done when the command was given; one that is done already changes nothing."""

        async def work(tx: Transaction) -> None:
            before = await cursors.lock_cursors(tx.conn, self._producers, [command.stream])
            if before[command.stream, self.own].sequence < command.sequence:
                await self._apply(tx, [command], before)

        await self._ledger.transact(work)

    async def get(self, pool: "asyncpg.Pool[asyncpg.Record]", stream: UUID, sequence: int) -> Received[Any]:
        """A command as it stands in the log of the live service."""
        row = await pool.fetchrow(
            "select id, type, occurred_at, traceparent, data from public.event_log where stream = $1 and sequence = $2",
            stream,
            sequence,
        )
        assert row is not None, f"{self.own} {stream} {sequence} is not in the log"
        event = self._kinds[row["type"]].decode(row["data"].encode())
        return Received(stream, sequence, row["id"], row["occurred_at"], row["traceparent"], event)

    async def _apply(self, tx: Transaction, events: Sequence[Received[Any]], before: Mapping[Place, Cursor]) -> None:
        for handler, run in groupby(events, key=lambda received: self._handlers[received.event.type]):
            await handler(tx, list(run))
        begun = self._turns(events, before)
        reached = {(turn.stream, self.own): turn.first_sequence for turn in begun}
        await cursors.advance(tx.conn, before, reached, {}, begun)

    def _turns(self, events: Sequence[Received[Any]], before: Mapping[Place, Cursor]) -> list[Turn]:
        """One for each command, so that what lies between two of them is no part of either."""
        last: dict[UUID, int] = {}
        for (stream, _), cursor in before.items():
            last[stream] = max(last.get(stream, 0), cursor.turn)
        begun = []
        for received in events:
            last[received.stream] += 1
            begun.append(Turn(received.stream, last[received.stream], self.own, received.sequence))
        return begun
