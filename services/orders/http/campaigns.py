"""The union: the pooled offers of its campaigns, and which cooperative gives how much to each.

A campaign is registered as a partner that is no cooperative's; platforms push to it as to any partner.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.security import HTTPAuthorizationCredentials
from pydantic import BaseModel, Field, StringConstraints

from services.chassis import problems, standard_webhooks
from services.chassis.access import Authenticated, authenticate
from services.chassis.ids import uuid7
from services.chassis.ledger import Transaction
from services.chassis.runtime import Runtime
from services.orders import pooling
from services.orders.desk import patiently
from services.orders.domain.order import Product
from services.orders.http.answers import PooledOrderAnswer
from services.orders.http.orders import bearer, check_signature
from services.orders.http.partners import Input, Text
from services.orders.http.pooled_answers import of_pooled
from services.orders.http.pushed import unauthorized
from services.orders.settings import OrdersSettings
from services.orders.store import campaigns as store
from services.orders.store.campaigns import Share
from services.orders.store.partners import (
    Partner,
    get_partner,
    insert_partner,
    list_seats,
    lock_partners,
    save_mappings,
)

router = APIRouter(tags=["campaigns"])

_DESCRIPTION = """
With an operator's key; or signed by the campaign, as a Standard Webhooks message whose body is the path of this
request (`/v1/campaigns/…`, as it is sent).
"""

SHOWN_BACK = timedelta(days=31)
"""How old the delivery days are that a campaign is shown with."""
RELEASED_AT_ONCE = 500
"""Orders that waited for a meaning of their SKUs, in one transaction."""


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


class SeatAnswer(BaseModel):
    """A cooperative of the campaign. Its parts of orders, and webhooks about them, are those of this partner."""

    cooperative: str
    partner_id: UUID


class ItemsSet(BaseModel):
    """`released_orders`: orders that changed because lines of theirs had waited for these SKUs."""

    items: int
    released_orders: int
    seats: list[SeatAnswer]


class ShareAnswer(BaseModel):
    """In units of the product; `ordered` may exceed the share where all shares were taken."""

    cooperative: str
    quantity: str
    ordered: str
    unit: str


class ItemAnswer(BaseModel):
    """One pooled offer."""

    sku: str
    delivery_day: date
    shares: list[ShareAnswer]


class CampaignAnswer(BaseModel):
    """A campaign with its pooled offers of the last month and later, by day and SKU."""

    campaign_id: UUID
    name: str
    adapter: str
    items: list[ItemAnswer]


async def _campaign_of_operator(campaign_id: UUID, request: Request, principal: Authenticated) -> Partner:
    principal.must_be("operator")
    campaign = await get_partner(request.app.state.runtime.pool, campaign_id)
    if campaign is None or not campaign.is_campaign:
        raise problems.not_found("campaign")
    return campaign


OwnCampaign = Annotated[Partner, Depends(_campaign_of_operator)]


@router.get("/v1/campaigns/{campaign_id}", summary="Read a campaign and how far its shares are ordered (operator)")
async def read_campaign(campaign: OwnCampaign, request: Request) -> CampaignAnswer:
    """What each cooperative gives, and how much of it is ordered."""
    from_day = (datetime.now(UTC) - SHOWN_BACK).date()
    items: dict[tuple[date, str], list[ShareAnswer]] = {}
    for share in await store.list_shares(request.app.state.runtime.pool, campaign.partner_id, from_day):
        answer = ShareAnswer(
            cooperative=share.cooperative,
            quantity=share.product.quantity_text(share.share_steps),
            ordered=share.product.quantity_text(share.taken_steps),
            unit=share.product.unit,
        )
        items.setdefault((share.delivery_day, share.sku), []).append(answer)
    return CampaignAnswer(
        campaign_id=campaign.partner_id,
        name=campaign.name,
        adapter=campaign.adapter,
        items=[ItemAnswer(sku=sku, delivery_day=day, shares=shares) for (day, sku), shares in items.items()],
    )


@router.put("/v1/campaigns/{campaign_id}/items", summary="Set pooled offers and their shares (operator)")
async def set_items(
    body: Annotated[list[ItemBody], Field(min_length=1, max_length=500)], campaign: OwnCampaign, request: Request
) -> ItemsSet:
    """The named (SKU, day) have these shares from now on; others stay as they are.

    What is ordered stays with whom it is. Each cooperative offers its product for the day as always, in its catalog;
    it does well to pledge the share in an offer that it sells nowhere else.
    """
    now = datetime.now(UTC)
    runtime: Runtime[OrdersSettings] = request.app.state.runtime
    _check(body)
    skus = sorted({item.sku for item in body})

    async def work(tx: Transaction) -> tuple[int, dict[str, Partner]]:
        await lock_partners(tx.conn, [campaign.partner_id])  # so no push can miss what is set here
        wanted = sorted({(share.cooperative, share.product_code) for item in body for share in item.shares})
        products = await store.list_products(tx.conn, wanted)
        shares = _shares(body, products)
        slug_of = {products[one][0]: one[0] for one in wanted}
        seats = await _seats(tx, campaign, slug_of)
        await _map(tx, body, products, seats)
        named = [(item.sku, item.delivery_day) for item in body]
        mine = [Share(seats[slug].partner_id, sku, day, steps) for slug, sku, day, steps in shares]
        await store.save_shares(tx.conn, campaign.partner_id, named, mine)
        return await pooling.release(tx, campaign, skus, RELEASED_AT_ONCE, now), seats

    released, seats = await patiently(lambda: runtime.ledger.transact(work))

    async def more(tx: Transaction) -> int:
        await lock_partners(tx.conn, [campaign.partner_id])
        return await pooling.release(tx, campaign, skus, RELEASED_AT_ONCE, now)

    total = released
    while released == RELEASED_AT_ONCE:
        released = await patiently(lambda: runtime.ledger.transact(more))
        total += released
    told = [SeatAnswer(cooperative=slug, partner_id=seat.partner_id) for slug, seat in sorted(seats.items())]
    return ItemsSet(items=len(body), released_orders=total, seats=told)


@router.get(
    "/v1/campaigns/{campaign_id}/orders/{partner_ref:path}",
    summary="Read an order of a campaign",
    description=_DESCRIPTION,
    responses={401: {"description": "Neither key nor signature is valid."}, 404: {"description": "No such order."}},
)
async def read_order(
    campaign_id: UUID,
    partner_ref: str,
    request: Request,
    key: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> PooledOrderAnswer:
    """The order as it stands, over all cooperatives."""
    pool = request.app.state.runtime.pool
    campaign = await get_partner(pool, campaign_id)
    if key is None and "webhook-signature" in request.headers:
        if campaign is None or not campaign.is_campaign:
            raise unauthorized()
        check_signature(request, campaign)
    else:
        (await authenticate(request, key)).must_be("operator")
    found = await pooling.look_up(pool, campaign, partner_ref) if campaign and campaign.is_campaign else None
    if found is None:
        raise problems.not_found("order")
    return of_pooled(found)


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


def _shares(body: Sequence[ItemBody], products: _Products) -> list[tuple[str, str, date, int]]:
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


async def _seats(tx: Transaction, campaign: Partner, slug_of: dict[UUID, str]) -> dict[str, Partner]:
    """The seat of each of these cooperatives, made where there was none."""
    seats = (await list_seats(tx.conn, [campaign.partner_id]))[campaign.partner_id]
    known = {seat.cooperative_id: seat for seat in seats}
    for cooperative_id in sorted(set(slug_of) - set(known)):
        secret = standard_webhooks.new_secret()  # known to nobody: orders come through the campaign
        seat = Partner(
            uuid7(), cooperative_id, campaign.name, campaign.adapter, (secret,), campaign.tier, {}, campaign.partner_id
        )
        await insert_partner(tx.conn, seat)
        known[cooperative_id] = seat
    return {slug: known[cooperative_id] for cooperative_id, slug in slug_of.items()}


async def _map(tx: Transaction, body: Sequence[ItemBody], products: _Products, seats: dict[str, Partner]) -> None:
    """Each seat's SKUs mean the products of its cooperative."""
    for slug, seat in seats.items():
        mappings = {
            item.sku: (item.sku, products[slug, share.product_code][1].product_id, Fraction(item.factor))
            for item in body
            for share in item.shares
            if share.cooperative == slug
        }
        await save_mappings(tx.conn, seat.partner_id, list(mappings.values()))
