"""Books of promises kept in memory, loaded for each batch in whole or only as far as the bounds ask for."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from services.allocation.domain.books import Command, Decision, Line, OfferBook
from services.allocation.domain.promise import decide
from services.allocation.domain.reach import offers_named, orders_named, queue_ends


@dataclass
class Books:
    """What a caller keeps: books and lines between batches."""

    books: dict[UUID, OfferBook] = field(default_factory=dict)
    lines: dict[tuple[UUID, int], Line] = field(default_factory=dict)

    def apply(self, *commands: Command, load_all: bool = True) -> Decision:
        if load_all:
            decision = decide(commands, self.books.values(), self.lines.values())
        else:
            decision = decide(commands, *self._needed(commands))
        self.books.update((book.offer_id, book) for book in decision.books)
        self.lines.update(((line.offer_id, line.position), line) for line in decision.lines)
        return decision

    def of_offer(self, offer_id: UUID) -> list[Line]:
        return [self.lines[key] for key in sorted(self.lines) if key[0] == offer_id]

    def of_order(self, order_id: UUID) -> list[Line]:
        return [self.lines[key] for key in sorted(self.lines) if self.lines[key].order_id == order_id]

    def _needed(self, commands: Sequence[Command]) -> tuple[list[OfferBook], list[Line]]:
        """Load as little as the documented bounds allow."""
        orders = orders_named(commands)
        named = [line for line in self.lines.values() if line.order_id in orders]
        offers = offers_named(commands) | {line.offer_id for line in named}
        ends = queue_ends(commands, [self.books[offer] for offer in offers & self.books.keys()], named)
        for offer_id, waiting in ends.waiting.items():
            queue = sorted(self.of_offer(offer_id), key=lambda line: (line.tier, line.position))
            for needed in range(1, waiting.needs + 1):
                places = [(x.order_id, x.short_steps) for x in queue if x.needed_steps == needed]
                orders |= owners_until(waiting.steps, places)
        for offer_id, newest in ends.newest.items():
            queue = sorted(self.of_offer(offer_id), key=lambda line: (line.tier * newest.tiered, line.position))
            orders |= owners_until(newest.steps, [(x.order_id, x.net_steps) for x in queue[::-1]])
        lines = [line for line in self.lines.values() if line.order_id in orders]
        offers |= {line.offer_id for line in lines}
        return [self.books[offer] for offer in offers & self.books.keys()], lines


def owners_until(steps: int, places: list[tuple[UUID, int]]) -> set[UUID]:
    """The orders that own the first places with anything in them, until these add up to `steps`."""
    owners = set()
    for order_id, in_place in places:
        if steps > 0 and in_place:
            owners.add(order_id)
            steps -= in_place
    return owners
