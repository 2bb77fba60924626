"""The answers to pushes: what became of an order, or of many, in the words that its platform wants."""

import asyncio
import logging
import re
from collections.abc import Sequence

from fastapi import Request, Response
from msgspec.structs import replace
from starlette.responses import PlainTextResponse

from services.chassis import problems
from services.chassis.faults import is_weather
from services.chassis.ledger import EventTooLarge
from services.chassis.problems import Problem
from services.orders.adapters.base import Batch, Challenge, Declaration, Ignored, Malformed, Ping
from services.orders.desk import Taken
from services.orders.domain.intake import Outcome
from services.orders.domain.order import Order, OrderState
from services.orders.domain.pooled import state_of_all
from services.orders.http.answers import (
    BatchAnswer,
    FieldFault,
    ItemAnswer,
    OrderAnswer,
    Passed,
    PooledOrderAnswer,
    of_order,
    response,
)
from services.orders.http.pooled_answers import of_pooled
from services.orders.pooling import PooledAnswer
from services.orders.settings import OrdersSettings
from services.orders.store.orders import get_order
from services.orders.waiting import PromiseBoard

log = logging.getLogger(__name__)

_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?([0-9]{1,6})\"?(?:$|[,;\s])", re.IGNORECASE)


def unauthorized() -> Problem:
    """401 that does not say which part was wrong."""
    detail = "The partner, its signature or the time of signing is not valid."
    return Problem(401, "unauthorized", "Unauthorized", detail, headers={"WWW-Authenticate": "Signature"})


def unproven(declaration: Declaration) -> Response:
    """The answer to a push that proves nothing. Raises 401, except where the platform would then send no more."""
    if declaration.on_bad_signature != 200:
        raise unauthorized()
    return short(declaration, "quarantined")


def short(declaration: Declaration, answer: str, reason: str | None = None) -> Response:
    """200 with one word, or with nothing where the platform wants nothing."""
    return Response() if declaration.empty_answer else response(Passed(answer, reason), 200)


def passed(declaration: Declaration, read: Ping | Ignored | Challenge) -> tuple[str, Response]:
    """The word for what concerns no order, and the answer to it."""
    if isinstance(read, Challenge):
        return "challenge", PlainTextResponse(read.text)
    if isinstance(read, Ping):
        return "pong", short(declaration, "pong")
    return "ignored", short(declaration, "ignored", read.reason)


def answer_each(batch: Batch, results: Sequence[Taken | Exception]) -> Response:
    """Each event's answer; the whole has the best status of them: 202 where anything is new. Raises the weather."""
    _raise_weather(results)
    left = iter(results)
    answers = [
        _of_malformed(item.id, item.command) if isinstance(item.command, Malformed) else _of_result(item.id, next(left))
        for item in batch.items
    ]
    statuses = {answer.status for answer in answers}
    status = next(it for it in (202, 200, 422, 500) if it in statuses)
    return response(BatchAnswer(answers), status)


def faults(batch: Batch, results: Sequence[Taken | Exception]) -> list[tuple[str, str]]:
    """What could not be taken of a batch, and never can be. Raises what another try may heal, as all comes again."""
    _raise_weather(results)
    left = iter(results)
    found: list[tuple[str, str]] = []
    for item in batch.items:
        result = item.command if isinstance(item.command, Malformed) else next(left)
        if isinstance(result, Malformed):
            found += [(f"{item.id}: {field}", detail) for field, detail in result.fields]
        elif isinstance(result, EventTooLarge):
            found.append((f"{item.id}: lines", problems.too_much().detail))
        elif isinstance(result, Exception):
            raise result
    return found


def _raise_weather(results: Sequence[Taken | Exception]) -> None:
    if weather := next((it for it in results if isinstance(it, Exception) and is_weather(it)), None):
        raise weather  # what was stored is known when the batch comes again


def _of_malformed(name: str, malformed: Malformed) -> ItemAnswer:
    faults = [FieldFault(field=field, detail=detail) for field, detail in malformed.fields]
    return ItemAnswer(id=name, status=422, errors=faults)


def _of_result(name: str, result: Taken | Exception) -> ItemAnswer:
    if not isinstance(result, Exception):
        return ItemAnswer(id=name, status=_status(result, 202), order=_body(result))
    if isinstance(result, EventTooLarge):
        return ItemAnswer(id=name, status=422, errors=[FieldFault(field="lines", detail=problems.too_much().detail)])
    log.error("an order of a batch failed", exc_info=result)
    return ItemAnswer(id=name, status=500, errors=[])


def _status(answer: Taken, on_taken: int) -> int:
    return 200 if answer.outcome is Outcome.REPEATED else on_taken


async def answer(request: Request, declaration: Declaration, answer: Taken | Exception) -> Response:
    """202 for what is new, 200 for what was known; with `Prefer: wait`, 200 and the promise if it comes in time."""
    if isinstance(answer, Exception):
        raise answer
    if declaration.empty_answer:
        return Response()
    headers = {}
    status = _status(answer, declaration.on_taken)
    if wait_s := _wait_s(request):
        answer = await _with_promise(request, answer, wait_s)
        if _state(answer) is not OrderState.PLACED:
            status, headers["Preference-Applied"] = 200, "wait"
    body = _body(answer)
    headers["Location"] = body.url
    return response(body, status, headers)


def _body(answer: Taken) -> OrderAnswer | PooledOrderAnswer:
    return of_pooled(answer) if isinstance(answer, PooledAnswer) else of_order(answer.order, answer.late_lines)


def _state(answer: Taken) -> OrderState:
    if isinstance(answer, PooledAnswer):
        return state_of_all(answer.whole, [part.order for part in answer.parts])
    return answer.order.state


async def _with_promise(request: Request, answer: Taken, wait_s: float) -> Taken:
    """The answer as it stands when the order is promised, or each part of it; else when the time is over."""
    if not isinstance(answer, PooledAnswer):
        return replace(answer, order=await _promised(request, answer.order, wait_s))
    orders = await asyncio.gather(*(_promised(request, part.order, wait_s) for part in answer.parts))
    parts = tuple(replace(part, order=order) for part, order in zip(answer.parts, orders, strict=True))
    return replace(answer, parts=parts)


async def _promised(request: Request, order: Order, wait_s: float) -> Order:
    board: PromiseBoard = request.app.state.promise_board
    if order.state is not OrderState.PLACED or not await board.wait(order.order_id, wait_s):
        return order
    filed = await get_order(request.app.state.runtime.pool, order.order_id)
    return filed.order if filed else order


def _wait_s(request: Request) -> int:
    """Seconds of `Prefer: wait=N` (RFC 7240), at most what the settings allow; 0 without it."""
    found = _WAIT.search(", ".join(request.headers.getlist("prefer")))
    settings: OrdersSettings = request.app.state.runtime.settings
    return min(int(found[1]), settings.longest_wait_s) if found else 0
