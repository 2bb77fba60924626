"""The call list of a cooperative: whom its staff have to tell by telephone, and what came of it."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from services.chassis import csv_files
from services.chassis.access import Authenticated
from services.chassis.ledger import Transaction
from services.chassis.problems import conflict, refusals
from services.notify.domain.notices import CALL
from services.notify.http.contact_bodies import Language
from services.notify.store import calls as store
from services.notify.wording import to_say

router = APIRouter(
    prefix="/v1/cooperatives/{cooperative_id}/call-list", tags=["call list"], responses=refusals(401, 404)
)

MOST = 500


class PersonAnswer(BaseModel):
    """Whom to call."""

    name: str
    phone: str


class CallAnswer(BaseModel):
    """One notice that somebody has to tell by telephone."""

    notice_id: UUID
    kind: str
    household_id: UUID | None
    household_code: str | None
    delivery_day: date | None
    version: int | None
    state: str = Field(description="undeliverable; unknown: it may have arrived; queued: it may still arrive")
    reason: str | None
    call_by_at: datetime | None = Field(description="after that it is of no use any more")
    calls: int = Field(description="how often somebody has called so far")
    called_at: datetime | None
    people: list[PersonAnswer]
    text: str = Field(description="what to say")


class CallList(BaseModel):
    """The most pressing first."""

    calls: list[CallAnswer]


class CallBody(BaseModel):
    """`told`: somebody of the household has heard it."""

    model_config = ConfigDict(extra="forbid")

    outcome: Literal["told", "not_reached"]


@router.get("")
async def list_calls(
    request: Request,
    response: Response,
    principal: Authenticated,
    cooperative_id: UUID,
    language: Annotated[Language, Query()] = "vi",
) -> CallList:
    """Notices of days to come that no channel could carry, or may not in time."""
    principal.may_act_for(cooperative_id)
    response.headers["Cache-Control"] = "no-store"
    return CallList(calls=await _list(request, cooperative_id, language))


@router.get(".csv", response_class=Response)
async def get_file(request: Request, principal: Authenticated, cooperative_id: UUID) -> Response:
    """The same as a table, a row for each number."""
    principal.may_act_for(cooperative_id)
    rows = [
        (call.household_code, person.name, person.phone, _text(call.call_by_at), call.reason, call.text)
        for call in await _list(request, cooperative_id, "vi")
        for person in call.people or [PersonAnswer(name="", phone="")]
    ]
    columns = ("household", "name", "phone", "call_by_at", "reason", "text")
    headers = {"Content-Disposition": 'attachment; filename="call-list.csv"', "Cache-Control": "no-store"}
    return Response(csv_files.whole(columns, rows), media_type=csv_files.CSV_TYPE, headers=headers)


@router.post("/{notice_id}", status_code=204, responses=refusals(409))
async def post_call(
    request: Request, principal: Authenticated, cooperative_id: UUID, notice_id: UUID, body: CallBody
) -> None:
    """What came of a call. Once somebody was told, no channel tells it again."""
    principal.may_act_for(cooperative_id)
    state = request.app.state

    async def work(tx: Transaction) -> None:
        now = state.clock()
        if not await store.note_call(tx.conn, cooperative_id, [notice_id], now):
            raise conflict("This notice is not on the call list, or it has been told meanwhile.")
        if body.outcome == "told":
            await state.ladder.tell(tx, {notice_id: (now, CALL)})

    await state.runtime.ledger.transact(work)


async def _list(request: Request, cooperative_id: UUID, language: str) -> list[CallAnswer]:
    state = request.app.state
    found = await store.list_calls(state.runtime.pool, cooperative_id, state.clock(), MOST)
    return [_answer(call, language) for call in found]


def _answer(call: store.Call, language: str) -> CallAnswer:
    notice = call.notice
    return CallAnswer(
        notice_id=notice.notice_id,
        kind=notice.kind,
        household_id=notice.household_id,
        household_code=call.household_code,
        delivery_day=notice.delivery_day,
        version=notice.version,
        state=call.state,
        reason=call.reason,
        call_by_at=call.call_by_at,
        calls=call.calls,
        called_at=call.called_at,
        people=[PersonAnswer(name=one.name, phone=one.phone) for one in call.people],
        text=to_say(notice.kind, notice.facts, call.people[0].name if call.people else "", language),
    )


def _text(at: datetime | None) -> str:
    return at.isoformat(timespec="minutes") if at else ""
