"""What each order line gets at arrival: first come, first served; all, part or none; never oversold.

The one idea: an offer is a queue of asks. A line asks when it is placed, and asks again for the difference
when it is raised, so one line may hold several places in the queue, and what was promised stays promised (as
the order log of Foodsoft keeps seniority). Free supply goes to whoever waits first; when supply falls, the
newest places lose first.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias
from uuid import UUID

from msgspec.structs import replace

from services.allocation.domain.books import (
    Cancel,
    Change,
    CloseIntake,
    Command,
    Decision,
    Effect,
    Line,
    LineShortage,
    OfferBook,
    Place,
    Promised,
    Reason,
    SetSupply,
    Shorted,
    line_promises,
)

_Key: TypeAlias = tuple[int, UUID]  # one line of an order: line_no, offer_id


def decide(commands: Iterable[Command], books: Iterable[OfferBook], lines: Iterable[Line]) -> Decision:
    """Apply the commands one after the other to the loaded books and lines.

    `lines` are whole orders: those of `orders_named`, and those that own a place within `queue_ends`; `books`
    those of `offers_named` and of all these lines. An offer without a book is taken as not known yet and gets
    one. However the commands are cut into batches, books and lines come out the same. Raises ValueError when
    something is found not to have been loaded.
    """
    batch = _Batch(books, lines)
    for command in commands:
        match command:
            case Place():
                batch.place(command)
            case Change():
                batch.change(command)
            case Cancel():
                batch.cancel(command)
            case SetSupply():
                batch.set_supply(command)
            case CloseIntake():
                batch.close_intake(command)
    return batch.decision()


class _Queue:
    """One offer while a batch is decided: its totals and the loaded places, oldest first."""

    __slots__ = (
        "before",
        "last_position",
        "lines",
        "listed",
        "loaded_book",
        "offer_id",
        "open",
        "promised_net_steps",
        "supply_steps",
        "waiting",
    )

    def __init__(self, book: OfferBook, loaded_book: OfferBook | None) -> None:
        self.offer_id = book.offer_id
        self.supply_steps = book.supply_steps
        self.promised_net_steps = book.promised_net_steps
        self.open = book.open
        self.listed = book.listed
        self.last_position = book.last_position
        self.loaded_book = loaded_book
        self.lines: dict[int, Line] = {}
        self.waiting: deque[int] = deque()  # positions; those no longer short are dropped when they come up
        self.before: dict[int, Line | None] = {}  # what save() replaced, as loaded; None for a new place

    def load(self, line: Line) -> None:
        self.lines[line.position] = line
        if line.short_steps:
            self.waiting.append(line.position)

    def save(self, line: Line) -> None:
        before = self.lines.get(line.position)
        self.before.setdefault(line.position, before)
        self.lines[line.position] = line
        self.promised_net_steps += line.net_steps - (before.net_steps if before else 0)

    @property
    def free_steps(self) -> int:
        return self.supply_steps - self.promised_net_steps

    def book(self) -> OfferBook:
        return OfferBook(
            self.offer_id,
            self.supply_steps,
            self.promised_net_steps,
            self.open,
            self.listed,
            self.last_position,
        )

    def changed_lines(self) -> list[Line]:
        changed = (position for position, before in self.before.items() if self.lines[position] != before)
        return [self.lines[position] for position in sorted(changed)]


class _Batch:
    """The books while a batch is decided: one method per command, then the few moves they are made of."""

    def __init__(self, books: Iterable[OfferBook], lines: Iterable[Line]) -> None:
        self._queues = {book.offer_id: _Queue(book, book) for book in books}
        self._places: defaultdict[UUID, list[tuple[_Queue, int]]] = defaultdict(list)  # by order
        self._touched: dict[tuple[type[Effect], UUID], None] = {}  # kept in the order of first touch
        self._losses: defaultdict[UUID, dict[_Key, LineShortage]] = defaultdict(dict)
        for line in sorted(lines, key=lambda line: line.position):
            queue = self._queues.get(line.offer_id)
            if queue is None:
                raise ValueError(f"line {line.line_no} of order {line.order_id}: its offer's book was not loaded")
            queue.load(line)
            self._places[line.order_id].append((queue, line.position))

    def place(self, command: Place) -> None:
        if command.order_id in self._places:
            return
        for wanted in command.lines:
            if wanted.quantity_steps:
                self._ask(command.order_id, wanted.line_no, wanted.offer_id, wanted.quantity_steps)
        self._touch(Promised, command.order_id)

    def change(self, command: Change) -> None:
        """First give back everywhere, then ask: so an order never waits behind what it gives back itself.

        Of a closed offer, what is coming stays; what is short may be given up, and what is asked for is short. `orders`
        asks for neither, except where it was set back by a restore and does not remember that it closed the offer:
        then too every line must have its answer.
        """
        wanted_steps: defaultdict[_Key, int] = defaultdict(int)
        for wanted in command.lines:
            wanted_steps[wanted.line_no, wanted.offer_id] += wanted.quantity_steps
        held = self._lines(command.order_id)
        self._give_back(held, wanted_steps)
        for (line_no, offer_id), steps in wanted_steps.items():
            rise_steps = steps - sum(line.wanted_steps for line in held.get((line_no, offer_id), ()))
            if rise_steps > 0:
                self._ask(command.order_id, line_no, offer_id, rise_steps)
        self._touch(Promised, command.order_id)

    def cancel(self, command: Cancel) -> None:
        self._give_back(self._lines(command.order_id), {})

    def set_supply(self, command: SetSupply) -> None:
        queue = self._queue(command.offer_id)
        if not queue.open:
            return
        queue.supply_steps, queue.listed = command.supply_steps, not command.withdrawn
        self._short(queue, Reason.OFFER_WITHDRAWN if command.withdrawn else Reason.PLEDGES_REDUCED)
        self._serve_waiting(queue)

    def close_intake(self, command: CloseIntake) -> None:
        self._queue(command.offer_id).open = False

    def decision(self) -> Decision:
        queues = sorted(self._queues.values(), key=lambda queue: queue.offer_id.int)
        books = ((queue.book(), queue.loaded_book) for queue in queues)
        return Decision(
            books=tuple(book for book, loaded_book in books if book != loaded_book),
            lines=tuple(line for queue in queues for line in queue.changed_lines()),
            effects=tuple(self._effects()),
        )

    def _effects(self) -> Iterator[Effect]:
        """An order's whole promise follows its losses: what was lost may be given again later in the batch."""
        for order_id in dict.fromkeys(order_id for _, order_id in self._touched):
            for kind in (Shorted, Promised):
                if (kind, order_id) in self._touched:
                    yield self._effect(kind, order_id)

    # The moves

    def _queue(self, offer_id: UUID) -> _Queue:
        queue = self._queues.get(offer_id)
        if queue is None:
            unknown = OfferBook(offer_id, supply_steps=0, promised_net_steps=0, listed=False)
            queue = self._queues[offer_id] = _Queue(unknown, None)
        return queue

    def _ask(self, order_id: UUID, line_no: int, offer_id: UUID, steps: int) -> None:
        """Take a place at the end of the queue, and what is free at once."""
        queue = self._queue(offer_id)
        promised_steps = min(steps, queue.free_steps) if queue.open else 0
        short_steps = steps - promised_steps
        reason = _short_reason(queue) if short_steps else None
        position = queue.last_position = queue.last_position + 1
        queue.save(Line(order_id, line_no, offer_id, position, steps, promised_steps, short_steps, reason=reason))
        if short_steps:
            queue.waiting.append(position)
        self._places[order_id].append((queue, position))

    def _give_back(self, held: Mapping[_Key, list[Line]], wanted_steps: Mapping[_Key, int]) -> None:
        """Cut every held line to what is wanted (nothing, if not named); what comes free serves who waits.

        Of a closed offer only what is not coming is cut.
        """
        cut_offers: dict[UUID, None] = {}
        for key, places in held.items():
            cut_steps = sum(line.wanted_steps for line in places) - wanted_steps.get(key, 0)
            if not self._queues[key[1]].open:
                cut_steps = min(cut_steps, sum(line.wanted_steps - line.net_steps for line in places))
            if cut_steps > 0:
                cut_offers[key[1]] = None
                for line in _lowered(places, cut_steps):
                    self._queues[line.offer_id].save(line)
        # Only now, lest a line that the same order is giving back be served in between.
        for offer_id in cut_offers:
            self._serve_waiting(self._queues[offer_id])

    def _serve_waiting(self, queue: _Queue) -> None:
        """Give free supply to the oldest waiting places. What was shorted once does not come back."""
        if not queue.open:
            return
        while queue.waiting and queue.free_steps > 0:
            line = queue.lines[queue.waiting[0]]
            given_steps = min(line.short_steps, queue.free_steps)
            short_steps = line.short_steps - given_steps
            if given_steps:
                reason = line.reason if line.shorted_steps else Reason.SOLD_OUT if short_steps else None
                promised_steps = line.promised_steps + given_steps
                queue.save(replace(line, promised_steps=promised_steps, short_steps=short_steps, reason=reason))
                self._touch(Promised, line.order_id)
            if not short_steps:
                queue.waiting.popleft()

    def _short(self, queue: _Queue, reason: Reason) -> None:
        """Take what the supply no longer covers from the newest places."""
        for position in reversed(queue.lines):
            excess_steps = -queue.free_steps
            if excess_steps <= 0:
                return
            line = queue.lines[position]
            if line.net_steps:
                before_net_steps = self._net_steps(line)
                shorted_steps = line.shorted_steps + min(line.net_steps, excess_steps)
                queue.save(replace(line, shorted_steps=shorted_steps, reason=reason))
                self._note_loss(line, before_net_steps, reason)
        if queue.free_steps < 0:
            raise ValueError(f"offer {queue.offer_id}: not enough of its newest lines were loaded")

    def _note_loss(self, line: Line, before_net_steps: int, reason: Reason) -> None:
        losses, key = self._losses[line.order_id], (line.line_no, line.offer_id)
        if key in losses:
            before_net_steps = losses[key].before_net_steps
        losses[key] = LineShortage(*key, before_net_steps, self._net_steps(line), reason)
        self._touch(Shorted, line.order_id)

    def _touch(self, kind: type[Effect], order_id: UUID) -> None:
        self._touched.setdefault((kind, order_id))

    # Views of an order

    def _lines(self, order_id: UUID) -> dict[_Key, list[Line]]:
        """The order's lines, each with its places, oldest first."""
        places: dict[_Key, list[Line]] = {}
        for queue, position in self._places.get(order_id, ()):
            line = queue.lines[position]
            places.setdefault((line.line_no, line.offer_id), []).append(line)
        return places

    def _net_steps(self, line: Line) -> int:
        return sum(place.net_steps for place in self._lines(line.order_id)[line.line_no, line.offer_id])

    def _effect(self, kind: type[Effect], order_id: UUID) -> Effect:
        if kind is Shorted:
            return Shorted(order_id, tuple(self._losses[order_id].values()))
        return Promised(order_id, line_promises(queue.lines[position] for queue, position in self._places[order_id]))


def _short_reason(queue: _Queue) -> Reason:
    if not queue.open:
        return Reason.INTAKE_CLOSED
    return Reason.SOLD_OUT if queue.listed else Reason.NO_OFFER


def _lowered(places: Sequence[Line], cut_steps: int) -> list[Line]:
    """Cut one line, newest places first: what is short, then what was shorted, only then what is coming."""
    newest_first = places[::-1]
    short = _take([line.short_steps for line in newest_first], cut_steps)
    shorted = _take([line.shorted_steps for line in newest_first], cut_steps - sum(short))
    net = _take([line.net_steps for line in newest_first], cut_steps - sum(short) - sum(shorted))
    return [
        replace(
            line,
            promised_steps=line.promised_steps - from_shorted - from_net,
            short_steps=line.short_steps - from_short,
            shorted_steps=line.shorted_steps - from_shorted,
            cancelled_steps=line.cancelled_steps + from_short + from_shorted + from_net,
            reason=line.reason if line.short_steps + line.shorted_steps > from_short + from_shorted else None,
        )
        for line, from_short, from_shorted, from_net in zip(newest_first, short, shorted, net, strict=True)
    ]


def _take(amounts: Iterable[int], steps: int) -> list[int]:
    """How much of each amount is used when `steps` are taken from the first ones on."""
    taken: list[int] = []
    for amount in amounts:
        taken.append(min(amount, steps))
        steps -= taken[-1]
    return taken
