"""What each order line gets at arrival: first come, first served; all, part or none; never oversold.

The one idea: an offer is a queue of asks. A line asks when it is placed, and asks again for the difference
when it is raised, so one line may hold several places in the queue, and what was promised stays promised (as
the order log of Foodsoft keeps seniority). Free supply goes to whoever waits first; when supply falls, the
newest places lose first.

For each place, always: ordered = promised + short + cancelled, and 0 <= shorted <= promised. `ordered` never
changes: giving back moves steps to `cancelled`. What is really coming is promised - shorted, the net promise,
and on an open offer the net promises never add up to more than the supply.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID


class Reason(StrEnum):
    """Why a line gets less than it asked for."""

    SOLD_OUT = "sold_out"
    NO_OFFER = "no_offer"  # not offered (yet, or any more)
    INTAKE_CLOSED = "intake_closed"
    PLEDGES_REDUCED = "pledges_reduced"
    OFFER_WITHDRAWN = "offer_withdrawn"


# -- The books -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OfferBook:
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


@dataclass(frozen=True, slots=True)
class Line:
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


@dataclass(frozen=True, slots=True)
class Wanted:
    """The quantity of one line; 0 asks for nothing. Raises ValueError below 0."""

    line_no: int
    offer_id: UUID
    quantity_steps: int

    def __post_init__(self) -> None:
        if self.quantity_steps < 0:
            raise ValueError(f"line {self.line_no}: quantity_steps is {self.quantity_steps}, must be 0 or more")


@dataclass(frozen=True, slots=True)
class Place:
    """A new order. One that is in the books already changes nothing."""

    order_id: UUID
    lines: tuple[Wanted, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """The order as it shall be now; a line left out is cancelled. Lines of closed offers stay as they are."""

    order_id: UUID
    lines: tuple[Wanted, ...]


@dataclass(frozen=True, slots=True)
class Cancel:
    """The whole order is given back, except lines of closed offers."""

    order_id: UUID


@dataclass(frozen=True, slots=True)
class SetSupply:
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


@dataclass(frozen=True, slots=True)
class CloseIntake:
    """The cut-off: from here on the offer's lines and supply stay as they are."""

    offer_id: UUID


_Key: TypeAlias = tuple[int, UUID]  # one line of an order: line_no, offer_id

Command: TypeAlias = Place | Change | Cancel | SetSupply | CloseIntake


# -- What comes of it ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LinePromise:
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


@dataclass(frozen=True, slots=True)
class LineShortage:
    """What a line lost: its net promise before the first loss and after the last one of the batch."""

    line_no: int
    offer_id: UUID
    before_net_steps: int
    after_net_steps: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class Promised:
    """The whole order as it stands after the batch: placed, changed, or served after waiting."""

    order_id: UUID
    lines: tuple[LinePromise, ...]


@dataclass(frozen=True, slots=True)
class Shorted:
    """Lines of the order lost what they had been promised."""

    order_id: UUID
    lines: tuple[LineShortage, ...]


Effect: TypeAlias = Promised | Shorted


@dataclass(frozen=True, slots=True)
class Decision:
    """What to save (only what differs from what was loaded, in key order) and what to say.

    At most one effect of each kind per order, in the order in which the commands first touched them.
    """

    books: tuple[OfferBook, ...]
    lines: tuple[Line, ...]
    effects: tuple[Effect, ...]


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


@dataclass(frozen=True, slots=True)
class QueueEnds:
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


# -- The rule ------------------------------------------------------------------------------------------------


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
    """One offer while a batch is decided: its book and the loaded places, oldest first."""

    __slots__ = ("before", "book", "lines", "loaded_book", "waiting")

    def __init__(self, book: OfferBook, loaded_book: OfferBook | None) -> None:
        self.book = book
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
        gain_steps = line.net_steps - (before.net_steps if before else 0)
        if gain_steps:
            self.book = replace(self.book, promised_net_steps=self.book.promised_net_steps + gain_steps)

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
        """First give back everywhere, then ask: so an order never waits behind what it gives back itself."""
        wanted_steps: defaultdict[_Key, int] = defaultdict(int)
        for wanted in command.lines:
            wanted_steps[wanted.line_no, wanted.offer_id] += wanted.quantity_steps
        held = self._held(command.order_id)
        self._give_back(held, wanted_steps)
        for (line_no, offer_id), steps in wanted_steps.items():
            rise_steps = steps - sum(line.wanted_steps for line in held.get((line_no, offer_id), ()))
            if rise_steps > 0 and self._queue(offer_id).book.open:
                self._ask(command.order_id, line_no, offer_id, rise_steps)
        self._touch(Promised, command.order_id)

    def cancel(self, command: Cancel) -> None:
        self._give_back(self._held(command.order_id), {})

    def set_supply(self, command: SetSupply) -> None:
        queue = self._queue(command.offer_id)
        if not queue.book.open:
            return
        queue.book = replace(queue.book, supply_steps=command.supply_steps, listed=not command.withdrawn)
        self._short(queue, Reason.OFFER_WITHDRAWN if command.withdrawn else Reason.PLEDGES_REDUCED)
        self._serve_waiting(queue)

    def close_intake(self, command: CloseIntake) -> None:
        queue = self._queue(command.offer_id)
        queue.book = replace(queue.book, open=False)

    def decision(self) -> Decision:
        queues = sorted(self._queues.values(), key=lambda queue: queue.book.offer_id.int)
        return Decision(
            books=tuple(queue.book for queue in queues if queue.book != queue.loaded_book),
            lines=tuple(line for queue in queues for line in queue.changed_lines()),
            effects=tuple(self._effect(kind, order_id) for kind, order_id in self._touched),
        )

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
        book = queue.book
        promised_steps = min(steps, book.free_steps) if book.open else 0
        short_steps = steps - promised_steps
        reason = _short_reason(book) if short_steps else None
        position = book.last_position + 1
        queue.book = replace(book, last_position=position)
        queue.save(Line(order_id, line_no, offer_id, position, steps, promised_steps, short_steps, reason=reason))
        if short_steps:
            queue.waiting.append(position)
        self._places[order_id].append((queue, position))

    def _give_back(self, held: Mapping[_Key, list[Line]], wanted_steps: Mapping[_Key, int]) -> None:
        """Cut every held line to what is wanted (nothing, if not named); what comes free serves who waits."""
        cut_offers: dict[UUID, None] = {}
        for key, places in held.items():
            cut_steps = sum(line.wanted_steps for line in places) - wanted_steps.get(key, 0)
            if cut_steps > 0:
                cut_offers[key[1]] = None
                for line in _lowered(places, cut_steps):
                    self._queues[line.offer_id].save(line)
        # Only now, lest a line that the same order is giving back be served in between.
        for offer_id in cut_offers:
            self._serve_waiting(self._queues[offer_id])

    def _serve_waiting(self, queue: _Queue) -> None:
        """Give free supply to the oldest waiting places. What was shorted once does not come back."""
        while queue.waiting and queue.book.free_steps > 0:
            line = queue.lines[queue.waiting[0]]
            given_steps = min(line.short_steps, queue.book.free_steps)
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
            excess_steps = -queue.book.free_steps
            if excess_steps <= 0:
                return
            line = queue.lines[position]
            if line.net_steps:
                before_net_steps = self._net_steps(line)
                shorted_steps = line.shorted_steps + min(line.net_steps, excess_steps)
                queue.save(replace(line, shorted_steps=shorted_steps, reason=reason))
                self._note_loss(line, before_net_steps, reason)
        if queue.book.free_steps < 0:
            raise ValueError(f"offer {queue.book.offer_id}: not enough of its newest lines were loaded")

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

    def _held(self, order_id: UUID) -> dict[_Key, list[Line]]:
        """The lines that can still change: those of open offers."""
        lines = self._lines(order_id)
        return {key: places for key, places in lines.items() if self._queues[key[1]].book.open}

    def _net_steps(self, line: Line) -> int:
        return sum(place.net_steps for place in self._lines(line.order_id)[line.line_no, line.offer_id])

    def _effect(self, kind: type[Effect], order_id: UUID) -> Effect:
        if kind is Shorted:
            return Shorted(order_id, tuple(self._losses[order_id].values()))
        lines = sorted(self._lines(order_id).items(), key=lambda line: (line[0][0], line[0][1].int))
        return Promised(order_id, tuple(_line_promise(places) for _, places in lines))


def _short_reason(book: OfferBook) -> Reason:
    if not book.open:
        return Reason.INTAKE_CLOSED
    return Reason.SOLD_OUT if book.listed else Reason.NO_OFFER


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


def _line_promise(places: Sequence[Line]) -> LinePromise:
    """Add up the places of one line. A loss is told before a shortage, the newer before the older."""
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
