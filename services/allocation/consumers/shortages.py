"""What is missing of closed offers is taken from their orders, and each order that loses is told once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services.allocation import announcements
from services.allocation.domain.books import Line, OfferBook, Shorted
from services.allocation.domain.shortening import Coming, shorten
from services.allocation.store.books import list_coming, save_books, save_lines
from services.chassis.inbox import Received
from services.chassis.ledger import Transaction


@dataclass(frozen=True, slots=True)
class Shortage:
    """What is coming of an offer after all, and the event from which that is known."""

    cause: Received[Any]
    coming: Coming


async def shorten_offers(tx: Transaction, shortages: Sequence[Shortage]) -> None:
    """Shortens one event after the other, so that it does not matter which of them came together."""
    if not shortages:
        return
    loaded = await list_coming(tx.conn, {shortage.coming.offer_id for shortage in shortages})
    books: dict[UUID, OfferBook] = dict(loaded.books)
    lines: dict[tuple[UUID, int], Line] = {(line.offer_id, line.position): line for line in loaded.lines}
    for cause, own in _by_cause(shortages):
        decision = shorten(own, books, lines.values())
        books |= {book.offer_id: book for book in decision.books}
        lines |= {(line.offer_id, line.position): line for line in decision.lines}
        for effect in decision.effects:
            if isinstance(effect, Shorted):
                tx.append(cause.stream, announcements.order_shorted(effect), cause.traceparent)
    await save_books(tx.conn, _changed(loaded.books, books), loaded.cooperatives)
    before = {(line.offer_id, line.position): line for line in loaded.lines}
    await save_lines(tx.conn, [line for place, line in lines.items() if line != before[place]])


def _by_cause(shortages: Sequence[Shortage]) -> list[tuple[Received[Any], list[Coming]]]:
    """In their order; what one event tells of several offers together."""
    grouped: list[tuple[Received[Any], list[Coming]]] = []
    for shortage in shortages:
        if not grouped or grouped[-1][0] is not shortage.cause:
            grouped.append((shortage.cause, []))
        grouped[-1][1].append(shortage.coming)
    return grouped


def _changed(before: Mapping[UUID, OfferBook], after: Mapping[UUID, OfferBook]) -> list[OfferBook]:
    return [book for offer_id, book in after.items() if book != before[offer_id]]
