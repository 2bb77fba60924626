"""The union: campaigns, what their SKUs mean, and which cooperative gives how much of each."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field, StringConstraints

from services.chassis import problems, standard_webhooks
from services.chassis.access import Authenticated
from services.chassis.ids import uuid7
from services.chassis.ledger import Transaction
from services.chassis.runtime import Runtime
from services.orders import pooling
from services.orders.adapters import ADAPTERS
from services.orders.domain.order import Product
from services.orders.http.partners import SecretRotated, Text, Tier, _Body
from services.orders.settings import OrdersSettings
from services.orders.store import books, campaigns as store
from services.orders.store import partners as partner_store
from services.orders.store.campaigns import Campaign, Share
from services.orders.store.partners import OPEN_SALE, Partner

router = APIRouter(tags=["campaigns"])

SHOWN_BACK = timedelta(days=31)
"""How old the delivery days are that a campaign is shown with."""
RELEASED_AT_ONCE = 500
"""Orders that waited for a meaning of their SKUs, in one transaction."""


class NewCampaign(_Body):
    """A platform that sells offers pooled over several cooperatives."""

    name: Text
    adapter: Text = Field(examples=sorted(ADAPTERS))
    tier: Tier = OPEN_SALE


class CampaignMade(BaseModel):
    """`secret` is shown this once."""

    campaign_id: UUID
    push_url: str
    secret: str


class ShareBody(_Body):
    """The most that one cooperative gives, in units of its product; 0 ends its part."""

    cooperative: Text
    product_code: Text
    quantity: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,9}(\.[0-9]{1,3})?$")]


class ItemBody(_Body):
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


async def _campaign_of_operator(campaign_id: UUID, request: Request, principal: Authenticated) -> Campaign:
    principal.must_be("operator")
    campaign = await store.get_campaign(request.app.state.runtime.pool, campaign_id)
    if campaign is None:
        raise problems.not_found("campaign")
    return campaign


OwnCampaign = Annotated[Campaign, Depends(_campaign_of_operator)]


@router.post("/v1/campaigns", status_code=201, summary="Make a campaign (operator)")
async def make_campaign(body: NewCampaign, request: Request, principal: Authenticated) -> CampaignMade:
    """A campaign with a fresh secret and no offers yet."""
    principal.must_be("operator")
    if body.adapter not in ADAPTERS:
        raise problems.invalid([("adapter", f"must be one of {', '.join(sorted(ADAPTERS))}")])
    secret = standard_webhooks.new_secret()
    campaign = Campaign(uuid7(), body.name, body.adapter, body.tier, (secret,))

    async def work(tx: Transaction) -> None:
        await store.insert_campaign(tx.conn, campaign)

    await request.app.state.runtime.ledger.transact(work)
    push_url = f"/v1/campaigns/{campaign.campaign_id}/orders"
    return CampaignMade(campaign_id=campaign.campaign_id, push_url=push_url, secret=secret)


@router.get("/v1/campaigns/{campaign_id}", summary="Read a campaign and how far its shares are ordered (operator)")
async def read_campaign(campaign: OwnCampaign, request: Request) -> CampaignAnswer:
    """What each cooperative gives, and how much of it is ordered."""
    from_day = (datetime.now(UTC) - SHOWN_BACK).date()
    items: dict[tuple[date, str], list[ShareAnswer]] = {}
    for share in await store.list_shares(request.app.state.runtime.pool, campaign.campaign_id, from_day):
        answer = ShareAnswer(
            cooperative=share.cooperative,
            quantity=share.product.quantity_text(share.share_steps),
            ordered=share.product.quantity_text(share.taken_steps),
            unit=share.product.unit,
        )
        items.setdefault((share.delivery_day, share.sku), []).append(answer)
    return CampaignAnswer(
        campaign_id=campaign.campaign_id,
        name=campaign.name,
        adapter=campaign.adapter,
        items=[ItemAnswer(sku=sku, delivery_day=day, shares=shares) for (day, sku), shares in items.items()],
    )


@router.post("/v1/campaigns/{campaign_id}/secrets", status_code=201, summary="Rotate the secret (operator)")
async def rotate_secret(campaign: OwnCampaign, request: Request) -> SecretRotated:
    """The new secret is valid at once; the previous one until it is deleted; one before that no longer."""
    secret = standard_webhooks.new_secret()

    async def work(tx: Transaction) -> None:
        await store.save_secret(tx.conn, campaign.campaign_id, secret)

    await request.app.state.runtime.ledger.transact(work)
    return SecretRotated(partner_id=campaign.campaign_id, secret=secret)


@router.delete(
    "/v1/campaigns/{campaign_id}/secrets/previous", status_code=204, summary="End the previous secret (operator)"
)
async def delete_previous_secret(campaign: OwnCampaign, request: Request) -> Response:
    """From now on only the newest secret is valid."""

    async def work(tx: Transaction) -> None:
        await store.delete_previous_secret(tx.conn, campaign.campaign_id)

    await request.app.state.runtime.ledger.transact(work)
    return Response(status_code=204)


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

    async def work(tx: Transaction) -> tuple[int, dict[str, Partner]]:
        await store.lock_campaigns(tx.conn, [campaign.campaign_id])
        wanted = sorted({(share.cooperative, share.product_code) for item in body for share in item.shares})
        products = await store.list_products(tx.conn, wanted)
        shares = _shares(body, products)
        slug_of = {products[one][0]: one[0] for one in wanted}
        seats = await _seats(tx, campaign, slug_of)
        await books.hold_gates(tx.conn, sorted(slug_of))
        await _map(tx, body, products, seats)
        named = [(item.sku, item.delivery_day) for item in body]
        mine = [Share(seats[slug].partner_id, sku, day, steps) for slug, sku, day, steps in shares]
        await store.save_shares(tx.conn, campaign.campaign_id, named, mine)
        skus = sorted({item.sku for item in body})
        return await pooling.release(tx, campaign, skus, RELEASED_AT_ONCE, now), seats

    released, seats = await runtime.ledger.transact(work)
    total = released
    while released == RELEASED_AT_ONCE:
        released = await runtime.ledger.transact(lambda tx: _release_more(tx, campaign, body, now))
        total += released
    told = [SeatAnswer(cooperative=slug, partner_id=seat.partner_id) for slug, seat in sorted(seats.items())]
    return ItemsSet(items=len(body), released_orders=total, seats=told)


async def _release_more(tx: Transaction, campaign: Campaign, body: Sequence[ItemBody], now: datetime) -> int:
    await store.lock_campaigns(tx.conn, [campaign.campaign_id])
    return await pooling.release(tx, campaign, sorted({item.sku for item in body}), RELEASED_AT_ONCE, now)


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


async def _seats(tx: Transaction, campaign: Campaign, slug_of: dict[UUID, str]) -> dict[str, Partner]:
    """The seat of each of these cooperatives, made where there was none."""
    known = {seat.cooperative_id: seat for seat in (await store.list_seats(tx.conn, [campaign.campaign_id]))[campaign.campaign_id]}
    for cooperative_id in sorted(set(slug_of) - set(known)):
        secret = standard_webhooks.new_secret()  # known to nobody: orders come through the campaign
        seat = Partner(
            uuid7(), cooperative_id, campaign.name, campaign.adapter, (secret,), campaign.tier, campaign.campaign_id
        )
        await partner_store.insert_partner(tx.conn, seat)
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
        await partner_store.save_mappings(tx.conn, seat.partner_id, list(mappings.values()))
