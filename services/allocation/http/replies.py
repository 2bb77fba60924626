"""Staff write down what a household answered them, by telephone or at the gate."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from services.allocation.commands import reply_of
from services.allocation.domain.asked import Verdict
from services.allocation.domain.replies import answer
from services.allocation.http.context import Body, Code, Commanding, Here, StepsGiven, TheDay
from services.allocation.http.offered import OfOneOffer, find_meant
from services.allocation.store.arrivals import Bringing, list_bringing
from services.allocation.store.asked import list_market_days
from services.chassis.ledger import Transaction
from services.chassis.problems import conflict, invalid, not_found, refusals
from services.contracts.allocation import ReplyRecorded
from services.contracts.base import Event
from services.contracts.notify import RepliedItem

router = APIRouter(prefix="/cooperatives/{cooperative_id}/days/{delivery_day}", tags=["replies"])

_REFUSED = {
    Verdict.NOT_ASKED: "Nothing is asked of this household.",
    Verdict.OTHER_VERSION: "The basket has changed since: look at it and ask the household again.",
    Verdict.ROUND_CLOSED: "It is too late: the time to answer is over, and what counts is settled.",
    Verdict.MORE_THAN_ASKED: "It names more than the household is asked for.",
}


class LessBody(OfOneOffer):
    """What the household brings of one offer."""

    quantity_steps: StepsGiven


class ReplyBody(Body):
    """One household's answer to its whole basket. For `less`, offers that are not named are confirmed."""

    household_code: Code
    version: Annotated[int, Field(strict=True, ge=1, description="Of the basket that it answers.")]
    answer: Literal["confirm", "less", "cannot"]
    items: Annotated[tuple[LessBody, ...], Field(max_length=200)] = ()
    reason: Literal["sold_out", "damaged", "cannot_come", "other"] | None = None


class RoundAnswer(BaseModel):
    """How far the asking has come."""

    open: bool
    round_no: int
    reply_by_at: Annotated[
        datetime | None, Field(description="Whoever is told late has its whole time to answer, also beyond this.")
    ]
    asked: Annotated[int, Field(description="Households that are asked in this round,")]
    answered: Annotated[int, Field(description="and so many of them have answered.")]


@router.get("/replies", summary="How far the households have answered")
async def show(day: TheDay, here: Here) -> RoundAnswer:
    """Of the round that is open, or that was the last one."""
    async with here.pool.acquire(timeout=5) as conn:
        found = (await list_market_days(conn, [day])).get(day)
    if found is None:
        raise not_found("closed delivery day")
    asked = [basket for basket in found.asked.baskets if basket.round_no == found.asked.round_no and basket.items]
    return RoundAnswer(
        open=found.asked.open,
        round_no=found.asked.round_no,
        reply_by_at=found.reply_by_at,
        asked=len(asked),
        answered=sum(basket.answer is not None for basket in asked),
    )


@router.post("/replies", summary="Record what a household answered", responses=refusals(409))
async def record(body: ReplyBody, day: TheDay, here: Here, commands: Commanding) -> RoundAnswer:
    """As if the household had answered its link itself."""

    async def decide(tx: Transaction) -> Sequence[tuple[UUID, Event]]:
        market_day = (await list_market_days(tx.conn, [day])).get(day)
        if market_day is None:
            raise conflict(f"Nothing is shared out for {day[1]} yet: households are asked after the cut-off.")
        own = [x for x in await list_bringing(tx.conn, day) if x.household_code == body.household_code]
        if not own:
            raise invalid([("household_code", f"{body.household_code} has no pledge for {day[1]}")])
        event = _event(body, own, day[1])
        try:
            reply = reply_of(event)
        except ValueError as error:
            raise invalid([("answer", str(error))]) from None
        asked, weights, memory_vnd = market_day.asked, market_day.weights, market_day.memory_vnd
        (verdict,) = answer(asked, [reply], weights, memory_vnd, market_day.load_grams).verdicts
        if verdict is not Verdict.ACCEPTED:
            raise conflict(_REFUSED[verdict])
        return [(day[0], event)]

    await commands.execute([day[0]], decide)
    return await show(day, here)


def _event(body: ReplyBody, own: Sequence[Bringing], delivery_day: date) -> ReplyRecorded:
    """`own` is what the household may bring. Raises a 422 problem that names every faulty field."""
    items, faults = [], []
    for index, item in enumerate(body.items):
        meant = find_meant(item, own) or ("product_code", f"{item.named} is not asked of this household")
        if isinstance(meant, Bringing):
            items.append(RepliedItem(offer_id=meant.offer_id, quantity_steps=item.quantity_steps))
        else:
            field, fault = meant
            faults.append((f"items[{index}].{field}", fault))
    if faults:
        raise invalid(faults)
    if body.answer == "cannot" and body.reason is None:
        raise invalid([("reason", "must say why the household cannot bring it")])
    return ReplyRecorded(
        household_id=own[0].household_id,
        delivery_day=delivery_day,
        version=body.version,
        answer=body.answer,
        items=tuple(items),
        reason=body.reason,
    )
