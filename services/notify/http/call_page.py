"""The page of the call list, by a signed link: whoever has it sees names and numbers of one cooperative, for a day."""

from datetime import UTC, datetime
from urllib.parse import parse_qsl
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel

from services.chassis.access import Authenticated
from services.chassis.ledger import Transaction
from services.chassis.problems import Problem, not_found, refusals
from services.notify import call_page, reply_page
from services.notify.domain.links import BadLink, ExpiredLink
from services.notify.domain.notices import CALL
from services.notify.http.page_routes import FORM, REFUSALS, Language, PageRoute
from services.notify.outbox import CALLS_READABLE_FOR
from services.notify.reply_page import HEADERS
from services.notify.store import books, calls, words

router = APIRouter(tags=["call list"], route_class=PageRoute)
link_router = APIRouter(tags=["call list"], responses=refusals(401, 404))

MOST = 200
MOST_BYTES = 2000
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            FORM: {
                "schema": {
                    "type": "object",
                    "required": ["outcome"],
                    "properties": {
                        "outcome": {"enum": ["told", "not_reached", "seen"]},
                        "notice": {"type": "string", "format": "uuid", "description": "of told and not_reached"},
                        "words": {"type": "string", "format": "uuid", "description": "of seen"},
                    },
                }
            }
        },
    }
}


class LinkAnswer(BaseModel):
    """Where the page is, and until when."""

    url: str
    expires_at: datetime


@link_router.get("/v1/cooperatives/{cooperative_id}/call-list/link")
async def get_link(request: Request, response: Response, principal: Authenticated, cooperative_id: UUID) -> LinkAnswer:
    """A link to the page of the call list, for the telephone of whoever calls. It needs no key."""
    principal.may_act_for(cooperative_id)
    response.headers["Cache-Control"] = "no-store"
    expires_at = (datetime.now(UTC) + CALLS_READABLE_FOR).replace(microsecond=0)
    return LinkAnswer(url=request.app.state.links.calls_url(cooperative_id, expires_at), expires_at=expires_at)


@router.get("/c/{token}", response_class=HTMLResponse, responses=REFUSALS)
async def get_page(request: Request, token: str, language: Language = None) -> Response:
    """Whom to call, and what households wrote that nobody has understood."""
    cooperative_id, state = _open(request, token), request.app.state
    now, chosen = state.clock(), reply_page.choose_language(language)
    async with state.runtime.pool.acquire() as conn:
        cooperative = (await books.list_cooperatives(conn, {cooperative_id})).get(cooperative_id)
        if cooperative is None:
            raise not_found("call list")
        listed = await calls.list_calls(conn, cooperative_id, now, MOST)
        unread = await words.list_words(conn, cooperative_id, None, True, None, MOST)
    page = call_page.page(cooperative.name, cooperative.timezone, listed, unread, chosen, now)
    return HTMLResponse(page, headers=HEADERS)


@router.post("/c/{token}", status_code=303, response_class=Response, responses=REFUSALS, openapi_extra=_BODY)
async def post_outcome(request: Request, token: str) -> Response:
    """What came of a call, or that somebody has read what was written; leads back to the page."""
    cooperative_id, state = _open(request, token), request.app.state
    outcome, about = await _form(request)

    async def work(tx: Transaction) -> None:
        now = state.clock()
        if outcome == "seen":
            await words.mark_read(tx.conn, cooperative_id, [about], now)
        elif await calls.note_call(tx.conn, cooperative_id, [about], now) and outcome == "told":
            await state.ladder.tell(tx, {about: (now, CALL)})

    await state.runtime.ledger.transact(work)
    return Response(status_code=303, headers={**HEADERS, "Location": token})


def _open(request: Request, token: str) -> UUID:
    try:
        found: UUID = request.app.state.links.open_calls(token, request.app.state.clock())
    except BadLink:
        raise Problem(404, "link-not-found", "Link not found", "This link does not open. Ask for a new one.") from None
    except ExpiredLink:
        raise Problem(410, "link-expired", "Link expired", "The day of this link is over. Ask for a new one.") from None
    return found


async def _form(request: Request) -> tuple[str, UUID]:
    body = await request.body()
    try:
        if len(body) > MOST_BYTES:
            raise ValueError
        fields = dict(parse_qsl(body.decode(), max_num_fields=10))
        outcome = fields["outcome"]
        return outcome, UUID(fields["words" if outcome == "seen" else "notice"])
    except (ValueError, KeyError):
        raise Problem(422, "invalid", "Invalid", "outcome, and notice or words, must be there.") from None
