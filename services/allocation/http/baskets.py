"""The day's baskets, and why."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from services.allocation.domain.asked import Raise
from services.allocation.domain.baskets import ShareLevel
from services.allocation.domain.explain import Goods, Language, explain_told
from services.allocation.domain.told import ToldItem
from services.allocation.http.context import Steps
from services.allocation.store.days import ListedBasket, list_baskets
from services.allocation.store.members import is_cooperative
from services.chassis.access import Authenticated
from services.chassis.problems import not_found

router = APIRouter(tags=["baskets"])


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
    load_steps: Annotated[int | None, Field(description="The most that it could still carry; null: no limit.")]
    not_asked: Annotated[int, Field(description="So many more pledged, but their way would not have been worth it.")]


class RaiseAnswer(BaseModel):
    """So much more was asked when others could not bring theirs, and what decided it."""

    more_steps: Steps
    freed_steps: Annotated[int, Field(description="So many steps of the offer were shared out again,")]
    households: Annotated[int, Field(description="among so many households that had room.")]
    floor_steps: Annotated[int, Field(description="What it was asked for before.")]
    by_lot: bool


class ItemAnswer(BaseModel):
    """What a household brings of one offer, and why: as numbers, and as a sentence for the household."""

    offer_id: UUID
    product_id: UUID
    product_code: str
    quantity_steps: Steps
    pledged_steps: Steps
    collection_point_id: UUID
    arrive_by_at: datetime
    confirmed_steps: Steps
    why: Annotated[WhyAnswer | None, Field(description="The plan of the cut-off; null where nothing was asked then.")]
    raises: list[RaiseAnswer]
    why_vi: str
    why_en: str


class BasketAnswer(BaseModel):
    """What one household brings; without items it pledged, but nothing is asked of it."""

    household_id: UUID
    household_code: str
    version: Annotated[int, Field(ge=1, description="Grows by one with each change.")]
    told_at: Annotated[datetime | None, Field(description="The channel's receipt for this version.")]
    untold_reason: Annotated[str | None, Field(description="Why no channel could tell this version.")]
    answer: Annotated[str | None, Field(description="`confirm`, `less` or `cannot`; null: none in the last round.")]
    reason: Annotated[str | None, Field(description="Why the household cannot bring anything.")]
    items: list[ItemAnswer]


class BasketsAnswer(BaseModel):
    """The baskets of a delivery day by household code; none before the day's cut-off."""

    cooperative_id: UUID
    delivery_day: date
    baskets: list[BasketAnswer]


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


def _basket(basket: ListedBasket) -> BasketAnswer:
    return BasketAnswer(
        household_id=basket.household_id,
        household_code=basket.household_code,
        version=basket.version,
        told_at=basket.told_at,
        untold_reason=basket.untold_reason,
        answer=basket.answer,
        reason=basket.reason,
        items=[_item(product_code, goods, item) for product_code, goods, item in basket.items],
    )


def _item(product_code: str, goods: Goods, item: ToldItem) -> ItemAnswer:
    return ItemAnswer(
        offer_id=item.offer_id,
        product_id=item.product_id,
        product_code=product_code,
        quantity_steps=item.quantity_steps,
        pledged_steps=item.pledged_steps,
        collection_point_id=item.collection_point_id,
        arrive_by_at=item.arrive_by_at,
        confirmed_steps=item.confirmed_steps,
        why=WhyAnswer.model_validate(item.why, from_attributes=True) if item.why else None,
        raises=[_raise(one) for one in item.raises],
        why_vi=explain_told(item, goods, Language.VI),
        why_en=explain_told(item, goods, Language.EN),
    )


def _raise(one: Raise) -> RaiseAnswer:
    why = one.why
    return RaiseAnswer(
        more_steps=one.more_steps,
        freed_steps=why.freed_steps,
        households=why.households,
        floor_steps=why.floor_steps,
        by_lot=why.by_lot,
    )
