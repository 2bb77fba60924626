"""Staff: orders that a platform has told of without their lines, and that could not be pulled from it yet."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from services.chassis import problems
from services.chassis.ledger import Transaction
from services.orders.http.context import Here
from services.orders.http.partners import Input, OwnPartner, Text
from services.orders.store import pulls as store

router = APIRouter(tags=["staff"], responses=problems.refusals(401, 404))

MOST_RETRIED = 1000


class PullState(StrEnum):
    """`waiting` is asked for by itself; `given_up` was asked for in vain for days, and is not any more."""

    WAITING = "waiting"
    GIVEN_UP = "given_up"


class UnpulledOrder(BaseModel):
    """`status` is the platform's. `reason`: what it came to the last time, in the platform's code or ours."""

    partner_ref: str
    state: PullState
    status: str
    told_at: datetime
    attempts: int
    next_at: datetime | None
    given_up_at: datetime | None
    reason: str | None


class UnpulledOrders(BaseModel):
    """In the order of their references. `next` goes into `after` for those that follow; null at the end."""

    orders: list[UnpulledOrder]
    next: str | None


class OrdersToRetry(Input):
    """null: all that were given up."""

    partner_refs: Annotated[list[Text], Field(min_length=1, max_length=MOST_RETRIED)] | None = None


class OrdersRetried(BaseModel):
    """How many orders are asked for again."""

    retried: int


@router.get("/v1/partners/{partner_id}/pulls", summary="Read the orders that could not be pulled")
async def read_pulls(
    partner: OwnPartner,
    here: Here,
    state: PullState = PullState.GIVEN_UP,
    after: Annotated[str, Query(max_length=200, pattern=r"^[^\x00]*$")] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> UnpulledOrders:
    """Those that were given up, or those that wait."""
    found = await store.list_unpulled(
        here.pool, partner.partner_id, after, limit + 1, given_up=state is PullState.GIVEN_UP
    )
    page = found[:limit]
    return UnpulledOrders(
        orders=[
            UnpulledOrder(
                partner_ref=one.partner_ref,
                state=state,
                status=one.status,
                told_at=one.told_at,
                attempts=one.attempts,
                next_at=one.due_at,
                given_up_at=one.gave_up_at,
                reason=one.last_error,
            )
            for one in page
        ],
        next=page[-1].partner_ref if len(found) > limit else None,
    )


@router.post("/v1/partners/{partner_id}/pulls/retry", summary="Ask again for orders that were given up")
async def retry_pulls(body: OrdersToRetry, partner: OwnPartner, here: Here) -> OrdersRetried:
    """Those that are named, or all. They are asked for at once, and for days again where that fails."""

    async def work(tx: Transaction) -> int:
        return await store.retry(tx.conn, partner.partner_id, body.partner_refs, datetime.now(UTC))

    return OrdersRetried(retried=await here.ledger.transact(work))


@router.delete(
    "/v1/partners/{partner_id}/pulls/{partner_ref}", status_code=204, summary="Forget an order that cannot be pulled"
)
async def delete_pull(partner_ref: Text, partner: OwnPartner, here: Here) -> Response:
    """It is not asked for any more, unless the platform tells of it again. What is in the books stays."""

    async def work(tx: Transaction) -> int:
        return await store.delete_pulls(tx.conn, partner.partner_id, [partner_ref])

    if not await here.ledger.transact(work):
        raise problems.not_found("order")
    return Response(status_code=204)
