"""The union: the pooled offers of its campaigns, and which cooperative gives how much to each.

A campaign is registered as a partner that is no cooperative's; platforms push to it as to any partner.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.security import HTTPAuthorizationCredentials
from pydantic import BaseModel, Field

from services.chassis import problems
from services.chassis.access import Authenticated, authenticate
from services.chassis.ledger import Transaction
from services.orders import pooling
from services.orders.desk import between_closings
from services.orders.domain.command import decimal_text
from services.orders.domain.intake import Reason
from services.orders.http.answers import PooledOrderAnswer
from services.orders.http.orders import bearer, check_signature
from services.orders.http.pooled_answers import of_pooled
from services.orders.http.pooled_items import ItemBody, Items
from services.orders.http.pushed import unauthorized
from services.orders.http.skus import MOST_WAITING
from services.orders.store import campaigns as store
from services.orders.store.partners import Partner, get_partner, lock_partners

router = APIRouter(tags=["campaigns"], responses=problems.refusals(401, 403, 404))

_DESCRIPTION = """
With an operator's key; or signed by the campaign, as a Standard Webhooks message whose body is the path of this
request (`/v1/campaigns/…`, as it is sent).
"""

SHOWN_BACK = timedelta(days=31)
"""How old the delivery days are that a campaign is shown with."""
RELEASED_AT_ONCE = 500
"""Orders that waited for a meaning of their SKUs, in one transaction."""


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


class UnknownLine(BaseModel):
    """A line that reserves nothing until its SKU is part of a pooled offer; the quantity is the platform's."""

    partner_ref: str
    delivery_day: date | None
    line_no: int
    sku: str
    sold_quantity: str


class CampaignReview(BaseModel):
    """By reference."""

    lines: list[UnknownLine]


class CampaignAnswer(BaseModel):
    """A campaign with its seats, and its pooled offers of the last month and later, by day and SKU."""

    campaign_id: UUID
    name: str
    adapter: str
    seats: list[SeatAnswer]
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
    pool = request.app.state.runtime.pool
    from_day = (datetime.now(UTC) - SHOWN_BACK).date()
    items: dict[tuple[date, str], list[ShareAnswer]] = {}
    for share in await store.list_shares(pool, campaign.partner_id, from_day):
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
        seats=_seats(await store.list_seats_by_slug(pool, campaign.partner_id)),
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
    ledger = request.app.state.runtime.ledger
    items = Items(body)

    async def set_all(tx: Transaction) -> dict[str, Partner]:
        await lock_partners(tx.conn, [campaign.partner_id])  # so no push can miss what is set here
        return await items.apply(tx, campaign)

    async def release(tx: Transaction) -> tuple[int, int]:
        await lock_partners(tx.conn, [campaign.partner_id])
        return await pooling.release(tx, campaign, items.skus, RELEASED_AT_ONCE, now)

    seats = await ledger.transact(set_all)
    found, released = RELEASED_AT_ONCE, 0
    while found == RELEASED_AT_ONCE:
        found, changed = await between_closings(ledger, release)
        released += changed
    return ItemsSet(items=len(body), released_orders=released, seats=_seats(seats))


def _seats(seats: Mapping[str, Partner]) -> list[SeatAnswer]:
    return [SeatAnswer(cooperative=slug, partner_id=seat.partner_id) for slug, seat in sorted(seats.items())]


@router.get("/v1/campaigns/{campaign_id}/review", summary="Read the lines that wait for a meaning (operator)")
async def read_review(campaign: OwnCampaign, request: Request) -> CampaignReview:
    """Orders with lines whose SKUs are in no pooled offer, at most 1000."""
    waiting = await store.list_waiting(request.app.state.runtime.pool, campaign.partner_id, None, MOST_WAITING)
    return CampaignReview(
        lines=[
            UnknownLine(
                partner_ref=whole.command.partner_ref,
                delivery_day=whole.asked_day,
                line_no=one.line.line_no,
                sku=one.line.sku,
                sold_quantity=decimal_text(one.line.quantity),
            )
            for whole in waiting
            for one in whole.refused
            if one.reason is Reason.UNKNOWN_SKU
        ]
    )


@router.get(
    "/v1/campaigns/{campaign_id}/orders/{partner_ref:path}",
    summary="Read an order of a campaign",
    description=_DESCRIPTION,
    responses={401: problems.refusal("Neither key nor signature is valid.")},
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
