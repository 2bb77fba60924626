"""The page that a signed link leads to, and the answer that comes from it. GET and HEAD change nothing.

The link is the key: no other one is asked for, and without a good one nothing is said about any household.
"""

from urllib.parse import parse_qsl

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from services.chassis import problems
from services.chassis.ledger import Transaction
from services.chassis.problems import Problem, too_large
from services.notify import reply_page
from services.notify.domain.links import Link
from services.notify.domain.replies import (
    PAGE,
    Closed,
    Faulty,
    Outdated,
    Refused,
    Standing,
    decide,
    read_form,
)
from services.notify.http.page_routes import (
    FORM,
    REFUSALS,
    Language,
    PageRoute,
    find,
    is_browser,
    link_not_found,
    open_link,
)
from services.notify.reply_page import HEADERS, Attempt
from services.notify.replying import take_reply
from services.notify.store import baskets as store

MOST_FORM_BYTES = 16_384
MOST_FIELDS = 200

_REFUSALS_OF_ANSWERS = {
    409: problems.refusal("No answer is taken any more, or the basket has changed meanwhile."),
    **problems.refusals(415),
}

_FORM_SCHEMA = {
    "type": "object",
    "required": ["version", "answer"],
    "properties": {
        "version": {"type": "integer", "description": "of the basket that was shown"},
        "answer": {"enum": ["confirm", "less", "cannot"]},
        "reason": {"enum": ["sold_out", "damaged", "cannot_come", "other"], "description": "of `cannot`"},
    },
    "additionalProperties": {"type": "string", "description": "q.<offer>: how much of it, in its unit; of `less`"},
}


router = APIRouter(tags=["replies"], route_class=PageRoute, responses=REFUSALS)


@router.get("/r/{token}", response_class=HTMLResponse)
async def get_page(request: Request, token: str, language: Language = None) -> Response:
    """The household's basket of the day as it stands now, its last answer, and forms to answer while there is time."""
    return _page(request, await find(request, open_link(request, token)), language)


@router.head("/r/{token}", include_in_schema=False)
async def head_page(request: Request, token: str, language: Language = None) -> Response:
    """As GET: mail programs look at links before people do."""
    return await get_page(request, token, language)


@router.post(
    "/r/{token}",
    status_code=303,
    response_class=Response,
    responses=_REFUSALS_OF_ANSWERS,
    openapi_extra={"requestBody": {"required": True, "content": {FORM: {"schema": _FORM_SCHEMA}}}},
)
async def post_answer(request: Request, token: str, language: Language = None) -> Response:
    """Takes the answer and leads back to the page, which then shows it. The same answer again changes nothing."""
    link = open_link(request, token)
    fields = await _fields(request)
    try:
        await _take(request, link, fields)
    except Refused as refusal:
        if not is_browser(request):
            raise _problem(refusal) from None
        attempt = Attempt(refusal, dict(fields))
        return _page(request, await find(request, link), language, attempt)
    query = f"?lang={language}" if language == reply_page.choose_language(language) else ""
    return Response(status_code=303, headers={**HEADERS, "Location": token + query})


async def _take(request: Request, link: Link, fields: list[tuple[str, str]]) -> None:
    state, form = request.app.state, read_form(fields)

    async def work(tx: Transaction) -> None:
        standing = await store.lock_basket(tx.conn, link.household_id, link.delivery_day)
        now = state.clock()
        if standing is None:
            raise link_not_found()
        reply = decide(standing.basket, standing.reply, form, now)
        if reply is None:
            return
        await take_reply(tx, state.metrics, standing.basket, reply, PAGE, now)

    await state.runtime.ledger.transact(work)


def _page(request: Request, standing: Standing, language: str | None, attempt: Attempt | None = None) -> Response:
    chosen = reply_page.choose_language(language, standing.language)
    push = f"{request.path_params['token']}/push" if request.app.state.push_key else None
    page = reply_page.basket(standing, chosen, request.app.state.clock(), attempt, push)
    return HTMLResponse(page, _problem(attempt.refusal).status if attempt else 200, HEADERS)


def _problem(refusal: Refused) -> Problem:
    match refusal:
        case Closed():
            detail = "No answer is taken any more; nothing was changed. Call the cooperative."
            return Problem(409, "reply-closed", "Too late", detail)
        case Outdated():
            detail = "The basket has changed; nothing was taken. Look at it again, and answer that."
            return Problem(409, "basket-changed", "Basket changed", detail)
        case Faulty(faults=faults):
            return problems.invalid(faults)
    raise AssertionError(refusal)


async def _fields(request: Request) -> list[tuple[str, str]]:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise Problem(415, "unsupported-media-type", "Unsupported media type", f"Send the form as {FORM}.")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_FORM_BYTES:
            raise too_large(MOST_FORM_BYTES)
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise Problem(400, "malformed", "Malformed", "The body is no form of this page.") from None
