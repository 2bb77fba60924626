"""What staff see of allocation: the day's baskets and why, how an offer stands, what an order was promised."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request
from msgspec.structs import asdict
from pydantic import BaseModel, Field

from services.allocation.domain.baskets import Item, ShareLevel
from services.allocation.domain.books import line_promises
from services.allocation.store.books import get_owner, list_order_lines
from services.allocation.store.days import ListedBasket, list_baskets
from services.allocation.store.members import is_cooperative
from services.allocation.store.offers import get_offer_totals
from services.chassis.access import Authenticated
from services.chassis.problems import MEDIA_TYPE, not_found

_REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"description": description, "content": {MEDIA_TYPE: {"schema": {"type": "object"}}}}
    for status, description in (
        (401, "No valid key was sent."),
        (404, "There is nothing here that the key may see."),
        (422, "The path is malformed; the problem names the fields."),
    )
}
router = APIRouter(prefix="/v1", tags=["allocation"], responses=_REFUSALS)

Steps = Annotated[int, Field(ge=0, description="In steps of the product.")]


class WhyAnswer(BaseModel):
    """What decided the quantity, as numbers."""

    rule: str
    level: Annotated[ShareLevel, Field(description="How the quantity compares with the household's even share.")]
    even_steps: Annotated[int, Field(description="Its even share: by weight, up to its pledge, memory left out.")]
    shared_steps: Annotated[int, Field(description="So many steps of the offer were shared out,")]
    households: Annotated[int, Field(description="among so many households that pledged.")]
    weight: Annotated[int, Field(description="The household's share weight.")]
    memory_vnd: Annotated[int, Field(description="Beyond (+) or behind (-) its fair part of the past days.")]
    today_vnd: Annotated[int, Field(description="What it got of earlier products of the same day.")]
    by_lot: Annotated[bool, Field(description="The last step was drawn among households exactly level.")]


class ItemAnswer(BaseModel):
    """What a household brings of one offer."""

    offer_id: UUID
    product_id: UUID
    product_code: str
    quantity_steps: Steps
    pledged_steps: Steps
    collection_point_id: UUID
    arrive_by_at: datetime
    why: WhyAnswer


class BasketAnswer(BaseModel):
    """What one household brings; without items it pledged, but nothing is asked of it."""

    household_id: UUID
    household_code: str
    version: Annotated[int, Field(ge=1, description="Grows by one with each change.")]
    told_at: Annotated[datetime | None, Field(description="The channel's receipt for this version.")]
    untold_reason: Annotated[str | None, Field(description="Why no channel could tell this version.")]
    items: list[ItemAnswer]


class BasketsAnswer(BaseModel):
    """The baskets of a delivery day by household code; none before the day's cut-off."""

    cooperative_id: UUID
    delivery_day: date
    baskets: list[BasketAnswer]


class OfferAnswer(BaseModel):
    """How one offer stands. ordered = promised + short + cancelled; `shorted` is the part of promised taken back."""

    offer_id: UUID
    cooperative_id: UUID
    product_id: Annotated[UUID | None, Field(description="Null while only orders have named the offer.")]
    product_code: str | None
    delivery_day: date | None
    open: Annotated[bool, Field(description="False from the cut-off on.")]
    listed: Annotated[bool, Field(description="False when withdrawn, or not published yet.")]
    assigned: Annotated[bool, Field(description="Shared out among the households.")]
    supply_steps: Annotated[int, Field(ge=0, description="The sum of the pledges, less the buffer.")]
    ordered_steps: Steps
    promised_steps: Steps
    short_steps: Steps
    shorted_steps: Steps
    cancelled_steps: Steps
    free_steps: Annotated[int, Field(ge=0, description="Supply that nobody holds: supply - promised + shorted.")]


class PromisedLineAnswer(BaseModel):
    """ordered = promised + short + cancelled; `shorted_steps` is the part of promised that was taken back since."""

    line_no: int
    offer_id: UUID
    ordered_steps: Steps
    promised_steps: Steps
    short_steps: Steps
    cancelled_steps: Steps
    shorted_steps: Steps
    reason: str | None


class PromiseAnswer(BaseModel):
    """What an order was promised, by line."""

    order_id: UUID
    lines: list[PromisedLineAnswer]


@router.get("/cooperatives/{cooperative_id}/days/{delivery_day}/baskets", summary="The baskets of a delivery day")
async def get_baskets(
    request: Request, principal: Authenticated, cooperative_id: UUID, delivery_day: date
) -> BasketsAnswer:
    """What each household brings on the day, why, and whether it has been told."""
    principal.may_act_for(cooperative_id)
    async with (
        request.app.state.runtime.pool.acquire(timeout=5) as conn,
        conn.transaction(isolation="repeatable_read", readonly=True),
    ):
        if not await is_cooperative(conn, cooperative_id):
            raise not_found("cooperative")
        baskets = await list_baskets(conn, (cooperative_id, delivery_day))
    return BasketsAnswer(
        cooperative_id=cooperative_id, delivery_day=delivery_day, baskets=[_basket(basket) for basket in baskets]
    )


@router.get("/offers/{offer_id}", summary="How an offer stands")
async def get_offer(request: Request, principal: Authenticated, offer_id: UUID) -> OfferAnswer:
    """Supply, what is promised of it, what is short, and what is free."""
    totals = await get_offer_totals(request.app.state.runtime.pool, offer_id)
    principal.must_see(totals.cooperative_id if totals else None, "offer")
    assert totals is not None
    return OfferAnswer(
        offer_id=totals.offer_id,
        cooperative_id=totals.cooperative_id,
        product_id=totals.product_id,
        product_code=totals.product_code,
        delivery_day=totals.delivery_day,
        open=totals.open,
        listed=totals.listed,
        assigned=totals.assigned,
        supply_steps=totals.supply_steps,
        ordered_steps=totals.ordered_steps,
        promised_steps=totals.promised_steps,
        short_steps=totals.short_steps,
        shorted_steps=totals.shorted_steps,
        cancelled_steps=totals.cancelled_steps,
        free_steps=totals.supply_steps - totals.promised_net_steps,
    )


@router.get("/orders/{order_id}/promise", summary="What an order was promised")
async def get_promise(request: Request, principal: Authenticated, order_id: UUID) -> PromiseAnswer:
    """The promise of every line as it stands now."""
    pool = request.app.state.runtime.pool
    lines = await list_order_lines(pool, order_id)
    principal.must_see(await get_owner(pool, lines[0].offer_id) if lines else None, "order")
    return PromiseAnswer(order_id=order_id, lines=[PromisedLineAnswer(**asdict(line)) for line in line_promises(lines)])


def _basket(basket: ListedBasket) -> BasketAnswer:
    return BasketAnswer(
        household_id=basket.household_id,
        household_code=basket.household_code,
        version=basket.version,
        told_at=basket.told_at,
        untold_reason=basket.untold_reason,
        items=[_item(product_code, item) for product_code, item in basket.items],
    )


def _item(product_code: str, item: Item) -> ItemAnswer:
    return ItemAnswer(
        offer_id=item.offer_id,
        product_id=item.product_id,
        product_code=product_code,
        quantity_steps=item.quantity_steps,
        pledged_steps=item.pledged_steps,
        collection_point_id=item.collection_point_id,
        arrive_by_at=item.arrive_by_at,
        why=WhyAnswer.model_validate(item.why, from_attributes=True),
    )
