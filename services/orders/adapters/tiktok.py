"""TikTok Shop: thin webhooks of the order's status, its cancellation and its address; the lines are pulled.

    {"type": 1, "tts_notification_id": "7327…", "shop_id": "7494…", "timestamp": 1644412885,
     "data": {"order_id": "5764…", "order_status": "AWAITING_SHIPMENT", "update_time": 1644412885}}

https://partner.tiktokshop.com/docv2/page/tts-webhooks-overview; an order that its platform has cancelled needs no pull.
"""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from services.orders.adapters.base import Credentials, Declaration, Ignored, Pull, Read, Request, Thin, parse
from services.orders.adapters.signatures import mac_hex, require
from services.orders.adapters.unix_time import moment
from services.orders.adapters.words import Id, Status, Word
from services.orders.domain.command import Kind, OrderCommand

STATUS, ADDRESS, CANCELLATION = 1, 3, 11
CANCELLED = "CANCEL"
CANCELLED_RANK = 9

DECLARATION = Declaration(
    name="tiktok",
    title="TikTok Shop",
    format="Thin webhook (types 1, 3 and 11); lines by `GET /order/202309/orders`",
    signature="`Authorization`: hex HMAC-SHA256 of app key + body, by the app secret",
    dedupe_key="`tts_notification_id`, and the order's `update_time`",
    answer_within="3 s, 200 without a body; sent again after 2 min, 30 min, 3 h, 12 h",
    tested_against="Bodies, signature vectors and API answers of the official documentation",
    settings=("app_key", "shop_cipher", "shop_id?"),
    on_taken=200,
    empty_answer=True,
)


class _Lenient(BaseModel):
    """Strict about the fields that we read, blind to the others."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class _Envelope(_Lenient):
    type: int
    shop_id: Word = ""


class _Said(_Lenient):
    order_id: Id
    order_status: Status
    update_time: int


class _StatusPush(_Envelope):
    tts_notification_id: Word = ""
    data: _Said


class _Change(_Lenient):
    order_id: Id
    cancel_status: Word = ""


class _ChangePush(_Envelope):
    """A cancellation or an address: their data have no time of update, so that of the push counts."""

    type: Literal[3, 11]
    tts_notification_id: Word = ""
    timestamp: int
    data: _Change


def verify(credentials: Credentials, request: Request, now: datetime) -> None:
    """Raises BadSignature."""
    message = credentials.settings["app_key"].encode() + request.raw
    expected = [mac_hex(secret, message) for secret in credentials.secrets]
    require(request.headers.get("authorization", ""), expected, "authorization")


def read(credentials: Credentials, request: Request) -> Read:
    """Which order to pull, or its cancellation. Raises Malformed."""
    envelope = parse(_Envelope, request.raw)
    if envelope.shop_id != credentials.settings.get("shop_id", envelope.shop_id):
        return Ignored("shop")
    if envelope.type == STATUS:
        return _status(parse(_StatusPush, request.raw))
    if envelope.type in (ADDRESS, CANCELLATION):
        return _change(parse(_ChangePush, request.raw))
    return Ignored("type")


def _status(push: _StatusPush) -> Read:
    updated_at, said = moment(push.data.update_time, "data.update_time"), push.data
    if said.order_status == CANCELLED:
        return OrderCommand.make(said.order_id, updated_at, CANCELLED_RANK, Kind.CANCEL)
    key = push.tts_notification_id or f"{said.order_id}:{said.order_status}:{said.update_time}"
    return Thin((Pull(said.order_id, key, updated_at, said.order_status),))


def _change(push: _ChangePush) -> Read:
    updated_at, said = moment(push.timestamp, "timestamp"), push.data
    status = said.cancel_status or "ADDRESS"
    key = push.tts_notification_id or f"{said.order_id}:{status}:{push.timestamp}"
    return Thin((Pull(said.order_id, key, updated_at, status),))
