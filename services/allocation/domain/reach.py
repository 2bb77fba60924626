"""What a batch of commands can reach of the books, and so must be loaded.

The one idea: a batch reaches only the ends of a queue: the places that are served next and those that lose first.
So it costs what it moves and not what is in the books.
"""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from msgspec import Struct

from services.allocation.domain.books import (
    OPEN_SALE,
    Cancel,
    Change,
    CloseIntake,
    Command,
    Line,
    OfferBook,
    Place,
    SetSupply,
    Wanted,
)
from services.allocation.domain.policies import PromiseRule


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


class WaitingEnd(Struct, frozen=True):
    """For each number of needed steps from 1 to `needs`: the first places in the queue that wait and need exactly
    so much, until their short steps add up to `steps`.

    Whoever needs as much as an earlier place, or more, is served after it; so nobody behind these can be reached.
    """

    steps: int
    needs: int = 1


class NewestEnd(Struct, frozen=True):
    """The last places in the queue with a net promise, until their net steps add up to `steps`.

    Of an offer that is not `tiered`, the order of the queue is that of the positions.
    """

    steps: int
    tiered: bool = False


class QueueEnds(Struct, frozen=True):
    """How much of the offers' queues a batch can reach; offers not named are not reached.

    Of every order that owns a place within, all lines must be loaded.
    """

    waiting: dict[UUID, WaitingEnd]
    newest: dict[UUID, NewestEnd]


class _Reach:
    """What a batch may move in one open offer."""

    __slots__ = ("asked_steps", "book", "falls", "freeable_steps", "largest_minimum", "leaving_steps", "shared",
                 "supply_steps", "tiered")  # fmt: skip

    def __init__(self, book: OfferBook) -> None:
        self.book = book
        self.supply_steps = book.supply_steps
        self.freeable_steps = 0  # what named orders hold, and the rises of supply
        self.leaving_steps = 0  # what named orders have waiting themselves
        self.asked_steps = 0
        self.falls: list[int] = []  # the supply after each fall
        self.shared = False
        self.largest_minimum = book.largest_minimum
        self.tiered = book.tiered

    def supply(self, supply_steps: int) -> None:
        self.freeable_steps += max(0, supply_steps - self.supply_steps)
        if supply_steps < self.supply_steps:
            self.falls.append(supply_steps)
        self.supply_steps = supply_steps

    def ask(self, wanted: Wanted, tier: int) -> None:
        self.asked_steps += wanted.quantity_steps
        self.largest_minimum = max(self.largest_minimum, wanted.minimum_steps)
        self.tiered = self.tiered or tier != OPEN_SALE

    def waiting_end(self) -> WaitingEnd | None:
        book, free_steps = self.book, self.freeable_steps + self.book.free_steps
        if self.shared or (self.falls and self.largest_minimum > 1):
            steps, needs = book.short_steps, book.largest_minimum
        elif self.freeable_steps and book.rule is not PromiseRule.FAIR:
            steps, needs = free_steps + self.leaving_steps, min(free_steps, book.largest_minimum)
        else:
            return None
        return WaitingEnd(min(steps, book.short_steps), needs) if book.short_steps else None

    def newest_end(self) -> NewestEnd | None:
        """Count what is lost, and what places may gain before that which are not among the newest themselves."""
        if not self.falls:
            return None
        gained_steps = 0
        if self.tiered or self.largest_minimum > 1:
            gained_steps = self.asked_steps + self.freeable_steps
        if self.largest_minimum > 1:  # what is free helps those that wait; what a line loses too much, also
            gained_steps += self.book.free_steps + len(self.falls) * (self.largest_minimum - 1)
        net_steps = self.book.promised_net_steps
        steps = min(net_steps, net_steps - min(self.falls) + gained_steps)
        return NewestEnd(steps, self.tiered) if steps > 0 else None


def queue_ends(commands: Sequence[Command], books: Iterable[OfferBook], named_lines: Iterable[Line]) -> QueueEnds:
    """Bound what must be loaded, from the books and from the lines of `orders_named`.

    So a cancelled order costs as much as it gives back, however long the queue is; with minimums, so much for each
    number of steps that places need. Only two things reach every place that waits: the cut-off of a fair offer, and
    a fall of the supply of an offer with minimums, as a line that loses its minimum no longer takes what it waits for.
    """
    moved = _moved(commands, {book.offer_id: book for book in books if book.open}, named_lines)
    waiting = ((offer_id, reach.waiting_end()) for offer_id, reach in moved.items())
    newest = ((offer_id, reach.newest_end()) for offer_id, reach in moved.items())
    return QueueEnds(
        {offer_id: end for offer_id, end in waiting if end}, {offer_id: end for offer_id, end in newest if end}
    )


def _moved(
    commands: Sequence[Command], books: Mapping[UUID, OfferBook], named_lines: Iterable[Line]
) -> dict[UUID, _Reach]:
    """The offers where something may come free, be lost, or be shared out."""
    moved: dict[UUID, _Reach] = {}

    def reach(offer_id: UUID) -> _Reach:
        return moved.get(offer_id) or moved.setdefault(offer_id, _Reach(books[offer_id]))

    giving_back = {command.order_id for command in commands if isinstance(command, Change | Cancel)}
    for line in named_lines:
        if line.order_id in giving_back and line.offer_id in books:
            reach(line.offer_id).freeable_steps += line.net_steps
            reach(line.offer_id).leaving_steps += line.short_steps
    for command in commands:
        if isinstance(command, SetSupply) and command.offer_id in books:
            reach(command.offer_id).supply(command.supply_steps)
        elif isinstance(command, CloseIntake) and command.offer_id in books:
            reach(command.offer_id).shared = books[command.offer_id].rule is not PromiseRule.FIRST_COME
            if command.withdrawn:
                reach(command.offer_id).supply(0)
    if any(found.falls for found in moved.values()):
        for command in commands:
            if isinstance(command, Place | Change):
                for wanted in command.lines:
                    if wanted.offer_id in moved:
                        moved[wanted.offer_id].ask(wanted, command.tier)
    return moved
