"""What an attempt to send came to.

The rule that keeps a household from being told twice: an attempt whose outcome nobody knows is never repeated,
unless the receiver recognises a repetition. What follows from an outcome is said by the ladder for notices, and in
partner_messages.py for webhooks.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Accepted:
    """The channel's receipt, and when it came."""

    at: datetime
    receipt: str


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider took it. Whether it arrived it says later, in a receipt under its own id or under ours."""

    provider_id: str


@dataclass(frozen=True, slots=True)
class Failed:
    """Certainly not delivered; another attempt may help. `ours`: as with what is refused."""

    reason: str
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Throttled:
    """Certainly not delivered; the receiver is not to be sent anything for a while.

    `asked`: it said itself for how long, so the attempt is not held against the message.
    """

    reason: str
    pause: timedelta
    asked: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """Certainly not delivered, and another attempt is no use. `gone`: nothing should ever be sent there again.

    `ours`: our own account or set-up is at fault (no balance, a template that is not approved), which an operator has
    to see to; the receiver is not to blame.
    """

    reason: str
    gone: bool = False
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may have been delivered or not."""

    reason: str = "outcome_unknown"


@dataclass(frozen=True, slots=True)
class NotBegun:
    """The attempt was not made: the process stops, or the batch took too long."""


@dataclass(frozen=True, slots=True)
class Overtaken:
    """The attempt was not made: a newer message says all that this one could."""


@dataclass(frozen=True, slots=True)
class Postponed:
    """The attempt was not made: its receiver has quiet hours until `begin_at`, and its step goes on to `step_by_at`."""

    begin_at: datetime
    step_by_at: datetime


MOST_KEPT = 200


def kept(said: str) -> str:
    """What a stranger's program said, as a row may hold it: its beginning, with ? for all but printable ASCII."""
    return "".join(letter if " " <= letter <= "~" else "?" for letter in said[:MOST_KEPT])


Outcome = Accepted | Sent | Failed | Throttled | Refused | Unknown | NotBegun | Overtaken | Postponed
