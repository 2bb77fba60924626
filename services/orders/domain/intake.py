"""What a push does to an order: lines become exact steps of the offers that still take orders.

With the offers open, the result depends on the greatest revision alone, never on what came before it. A line whose
offer has closed is kept as it was, whatever the push says: households may be harvesting for it already.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Self
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from services.orders.domain.command import CommandLine, Kind, OrderCommand
from services.orders.domain.order import Line, LineState, Offer, Order, OrderState, SkuMapping, minimum_steps

MOST_STEPS = 1_000_000_000
"""More than any cooperative grows; also keeps every sum far below 2^63."""


class Reason(StrEnum):
    """Why a line is refused (or, for `too_late`, why it stays as it was)."""

    UNKNOWN_SKU = "unknown_sku"
    NOT_IN_STEPS = "not_in_steps"
    TOO_MANY = "too_many"
    NO_OFFER = "no_offer"
    INTAKE_CLOSED = "intake_closed"
    TOO_LATE = "too_late"


class Outcome(StrEnum):
    """What became of a push. The first three are announced to the other services."""

    PLACED = "placed"
    CHANGED = "changed"
    CANCELLED = "cancelled"
    UNCHANGED = "unchanged"
    REPEATED = "repeated"


class Decision(Struct, frozen=True):
    """The order as it is now. `late_lines`: numbers of lines that could not follow the push."""

    order: Order
    outcome: Outcome
    late_lines: frozenset[int] = frozenset()


class Offers(Struct, frozen=True):
    """Every offer that a line is or could be bound to."""

    by_id: Mapping[UUID, Offer]
    by_product: Mapping[UUID, Sequence[Offer]]

    @classmethod
    def of(cls, offers: Iterable[Offer]) -> Self:
        """The offers, to be found by id and by product."""
        by_id = {offer.offer_id: offer for offer in offers}
        by_product: dict[UUID, list[Offer]] = {}
        for offer in by_id.values():
            by_product.setdefault(offer.product_id, []).append(offer)
        return cls(by_id, by_product)


class Books(Struct, frozen=True):
    """What a decision looks at: the partner's SKU map, and the offers."""

    skus: Mapping[str, SkuMapping]
    offers: Offers


def decide(order: Order, command: OrderCommand, books: Books, now: datetime, *, is_newer: bool = False) -> Decision:
    """Applies a push. One that does not follow the stored one has no effect, unless it is known to be newer."""
    if order.contact_erased:
        command = command.without_contact()
    if order.command is not None and not is_newer and not command.follows(order.command):
        return Decision(order, Outcome.REPEATED)
    return _apply(order, command, books, now)


def decide_again(order: Order, books: Books, now: datetime) -> Decision:
    """Applies the stored push once more, as when the SKU map has grown."""
    if order.command is None or order.command.kind is Kind.CANCEL:
        return Decision(order, Outcome.UNCHANGED)
    return _apply(order, order.command, books, now)


def _apply(order: Order, command: OrderCommand, books: Books, now: datetime) -> Decision:
    if command.kind is Kind.CANCEL:
        known = order.command.contact if order.command else None
        command = replace(command, contact=command.contact or known)
        lines, late_lines = _cancel(order, books, now)
    else:
        lines, late_lines = _revise(order, command, books, now)
    announced = order.announced or command.kind is Kind.UPSERT
    after = replace(order, command=command, lines=lines, announced=announced)
    return Decision(after, _outcome(order, after), late_lines)


def _outcome(before: Order, after: Order) -> Outcome:
    """A cancellation that had to leave lines is announced as a change: it names what stays.

    Readers learn of a cut-off by its event, which may come after it; they could not know which lines stay.
    """
    if not before.announced:
        return Outcome.PLACED if after.announced else Outcome.UNCHANGED
    cancelled = after.state is OrderState.CANCELLED
    if _visible(before) == _visible(after) and cancelled == (before.state is OrderState.CANCELLED):
        return Outcome.UNCHANGED
    return Outcome.CANCELLED if cancelled else Outcome.CHANGED


def _visible(order: Order) -> list[tuple[object, ...]]:
    """What readers of the events see of an order."""
    ordered = [(line.line_no, line.offer_id, line.quantity_steps, line.minimum_steps) for line in order.ordered]
    return [*ordered, *((line.line_no, line.sku, line.reason) for line in order.refused)]


def _cancel(order: Order, books: Books, now: datetime) -> tuple[tuple[Line, ...], frozenset[int]]:
    """Gives up every line except those bound to an offer that has closed."""
    kept = bound_for_good(order, books, now)
    return tuple(line if line.line_no in kept else line.cancelled() for line in order.lines), frozenset(kept)


def _revise(
    order: Order, command: OrderCommand, books: Books, now: datetime
) -> tuple[tuple[Line, ...], frozenset[int]]:
    """The lines that the push asks for, beside those that can no longer change."""
    if not order.lines:
        asked = sorted(command.lines, key=lambda line: line.line_no)
        return tuple(_bind(line.line_no, line, command.delivery_day, None, books, now) for line in asked), frozenset()
    kept = bound_for_good(order, books, now)
    answered = match_lines(kept.values(), command.lines)
    late_lines = frozenset(
        line_no
        for line_no, line in kept.items()
        if line_no not in answered or not _is_as_asked(line, answered[line_no], books.skus)
    )
    spoken_for = {line.line_no for line in answered.values()}
    lines = {line.line_no: line if line.line_no in kept else line.cancelled() for line in order.lines}
    free_no = max([*kept, *(line.line_no for line in command.lines)], default=0) + 1
    before = {line.line_no: line for line in order.ordered}
    may_stay = _asks_the_same_day(order, command)
    for wanted in command.lines:
        if wanted.line_no in spoken_for:
            continue
        line_no = wanted.line_no
        if line_no in kept:  # the partner counts its lines anew, but this number is taken for good
            line_no, free_no = free_no, free_no + 1
        held = before.get(line_no)
        bound = _bind(line_no, wanted, command.delivery_day, held if may_stay else None, books, now)
        lines[line_no] = _with_promise(bound, held)
    return tuple(lines[line_no] for line_no in sorted(lines)), late_lines


def bound_for_good(order: Order, books: Books, now: datetime) -> dict[int, Line]:
    """The ordered lines whose offers take no more changes, by number."""

    def closed(line: Line) -> bool:
        offer = books.offers.by_id.get(line.offer_id) if line.offer_id else None
        return offer is None or not offer.takes_orders(now)

    return {line.line_no: line for line in order.ordered if closed(line)}


def match_lines(kept: Iterable[Line], wanted: Sequence[CommandLine]) -> dict[int, CommandLine]:
    """Which line of the push speaks of which kept line: by number and SKU, else by SKU in the given order."""
    left = {line.line_no: line for line in wanted}
    found: dict[int, CommandLine] = {}
    for line in kept:
        if line.line_no in left and left[line.line_no].sku == line.sku:
            found[line.line_no] = left.pop(line.line_no)
    for line in kept:
        if line.line_no not in found:
            same = next((candidate for candidate in left.values() if candidate.sku == line.sku), None)
            if same is not None:
                found[line.line_no] = left.pop(same.line_no)
    return found


def _is_as_asked(line: Line, wanted: CommandLine, skus: Mapping[str, SkuMapping]) -> bool:
    return (
        _steps(wanted, skus) == line.quantity_steps
        and minimum_steps(wanted, wanted.quantity, line.quantity_steps) == line.minimum_steps
    )


def _asks_the_same_day(order: Order, command: OrderCommand) -> bool:
    """Only then may a line stay with its offer; else the outcome would hang on which push came first."""
    stored = order.command
    return stored is not None and stored.kind is Kind.UPSERT and stored.delivery_day == command.delivery_day


def _steps(line: CommandLine, skus: Mapping[str, SkuMapping]) -> int | Reason:
    """The line's quantity in whole steps of its product, or why it is none."""
    mapping = skus.get(line.sku)
    return Reason.UNKNOWN_SKU if mapping is None else steps_of(line, mapping)


def steps_of(line: CommandLine, mapping: SkuMapping) -> int | Reason:
    """The same for a line whose SKU is known."""
    units, parts = line.quantity.as_integer_ratio()
    factor = mapping.factor
    milliunits = units * factor.numerator * 1000
    steps, rest = divmod(milliunits, parts * factor.denominator * mapping.product.step_milliunits)
    if rest or steps < 1:
        return Reason.NOT_IN_STEPS
    return steps if steps <= MOST_STEPS else Reason.TOO_MANY


def _bind(
    line_no: int, wanted: CommandLine, day: date | None, before: Line | None, books: Books, now: datetime
) -> Line:
    """The line with the offer that serves it, or refused with the reason. `before`: whose offer it may keep."""
    sold = (line_no, wanted.sku, wanted.quantity, wanted.price_vnd)
    steps = _steps(wanted, books.skus)
    if isinstance(steps, Reason):
        return Line(*sold, LineState.REFUSED, reason=steps)
    least_steps = minimum_steps(wanted, wanted.quantity, steps)
    if least_steps is None:
        return Line(*sold, LineState.REFUSED, reason=Reason.NOT_IN_STEPS)
    product = books.skus[wanted.sku].product
    stays = before is not None and before.sku == wanted.sku and before.product == product
    offer = books.offers.by_id[before.offer_id] if before and before.offer_id and stays else None
    found = offer or _offer_for(books.offers.by_product.get(product.product_id, ()), day, now)
    if isinstance(found, Reason):
        return Line(*sold, LineState.REFUSED, product, quantity_steps=steps, reason=found)
    offered = (product, found.offer_id, found.delivery_day)
    return Line(*sold, LineState.ORDERED, *offered, steps, minimum_steps=least_steps)


def _with_promise(line: Line, before: Line | None) -> Line:
    """A line that is bound to the same offer as before keeps its promise; if nothing changed, no other one comes."""
    if before is None or line.state is not LineState.ORDERED or line.offer_id != before.offer_id:
        return line
    return replace(
        line,
        promised_steps=before.promised_steps,
        short_steps=before.short_steps,
        reason=before.reason,
        delivered=before.delivered,
    )


def _offer_for(offers: Sequence[Offer], day: date | None, now: datetime) -> Offer | Reason:
    """Of a product's offers, the open one of the day, or of the earliest day where none was asked for."""
    fitting = [offer for offer in offers if day is None or offer.delivery_day == day]
    taking = [offer for offer in fitting if offer.takes_orders(now)]
    if taking:
        return min(taking, key=lambda offer: (offer.delivery_day, offer.cut_off_at, offer.offer_id))
    if day is not None and any(offer.state != "withdrawn" for offer in fitting):
        return Reason.INTAKE_CLOSED
    return Reason.NO_OFFER
