"""Pooled offers as the union sets them: what is checked, and what becomes of them."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from services.chassis import problems, standard_webhooks
from services.chassis.ids import uuid7
from services.chassis.ledger import Transaction
from services.orders.domain.order import Product
from services.orders.http.partners import Input, Text
from services.orders.store import campaigns as store
from services.orders.store.campaigns import Given
from services.orders.store.partners import Partner, insert_partner, list_seats, save_mappings
from services.orders.store.products import list_products_of_many


class ShareBody(Input):
    """The most that one cooperative gives, in units of its product; 0 ends its part."""

    cooperative: Text
    product_code: Text
    quantity: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,9}(\.[0-9]{1,3})?$")]


class ItemBody(Input):
    """One pooled offer: a SKU of the campaign on one delivery day. A sold item is `factor` units of each product."""

    sku: Text
    factor: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,6}(\.[0-9]{1,6})?$")]
    delivery_day: Annotated[date, Field(strict=False)]
    shares: Annotated[list[ShareBody], Field(min_length=1, max_length=500)]


class Items:
    """A list of pooled offers. Raises a 422 problem where it contradicts itself."""

    def __init__(self, body: Sequence[ItemBody]) -> None:
        _check(body)
        self._body = body
        self.skus = sorted({item.sku for item in body})

    async def apply(self, tx: Transaction, campaign: Partner) -> dict[str, Partner]:
        """Stores them; returns the seats of the cooperatives named, by slug. The campaign is locked.

        Raises a 422 problem where a product is unknown, or products do not fit each other.
        """
        named = sorted({(share.cooperative, share.product_code) for item in self._body for share in item.shares})
        products = await list_products_of_many(tx.conn, named)
        given = _given(self._body, products)
        slug_of = {products[one][0]: one[0] for one in named}
        seats = await _seats(tx, campaign, slug_of)
        await self._check_meanings(tx, campaign, seats)
        await save_mappings(tx.conn, self._mappings(products, seats))
        shares = [Given(seats[slug].partner_id, sku, day, steps) for slug, sku, day, steps in given]
        days = [(item.sku, item.delivery_day) for item in self._body]
        await store.save_shares(tx.conn, campaign.partner_id, days, shares)
        return seats

    async def _check_meanings(self, tx: Transaction, campaign: Partner, seats: Mapping[str, Partner]) -> None:
        """A SKU is the same for every cooperative, also for those that only other days name."""
        meanings = await store.list_meanings(tx.conn, campaign.partner_id, self.skus)
        replaced = {(item.sku, seats[share.cooperative].partner_id) for item in self._body for share in item.shares}
        factors = {sku: mapping.factor for (sku, seat), mapping in meanings.items() if (sku, seat) not in replaced}
        faults = [
            (f"[{i}].factor", "is another for cooperatives that have the SKU on other days; name them as well")
            for i, item in enumerate(self._body)
            if factors.get(item.sku, Fraction(item.factor)) != Fraction(item.factor)
        ]
        if faults:
            raise problems.invalid(faults)

    def _mappings(self, products: "_Products", seats: Mapping[str, Partner]) -> list[tuple[UUID, str, UUID, Fraction]]:
        mappings = {}
        for item in self._body:
            for share in item.shares:
                partner_id = seats[share.cooperative].partner_id
                product_id = products[share.cooperative, share.product_code][1].product_id
                mappings[partner_id, item.sku] = (partner_id, item.sku, product_id, Fraction(item.factor))
        return list(mappings.values())


def _check(body: Sequence[ItemBody]) -> None:
    """Raises a 422 problem where the list contradicts itself."""
    faults = [(f"[{i}].factor", "must be above 0") for i, item in enumerate(body) if not Decimal(item.factor)]
    meanings: dict[str, tuple[Decimal, dict[str, str]]] = {}
    seen: set[tuple[str, date]] = set()
    for i, item in enumerate(body):
        if (item.sku, item.delivery_day) in seen:
            faults.append((f"[{i}]", "has the SKU and day of another item"))
        seen.add((item.sku, item.delivery_day))
        factor, codes = meanings.setdefault(item.sku, (Decimal(item.factor), {}))
        if factor != Decimal(item.factor):
            faults.append((f"[{i}].factor", "must be the same for all days of a SKU"))
        named: set[str] = set()
        for j, share in enumerate(item.shares):
            if share.cooperative in named:
                faults.append((f"[{i}].shares[{j}].cooperative", "stands in the list twice"))
            named.add(share.cooperative)
            if codes.setdefault(share.cooperative, share.product_code) != share.product_code:
                faults.append((f"[{i}].shares[{j}].product_code", "must be the same for all days of a SKU"))
    if faults:
        raise problems.invalid(faults)


_Products = dict[tuple[str, str], tuple[UUID, Product]]


def _given(body: Sequence[ItemBody], products: _Products) -> list[tuple[str, str, date, int]]:
    """(slug, SKU, day, steps). Raises a 422 problem where a product is unknown or the products do not fit."""
    faults, shares = [], []
    for i, item in enumerate(body):
        first: Product | None = None
        for j, share in enumerate(item.shares):
            found = products.get((share.cooperative, share.product_code))
            if found is None:
                faults.append((f"[{i}].shares[{j}].product_code", "is not a product of that cooperative"))
                continue
            product = found[1]
            first = first or product
            if (product.unit, product.step_milliunits) != (first.unit, first.step_milliunits):
                detail = "has another unit or step than the first product; a pooled offer is of one kind"
                faults.append((f"[{i}].shares[{j}].product_code", detail))
                continue
            steps, rest = divmod(int(Decimal(share.quantity) * 1000), product.step_milliunits)
            if rest:
                detail = f"must be a whole number of steps of {product.quantity_text(1)} {product.unit}"
                faults.append((f"[{i}].shares[{j}].quantity", detail))
                continue
            shares.append((share.cooperative, item.sku, item.delivery_day, steps))
    if faults:
        raise problems.invalid(faults)
    return shares


async def _seats(tx: Transaction, campaign: Partner, slug_of: Mapping[UUID, str]) -> dict[str, Partner]:
    """The seat of each of these cooperatives, made where there was none."""
    known = {seat.cooperative_id: seat for seat in await list_seats(tx.conn, campaign.partner_id)}
    for cooperative_id in sorted(set(slug_of) - set(known)):
        secret = standard_webhooks.new_secret()  # known to nobody: orders come through the campaign
        seat = Partner(
            uuid7(), cooperative_id, campaign.name, campaign.adapter, (secret,), campaign.tier, {}, campaign.partner_id
        )
        await insert_partner(tx.conn, seat)
        known[cooperative_id] = seat
    return {slug: known[cooperative_id] for cooperative_id, slug in slug_of.items()}
