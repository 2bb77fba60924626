"""`POST /v1/partners/{partner_id}/orders`: the door for platforms.

The body is read once as bytes and goes to the adapter of the partner. A partner that does not exist and a signature
that does not fit get the same answer, so that nobody can find out which partners there are.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from starlette.requests import ClientDisconnect

from services.chassis import problems, trace
from services.chassis.direct import DirectRoute
from services.chassis.faults import is_weather
from services.chassis.ledger import EventTooLarge
from services.chassis.problems import Problem
from services.orders.adapters import ADAPTERS, cloudevents
from services.orders.adapters.base import BadSignature, Batch, Ignored, Malformed, Ping, Read
from services.orders.adapters.canonical import CanonicalOrder, CanonicalPush
from services.orders.desk import Desk, PartnerChanged
from services.orders.domain.command import OrderCommand
from services.orders.domain.intake import Outcome
from services.orders.domain.order import OrderState
from services.orders.http.answers import BatchAnswer, FieldFault, ItemAnswer, OrderAnswer, Passed, of_order, response
from services.orders.intake import Answer, Push
from services.orders.limits import PushLimit
from services.orders.metrics import OrderMetrics
from services.orders.settings import OrdersSettings
from services.orders.store.orders import get_order
from services.orders.store.partners import Partner
from services.orders.waiting import PromiseBoard

log = logging.getLogger(__name__)

router = APIRouter(tags=["partners"], route_class=DirectRoute)

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
_ORDER = _without_references(CanonicalOrder.model_json_schema(), _SCHEMA["$defs"])
_BODY = {
    "application/json": {"schema": _without_references(_SCHEMA, _SCHEMA["$defs"])},
    cloudevents.ONE: {"schema": cloudevents.event_schema(_ORDER)},
    cloudevents.BATCH: {"schema": cloudevents.schema(_ORDER)},
}

_DESCRIPTION = """
The body is what the partner's platform sends (the schema shown is that of the `canonical` adapter), signed as the
platform signs. Several pushes of one order may come late, twice and in any order: the newest by the platform's own
time of update counts. `Prefer: wait=N` (RFC 7240) holds the answer up to N seconds until the order is promised.

A `canonical` partner may also push an order as one CloudEvent (`application/cloudevents+json`), and 1 to 500 orders at
once as `application/cloudevents-batch+json`; each event of a batch is answered for itself, in its order, and
`Prefer` has no effect.
"""


@router.post(
    "/v1/partners/{partner_id}/orders",
    status_code=202,
    response_model=OrderAnswer | BatchAnswer,
    summary="Push an order, or a batch of orders",
    description=_DESCRIPTION,
    responses={
        200: {
            "model": OrderAnswer | BatchAnswer | Passed,
            "description": "Known already, or promised while waiting (`Preference-Applied: wait`), or not for us.",
        },
        401: {"description": "The partner does not exist, the signature does not fit, or its time is too old."},
        409: {"description": "The partner's secret is changing just now. Send the same again."},
        413: {"description": "The body is too large."},
        422: {"description": "The body is faulty, or all of a batch; every field is named."},
        429: {"description": "The partner pushes faster than agreed; `Retry-After` says when it may go on."},
        503: {"description": "The database is away, or too much is waiting. Send the same again; it counts once."},
    },
    openapi_extra={"requestBody": {"required": True, "content": _BODY}},
)
async def push(partner_id: str, request: Request) -> Response:
    """Stores what the partner says and answers with the order as it stands."""
    received_at = datetime.now(UTC)
    metrics: OrderMetrics = request.app.state.order_metrics
    desk: Desk = request.app.state.desk
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.scope["headers"]}
    raw = await _counted_body(request, headers, metrics)
    for anew in (False, True):
        partner, read = await _read(desk, partner_id, anew, headers, raw, metrics)
        if isinstance(read, Ping | Ignored):
            return _passed(partner, read, metrics)
        pushes = [Push(partner, command, received_at, trace.current.get()) for command in _commands(read)]
        _admit(request, partner, len(pushes), metrics)
        try:
            results = await desk.take(partner, pushes)
        except PartnerChanged:
            continue
        for result in results:
            outcome = "failed" if isinstance(result, Exception) else result.outcome
            metrics.pushes.labels(partner.adapter, outcome).inc()
        return _answer_batch(read, results) if isinstance(read, Batch) else await _answer(request, results[0])
    raise problems.conflict("The partner's secret is changing just now. Send the same again.")


async def _read(
    desk: Desk, partner_id: str, anew: bool, headers: Mapping[str, str], raw: bytes, metrics: OrderMetrics
) -> tuple[Partner, Read]:
    """What the body says, and who proved to have said it. Raises the refusal."""
    partner = await desk.partner(_id(partner_id), anew=anew)
    if partner is None:
        metrics.pushes.labels("unknown", "bad_signature").inc()
        raise unauthorized()
    adapter = ADAPTERS[partner.adapter]
    try:
        adapter.verify(partner.secrets, headers, raw, datetime.now(UTC))
        return partner, adapter.read(headers, raw)
    except BadSignature as error:
        if not anew:  # its secret may be newer than what is remembered
            return await _read(desk, partner_id, True, headers, raw, metrics)
        metrics.pushes.labels(partner.adapter, "bad_signature").inc()
        log.warning("push refused", extra={"partner": str(partner.partner_id), "reason": str(error)})
        raise unauthorized() from None
    except Malformed as error:
        metrics.pushes.labels(partner.adapter, "malformed").inc()
        raise problems.invalid(error.fields) from None


def _admit(request: Request, partner: Partner, orders: int, metrics: OrderMetrics) -> None:
    """Raises 429 where the partner pushes too fast."""
    limit: PushLimit = request.app.state.push_limit
    try:
        limit.admit(partner.partner_id, orders)
    except Problem:
        metrics.pushes.labels(partner.adapter, "too_fast").inc(orders)
        raise


def _id(partner_id: str) -> UUID:
    try:
        return UUID(partner_id)
    except ValueError:
        return UUID(int=0)  # nobody's


def _commands(read: OrderCommand | Batch) -> list[OrderCommand]:
    if isinstance(read, Batch):
        return [item.command for item in read.items if isinstance(item.command, OrderCommand)]
    return [read]


def _passed(partner: Partner, read: Ping | Ignored, metrics: OrderMetrics) -> Response:
    passed = Passed(answer="pong") if isinstance(read, Ping) else Passed(answer="ignored", reason=read.reason)
    metrics.pushes.labels(partner.adapter, passed.answer).inc()
    return response(passed, 200)


def unauthorized() -> Problem:
    """401 that does not say which part was wrong."""
    detail = "The partner, its signature or the time of signing is not valid."
    return Problem(401, "unauthorized", "Unauthorized", detail, headers={"WWW-Authenticate": "Signature"})


async def _counted_body(request: Request, headers: Mapping[str, str], metrics: OrderMetrics) -> bytes:
    settings: OrdersSettings = request.app.state.runtime.settings
    most_bytes = settings.http_max_body_bytes if cloudevents.is_batch(headers) else settings.max_order_bytes
    try:
        return await _body(request, most_bytes)
    except Problem as problem:
        metrics.pushes.labels("unknown", problem.kind.replace("-", "_")).inc()
        raise


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


def _answer_batch(batch: Batch, results: Sequence[Answer | Exception]) -> Response:
    """Each event's answer; the whole has the best status of them: 202 where anything is new. Raises the weather."""
    if weather := next((it for it in results if isinstance(it, Exception) and is_weather(it)), None):
        raise weather  # what was stored is known when the batch comes again
    left = iter(results)
    answers = [
        _of_malformed(item.id, item.command) if isinstance(item.command, Malformed) else _of_result(item.id, next(left))
        for item in batch.items
    ]
    statuses = {answer.status for answer in answers}
    status = next(it for it in (202, 200, 422, 500) if it in statuses)
    return response(BatchAnswer(answers), status)


def _of_malformed(name: str, malformed: Malformed) -> ItemAnswer:
    faults = [FieldFault(field=field, detail=detail) for field, detail in malformed.fields]
    return ItemAnswer(id=name, status=422, errors=faults)


def _of_result(name: str, result: Answer | Exception) -> ItemAnswer:
    if not isinstance(result, Exception):
        return ItemAnswer(id=name, status=_status(result), order=of_order(result.order, result.late_lines))
    if isinstance(result, EventTooLarge):
        return ItemAnswer(id=name, status=422, errors=[FieldFault(field="lines", detail=problems.too_much().detail)])
    log.error("an order of a batch failed", exc_info=result)
    return ItemAnswer(id=name, status=500, errors=[])


def _status(answer: Answer) -> int:
    return 200 if answer.outcome is Outcome.REPEATED else 202


async def _answer(request: Request, answer: Answer | Exception) -> Response:
    """202 for what is new, 200 for what was known; with `Prefer: wait`, 200 and the promise if it comes in time."""
    if isinstance(answer, Exception):
        raise answer
    order = answer.order
    headers = {}
    status = _status(answer)
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
    return response(body, status, headers)


def _wait_s(request: Request) -> int:
    """Seconds of `Prefer: wait=N` (RFC 7240), at most what the settings allow; 0 without it."""
    found = _WAIT.search(", ".join(request.headers.getlist("prefer")))
    settings: OrdersSettings = request.app.state.runtime.settings
    return min(int(found[1]), settings.longest_wait_s) if found else 0
