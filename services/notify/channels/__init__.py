"""The channels: one small file each. A channel takes a batch and says of each message what came of it.

It asks before it begins a message, and whatever it leaves unsaid about one that it began is unknown.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar
from uuid import UUID

from services.chassis import faultpoints
from services.notify.domain.delivery import Outcome

M = TypeVar("M", contravariant=True)


@dataclass(slots=True)
class Batch:
    """What a channel reports to. `may_begin` turns false when the process stops or the batch takes too long."""

    may_begin: Callable[[], bool]
    begun: set[UUID] = field(default_factory=set)
    outcomes: dict[UUID, Outcome] = field(default_factory=dict)

    def begin(self, id: UUID) -> bool:
        """To be asked before each message; where it is false, the message must be left alone."""
        if not self.may_begin():
            return False
        self.begun.add(id)
        faultpoints.reach("mid_send")
        return True

    def report(self, id: UUID, outcome: Outcome) -> None:
        """What came of a message that was begun."""
        self.outcomes[id] = outcome


class Channel(Protocol[M]):
    """A way to tell somebody."""

    @property
    def name(self) -> str:
        """As it stands in events and tables."""

    async def send(self, messages: Sequence[M], batch: Batch) -> None:
        """Sends the messages and reports on each; raises nothing for what a peer does."""
