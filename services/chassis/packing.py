"""Packing: what one read of the event log becomes on its way to the broker."""

from uuid import UUID

from services.chassis import cloudevents
from services.chassis.fresh import Row

MOST_EVENTS = 500
"""Of one read."""
MOST_PER_STREAM = 100
"""Events of one stream in a batch, so that the flood of one cooperative does not stand before the others."""
MOST_BYTES = 524_288
"""Of a message body."""


def most_per_stream(streams: int) -> int:
    """The same where it is known that no more than so many streams have something new: few may fill the batch."""
    return max(MOST_PER_STREAM, MOST_EVENTS // streams)


class Bodies:
    """Message bodies of at most MOST_BYTES, filled with envelopes in order."""

    def __init__(self) -> None:
        self.size = 0
        self._parts: list[list[bytes]] = [[]]
        self._room = MOST_BYTES

    def add(self, text: str) -> None:
        envelope = text.encode()
        if len(envelope) > self._room and self._parts[-1]:
            self._parts.append([])
            self._room = MOST_BYTES
        self._parts[-1].append(envelope)
        self._room -= len(envelope)
        self.size += len(envelope)

    def messages(self) -> list[bytes]:
        return [b"[" + b",".join(part) + b"]" for part in self._parts if part]


class Batch:
    """What one read of the log sends, and how far each stream gets. `each`: the most that was read of one stream."""

    def __init__(self, each: int = MOST_PER_STREAM) -> None:
        self._each = each
        self.begun: dict[UUID, int] = {}
        self.reached: dict[UUID, int] = {}
        self.cut: set[UUID] = set()
        """Streams of which more may wait than was read."""
        self.events = 0
        self.bodies = Bodies()

    def add(self, row: Row, relayed: int, service: str) -> None:
        """Takes a row of the log, of whose stream so much was `relayed` before the batch.

        One that does not follow its stream's last is left for the next read.
        """
        stream, sequence = row["stream"], row["sequence"]
        self.begun.setdefault(stream, relayed)
        if sequence != self.reached.get(stream, relayed) + 1:
            self.cut.add(stream)
            return
        self.reached[stream] = sequence
        if sequence - relayed >= self._each:
            self.cut.add(stream)
        self.bodies.add(cloudevents.envelope(service, row))
        self.events += 1
