"""The channels: one small file each. A channel takes a batch and says of each message what came of it.

It asks before it begins a message, and whatever it leaves unsaid about one that it began is unknown.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar
from uuid import UUID

from services.chassis import faultpoints
from services.notify.domain.delivery import Outcome
from services.notify.domain.messages import Message

M = TypeVar("M", contravariant=True)


@dataclass(slots=True)
class Batch:
    """What a channel reports to. `may_begin` turns false when the process stops or the batch takes too long."""

    may_begin: Callable[[], bool]
    begun: set[UUID] = field(default_factory=set)
    outcomes: dict[UUID, Outcome] = field(default_factory=dict)

    def begin(self, message_id: UUID) -> bool:
        """To be asked before each message; where it is false, the message must be left alone."""
        if not self.may_begin():
            return False
        self.begun.add(message_id)
        faultpoints.reach("mid_send", "begun")
        return True

    def report(self, message_id: UUID, outcome: Outcome) -> None:
        """What came of a message that was begun."""
        self.outcomes[message_id] = outcome


class Channel(Protocol[M]):
    """A way to tell somebody."""

    @property
    def name(self) -> str:
        """As it stands in events and tables."""

    async def send(self, messages: Sequence[M], batch: Batch) -> None:
        """Sends the messages and reports on each; raises nothing for what a peer does."""


class PeopleChannel(Channel[Message], Protocol):
    """A way to tell a person."""

    @property
    def resend_is_safe(self) -> bool:
        """Whether a receiver recognises a message that comes again, so that one of unknown outcome may be repeated."""

    @property
    def tells_later(self) -> bool:
        """Whether a receipt under our id follows, which settles an unknown outcome too."""
