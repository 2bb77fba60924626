"""What if the day closed now."""

from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel

from services.allocation.domain.explain import Language
from services.allocation.http.context import Here, Steps, TheDay
from services.allocation.planning import PlannedBasket, plan_day
from services.chassis.problems import not_found

router = APIRouter(tags=["baskets"])


class PlannedItemAnswer(BaseModel):
    """What a household would be asked for of one product, and why."""

    product_code: str
    quantity_steps: Steps
    why_vi: str
    why_en: str


class PlannedBasketAnswer(BaseModel):
    """What would be added to a household's basket; without items nothing would be asked of it."""

    household_code: str
    items: list[PlannedItemAnswer]
    not_worthwhile: bool


class MissingAnswer(BaseModel):
    """What would be promised and nobody could carry."""

    product_code: str
    missing_steps: Steps


class PlanAnswer(BaseModel):
    """The baskets that would result now, by household code."""

    cooperative_id: UUID
    baskets: list[PlannedBasketAnswer]
    missing: list[MissingAnswer]


@router.get("/cooperatives/{cooperative_id}/days/{delivery_day}/plan", summary="The baskets if the day closed now")
async def show(day: TheDay, here: Here) -> PlanAnswer:
    """Of all that is not shared out yet, offers that still take orders included. Changes nothing."""
    async with (
        here.pool.acquire(timeout=5) as conn,
        conn.transaction(isolation="repeatable_read", readonly=True),
    ):
        plan = await plan_day(conn, *day)
    if plan is None:
        raise not_found("cooperative")
    return PlanAnswer(
        cooperative_id=day[0],
        baskets=[_basket(basket) for basket in plan.baskets],
        missing=[MissingAnswer(product_code=code, missing_steps=steps) for code, steps in plan.missing_steps.items()],
    )


def _basket(basket: PlannedBasket) -> PlannedBasketAnswer:
    return PlannedBasketAnswer(
        household_code=basket.household_code,
        items=[
            PlannedItemAnswer(
                product_code=item.product_code,
                quantity_steps=item.quantity_steps,
                why_vi=item.why[Language.VI],
                why_en=item.why[Language.EN],
            )
            for item in basket.items
        ],
        not_worthwhile=basket.not_worthwhile,
    )
