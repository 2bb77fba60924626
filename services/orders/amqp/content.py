"""What a message of a partner says: one order, a batch of them, or why it is neither.

Nothing here asks the database or the broker.
"""

import json
import logging
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct

from services.chassis import problems
from services.chassis.ledger import EventTooLarge
from services.orders.adapters import canonical, cloudevents
from services.orders.adapters.base import Batch, Malformed
from services.orders.domain.command import OrderCommand

log = logging.getLogger(__name__)

JSON = "application/json"
MOST_ERRORS_BYTES = 49_152
"""Of the text in a header: all headers of a message must fit into one frame of 128 KiB."""

Error = dict[str, Any]


class Delivery(Struct, frozen=True):
    """A message as it came. `user_id` is what the broker has checked; without one nobody has signed it."""

    tag: int
    exchange: str
    user_id: str | None
    content_type: str
    message_id: str | None
    traceparent: str | None
    body: bytes


class Limits(Struct, frozen=True):
    """The most that a body may have."""

    order_bytes: int
    batch_bytes: int


class Rejection(Struct, frozen=True):
    """Why a message, or a part of it, was not taken. `errors` name fields, or the events of a batch."""

    reason: str
    errors: Sequence[Error] = ()


def read(delivery: Delivery, user: str, limits: Limits) -> OrderCommand | Batch | Rejection:
    """The content of a message that must be of this user."""
    if delivery.user_id != user:
        return Rejection("wrong_user", [_error("user_id", f"must be {user}")])
    kind = cloudevents.kind(delivery.content_type)
    if kind not in (JSON, cloudevents.ONE, cloudevents.BATCH):
        known = f"must be {JSON}, {cloudevents.ONE} or {cloudevents.BATCH}"
        return Rejection("content_type", [_error("content_type", known)])
    most_bytes = limits.batch_bytes if kind == cloudevents.BATCH else limits.order_bytes
    if len(delivery.body) > most_bytes:
        return Rejection("too_large", [_error("body", f"has {len(delivery.body)} bytes; the most is {most_bytes}")])
    try:
        found = canonical.read_content(kind, delivery.body)
    except Malformed as error:
        return Rejection("malformed", _errors(error))
    except Exception:  # one message must not stand before all others for ever
        log.exception("a message could not be read")
        return Rejection("failed")
    return found


def commands(found: OrderCommand | Batch | Rejection) -> list[OrderCommand]:
    """What a message asks for that could be read."""
    if isinstance(found, Rejection):
        return []
    if isinstance(found, OrderCommand):
        return [found]
    return [item.command for item in found.items if isinstance(item.command, OrderCommand)]


def rejection(found: OrderCommand | Batch | Rejection, results: Sequence[object]) -> Rejection | None:
    """Why a message is not taken as a whole; None if it is. `results`: what became of each of its commands."""
    if isinstance(found, Rejection):
        return found
    if isinstance(found, OrderCommand):
        (result,) = results
        return _of_failure(result) if isinstance(result, Exception) else None
    left = iter(results)
    errors = []
    for item in found.items:
        result = item.command if isinstance(item.command, Malformed) else next(left)
        if isinstance(result, Exception):
            why = _of_failure(result)
            errors.append({"id": item.id, "reason": why.reason, "errors": list(why.errors)})
    return Rejection("events", errors) if errors else None


def errors_text(errors: Iterable[Error]) -> str:
    """The errors as JSON; those beyond MOST_ERRORS_BYTES are counted in a last one, `{"omitted": n}`."""
    texts, room, omitted = [], MOST_ERRORS_BYTES, 0
    for error in errors:
        text = json.dumps(error)
        if len(text) + 2 > room:
            omitted += 1
        else:
            texts.append(text)
            room -= len(text) + 2
    if omitted:
        texts.append(json.dumps({"omitted": omitted}))
    return f"[{', '.join(texts)}]"


def _of_failure(error: Exception) -> Rejection:
    if isinstance(error, Malformed):
        return Rejection("malformed", _errors(error))
    if isinstance(error, EventTooLarge):
        return Rejection("too_much", [_error("lines", problems.too_much().detail)])
    log.error("an order failed", exc_info=error)
    return Rejection("failed")


def _errors(malformed: Malformed) -> list[Error]:
    return [_error(field, detail) for field, detail in malformed.fields]


def _error(field: str, detail: str) -> Error:
    return {"field": field, "detail": detail}
