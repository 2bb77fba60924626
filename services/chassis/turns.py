"""In which order the streams of different producers were applied: one row for each change of producer.

Streams are ordered by themselves and by their causes; what is left is a race between producers, and some decisions
depend on who was first (supply or order). A rebuild that follows the turns repeats them exactly. As long as the
same producer goes on, nothing is written.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

import asyncpg
from msgspec import Struct

from services.chassis.cloudevents import Arrival
from services.chassis.gate import Place
from services.chassis.ledger import Connection


class Turn(Struct, frozen=True):
    """From `first_sequence` on, events of this producer, until the stream's next turn."""

    stream: UUID
    number: int
    producer: str
    first_sequence: int


def changes(applied: Sequence[Arrival], last: Mapping[Place, int]) -> list[Turn]:
    """The turns that begin with these events; `last` has the number of each producer's last turn, 0 for none."""
    holder: dict[UUID, tuple[int, str]] = {}
    for (stream, producer), number in last.items():
        if number > holder.get(stream, (0, ""))[0]:
            holder[stream] = (number, producer)
    found = []
    for event in applied:
        number, producer = holder.get(event.stream, (0, ""))
        if producer != event.producer:
            found.append(Turn(event.stream, number + 1, event.producer, event.sequence))
            holder[event.stream] = (number + 1, event.producer)
    return found


async def list_turns(conn: "Connection | asyncpg.Connection[asyncpg.Record]", stream: UUID) -> list[Turn]:
    """All turns of a stream, in order."""
    rows = await conn.fetch(
        "select turn, producer, first_sequence from applied_turn where stream = $1 order by turn", stream
    )
    return [Turn(stream, r["turn"], r["producer"], r["first_sequence"]) for r in rows]
