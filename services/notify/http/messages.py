"""The messages that were meant for a partner: what became of each, and sending one again."""

from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from services.chassis.access import Authenticated
from services.chassis.ledger import Transaction
from services.chassis.problems import conflict, not_found
from services.notify import resending
from services.notify.domain.partner_messages import TYPE_OF
from services.notify.http.endpoints import Cooperative, whose
from services.notify.store import messages as store

router = APIRouter(prefix="/v1/partners/{partner_id}/webhook/messages", tags=["partner webhooks"])


class MessageAnswer(BaseModel):
    """One message. `superseded`: a newer one says all that it could, so it was not sent."""

    model_config = ConfigDict(from_attributes=True)

    notice_id: UUID = Field(description="its webhook-id")
    type: str = Field(description="such as order.promised")
    order_id: UUID
    state: str = Field(description="queued (waits or is being sent), told, undeliverable or superseded")
    attempts: int = Field(description="those that count; one answered by Retry-After does not")
    happened_at: datetime = Field(description="when the books changed")
    last_attempt_at: datetime | None
    next_attempt_at: datetime | None = Field(description="of a message that waits")
    told_at: datetime | None = Field(description="when the partner took it")
    last_status: str | None = Field(description="what came of the last attempt, such as http_200 or timed_out")
    reason: str | None = Field(description="why it is undeliverable")


class MessagePage(BaseModel):
    """Newest first; `next` is the cursor of the page after this one, null on the last."""

    messages: list[MessageAnswer]
    next: UUID | None


@router.get("")
async def list_messages(
    request: Request,
    principal: Authenticated,
    partner_id: UUID,
    cooperative: Cooperative = None,
    state: Literal["queued", "told", "undeliverable", "superseded"] | None = None,
    cursor: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> MessagePage:
    """What was meant for a partner about one cooperative's orders."""
    of = whose(principal, cooperative)
    pool = request.app.state.runtime.pool
    found = await store.list_messages(pool, of, partner_id, state, cursor, limit + 1)
    page = found[:limit]
    return MessagePage(messages=list(map(_shown, page)), next=page[-1].message_id if len(found) > limit else None)


@router.post("/{notice_id}/resend", status_code=202)
async def resend(
    request: Request, principal: Authenticated, partner_id: UUID, notice_id: UUID, cooperative: Cooperative = None
) -> None:
    """Sends the message again now, under the id that it has. One that was settled has its whole schedule before it."""
    of = whose(principal, cooperative)
    now = datetime.now(UTC)

    async def work(tx: Transaction) -> None:
        try:
            await resending.resend(tx, notice_id, now, of, partner_id)
        except resending.Unknown:
            raise not_found("message") from None
        except resending.Impossible as error:
            raise conflict(str(error)) from None

    await request.app.state.runtime.ledger.transact(work)


def _shown(message: store.Message) -> MessageAnswer:
    return MessageAnswer(
        notice_id=message.message_id,
        type=TYPE_OF.get(message.kind, message.kind),
        order_id=message.order_id,
        state=message.state,
        attempts=message.attempts,
        happened_at=message.happened_at,
        last_attempt_at=message.last_attempt_at,
        next_attempt_at=message.next_attempt_at,
        told_at=message.told_at,
        last_status=message.last_status,
        reason=message.reason,
    )
