"""TikTok Shop: thin webhooks of the order's status, its cancellation and its address; the lines are pulled.

    {"type": 1, "tts_notification_id": "7327…", "shop_id": "7494…", "timestamp": 1644412885,
     "data": {"order_id": "5764…", "order_status": "AWAITING_SHIPMENT", "update_time": 1644412885}}

https://partner.tiktokshop.com/docv2/page/tts-webhooks-overview; an order that its platform has cancelled needs no pull.
"""

from datetime import datetime
from typing import Literal

from services.orders.adapters.base import Credentials, Declaration, Ignored, Pull, Read, Request, Thin
from services.orders.adapters.fields import Lenient, UnixMoment, parse, unix
from services.orders.adapters.signatures import mac_hex, require
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
    dedupe_key="`tts_notification_id`, and the order's `update_time` (types 3 and 11 have none)",
    answer_within="3 s, 200 without a body; sent again after 2 min, 30 min, 3 h, 12 h",
    tested_against="Bodies, signature vectors and API answers of the official documentation",
    settings=("app_key", "shop_cipher", "shop_id?"),
    on_taken=200,
    empty_answer=True,
)


class _Envelope(Lenient):
    type: int
    shop_id: Word = ""


class _Said(Lenient):
    order_id: Id
    order_status: Status
    update_time: UnixMoment


class _StatusPush(_Envelope):
    tts_notification_id: Word = ""
    data: _Said


class _Change(Lenient):
    order_id: Id
    cancel_status: Word = ""


class _ChangePush(_Envelope):
    """A cancellation or an address: their data do not say when the order was changed.

    `timestamp` is when the push was made. An order may change between that and its `update_time`, so as a time of the
    order it would hide such a change.
    """

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
    said = push.data
    if said.order_status == CANCELLED:
        return OrderCommand.make(said.order_id, said.update_time, CANCELLED_RANK, Kind.CANCEL)
    key = push.tts_notification_id or f"{said.order_id}:{said.order_status}:{unix(said.update_time)}"
    return Thin((Pull(said.order_id, key, said.update_time, said.order_status),))


def _change(push: _ChangePush) -> Read:
    said = push.data
    status = said.cancel_status or "ADDRESS"
    key = push.tts_notification_id or f"{said.order_id}:{status}:{push.timestamp}"
    return Thin((Pull(said.order_id, key, None, status),))
