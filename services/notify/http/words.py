"""What households wrote back, for staff: the conversation, and what of it nobody has understood yet.

What people wrote whom the contact book does not know is for operators.
"""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from services.chassis.access import Authenticated
from services.chassis.ledger import Transaction
from services.chassis.problems import refusals
from services.notify.store import words as store

router = APIRouter(prefix="/v1/cooperatives/{cooperative_id}/words", tags=["replies"], responses=refusals(401, 404))

strange_router = APIRouter(prefix="/v1/words", tags=["replies"], responses=refusals(401, 403))


class WordsAnswer(BaseModel):
    """One thing that somebody wrote."""

    model_config = ConfigDict(from_attributes=True)

    words_id: UUID
    household_id: UUID | None
    household_code: str | None
    contact_id: UUID | None
    channel: str
    text: str
    said_at: datetime
    became: str = Field(
        description="understood: taken as the household's answer; stopped: no more notices by this channel; "
        "for a person to read: not_understood, not_asked (no basket, or more than one, waited for an answer)"
    )
    read_at: datetime | None = Field(description="since when a person has seen to it")


class WordsPage(BaseModel):
    """Newest first; `next` is the cursor of the page after this one, null on the last."""

    words: list[WordsAnswer]
    next: UUID | None


class StrangeWords(BaseModel):
    """One thing that somebody wrote who belongs to no cooperative."""

    model_config = ConfigDict(from_attributes=True)

    words_id: UUID
    contact_id: UUID | None = Field(description="who it is, if one of the union")
    channel: str
    sender: str | None = Field(
        description="by whom nobody knows: the address by this channel, as it is written into the contact book"
    )
    text: str
    said_at: datetime
    became: str = Field(description="stopped, of one of the union; for a person to read: stranger")
    read_at: datetime | None = Field(description="since when a person has seen to it")


class StrangePage(BaseModel):
    """Newest first; `next` is the cursor of the page after this one, null on the last."""

    words: list[StrangeWords]
    next: UUID | None


class ReadBody(BaseModel):
    """What has been seen to."""

    model_config = ConfigDict(extra="forbid")

    words_ids: Annotated[list[UUID], Field(min_length=1, max_length=200)]


@router.get("")
async def list_words(
    request: Request,
    response: Response,
    principal: Authenticated,
    cooperative_id: UUID,
    household_id: UUID | None = None,
    unread: Annotated[bool, Query(description="only what a person still has to read")] = False,
    cursor: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> WordsPage:
    """Conversations of a cooperative's households and staff."""
    principal.may_act_for(cooperative_id)
    response.headers["Cache-Control"] = "no-store"
    pool = request.app.state.runtime.pool
    found = await store.list_words(pool, cooperative_id, household_id, unread, cursor, limit + 1)
    page = found[:limit]
    return WordsPage(
        words=[WordsAnswer.model_validate(one) for one in page],
        next=page[-1].words_id if len(found) > limit else None,
    )


@router.post("/read", status_code=204)
async def mark_read(request: Request, principal: Authenticated, cooperative_id: UUID, body: ReadBody) -> None:
    """A person has seen to these."""
    principal.may_act_for(cooperative_id)
    state = request.app.state

    async def work(tx: Transaction) -> None:
        await store.mark_read(tx.conn, cooperative_id, body.words_ids, state.clock())

    await state.runtime.ledger.transact(work)


@strange_router.get("")
async def list_strange_words(
    request: Request,
    response: Response,
    principal: Authenticated,
    unread: Annotated[bool, Query(description="only what a person still has to read")] = False,
    cursor: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> StrangePage:
    """What people wrote who belong to no cooperative; for operators. It is kept for 90 days.

    A household that is told by its number in Zalo is one of them when it answers there, since Zalo names it by a user's
    id. Once its contact has that id as its address by zalo_oa, its words are the household's.
    """
    principal.must_be("operator")
    response.headers["Cache-Control"] = "no-store"
    found = await store.list_strange(request.app.state.runtime.pool, unread, cursor, limit + 1)
    page = found[:limit]
    return StrangePage(
        words=[StrangeWords.model_validate(one) for one in page],
        next=page[-1].words_id if len(found) > limit else None,
    )


@strange_router.post("/read", status_code=204)
async def mark_strange_read(request: Request, principal: Authenticated, body: ReadBody) -> None:
    """A person has seen to these; for operators."""
    principal.must_be("operator")
    state = request.app.state

    async def work(tx: Transaction) -> None:
        await store.mark_read(tx.conn, None, body.words_ids, state.clock())

    await state.runtime.ledger.transact(work)
