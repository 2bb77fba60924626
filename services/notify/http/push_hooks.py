"""Notices in a browser: the page on which a person subscribes, its worker, and the worker's receipts.

The link of a basket lets a browser be added for the household, and shows nothing of how it is reached otherwise.
"""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from services.chassis import problems
from services.chassis.ledger import Transaction
from services.chassis.problems import Problem, conflict, invalid, not_found
from services.notify import contact_book, reply_page
from services.notify.domain.contacts import WEB_PUSH
from services.notify.http.page_routes import REFUSALS, Language, find, open_link
from services.notify.inbound import Forged
from services.notify.inbound.push import PushReader
from services.notify.places import address
from services.notify.reply_page import HEADERS

router = APIRouter(tags=["hooks"])

MOST_BYTES = 4096
_PAGES = Path(__file__).parent.parent / "pages"
_SCRIPTS = {name: (_PAGES / name).read_bytes() for name in ("push.js", "push-worker.js")}
_SCRIPT_HEADERS = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"type": "object"}}},
        "description": "A PushSubscription as the browser gives it.",
    }
}


@router.get("/push.js", include_in_schema=False)
async def get_script() -> Response:
    """The page's script."""
    return Response(_SCRIPTS["push.js"], media_type="text/javascript", headers=_SCRIPT_HEADERS)


@router.get("/push-worker.js", include_in_schema=False)
async def get_worker() -> Response:
    """What shows notices while no page is open."""
    return Response(_SCRIPTS["push-worker.js"], media_type="text/javascript", headers=_SCRIPT_HEADERS)


@router.get("/r/{token}/push", response_class=HTMLResponse, responses=REFUSALS)
async def get_page(request: Request, token: str, language: Language = None) -> Response:
    """Where a person lets this browser be told what to bring."""
    standing = await find(request, open_link(request, token))
    chosen = reply_page.choose_language(language, standing.language)
    page = reply_page.push(standing, chosen, _key(request), token)
    return HTMLResponse(page, headers={**HEADERS, "Content-Security-Policy": reply_page.PUSH_POLICY})


@router.post("/r/{token}/push", status_code=204, responses={**REFUSALS, **problems.refusals(409)}, openapi_extra=_BODY)
async def post_subscription(request: Request, token: str) -> Response:
    """Adds the browser to those by which the household is told; whoever does that agrees to it. Twice is once."""
    _key(request)
    link = open_link(request, token)
    kept = _subscription(await _json(request))
    state = request.app.state

    async def work(tx: Transaction) -> None:
        if not await contact_book.add_browser(tx, state.ladder, link.household_id, kept, state.clock()):
            raise conflict("This household has enough telephones already. Ask the cooperative to remove one.")

    await state.runtime.ledger.transact(work)
    return Response(status_code=204)


@router.post(
    "/v1/hooks/push/{message_id}/{mac}",
    summary="A browser has shown a notice",
    status_code=204,
    responses={403: problems.refusal("It does not prove that it got the message; nothing was taken.")},
)
async def post_receipt(request: Request, message_id: UUID, mac: str) -> Response:
    """Counts once, however often it comes."""
    state = request.app.state
    reader: PushReader = state.push_reader
    try:
        receipts = reader.shown(message_id, mac, state.clock())
    except Forged:
        raise Problem(403, "forged", "Forged", "This does not prove that it got the message.") from None
    await state.inbound.take(receipts)
    return Response(status_code=204)


def _key(request: Request) -> str:
    key: str | None = request.app.state.push_key
    if key is None:
        raise not_found("page, because notices in a browser are not set up here")
    return key


async def _json(request: Request) -> Any:
    body = await request.body()
    if len(body) > MOST_BYTES:
        raise problems.too_large(MOST_BYTES)
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Problem(400, "malformed", "Malformed", "The body is no JSON.") from None


def _subscription(given: Any) -> str:
    try:
        kept = address(WEB_PUSH, given)
    except ValueError as error:
        raise invalid([("subscription", str(error))]) from None
    if "keys" not in json.loads(kept):
        raise invalid([("keys", "must have p256dh and auth")])
    return kept
