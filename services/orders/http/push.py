"""`POST /v1/partners/{partner_id}/orders`: the door for platforms.

The body is read once as bytes and goes to the adapter of the partner. A partner that does not exist and a signature
that does not fit get the same answer, so that nobody can find out which partners there are.
"""

import logging
import re
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from starlette.requests import ClientDisconnect

from services.chassis import problems
from services.chassis.ledger import Transaction
from services.chassis.problems import Problem
from services.chassis.runtime import Runtime
from services.orders.adapters import ADAPTERS
from services.orders.adapters.base import BadSignature, Ignored, Malformed, Ping
from services.orders.adapters.canonical import CanonicalPush
from services.orders.domain.intake import Outcome
from services.orders.domain.order import OrderState
from services.orders.http.answers import OrderAnswer, Passed, of_order
from services.orders.intake import Answer, take_orders
from services.orders.metrics import OrderMetrics
from services.orders.settings import OrdersSettings
from services.orders.store.orders import get_order
from services.orders.store.partners import Partner, get_partner
from services.orders.waiting import PromiseBoard

log = logging.getLogger(__name__)

router = APIRouter(tags=["partners"])

_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?([0-9]{1,6})\"?(?:$|[,;\s])", re.IGNORECASE)


def _without_references(schema: Any, parts: dict[str, Any]) -> Any:
    """The schema in one piece: `#/$defs/…` would point nowhere inside of an OpenAPI document."""
    if isinstance(schema, list):
        return [_without_references(one, parts) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _without_references(parts[schema["$ref"].removeprefix("#/$defs/")], parts)
    return {name: _without_references(one, parts) for name, one in schema.items() if name != "$defs"}


_SCHEMA = CanonicalPush.model_json_schema()
_BODY = {"application/json": {"schema": _without_references(_SCHEMA, _SCHEMA["$defs"])}}

_DESCRIPTION = """
The body is what the partner's platform sends (the schema shown is that of the `canonical` adapter), signed as the
platform signs. Several pushes of one order may come late, twice and in any order: the newest by the platform's own
time of update counts. `Prefer: wait=N` (RFC 7240) holds the answer up to N seconds until the order is promised.
"""


@router.post(
    "/v1/partners/{partner_id}/orders",
    status_code=202,
    response_model=OrderAnswer,
    summary="Push an order",
    description=_DESCRIPTION,
    responses={
        200: {
            "model": OrderAnswer | Passed,
            "description": "Known already, or promised while waiting (`Preference-Applied: wait`), or not for us.",
        },
        401: {"description": "The partner does not exist, the signature does not fit, or its time is too old."},
        413: {"description": "The body is too large."},
        422: {"description": "The body is faulty; the problem document names every field."},
        503: {"description": "The database is away. Send the same again; it counts once."},
    },
    openapi_extra={"requestBody": {"required": True, "content": _BODY}},
)
async def push(partner_id: str, request: Request) -> Response:
    """Stores what the partner says and answers with the order as it stands."""
    now = datetime.now(UTC)
    runtime: Runtime[OrdersSettings] = request.app.state.runtime
    metrics: OrderMetrics = request.app.state.order_metrics
    try:
        raw = await _body(request, runtime.settings.max_order_bytes)
    except Problem as problem:
        metrics.pushes.labels("unknown", problem.kind.replace("-", "_")).inc()
        raise
    partner = await _partner(runtime, partner_id)
    if partner is None:
        metrics.pushes.labels("unknown", "bad_signature").inc()
        raise unauthorized()
    adapter = ADAPTERS[partner.adapter]
    try:
        push_key = adapter.verify(partner.secrets, request.headers, raw, now)
        read = adapter.read(request.headers, raw)
    except BadSignature as error:
        metrics.pushes.labels(partner.adapter, "bad_signature").inc()
        log.warning("push refused", extra={"partner": str(partner.partner_id), "reason": str(error)})
        raise unauthorized() from None
    except Malformed as error:
        metrics.pushes.labels(partner.adapter, "malformed").inc()
        raise problems.invalid(error.fields) from None
    if isinstance(read, Ping | Ignored):
        passed = Passed(answer="pong") if isinstance(read, Ping) else Passed(answer="ignored", reason=read.reason)
        metrics.pushes.labels(partner.adapter, passed.answer).inc()
        return Response(passed.model_dump_json(), media_type="application/json")

    async def work(tx: Transaction) -> list[Answer]:
        return await take_orders(tx, partner, read, now)

    (answer,) = await runtime.ledger.transact(work)
    metrics.pushes.labels(partner.adapter, answer.outcome).inc()
    log.debug("push taken", extra={"push": push_key, "order": str(answer.order.order_id), "outcome": answer.outcome})
    return await _answer(request, answer)


def unauthorized() -> Problem:
    """401 that does not say which part was wrong."""
    detail = "The partner, its signature or the time of signing is not valid."
    return Problem(401, "unauthorized", "Unauthorized", detail, headers={"WWW-Authenticate": "Signature"})


async def _body(request: Request, most_bytes: int) -> bytes:
    """The whole body; refused before it is read where its length is told, else as soon as it is too long."""
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length[:18]) > most_bytes:
        raise problems.too_large(most_bytes)
    parts, seen_bytes = [], 0
    try:
        async for part in request.stream():
            parts.append(part)
            seen_bytes += len(part)
            if seen_bytes > most_bytes:
                raise problems.too_large(most_bytes)
    except ClientDisconnect:
        raise Problem(400, "incomplete", "Incomplete", "The body ended too early.") from None
    return b"".join(parts)


async def _partner(runtime: Runtime[OrdersSettings], partner_id: str) -> Partner | None:
    try:
        wanted = UUID(partner_id)
    except ValueError:
        return None
    return await get_partner(runtime.pool, wanted)


async def _answer(request: Request, answer: Answer) -> Response:
    """202 for what is new, 200 for what was known; with `Prefer: wait`, 200 and the promise if it comes in time."""
    order = answer.order
    headers = {}
    status = 200 if answer.outcome is Outcome.REPEATED else 202
    wait_s = _wait_s(request)
    if wait_s:
        board: PromiseBoard = request.app.state.promise_board
        if order.state is OrderState.PLACED and await board.wait(order.order_id, wait_s):
            filed = await get_order(request.app.state.runtime.pool, order.order_id)
            order = filed.order if filed else order
        if order.state is not OrderState.PLACED:
            status, headers["Preference-Applied"] = 200, "wait"
    body = of_order(order, answer.late_lines)
    headers["Location"] = body.url
    return Response(body.model_dump_json(), status, headers, media_type="application/json")


def _wait_s(request: Request) -> int:
    """Seconds of `Prefer: wait=N` (RFC 7240), at most what the settings allow; 0 without it."""
    found = _WAIT.search(", ".join(request.headers.getlist("prefer")))
    settings: OrdersSettings = request.app.state.runtime.settings
    return min(int(found[1]), settings.longest_wait_s) if found else 0
