"""Which lane a stream lives on: a stable hash, so that every service and every version says the same.

A lane is a routing key, a queue per consumer and a relay lease. Streams can be pinned to a dedicated lane
(a number above the shared ones); the sequence numbers keep their order while they move.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID
from zlib import crc32

from services.chassis.ledger import Transaction


def shared_lane(stream: UUID, shared_lanes: int) -> int:
    """The shared lane of a stream, 0 to shared_lanes - 1, by CRC-32 of its 16 bytes."""
    return crc32(stream.bytes) % shared_lanes


@dataclass(frozen=True, slots=True)
class Served:
    """The lanes that a process serves."""

    lanes: Collection[int]
    shared_lanes: int

    def has(self, stream: UUID, lane: int | None) -> bool:
        """Whether a stream is served that lives on this lane; None is the shared lane of its hash."""
        return (shared_lane(stream, self.shared_lanes) if lane is None else lane) in self.lanes


def parse_lanes(text: str) -> tuple[int, ...]:
    """Lanes from `0-7`, `3` or `0-3,9`. Raises ValueError that says what is wrong."""
    lanes: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            raise ValueError(f"lanes must look like 0-7 or 0-3,9, not {text!r}")
        low, high = int(first), int(last or first)
        if high < low or high > 32_767:
            raise ValueError(f"lanes {part.strip()!r} is not a range from low to high below 32768")
        lanes.update(range(low, high + 1))
    return tuple(sorted(lanes))


async def pin_stream(tx: Transaction, stream: UUID, lane: int) -> None:
    """Moves this service's stream to a lane from this transaction on; needs no pause anywhere."""
    await tx.conn.execute(
        "insert into stream_head (stream, lane) select $1, $2 "  # one that lives there is not even locked
        "where not exists (select from stream_head where stream = $1 and lane = $2) "
        "on conflict (stream) do update set lane = excluded.lane where stream_head.lane <> excluded.lane",
        stream,
        lane,
    )


async def place_streams(tx: Transaction, lanes: Mapping[UUID, int | None], shared_lanes: int) -> None:
    """Moves this service's streams to their lanes; None is the shared lane of the stream's hash."""
    for stream, lane in sorted(lanes.items()):
        await pin_stream(tx, stream, shared_lane(stream, shared_lanes) if lane is None else lane)
