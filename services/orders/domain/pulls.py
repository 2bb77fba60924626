"""When an order is asked for again that could not be pulled, and when what was pulled is believed.

The platform has been told that its push was taken, so a pull is tried for days; what comes to nothing for as long is
given up only as far as asking by itself goes: staff see it and can ask again.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from random import Random

FIRST_WAIT_S = 4.0
LONGEST_WAIT_S = 900.0
STALE_ASKED = 4
"""How often an order is asked for that is older at the platform than its push says; then it is taken as it is."""
MOST_AT_ONCE = 1000
"""More than any platform may be asked for at once."""
GIVE_UP_AFTER = timedelta(days=3)
"""How long an order is asked for. Longer than a weekend, and than platforms send a push again or keep lost ones; and by
then what was ordered can hardly be brought any more."""
GIVE_UP_ASKED = 10
"""How often at the least, so a quarter of an hour long: our own processes may not have run for days."""

NOT_FOUND = "not_found"
"""The error of an order that its platform does not know."""


class Outcome(StrEnum):
    """What became of asking for one order."""

    PULLED = "pulled"
    STALE = "stale"
    """Taken, but older than the push that told of it: the platform's copies are not in step yet."""
    MISSING = "missing"
    """The platform knows no such order."""
    MALFORMED = "malformed"
    """Not what the platform documents."""
    FAILED = "failed"
    """It could not be taken into the books."""
    UNWELL = "unwell"
    """The platform did not answer, or not in its own words."""
    LIMITED = "limited"
    """Asked too often."""
    REFUSED = "refused"
    """The platform does not let us ask; somebody has to look after it."""
    UNAUTHORISED = "unauthorised"
    """The seller has to authorise the app again."""


def again_at(attempts: int, now: datetime, chance: Random) -> datetime:
    """When to ask again after so many attempts: any time up to a span that doubles ("full jitter").

    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    span_s = min(FIRST_WAIT_S * 2.0 ** min(attempts - 1, 20), LONGEST_WAIT_S)
    return now + timedelta(seconds=chance.uniform(0, span_s))


def is_fault(outcome: Outcome, asked: int) -> bool:
    """Whether the order is to blame, where so many were `asked` for together: a server that fails says not at which."""
    match outcome:
        case Outcome.MISSING | Outcome.MALFORMED | Outcome.FAILED:
            return True
        case Outcome.UNWELL | Outcome.REFUSED:
            return asked == 1
        case _:
            return False


def next_at_once(at_once: int, asked: int, failed: bool) -> int:
    """How many orders to ask for at once after so many were `asked` for: half of what failed, more after success.

    So a server that is away is tried with few, and an order at which it always fails comes to be asked for by itself.
    """
    return max(asked // 2, 1) if failed else min(at_once * 2, MOST_AT_ONCE)


def is_older(pulled: datetime, told: datetime) -> bool:
    """Whether what was pulled is older than its push says. Some APIs have seconds where their pushes have less."""
    return pulled.replace(microsecond=0) < told.replace(microsecond=0)


def is_settled(outcome: Outcome, attempts: int) -> bool:
    """Whether all is known, after `attempts` since the newest push."""
    return outcome is Outcome.PULLED or (outcome is Outcome.STALE and attempts >= STALE_ASKED)


def is_given_up(attempts: int, waited: timedelta) -> bool:
    """Whether what is not settled is asked for no more: `attempts` since the newest push, `waited` since the oldest."""
    return attempts >= GIVE_UP_ASKED and waited >= GIVE_UP_AFTER
