"""The promise: first come, first served, under the row locks of the offers. No I/O."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tests.perf.peers.models import OrderPlaced, OrderPromised, PromisedLine
from tests.perf.peers.rows import Row


@dataclass(slots=True)
class Book:
    """The totals of an offer, while it is locked."""

    offer_id: UUID
    supply_steps: int
    promised_steps: int
    open: bool
    last_position: int


@dataclass(frozen=True, slots=True)
class Place:
    """A line's place in the queue of its offer."""

    position: int
    line: PromisedLine


def books(rows: Iterable[Row]) -> dict[UUID, Book]:
    """The locked rows by offer."""
    return {
        row["offer_id"]: Book(
            row["offer_id"], row["supply_steps"], row["promised_steps"], row["open"], row["last_position"]
        )
        for row in rows
    }


def promise(placed: OrderPlaced, locked: Mapping[UUID, Book]) -> list[Place]:
    """Gives each line what is free, and counts it in the books. KeyError for an offer that is not known yet."""
    places = []
    for line in placed.lines:
        book = locked[line.offer_id]
        free = book.supply_steps - book.promised_steps if book.open else 0
        promised = min(line.steps, free)
        book.promised_steps += promised
        book.last_position += 1
        reason = None if promised == line.steps else "sold_out" if book.open else "intake_closed"
        told = PromisedLine(
            line_no=line.line_no,
            offer_id=line.offer_id,
            product_id=line.product_id,
            sku=line.sku,
            ordered_steps=line.steps,
            promised_steps=promised,
            short_steps=line.steps - promised,
            reason=reason,
        )
        places.append(Place(book.last_position, told))
    return places


def promised(placed: OrderPlaced, places: Iterable[Place], now: datetime) -> OrderPromised:
    """The event that tells it."""
    return OrderPromised(
        occurred_at=now,
        order_id=placed.order_id,
        cooperative_id=placed.cooperative_id,
        partner_id=placed.partner_id,
        partner_ref=placed.partner_ref,
        lines=tuple(place.line for place in places),
        refused_lines=placed.refused_lines,
    )
