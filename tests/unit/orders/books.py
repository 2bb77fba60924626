"""A small world for the rules of intake: two products, their offers, and a partner's SKU map."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from services.orders.domain.command import CommandLine, Kind, OrderCommand
from services.orders.domain.intake import Books, Decision, Offers, decide
from services.orders.domain.order import Line, Offer, Order, Product, SkuMapping

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
TOMORROW, NEXT_DAY = date(2026, 11, 24), date(2026, 11, 25)
CAI_MEO = Product(UUID(int=1), "kg", 500)
SU_SU = Product(UUID(int=2), "bó", 1000)
ORDER_ID = UUID(int=99)

CAI_MEO_TOMORROW, CAI_MEO_NEXT_DAY, SU_SU_TOMORROW = UUID(int=11), UUID(int=12), UUID(int=21)

SKUS = {
    "CAI-KG": SkuMapping(CAI_MEO, Fraction(1)),
    "CAI-300G": SkuMapping(CAI_MEO, Fraction("0.3")),
    "SU-SU": SkuMapping(SU_SU, Fraction(1)),
}


def offer(offer_id: UUID, product: Product, day: date, state: str = "open") -> Offer:
    """An offer with its cut-off six hours ahead."""
    return Offer(offer_id, product.product_id, day, NOW + timedelta(hours=6), state)


def books(*closed: UUID, state: str = "closed") -> Books:
    """All three offers, those named being closed."""
    offers = (
        (CAI_MEO_TOMORROW, CAI_MEO, TOMORROW),
        (CAI_MEO_NEXT_DAY, CAI_MEO, NEXT_DAY),
        (SU_SU_TOMORROW, SU_SU, TOMORROW),
    )
    listed = (offer(o, product, day, state if o in closed else "open") for o, product, day in offers)
    return Books(SKUS, Offers.of(listed))


def line(line_no: int, sku: str, quantity: str = "1") -> CommandLine:
    """One line of a push."""
    return CommandLine(line_no, sku, Decimal(quantity))


def push(minute: int, *lines: CommandLine, day: date | None = None, cancel: bool = False) -> OrderCommand:
    """A push that the partner made so many minutes after NOW."""
    kind = Kind.CANCEL if cancel else Kind.UPSERT
    return OrderCommand.make("A-1", NOW + timedelta(minutes=minute), int(cancel), kind, day, lines)


def after(order: Order, *commands: OrderCommand, in_books: Books | None = None) -> Decision:
    """What the last of the pushes leads to."""
    decision = None
    for command in commands:
        decision = decide(order, command, in_books or books(), NOW)
        order = decision.order
    assert decision is not None
    return decision


def new() -> Order:
    """An order that nobody has pushed yet."""
    return Order(ORDER_ID)


def live(order: Order) -> list[tuple[object, ...]]:
    """The order's lines without what is kept for the record only."""
    return [_told(line) for line in order.lines if line.state != "cancelled"]


def _told(line: Line) -> tuple[object, ...]:
    return (line.line_no, line.sku, line.sold_quantity, line.state, line.offer_id, line.quantity_steps, line.reason)
