"""Lazada: thin pushes of the status of one order line (message type 0); the lines are pulled.

    {"seller_id": "1234567", "message_type": 0, "timestamp": 1603766859530, "site": "lazada_vn",
     "data": {"trade_order_id": "2604…", "trade_order_line_id": "2604…", "order_status": "pending",
              "status_update_time": 1603698638}}

What is cancelled is a line, never the order, so a cancellation has to be pulled as well.
https://open.lazada.com/apps/doc/doc?nodeId=29526
"""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from services.orders.adapters.base import Credentials, Declaration, Ignored, Pull, Read, Request, Thin
from services.orders.adapters.fields import UnixMoment, parse, unix
from services.orders.adapters.signatures import mac_hex, require
from services.orders.adapters.words import Id, Status, Word

TRADE_ORDER = 0

DECLARATION = Declaration(
    name="lazada",
    title="Lazada",
    format="Thin push (message type 0); lines by `/orders/items/get`, the customer by `/order/get`",
    signature="`Authorization`: hex HMAC-SHA256 of app key + body, by the app secret",
    dedupe_key="seller + `trade_order_line_id` + status + `status_update_time`",
    answer_within="500 ms, 200; sent again every 30 min, 12 times",
    tested_against="Bodies, signature vector and API answers of the official documentation",
    settings=("app_key", "seller_id?"),
    on_taken=200,
    empty_answer=True,
)


class _Lenient(BaseModel):
    """Strict about the fields that we read, blind to the others. Ids are numbers in some places, text in others."""

    model_config = ConfigDict(extra="ignore", frozen=True, coerce_numbers_to_str=True)


class _Envelope(_Lenient):
    message_type: Annotated[int, Field(strict=True)]
    seller_id: Word = ""


class _Said(_Lenient):
    trade_order_id: Id
    trade_order_line_id: Id
    order_status: Status
    status_update_time: UnixMoment


class _StatusPush(_Envelope):
    data: _Said


def verify(credentials: Credentials, request: Request, now: datetime) -> None:
    """Raises BadSignature."""
    message = credentials.settings["app_key"].encode() + request.raw
    expected = [mac_hex(secret, message) for secret in credentials.secrets]
    require(request.headers.get("authorization", ""), expected, "authorization")


def read(credentials: Credentials, request: Request) -> Read:
    """Which order to pull. Raises Malformed."""
    envelope = parse(_Envelope, request.raw)
    if envelope.message_type != TRADE_ORDER:
        return Ignored("message_type")
    if envelope.seller_id != credentials.settings.get("seller_id", envelope.seller_id):
        return Ignored("seller")
    push = parse(_StatusPush, request.raw)
    said = push.data
    key = f"{push.seller_id}:{said.trade_order_line_id}:{said.order_status}:{unix(said.status_update_time)}"
    return Thin((Pull(said.trade_order_id, key, said.status_update_time, said.order_status),))
