"""What each order line gets at arrival: first come, first served; all, part or none; never oversold.

The one idea: an offer is a queue of asks. A line asks when it is placed, and asks again for the difference
when it is raised, so one line may hold several places in the queue, and what was promised stays promised (as
the order log of Foodsoft keeps seniority). Free supply goes to whoever waits first, by tier; when supply falls, the
newest places of the last tier lose first. Where the rule of an offer is fair, all wait for the cut-off.
"""

from collections import defaultdict
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
    Wanted,
    line_promises,
)
from services.allocation.domain.queue import Queue

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


class _Batch:
    """The books while a batch is decided: one method per command, then the few moves they are made of."""

    def __init__(self, books: Iterable[OfferBook], lines: Iterable[Line]) -> None:
        self._queues = {book.offer_id: Queue(book, book) for book in books}
        self._places: defaultdict[UUID, list[tuple[Queue, int]]] = defaultdict(list)  # by order
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
        for wanted in _summed(command.lines):
            if wanted.quantity_steps:
                minimum_steps = 1 if wanted.minimum_steps == 1 else _least_steps(wanted)
                self._ask(command.order_id, wanted, wanted.quantity_steps, command.tier, minimum_steps)
        self._touch(Promised, command.order_id)

    def change(self, command: Change) -> None:
        """First give back everywhere, then ask: so an order never waits behind what it gives back itself.

        Of a closed offer, what is coming stays; what is short may be given up, and what is asked for is short. `orders`
        asks for neither, except where it was set back by a restore and does not remember that it closed the offer:
        then too every line must have its answer.
        """
        wanted_lines = {(wanted.line_no, wanted.offer_id): wanted for wanted in _summed(command.lines)}
        held = self._lines(command.order_id)
        self._give_back(held, wanted_lines)
        for key, wanted in wanted_lines.items():
            places = held.get(key, ())
            rise_steps = wanted.quantity_steps - sum(line.wanted_steps for line in places)
            if rise_steps > 0:
                last = self._queues[key[1]].lines[places[-1].position] if places else None
                minimum_steps = last.minimum_steps if last else _least_steps(wanted)
                self._ask(command.order_id, wanted, rise_steps, command.tier, minimum_steps)
        self._touch(Promised, command.order_id)

    def cancel(self, command: Cancel) -> None:
        self._give_back(self._lines(command.order_id), {})

    def set_supply(self, command: SetSupply) -> None:
        queue = self._queue(command.offer_id)
        if not queue.open:
            return
        queue.set_supply(command.supply_steps, not command.withdrawn, command.rule)
        self._shorten(queue, Reason.OFFER_WITHDRAWN if command.withdrawn else Reason.PLEDGES_REDUCED)
        self._serve_waiting(queue)

    def close_intake(self, command: CloseIntake) -> None:
        if command.withdrawn:
            self.set_supply(SetSupply(command.offer_id, 0, withdrawn=True))
        for order_id in self._queue(command.offer_id).close():
            self._touch(Promised, order_id)

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

    def _queue(self, offer_id: UUID) -> Queue:
        queue = self._queues.get(offer_id)
        if queue is None:
            unknown = OfferBook(offer_id, supply_steps=0, promised_net_steps=0, listed=False)
            queue = self._queues[offer_id] = Queue(unknown, None)
        return queue

    def _ask(self, order_id: UUID, wanted: Wanted, steps: int, tier: int, minimum_steps: int) -> None:
        queue = self._queue(wanted.offer_id)
        position = queue.ask(order_id, wanted.line_no, steps, tier, minimum_steps)
        self._places[order_id].append((queue, position))

    def _give_back(self, held: Mapping[_Key, list[Line]], wanted_lines: Mapping[_Key, Wanted]) -> None:
        """Cut every held line to what is wanted (nothing, if not named); what comes free serves who waits.

        Of a closed offer only what is not coming is cut.
        """
        changed: dict[UUID, Queue] = {}
        for key, places in held.items():
            queue, wanted = self._queues[key[1]], wanted_lines.get(key) if wanted_lines else None
            cut_steps = sum(line.wanted_steps for line in places) - (wanted.quantity_steps if wanted else 0)
            if not queue.open:
                cut_steps = min(cut_steps, sum(line.wanted_steps - line.net_steps for line in places))
            if cut_steps > 0:
                changed[key[1]] = queue
                for line in _lowered(places, cut_steps):
                    queue.save(line)
            if wanted and queue.open and _restate_minimum(queue, places, wanted):
                changed[key[1]] = queue
            elif cut_steps > 0 and places[0].minimum_steps > 1:
                queue.settle((places[0].order_id, places[0].line_no))
        # Only now, lest a line that the same order is giving back be served in between.
        for queue in changed.values():
            self._serve_waiting(queue)

    def _serve_waiting(self, queue: Queue) -> None:
        for order_id in queue.serve():
            self._touch(Promised, order_id)

    def _shorten(self, queue: Queue, reason: Reason) -> None:
        """Take what the supply no longer covers, and note who lost it."""
        for (order_id, line_no), (lost_steps, why) in queue.shorten(reason).items():
            key = (line_no, queue.offer_id)
            losses = self._losses[order_id]
            after_net_steps = sum(place.net_steps for place in self._lines(order_id)[key])
            before_net_steps = losses[key].before_net_steps if key in losses else after_net_steps + lost_steps
            losses[key] = LineShortage(*key, before_net_steps, after_net_steps, why)
            self._touch(Shorted, order_id)

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

    def _effect(self, kind: type[Effect], order_id: UUID) -> Effect:
        if kind is Shorted:
            return Shorted(order_id, tuple(self._losses[order_id].values()))
        return Promised(order_id, line_promises(queue.lines[position] for queue, position in self._places[order_id]))


def _summed(lines: Sequence[Wanted]) -> Iterable[Wanted]:
    """Each line once, in the order in which they are first named."""
    last_no = 0
    for wanted in lines:
        if wanted.line_no <= last_no:
            break
        last_no = wanted.line_no
    else:
        return lines  # numbered upwards, as nearly always
    summed: dict[_Key, Wanted] = {}
    for wanted in lines:
        key = (wanted.line_no, wanted.offer_id)
        same = summed.get(key, Wanted(*key, 0))
        steps = same.quantity_steps + wanted.quantity_steps
        summed[key] = Wanted(*key, steps, max(same.minimum_steps, wanted.minimum_steps))
    return summed.values()


def _least_steps(wanted: Wanted) -> int:
    """The minimum of a line of which nothing is coming: never more than it wants."""
    return max(1, min(wanted.minimum_steps, wanted.quantity_steps))


def _restate_minimum(queue: Queue, places: Sequence[Line], wanted: Wanted) -> bool:
    """Whether the minimum of a line that has these places differs from now on."""
    if wanted.minimum_steps == places[0].minimum_steps == 1:
        return False
    places = [queue.lines[line.position] for line in places]
    net_steps = sum(line.net_steps for line in places)
    minimum_steps = min(_least_steps(wanted), net_steps or wanted.quantity_steps or 1)
    if minimum_steps == places[0].minimum_steps:
        return False
    queue.restate_minimum(places, minimum_steps)
    return True


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
