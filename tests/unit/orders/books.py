"""A small world for the rules of intake: two products, their offers, and a partner's SKU map."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from msgspec.structs import replace

from services.orders.domain.command import CommandLine, Kind, OrderCommand
from services.orders.domain.intake import Books, Decision, Offers, decide
from services.orders.domain.order import Line, LineState, Offer, Order, Product, SkuMapping
from services.orders.domain.promised import OrderedLine, OrderPromise

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
    return (
        line.line_no, line.sku, line.sold_quantity, line.state, line.offer_id, line.quantity_steps, line.minimum_steps,
        line.reason,
    )  # fmt: skip


def promise_of(order: Order) -> OrderPromise:
    """What is promised of the order, as it is loaded apart from the rest."""
    lines = {
        (one.line_no, one.offer_id): OrderedLine(
            one.line_no,
            one.offer_id,
            one.quantity_steps,
            one.promised_steps,
            one.short_steps,
            one.reason,
            one.delivered,
        )
        for one in order.ordered
        if one.offer_id
    }
    is_cancelled = order.command is not None and order.command.kind is Kind.CANCEL
    return OrderPromise(order.order_id, lines, bool(order.refused), is_cancelled)


def promised(order: Order, *said: tuple[int, UUID, int, int]) -> Order:
    """The order once it was told (line number, offer, promised steps, short steps)."""
    promise = promise_of(order)
    for line_no, offer_id, promised_steps, short_steps in said:
        promise.give(line_no, offer_id, promised_steps, short_steps, "sold_out" if short_steps else None)
    return with_promise(order, promise)


def with_promise(order: Order, promise: OrderPromise) -> Order:
    """The order as it is read again after its promise was stored."""
    told = {line.line_no: line for line in promise.lines.values()}
    lines = tuple(
        replace(
            one,
            promised_steps=now.promised_steps,
            short_steps=now.short_steps,
            reason=now.reason,
            delivered=now.delivered,
        )
        if one.state is LineState.ORDERED and (now := told.get(one.line_no))
        else one
        for one in order.lines
    )
    assert promise.state is replace(order, lines=lines).state
    return replace(order, lines=lines)
