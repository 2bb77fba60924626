"""An order as it stands: lines bound to offers, what is promised of them, and the state that follows.

The state is never set, only read off the lines: as long as promised and short do not add up to the quantity of
each ordered line, the answer of `allocation` to the newest change is still to come.
"""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Protocol
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from services.orders.domain.command import CommandLine, Kind, OrderCommand


class LineState(StrEnum):
    """`refused` reserves nothing and has a reason; `cancelled` is kept for the record only."""

    ORDERED = "ordered"
    REFUSED = "refused"
    CANCELLED = "cancelled"


class OrderState(StrEnum):
    """`placed` waits for its promise; `delivered` waits for nothing, though what was missing may be short."""

    PLACED = "placed"
    PROMISED = "promised"
    PART_PROMISED = "part_promised"
    NOT_PROMISED = "not_promised"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"


class Product(Struct, frozen=True):
    """One step is `step_milliunits` thousandths of `unit`."""

    product_id: UUID
    unit: str
    step_milliunits: int

    def quantity_text(self, steps: int) -> str:
        """Steps as a decimal number of units: 3 steps of 500 g are `1.5` (kg)."""
        whole, rest = divmod(steps * self.step_milliunits, 1000)
        return f"{whole}.{rest:03d}".rstrip("0") if rest else str(whole)


class SkuMapping(Struct, frozen=True):
    """What a partner's SKU is: so many units of the product per sold item (a 300 g bag: 3/10 of kg)."""

    product: Product
    factor: Fraction


class Offer(Struct, frozen=True):
    """What `orders` needs to know of an offer. `state` is open, closed or withdrawn; only open can change."""

    offer_id: UUID
    product_id: UUID
    delivery_day: date
    cut_off_at: datetime
    state: str

    def takes_orders(self, now: datetime) -> bool:
        """Nothing is taken from the cut-off on, even where closing is late."""
        return self.state == "open" and now < self.cut_off_at


class Line(Struct, frozen=True):
    """`sold_quantity` is the partner's; `quantity_steps` ours. `promised_steps` is what is still coming.

    `minimum_steps` is the least that is useful to the customer, as the command says that made the line so. Once it is
    `delivered`, what was promised has come.
    """

    line_no: int
    sku: str
    sold_quantity: Decimal
    price_vnd: int | None
    state: LineState
    product: Product | None = None
    offer_id: UUID | None = None
    delivery_day: date | None = None
    quantity_steps: int = 0
    promised_steps: int = 0
    short_steps: int = 0
    reason: str | None = None
    minimum_steps: int = 1
    delivered: bool = False

    @property
    def is_decided(self) -> bool:
        """Whether the promise covers the line as it is now."""
        return self.promised_steps + self.short_steps == self.quantity_steps

    def cancelled(self) -> "Line":
        """The line as it is kept for the record."""
        return replace(self, state=LineState.CANCELLED, promised_steps=0, short_steps=0, reason=None)


def minimum_steps(wanted: CommandLine, sold_quantity: Decimal, quantity_steps: int) -> int | None:
    """The minimum of a line in steps, where so much of it makes so many; None where that is no whole number."""
    if wanted.minimum is None:
        return 1
    steps = Fraction(wanted.minimum) * quantity_steps / Fraction(sold_quantity)
    return steps.numerator if steps.denominator == 1 else None


class Order(Struct, frozen=True):
    """`command` is the push that made it so; None before the first. `announced`: readers know of the order.

    `contact_erased`: its customer was erased, and no later push brings the person back.
    """

    order_id: UUID
    command: OrderCommand | None = None
    lines: tuple[Line, ...] = ()
    announced: bool = False
    contact_erased: bool = False

    @property
    def ordered(self) -> tuple[Line, ...]:
        """The lines that reserve something."""
        return tuple(line for line in self.lines if line.state is LineState.ORDERED)

    @property
    def refused(self) -> tuple[Line, ...]:
        """The lines that reserve nothing, with a reason each."""
        return tuple(line for line in self.lines if line.state is LineState.REFUSED)

    @property
    def state(self) -> OrderState:
        """What the customer can be told."""
        is_cancelled = self.command is not None and self.command.kind is Kind.CANCEL
        return state_of(self.ordered, bool(self.refused), is_cancelled)


class _Promised(Protocol):
    """What the state is read off: an ordered line, in steps."""

    @property
    def quantity_steps(self) -> int: ...

    @property
    def promised_steps(self) -> int: ...

    @property
    def short_steps(self) -> int: ...

    @property
    def delivered(self) -> bool: ...


def state_of(ordered: Iterable[_Promised], has_refused: bool, is_cancelled: bool) -> OrderState:
    """The state of an order with these ordered lines. Refused lines make a promise partial.

    It is delivered when nothing more is coming: lines for several days have several trucks.
    """
    some = promised = short = coming = False
    for line in ordered:
        if line.promised_steps + line.short_steps != line.quantity_steps:
            return OrderState.PLACED
        some = True
        promised = promised or line.promised_steps > 0
        short = short or line.short_steps > 0
        coming = coming or (line.promised_steps > 0 and not line.delivered)
    if not some and is_cancelled:
        return OrderState.CANCELLED
    if not promised:
        return OrderState.NOT_PROMISED
    if not coming:
        return OrderState.DELIVERED
    return OrderState.PART_PROMISED if has_refused or short else OrderState.PROMISED
