"""What an order becomes at intake: lines bound to offers in whole steps, or refused. No I/O."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from services.chassis.ids import uuid7
from tests.perf.peers.models import OrderedLine, OrderPlaced, PushedLine, PushedOrder, RefusedLine
from tests.perf.peers.rows import Row

SHELF = """
select m.sku, m.product_id, m.factor_numerator, m.factor_denominator, p.step_milliunits, o.delivery_day, o.offer_id
from sku_map m join product p using (product_id)
left join offer o on o.product_id = m.product_id and o.state = 'open' and o.cut_off_at > {now}
    and o.delivery_day = any({days})
where m.partner_id = {partner} and m.sku = any({skus})
"""
"""What the SKUs mean and which open offers sell them. Whether an offer has closed since, `allocation` decides."""


@dataclass(frozen=True, slots=True)
class Partner:
    """Who pushes."""

    partner_id: UUID
    cooperative_id: UUID
    secret: str


@dataclass(frozen=True, slots=True)
class Goods:
    """What a SKU of a partner is: `factor` units of a product per sold item."""

    product_id: UUID
    factor: Fraction
    step_milliunits: int


class Shelf:
    """What a partner can order: the meaning of its SKUs, and the open offers by product and day."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._goods: dict[str, Goods] = {}
        self._offers: dict[tuple[UUID, date], UUID] = {}
        for row in rows:
            factor = Fraction(row["factor_numerator"], row["factor_denominator"])
            self._goods[row["sku"]] = Goods(row["product_id"], factor, row["step_milliunits"])
            if row["offer_id"]:
                self._offers[row["product_id"], row["delivery_day"]] = row["offer_id"]

    def goods(self, sku: str) -> Goods | None:
        """What the SKU means, if that is known."""
        return self._goods.get(sku)

    def offer(self, product_id: UUID, day: date) -> UUID | None:
        """The offer that sells the product on that day."""
        return self._offers.get((product_id, day))


@dataclass(frozen=True, slots=True)
class NewLine:
    """A line as it is stored; one with a reason is refused."""

    line_no: int
    sku: str
    sold: Decimal
    price_vnd: int
    product_id: UUID | None = None
    offer_id: UUID | None = None
    steps: int = 0
    reason: str | None = None

    @property
    def state(self) -> str:
        """As it stands in the database."""
        return "refused" if self.reason else "ordered"


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order as it is stored, if its reference is new."""

    order_id: UUID
    partner: Partner
    pushed: PushedOrder
    received_at: datetime
    lines: tuple[NewLine, ...]

    @property
    def digest(self) -> str:
        """Tells a repeated push from a different one."""
        return hashlib.sha256(self.pushed.model_dump_json().encode()).hexdigest()

    @property
    def wanted(self) -> str:
        """The lines as they were pushed."""
        return json.dumps([[line.line_no, line.sku, str(line.sold), line.price_vnd] for line in self.lines])

    def placed(self) -> OrderPlaced:
        """The event that announces it."""
        return OrderPlaced(
            occurred_at=self.received_at,
            order_id=self.order_id,
            cooperative_id=self.partner.cooperative_id,
            partner_id=self.partner.partner_id,
            partner_ref=self.pushed.ref,
            lines=tuple(
                OrderedLine(
                    line_no=line.line_no,
                    offer_id=line.offer_id,
                    product_id=line.product_id,
                    sku=line.sku,
                    steps=line.steps,
                )
                for line in self.lines
                if line.offer_id and line.product_id
            ),
            refused_lines=tuple(
                RefusedLine(line_no=line.line_no, sku=line.sku, reason=line.reason)
                for line in self.lines
                if line.reason
            ),
        )


def skus_and_days(orders: Sequence[PushedOrder]) -> tuple[list[str], list[date]]:
    """What the shelf has to know."""
    return sorted({line.sku for order in orders for line in order.lines}), sorted({o.delivery_day for o in orders})


def new_order(partner: Partner, pushed: PushedOrder, shelf: Shelf, now: datetime) -> NewOrder:
    """The order with its lines bound."""
    lines = tuple(_bind(number, line, pushed.delivery_day, shelf) for number, line in enumerate(pushed.lines, 1))
    return NewOrder(uuid7(), partner, pushed, now, lines)


def _bind(line_no: int, line: PushedLine, day: date, shelf: Shelf) -> NewLine:
    sold = line.sold
    goods = shelf.goods(line.sku)
    if goods is None:
        return NewLine(line_no, line.sku, sold, line.price_vnd, reason="unknown_sku")
    steps = Fraction(sold) * 1000 * goods.factor / goods.step_milliunits
    if steps.denominator != 1 or steps < 1:
        return NewLine(line_no, line.sku, sold, line.price_vnd, goods.product_id, reason="not_in_steps")
    offer_id = shelf.offer(goods.product_id, day)
    reason = None if offer_id else "no_offer"
    return NewLine(line_no, line.sku, sold, line.price_vnd, goods.product_id, offer_id, steps.numerator, reason)
