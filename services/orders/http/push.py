"""`POST /v1/partners/{partner_id}/orders`: the door for platforms.

The body is read once as bytes and goes to the adapter of the partner. A partner that does not exist and a signature
that does not fit get the same answer, so that nobody can find out which partners there are.
"""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

from fastapi import APIRouter, Request, Response
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse

from services.chassis import problems, rejected_messages, trace
from services.chassis.direct import DirectRoute
from services.chassis.ledger import EventTooLarge, Transaction
from services.chassis.problems import Problem
from services.orders.adapters import ADAPTERS, cloudevents
from services.orders.adapters.base import (
    BadSignature,
    Batch,
    Challenge,
    Credentials,
    Declaration,
    Ignored,
    Malformed,
    Ping,
    Read,
    Thin,
)
from services.orders.adapters.base import Request as PlatformRequest
from services.orders.adapters.canonical import CanonicalOrder, CanonicalPush
from services.orders.desk import Desk, PartnerChanged, Taken
from services.orders.domain.command import OrderCommand
from services.orders.domain.intake import Outcome
from services.orders.http import pushed
from services.orders.http.answers import BatchAnswer, OrderAnswer, Passed, PooledOrderAnswer
from services.orders.intake import Push
from services.orders.limits import PushLimit
from services.orders.metrics import OrderMetrics
from services.orders.settings import OrdersSettings
from services.orders.store.partners import Partner
from services.orders.told import ToldOrders

log = logging.getLogger(__name__)

router = APIRouter(tags=["partners"], route_class=DirectRoute)

MOST_PARAMETERS = 50
"""In the query of a request."""
MOST_REASON = 500
"""Characters of what is written beside a body that was set aside."""


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

A `canonical` partner may also push an order as one CloudEvent (`application/cloudevents+json`, or `application/json`
with the attributes in `ce-` headers), and 1 to 500 orders at once as `application/cloudevents-batch+json`; each event
of a batch is answered for itself, in its order, and `Prefer` has no effect.

A campaign of the union is pushed to in the same way. Its order is split over the cooperatives: the answer has the
lines in all, and the part of each cooperative as an order of its own.

Platforms are answered as they document it: some want 200 and no body, and some stop sending after a refusal, so that
what they send in error is counted and answered 200 all the same.
"""


@router.post(
    "/v1/partners/{partner_id}/orders",
    status_code=202,
    response_model=OrderAnswer | PooledOrderAnswer | BatchAnswer,
    summary="Push an order, or a batch of orders",
    description=_DESCRIPTION,
    responses={
        200: {
            "model": OrderAnswer | PooledOrderAnswer | BatchAnswer | Passed,
            "description": "Known already, or promised while waiting (`Preference-Applied: wait`), or not for us.",
        },
        401: problems.refusal("The partner does not exist, the signature does not fit, or its time is too old."),
        409: problems.refusal("The partner's secret is changing just now. Send the same again."),
        422: {"model": BatchAnswer}
        | problems.refusal("The body is faulty, or all of a batch, with an answer for each; every field is named."),
        429: problems.refusal("The partner pushes faster than agreed; `Retry-After` says when it may go on."),
    },
    openapi_extra={"requestBody": {"required": True, "content": _BODY}},
)
async def push(partner_id: str, request: Request) -> Response:
    """Stores what the partner says and answers with the order as it stands."""
    received_at = datetime.now(UTC)
    metrics: OrderMetrics = request.app.state.order_metrics
    desk: Desk = request.app.state.desk
    partner = await _partner(desk, partner_id, metrics)
    asked = await _asked(request, partner, metrics)
    for anew in (False, True):
        try:
            partner, read = await _read(desk, partner, anew, asked, metrics)
        except BadSignature:
            return pushed.unproven(_declaration(partner))
        except Malformed as error:
            return await _answer_faulty(request, partner, asked.raw, error.fields)
        if isinstance(read, Ping | Ignored | Challenge):
            return _answer_passed(partner, read, metrics)
        if isinstance(read, Thin):
            try:
                return await _take_thin(request, partner, read, received_at, metrics)
            except PartnerChanged:
                continue
        pushes = [Push(partner, command, received_at, trace.current.get()) for command in _commands(read)]
        _admit(request, partner, len(pushes), metrics)
        try:
            results = await desk.take(partner, pushes)
        except PartnerChanged:
            continue
        metrics.count_pushes(partner.adapter, results)
        if isinstance(read, Batch):
            return await _answer_batch(request, partner, asked.raw, read, results)
        if isinstance(results[0], EventTooLarge) and _declaration(partner).on_malformed == 200:
            return await _answer_faulty(request, partner, asked.raw, [("lines", problems.too_much().detail)])
        return await pushed.answer(request, _declaration(partner), results[0])
    raise problems.conflict("The partner's secret is changing just now. Send the same again.")


@router.get(
    "/v1/partners/{partner_id}/orders",
    response_class=PlainTextResponse,
    summary="Answer a platform that tries the address",
    description="Some platforms send a challenge with a token that was registered, and want the challenge back.",
    responses={401: problems.refusal("The partner does not exist, its platform sends none, or the token is wrong.")},
)
async def challenge(partner_id: str, request: Request) -> Response:
    """The challenge as plain text."""
    metrics: OrderMetrics = request.app.state.order_metrics
    desk: Desk = request.app.state.desk
    partner = await _partner(desk, partner_id, metrics)
    if not _declaration(partner).answers_get:
        raise pushed.unauthorized()
    try:
        partner, read = await _read(desk, partner, False, _request(request, b""), metrics)
    except (BadSignature, Malformed):
        raise pushed.unauthorized() from None
    if not isinstance(read, Ping | Challenge):
        raise pushed.unauthorized()
    return _answer_passed(partner, read, metrics)


def _declaration(partner: Partner) -> Declaration:
    return ADAPTERS[partner.adapter].DECLARATION


async def _partner(desk: Desk, partner_id: str, metrics: OrderMetrics) -> Partner:
    """The partner of the address. Raises 401."""
    partner = await desk.partner(_id(partner_id), anew=False)
    if partner is None:
        metrics.pushes.labels("unknown", "bad_signature").inc()
        raise pushed.unauthorized()
    return partner


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


async def _asked(request: Request, partner: Partner, metrics: OrderMetrics) -> PlatformRequest:
    """The request with its whole body. Raises 400, 413, 422."""
    settings: OrdersSettings = request.app.state.runtime.settings
    batch = cloudevents.kind(request.headers.get("content-type", "")) == cloudevents.BATCH
    large = batch or _declaration(partner).large
    try:
        raw = await _body(request, settings.http_max_body_bytes if large else settings.max_order_bytes)
        return _request(request, raw)
    except Problem as problem:
        metrics.pushes.labels(partner.adapter, problem.kind.replace("-", "_")).inc()
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


def _request(request: Request, raw: bytes) -> PlatformRequest:
    """The request as adapters see it."""
    settings: OrdersSettings = request.app.state.runtime.settings
    scope = request.scope
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    url = (settings.public_url or f"{scope['scheme']}://{headers.get('host', '')}") + scope["path"]
    written: str = scope["query_string"].decode("latin-1")
    if not written:
        return PlatformRequest(scope["method"], url, {}, headers, raw, datetime.now(UTC))
    try:
        query = dict(parse_qsl(written, keep_blank_values=True, max_num_fields=MOST_PARAMETERS))
    except ValueError:
        raise problems.invalid([("query", f"must have at most {MOST_PARAMETERS} parameters")]) from None
    return PlatformRequest(scope["method"], f"{url}?{written}", query, headers, raw, datetime.now(UTC))


async def _read(
    desk: Desk, partner: Partner, anew: bool, asked: PlatformRequest, metrics: OrderMetrics
) -> tuple[Partner, Read]:
    """What the request says, and the partner as it proved to have said it. Raises BadSignature, Malformed, 401.

    The secret may be newer than what is remembered, so the partner is read `anew` before a signature is refused.
    """
    if anew:
        found = await desk.partner(partner.partner_id, anew=True)
        if found is None:
            raise pushed.unauthorized()
        partner = found
    adapter = ADAPTERS[partner.adapter]
    credentials = Credentials(partner.secrets, partner.settings)
    try:
        adapter.verify(credentials, asked, datetime.now(UTC))
        return partner, adapter.read(credentials, asked)
    except BadSignature as error:
        if not anew:
            return await _read(desk, partner, True, asked, metrics)
        metrics.pushes.labels(partner.adapter, "bad_signature").inc()
        log.warning("push refused", extra={"partner": str(partner.partner_id), "reason": str(error)})
        raise
    except Malformed:
        metrics.pushes.labels(partner.adapter, "malformed").inc()
        raise


async def _take_thin(
    request: Request, partner: Partner, read: Thin, received_at: datetime, metrics: OrderMetrics
) -> Response:
    """What the push tells of is stored, to be pulled later. Raises PartnerChanged."""
    told: ToldOrders = request.app.state.told
    answer = "told" if await told.take(partner, read.pulls, received_at) else Outcome.REPEATED
    metrics.pushes.labels(partner.adapter, answer).inc()
    return pushed.short(_declaration(partner), answer)


def _commands(read: OrderCommand | Batch) -> list[OrderCommand]:
    if isinstance(read, Batch):
        return [item.command for item in read.items if isinstance(item.command, OrderCommand)]
    return [read]


def _answer_passed(partner: Partner, read: Ping | Ignored | Challenge, metrics: OrderMetrics) -> Response:
    answer, response = pushed.passed(_declaration(partner), read)
    metrics.pushes.labels(partner.adapter, answer).inc()
    return response


async def _answer_faulty(request: Request, partner: Partner, raw: bytes, fields: Sequence[tuple[str, str]]) -> Response:
    """The refusal. Where a platform must not see one, an operator does: the body is kept as rejected."""
    if _declaration(partner).on_malformed != 200:
        raise problems.invalid(fields)
    reason = "; ".join(f"{name} {detail}" for name, detail in fields)[:MOST_REASON]

    async def work(tx: Transaction) -> None:
        await rejected_messages.save(tx.conn, f"pushes of {partner.partner_id}", reason, raw)

    await request.app.state.runtime.ledger.transact(work)
    log.error("a push that must not be refused is faulty", extra={"partner": str(partner.partner_id), "reason": reason})
    return pushed.short(_declaration(partner), "set_aside")


async def _answer_batch(
    request: Request, partner: Partner, raw: bytes, batch: Batch, results: Sequence[Taken | Exception]
) -> Response:
    """Each order's answer where the platform reads it; else one for all, and what could not be taken is set aside."""
    if _declaration(partner).answers_each:
        return pushed.answer_each(batch, results)
    faults = pushed.faults(batch, results)
    return (
        await _answer_faulty(request, partner, raw, faults) if faults else pushed.short(_declaration(partner), "taken")
    )
