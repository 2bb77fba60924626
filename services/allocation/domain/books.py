"""The books of promises: what an offer and an order line hold, what can be asked of them, and what comes of it.

A line is a place in its offer's queue. The queue is in order of (tier, position): whose tier is lower is served
first and loses last, and within a tier whoever came first.

For each place, always: ordered = promised + short + cancelled, and 0 <= shorted <= promised. `ordered` never
changes: giving back moves steps to `cancelled`. What is really coming is promised - shorted, the net promise,
and on an open offer the net promises never add up to more than the supply.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID

from msgspec import Struct

from services.allocation.domain.policies import PromiseRule

OPEN_SALE = 5
"""The tier of an order that has none of its own. Tier 1 is served first."""


class Reason(StrEnum):
    """Why a line gets less than it asked for."""

    SOLD_OUT = "sold_out"
    NO_OFFER = "no_offer"  # not offered (yet, or any more)
    INTAKE_CLOSED = "intake_closed"
    PLEDGES_REDUCED = "pledges_reduced"
    OFFER_WITHDRAWN = "offer_withdrawn"
    BELOW_MINIMUM = "below_minimum"  # something was there, but less than is useful to the line
    DECIDED_AT_CUT_OFF = "decided_at_cut_off"  # nothing is promised before, by the rule of the offer
    NOT_DELIVERED = "not_delivered"  # no household brings it, or not enough of it arrived


# -- The books -----------------------------------------------------------------------------------------------


class OfferBook(Struct, frozen=True):
    """One offer's totals: over all its lines `promised_net_steps` is the sum of promised - shorted.

    An offer that orders name before it is known, or that was withdrawn, is not `listed`: it has no supply,
    and its lines wait for it. Its `rule` is None until it is first published, and lasts from then on.
    `short_steps` is the sum over all lines, `largest_minimum` the largest that any line ever had, and `tiered` says
    that not every place is of the open sale: by these three little is loaded where little can be reached.
    """

    offer_id: UUID
    supply_steps: int
    promised_net_steps: int
    open: bool = True
    listed: bool = True
    last_position: int = 0
    rule: PromiseRule | None = None
    short_steps: int = 0
    largest_minimum: int = 1
    tiered: bool = False

    @property
    def free_steps(self) -> int:
        """Supply that nobody holds; too little for every line that waits, except where the cut-off decides."""
        return self.supply_steps - self.promised_net_steps

    @property
    def available_steps(self) -> int:
        """What can still be promised: nothing more once the intake is closed.

        Where the cut-off decides: what nobody has asked for yet.
        """
        if not self.open:
            return 0
        return max(0, self.free_steps - self.short_steps) if self.rule is PromiseRule.FAIR else self.free_steps


class Line(Struct, frozen=True):
    """One place in an offer's queue: an order line, or the difference by which it was raised later.

    (offer_id, position) names it. `reason` is None exactly when nothing is short or shorted. `minimum_steps` is the
    least that is useful to the line, the same in all its places: so much is coming of it, or nothing. While a place
    waits, `needed_steps` is what must be free for its line to be served: 1 once the line has its minimum, otherwise
    the minimum, or 0 if even all that is short would not reach it.
    """

    order_id: UUID
    line_no: int
    offer_id: UUID
    position: int
    ordered_steps: int
    promised_steps: int
    short_steps: int
    shorted_steps: int = 0
    cancelled_steps: int = 0
    reason: Reason | None = None
    tier: int = OPEN_SALE
    minimum_steps: int = 1
    needed_steps: int = 1

    @property
    def net_steps(self) -> int:
        """Promised and still coming."""
        return self.promised_steps - self.shorted_steps

    @property
    def wanted_steps(self) -> int:
        """What the customer asks for now."""
        return self.ordered_steps - self.cancelled_steps


# -- Commands ------------------------------------------------------------------------------------------------


class Wanted(Struct, frozen=True):
    """The quantity of one line, and the least of it that is useful; a quantity of 0 asks for nothing.

    A minimum above the quantity asks for all or nothing. Raises ValueError for a quantity below 0 or a minimum
    below 1.
    """

    line_no: int
    offer_id: UUID
    quantity_steps: int
    minimum_steps: int = 1

    def __post_init__(self) -> None:
        if self.quantity_steps < 0:
            raise ValueError(f"line {self.line_no}: quantity_steps is {self.quantity_steps}, must be 0 or more")
        if self.minimum_steps < 1:
            raise ValueError(f"line {self.line_no}: minimum_steps is {self.minimum_steps}, must be 1 or more")


class Place(Struct, frozen=True):
    """A new order. One that is in the books already changes nothing.

    Of lines with the same number and offer the quantities are added up, and the largest minimum counts.
    """

    order_id: UUID
    lines: tuple[Wanted, ...]
    tier: int = OPEN_SALE


class Change(Struct, frozen=True):
    """The order as it shall be now; a line left out is cancelled. Lines of closed offers stay as they are.

    The tier is that of the places which the order takes from now on; those that it has keep theirs. The minimum is
    that of the whole line, but never above what is coming of it already. Lines add up as in `Place`.
    """

    order_id: UUID
    lines: tuple[Wanted, ...]
    tier: int = OPEN_SALE


class Cancel(Struct, frozen=True):
    """The whole order is given back, except lines of closed offers."""

    order_id: UUID


class SetSupply(Struct, frozen=True):
    """A new offer, or its pledges have changed, or (with `withdrawn` and a supply of 0) it is withdrawn.

    A closed offer stays as it is, and `rule` counts only when the offer is first published.
    Raises ValueError for a supply below 0, or above 0 when withdrawn.
    """

    offer_id: UUID
    supply_steps: int
    withdrawn: bool = False
    rule: PromiseRule = PromiseRule.FIRST_COME

    def __post_init__(self) -> None:
        if self.supply_steps < 0:
            raise ValueError(f"offer {self.offer_id}: supply_steps is {self.supply_steps}, must be 0 or more")
        if self.withdrawn and self.supply_steps:
            raise ValueError(f"offer {self.offer_id}: withdrawn, but with a supply of {self.supply_steps} steps")


class CloseIntake(Struct, frozen=True):
    """The cut-off: from here on the offer's lines and supply stay as they are.

    An offer whose rule is fair is shared out first. One that is closed because it was `withdrawn` is withdrawn before
    that: nothing changes by it, except where the word of `catalog` was lost.
    """

    offer_id: UUID
    withdrawn: bool = False


Command: TypeAlias = Place | Change | Cancel | SetSupply | CloseIntake


# -- What comes of it ----------------------------------------------------------------------------------------


class LinePromise(Struct, frozen=True):
    """One order line as it stands, all its places in the queue taken together."""

    line_no: int
    offer_id: UUID
    ordered_steps: int
    promised_steps: int
    short_steps: int
    shorted_steps: int
    cancelled_steps: int
    reason: Reason | None

    @property
    def net_steps(self) -> int:
        """Promised and still coming."""
        return self.promised_steps - self.shorted_steps


class LineShortage(Struct, frozen=True):
    """What a line lost: its net promise before the first loss and after the last one of the batch."""

    line_no: int
    offer_id: UUID
    before_net_steps: int
    after_net_steps: int
    reason: Reason


class Promised(Struct, frozen=True):
    """The whole order as it stands after the batch: placed, changed, or served after waiting."""

    order_id: UUID
    lines: tuple[LinePromise, ...]


class Shorted(Struct, frozen=True):
    """Lines of the order lost what they had been promised."""

    order_id: UUID
    lines: tuple[LineShortage, ...]


Effect: TypeAlias = Promised | Shorted


class Decision(Struct, frozen=True):
    """What to save (only what differs from what was loaded, in key order) and what to say.

    At most one effect of each kind per order, in the order in which the commands first touched the orders; what an
    order lost stands before its whole promise, which is the last word on it.
    """

    books: tuple[OfferBook, ...]
    lines: tuple[Line, ...]
    effects: tuple[Effect, ...]


def line_promises(places: Iterable[Line]) -> tuple[LinePromise, ...]:
    """What stands for each line of one order, by line number, from all places that the order has."""
    lines: defaultdict[tuple[int, int], list[Line]] = defaultdict(list)
    for place in places:
        lines[place.line_no, place.offer_id.int].append(place)
    return tuple(_line_promise(own) for _, own in sorted(lines.items()))


def _line_promise(places: Sequence[Line]) -> LinePromise:
    """Add up the places of one line. A loss is told before a shortage, the newer before the older."""
    if len(places) == 1:  # nearly always
        (one,) = places
        return LinePromise(
            one.line_no, one.offer_id, one.ordered_steps, one.promised_steps, one.short_steps, one.shorted_steps,
            one.cancelled_steps, one.reason,
        )  # fmt: skip
    telling = max(places, key=lambda line: (line.shorted_steps > 0, line.short_steps > 0, line.position))
    return LinePromise(
        places[0].line_no,
        places[0].offer_id,
        ordered_steps=sum(line.ordered_steps for line in places),
        promised_steps=sum(line.promised_steps for line in places),
        short_steps=sum(line.short_steps for line in places),
        shorted_steps=sum(line.shorted_steps for line in places),
        cancelled_steps=sum(line.cancelled_steps for line in places),
        reason=telling.reason,
    )
