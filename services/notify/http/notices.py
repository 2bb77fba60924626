"""What became of a cooperative's notices, for its staff: whom they still have to tell themselves."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from services.chassis.access import Authenticated
from services.chassis.problems import refusals
from services.notify.store import shown as store

router = APIRouter(tags=["notices"], responses=refusals(401, 404))


class NoticeAnswer(BaseModel):
    """One notice. `queued` waits or is being sent; `unknown` may or may not have arrived and is never sent again."""

    model_config = ConfigDict(from_attributes=True)

    notice_id: UUID
    kind: str = Field(description="to a household such as basket, reminder or arrival; to staff such as sold_out")
    household_id: UUID | None
    delivery_day: date | None
    version: int | None = Field(description="of the basket")
    state: str
    channel: str | None
    attempts: int
    happened_at: datetime = Field(description="when the books changed")
    told_at: datetime | None = Field(description="when the channel's receipt came")
    reason: str | None = Field(description="a code; of a queued notice, why the last attempt failed")


class NoticePage(BaseModel):
    """Newest first; `next` is the cursor of the page after this one, null on the last."""

    notices: list[NoticeAnswer]
    next: UUID | None


@router.get("/v1/cooperatives/{cooperative_id}/notices")
async def list_notices(
    request: Request,
    principal: Authenticated,
    cooperative_id: UUID,
    delivery_day: Annotated[date | None, Query(description="of baskets; notices to staff have none")] = None,
    state: Literal["queued", "told", "undeliverable", "unknown", "superseded"] | None = None,
    cursor: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> NoticePage:
    """Notices of a cooperative to its households and staff, without contact details.

    Messages to partners are listed for each partner: GET /v1/partners/{partner_id}/webhook/messages.
    """
    principal.may_act_for(cooperative_id)
    pool = request.app.state.runtime.pool
    found = await store.list_notices(pool, cooperative_id, delivery_day, state, cursor, limit + 1)
    page = found[:limit]
    return NoticePage(
        notices=[NoticeAnswer.model_validate(listed) for listed in page],
        next=page[-1].notice_id if len(found) > limit else None,
    )
