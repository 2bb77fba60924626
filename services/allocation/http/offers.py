"""How an offer stands, and what an order was promised."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request
from msgspec.structs import asdict
from pydantic import BaseModel, Field

from services.allocation.domain.books import line_promises
from services.allocation.http.context import Steps
from services.allocation.store.books import get_owner, list_order_lines
from services.allocation.store.offers import get_offer_totals
from services.chassis.access import Authenticated

router = APIRouter(tags=["offers"])


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
