"""The books of promises: what an offer and an order line hold, what can be asked of them, and what to load for it.

The one idea: a line is a place in its offer's queue, so a batch reaches only the ends of a queue: the oldest places
that wait and the newest that hold something. `queue_ends` says how far, so a batch costs what it moves and not
what is in the books.

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


class Reason(StrEnum):
    """Why a line gets less than it asked for."""

    SOLD_OUT = "sold_out"
    NO_OFFER = "no_offer"  # not offered (yet, or any more)
    INTAKE_CLOSED = "intake_closed"
    PLEDGES_REDUCED = "pledges_reduced"
    OFFER_WITHDRAWN = "offer_withdrawn"


# -- The books -----------------------------------------------------------------------------------------------


class OfferBook(Struct, frozen=True):
    """One offer's totals. `promised_net_steps` is the sum of promised - shorted over all its lines.

    An offer that orders name before it is known, or that was withdrawn, is not `listed`: it has no supply,
    and its lines wait for it.
    """

    offer_id: UUID
    supply_steps: int
    promised_net_steps: int
    open: bool = True
    listed: bool = True
    last_position: int = 0

    @property
    def free_steps(self) -> int:
        """Supply that nobody holds; above 0 only when no line waits."""
        return self.supply_steps - self.promised_net_steps

    @property
    def available_steps(self) -> int:
        """What can still be promised: nothing more once the intake is closed."""
        return self.free_steps if self.open else 0


class Line(Struct, frozen=True):
    """One place in an offer's queue: an order line, or the difference by which it was raised later.

    (offer_id, position) names it. `reason` is None exactly when nothing is short or shorted.
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
    """The quantity of one line; 0 asks for nothing. Raises ValueError below 0."""

    line_no: int
    offer_id: UUID
    quantity_steps: int

    def __post_init__(self) -> None:
        if self.quantity_steps < 0:
            raise ValueError(f"line {self.line_no}: quantity_steps is {self.quantity_steps}, must be 0 or more")


class Place(Struct, frozen=True):
    """A new order. One that is in the books already changes nothing."""

    order_id: UUID
    lines: tuple[Wanted, ...]


class Change(Struct, frozen=True):
    """The order as it shall be now; a line left out is cancelled. Lines of closed offers stay as they are."""

    order_id: UUID
    lines: tuple[Wanted, ...]


class Cancel(Struct, frozen=True):
    """The whole order is given back, except lines of closed offers."""

    order_id: UUID


class SetSupply(Struct, frozen=True):
    """A new offer, or its pledges have changed, or (with `withdrawn` and a supply of 0) it is withdrawn.

    A closed offer stays as it is. Raises ValueError for a supply below 0, or above 0 when withdrawn.
    """

    offer_id: UUID
    supply_steps: int
    withdrawn: bool = False

    def __post_init__(self) -> None:
        if self.supply_steps < 0:
            raise ValueError(f"offer {self.offer_id}: supply_steps is {self.supply_steps}, must be 0 or more")
        if self.withdrawn and self.supply_steps:
            raise ValueError(f"offer {self.offer_id}: withdrawn, but with a supply of {self.supply_steps} steps")


class CloseIntake(Struct, frozen=True):
    """The cut-off: from here on the offer's lines and supply stay as they are."""

    offer_id: UUID


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


# -- What to load --------------------------------------------------------------------------------------------


def orders_named(commands: Iterable[Command]) -> set[UUID]:
    """The orders whose lines must be loaded first, whole."""
    return {command.order_id for command in commands if isinstance(command, Place | Change | Cancel)}


def offers_named(commands: Iterable[Command]) -> set[UUID]:
    """The offers whose books must be loaded (beside that of every line that is loaded)."""
    offers: set[UUID] = set()
    for command in commands:
        if isinstance(command, Place | Change):
            offers.update(wanted.offer_id for wanted in command.lines)
        elif isinstance(command, SetSupply | CloseIntake):
            offers.add(command.offer_id)
    return offers


class QueueEnds(Struct, frozen=True):
    """How much of the offers' queues a batch can reach, in steps per offer; offers not named are not reached.

    `waiting_steps`: the oldest places with something short, until their short steps add up to so many.
    `newest_steps`: the newest places with a net promise, until their net steps add up to so many.
    Of every order that owns such a place, all lines must be loaded.
    """

    waiting_steps: dict[UUID, int]
    newest_steps: dict[UUID, int]


def queue_ends(commands: Sequence[Command], books: Iterable[OfferBook], named_lines: Iterable[Line]) -> QueueEnds:
    """Bound what must be loaded, from the books and from the lines of `orders_named`.

    So a cancelled order costs as much as it gives back, however long the queue is. What may come free is what
    the named orders hold and the rises of supply; what they have waiting themselves is added, as it may leave
    the queue.
    """
    loaded = {book.offer_id: book for book in books if book.open}
    giving_back = {command.order_id for command in commands if isinstance(command, Change | Cancel)}
    freeable: defaultdict[UUID, int] = defaultdict(int)
    leaving: defaultdict[UUID, int] = defaultdict(int)
    for line in named_lines:
        if line.order_id in giving_back and line.offer_id in loaded:
            freeable[line.offer_id] += line.net_steps
            leaving[line.offer_id] += line.short_steps

    newest: dict[UUID, int] = {}
    supply = {offer_id: book.supply_steps for offer_id, book in loaded.items()}
    for command in commands:
        if isinstance(command, SetSupply) and (book := loaded.get(command.offer_id)):
            freeable[book.offer_id] += max(0, command.supply_steps - supply[book.offer_id])
            supply[book.offer_id] = command.supply_steps
            loss_steps = book.promised_net_steps - command.supply_steps
            if loss_steps > newest.get(book.offer_id, 0):
                newest[book.offer_id] = loss_steps
    waiting = {offer_id: steps + leaving[offer_id] for offer_id, steps in freeable.items() if steps}
    return QueueEnds(waiting, newest)
