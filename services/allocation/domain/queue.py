"""The queue of one offer while a batch is decided.

The one idea: of the places that wait, the first one in the queue whose line can be served is served next, and once
nobody can be served, everyone who waits needs more than is free. So waiting places are kept by what they need, and
only the first of each kind is looked at.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from heapq import heappop, heappush
from typing import TypeAlias
from uuid import UUID, uuid5

from msgspec.structs import replace

from services.allocation.domain.books import OPEN_SALE, Line, OfferBook, Reason
from services.allocation.domain.fair import Asking, share_by_tier
from services.allocation.domain.policies import PromiseRule

LineKey: TypeAlias = tuple[UUID, int]  # order_id, line_no: one line within an offer


class Queue:
    """The offer's totals and the loaded places. Methods that serve return the orders whose promise grew."""

    __slots__ = (
        "before", "largest_minimum", "last_position", "lines", "listed", "loaded_book", "offer_id", "open",
        "promised_net_steps", "promises", "rule", "short_steps", "supply_steps", "tiered", "waiting", "with_minimum",
    )  # fmt: skip

    def __init__(self, book: OfferBook, loaded_book: OfferBook | None) -> None:
        self.offer_id = book.offer_id
        self.supply_steps = book.supply_steps
        self.promised_net_steps = book.promised_net_steps
        self.open = book.open
        self.listed = book.listed
        self.last_position = book.last_position
        self.rule = book.rule
        self.promises = book.open and book.rule is not PromiseRule.FAIR  # whether supply is given away before the end
        self.short_steps = book.short_steps
        self.largest_minimum = book.largest_minimum
        self.tiered = book.tiered
        self.loaded_book = loaded_book
        self.lines: dict[int, Line] = {}  # by position
        # By needed steps a heap of (tier, position); entries that do not hold any more are dropped when they come up.
        self.waiting: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        self.with_minimum: defaultdict[LineKey, list[int]] = defaultdict(list)  # positions of lines that have one
        self.before: dict[int, Line | None] = {}  # what save() replaced, as loaded; None for a new place

    # Loading and saving

    def load(self, line: Line) -> None:
        self.lines[line.position] = line
        if line.short_steps:
            heappush(self.waiting[line.needed_steps], (line.tier, line.position))
        if line.minimum_steps > 1:
            self.with_minimum[line.order_id, line.line_no].append(line.position)

    def save(self, line: Line) -> None:
        before = self.lines[line.position]
        self.before.setdefault(line.position, before)
        self.lines[line.position] = line
        self.promised_net_steps += line.promised_steps - before.promised_steps
        self.promised_net_steps -= line.shorted_steps - before.shorted_steps
        self.short_steps += line.short_steps - before.short_steps

    def book(self) -> OfferBook:
        return OfferBook(
            self.offer_id,
            self.supply_steps,
            self.promised_net_steps,
            self.open,
            self.listed,
            self.last_position,
            self.rule,
            self.short_steps,
            self.largest_minimum,
            self.tiered,
        )

    def changed_lines(self) -> list[Line]:
        changed = (position for position, before in self.before.items() if self.lines[position] != before)
        return [self.lines[position] for position in sorted(changed)]

    @property
    def free_steps(self) -> int:
        return self.supply_steps - self.promised_net_steps

    def set_supply(self, supply_steps: int, listed: bool, rule: PromiseRule) -> None:
        """Take over what is offered; the rule only when the offer is first published. Moves nothing yet."""
        self.supply_steps, self.listed = supply_steps, listed
        if self.rule is None and listed:
            self.rule = rule
            self.promises = rule is not PromiseRule.FAIR

    # Asking and serving

    def ask(self, order_id: UUID, line_no: int, steps: int, tier: int, minimum_steps: int) -> int:
        """Take a place at the end of the tier, and what is free at once if that is useful. Returns the position.

        Other places that the line has must be of the same minimum.
        """
        self.last_position = position = self.last_position + 1
        if tier != OPEN_SALE:
            self.tiered = True
        promised_steps = 0
        if minimum_steps == 1 and self.promises:
            promised_steps = min(steps, self.supply_steps - self.promised_net_steps)
        short_steps = steps - promised_steps
        reason = self._short_reason(minimum_steps) if short_steps else None
        self.before[position] = None
        self.lines[position] = Line(
            order_id, line_no, self.offer_id, position, steps, promised_steps, short_steps, 0, 0, reason, tier,
            minimum_steps,
        )  # fmt: skip
        self.promised_net_steps += promised_steps
        self.short_steps += short_steps
        if short_steps:
            heappush(self.waiting[1], (tier, position))
        if minimum_steps > 1:
            self.largest_minimum = max(self.largest_minimum, minimum_steps)
            self.with_minimum[order_id, line_no].append(position)
            self.settle((order_id, line_no))
            self.serve()  # everybody else who waits needs more than is free
        return position

    def _short_reason(self, minimum_steps: int) -> Reason:
        if not self.open:
            return Reason.INTAKE_CLOSED
        if not self.listed:
            return Reason.NO_OFFER
        if self.rule is PromiseRule.FAIR:
            return Reason.DECIDED_AT_CUT_OFF
        return Reason.BELOW_MINIMUM if minimum_steps > 1 and self.free_steps else Reason.SOLD_OUT

    def serve(self) -> list[UUID]:
        """Give free supply to those who wait. What was shorted once does not come back."""
        served: list[UUID] = []
        if self.promises:
            while (free_steps := self.free_steps) > 0 and (first := self._first_waiting(free_steps)):
                served.append(first.order_id)
                self._serve_first(first, free_steps)
        return served

    def _first_waiting(self, free_steps: int) -> Line | None:
        """The first place in the queue whose line can be served."""
        first: tuple[int, int] | None = None
        for needed_steps, heap in self.waiting.items():
            if 0 < needed_steps <= free_steps:
                while heap and ((line := self.lines[heap[0][1]]).needed_steps != needed_steps or not line.short_steps):
                    heappop(heap)
                if heap and (first is None or heap[0] < first):
                    first = heap[0]
        return self.lines[first[1]] if first else None

    def _serve_first(self, first: Line, free_steps: int) -> None:
        """A line that had less than its minimum takes the missing steps with its later places, ahead of others."""
        given_steps = min(first.short_steps, free_steps)
        self._give(first, given_steps, Reason.SOLD_OUT)
        if first.needed_steps > 1:
            key = (first.order_id, first.line_no)
            missing_steps = first.needed_steps - given_steps
            for place in self._in_order(key):
                if missing_steps > 0 and place.short_steps:
                    self._give(place, min(place.short_steps, missing_steps), Reason.SOLD_OUT)
                    missing_steps -= place.short_steps
            self.settle(key)

    def _give(self, line: Line, steps: int, short_reason: Reason) -> None:
        short_steps = line.short_steps - steps
        reason = line.reason if line.shorted_steps else short_reason if short_steps else None
        promised_steps = line.promised_steps + steps
        self.save(replace(line, promised_steps=promised_steps, short_steps=short_steps, reason=reason))

    # Losing

    def shorten(self, reason: Reason) -> dict[LineKey, tuple[int, Reason]]:
        """Take what the supply no longer covers from the end of the queue: the steps that each line lost, and why.

        A line that would fall below its minimum loses all. Raises ValueError when too little was loaded.
        """
        lost: dict[LineKey, tuple[int, Reason]] = {}
        if self.free_steps >= 0:
            return lost
        for last in sorted(self.lines.values(), key=_order, reverse=True):
            if self.free_steps >= 0:
                return lost
            line = self.lines[last.position]  # it may have been lost with its line
            if line.net_steps:
                key = (line.order_id, line.line_no)
                lost_steps, why = self._lose(line, min(line.net_steps, -self.free_steps), reason)
                lost[key] = (lost_steps + lost[key][0] if key in lost else lost_steps, why)
        if self.free_steps < 0:
            raise ValueError(f"offer {self.offer_id}: not enough of its newest lines were loaded")
        return lost

    def _lose(self, line: Line, steps: int, reason: Reason) -> tuple[int, Reason]:
        if line.minimum_steps > 1:
            key = (line.order_id, line.line_no)
            held = [place for place in self._in_order(key) if place.net_steps]
            net_steps = sum(place.net_steps for place in held)
            if steps < net_steps < steps + line.minimum_steps:
                why = reason if reason is Reason.OFFER_WITHDRAWN else Reason.BELOW_MINIMUM
                for place in held:
                    self.save(replace(place, shorted_steps=place.promised_steps, reason=why))
                self.settle(key)
                return net_steps, why
        self.save(replace(line, shorted_steps=line.shorted_steps + steps, reason=reason))
        if line.minimum_steps > 1:
            self.settle((line.order_id, line.line_no))
        return steps, reason

    # Lines with a minimum

    def _in_order(self, key: LineKey) -> list[Line]:
        return sorted((self.lines[position] for position in self.with_minimum[key]), key=_order)

    def restate_minimum(self, places: Sequence[Line], minimum_steps: int) -> None:
        """Set the minimum of a line, given all its places."""
        self.largest_minimum = max(self.largest_minimum, minimum_steps)
        key = (places[0].order_id, places[0].line_no)
        self.with_minimum[key] = [place.position for place in places]
        for place in places:
            self.save(replace(place, minimum_steps=minimum_steps))
        self.settle(key)

    def settle(self, key: LineKey) -> None:
        """Note in every place of a line with a minimum what the line needs now."""
        places = [self.lines[position] for position in self.with_minimum[key]]
        minimum_steps = places[0].minimum_steps
        if any(place.net_steps for place in places):
            needed_steps = 1
        else:
            needed_steps = minimum_steps if sum(place.short_steps for place in places) >= minimum_steps else 0
        for place in places:
            needed = needed_steps if place.short_steps else 1
            if place.needed_steps != needed:
                self.save(replace(place, needed_steps=needed))
                heappush(self.waiting[needed], (place.tier, place.position))

    # The cut-off

    def close(self) -> list[UUID]:
        """Take no more orders, and share the supply out if the offer is fair: the orders that got their answer."""
        answered = list(self._share_out()) if self.open and self.rule is PromiseRule.FAIR else []
        self.open = self.promises = False
        return answered

    def _share_out(self) -> Iterator[UUID]:
        """A line is of the first tier that any of its places is of. Raises ValueError when too little was loaded."""
        places: defaultdict[LineKey, list[Line]] = defaultdict(list)
        for line in sorted(self.lines.values(), key=_order):
            if line.short_steps:
                places[line.order_id, line.line_no].append(line)
        if sum(line.short_steps for own in places.values() for line in own) != self.short_steps:
            raise ValueError(f"offer {self.offer_id}: not all of its lines were loaded")
        line_ids = {key: uuid5(key[0], str(key[1])) for key in places}
        askings = [
            Asking(line_ids[key], own[0].tier, sum(line.short_steps for line in own), own[0].minimum_steps)
            for key, own in places.items()
        ]
        shares = share_by_tier(self.supply_steps, askings, self.offer_id.bytes)
        for key, own in places.items():
            dropped = line_ids[key] in shares.dropped
            self._answer(own, shares.steps[line_ids[key]], Reason.BELOW_MINIMUM if dropped else Reason.SOLD_OUT)
            yield key[0]

    def _answer(self, places: Sequence[Line], share_steps: int, short_reason: Reason) -> None:
        for place in places:
            given_steps = min(place.short_steps, share_steps)
            self._give(place, given_steps, short_reason if self.listed else Reason.OFFER_WITHDRAWN)
            share_steps -= given_steps
        if places[0].minimum_steps > 1:
            self.settle((places[0].order_id, places[0].line_no))


def _order(line: Line) -> tuple[int, int]:
    """The order of the queue."""
    return line.tier, line.position
