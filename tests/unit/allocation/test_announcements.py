"""What allocation says of its decisions."""

from datetime import date
from uuid import UUID

from services.allocation import announcements
from services.allocation.domain.books import Change, OfferBook, Place, Promised, Wanted
from services.allocation.domain.promise import decide
from services.chassis.ledger import MAX_EVENT_BYTES

OFFER, ORDER = UUID(int=1), UUID(int=2)
MOST_LINES = 200


def lines_from(first: int) -> tuple[Wanted, ...]:
    return tuple(Wanted(line_no, OFFER, 1) for line_no in range(first, first + MOST_LINES))


def test_an_order_whose_lines_are_replaced_again_and_again_can_still_be_told() -> None:
    changes = [Change(ORDER, lines_from(1000 * n)) for n in range(1, 20)]
    decision = decide([Place(ORDER, lines_from(1)), *changes], [OfferBook(OFFER, 0, 0)], [])
    (effect,) = [effect for effect in decision.effects if isinstance(effect, Promised)]
    event = announcements.order_promised(effect)
    assert [line.line_no for line in event.lines] == list(range(19_000, 19_000 + MOST_LINES))
    assert len(event.encode()) < MAX_EVENT_BYTES
    assert effect.lines
    delivered = announcements.order_delivered(ORDER, date(2026, 11, 26), effect.lines[-MOST_LINES:])
    assert len(delivered.encode()) < len(event.encode())
