"""Shopee Open Platform: thin pushes of the order's status (code 3); the lines are pulled.

    {"code": 3, "shop_id": 323233231, "timestamp": 1721298318, "msg_id": "",
     "data": {"ordersn": "240716R9SYG4X5", "status": "READY_TO_SHIP", "update_time": 1721298318}}

Signed over the address that Shopee calls, `|` and the body. Apps with a push key of their own have the body alone
signed: `signature_base` is `body` then. https://open.shopee.com/push-mechanism
"""

from datetime import datetime

from services.orders.adapters.base import Credentials, Declaration, Ignored, Ping, Pull, Read, Request, Thin
from services.orders.adapters.fields import Lenient, UnixMoment, parse, unix
from services.orders.adapters.signatures import mac_hex, require
from services.orders.adapters.words import Id, Status, Word
from services.orders.domain.command import Kind, OrderCommand

TEST, STATUS = 0, 3
CANCELLED = "CANCELLED"
CANCELLED_RANK = 9
OVER_BODY = "body"

DECLARATION = Declaration(
    name="shopee",
    title="Shopee",
    format="Thin push (code 3); lines by `GET /api/v2/order/get_order_detail`",
    signature="`Authorization`: hex HMAC-SHA256 of address + `|` + body (or of the body), by the partner key",
    dedupe_key="`msg_id`, else shop + `ordersn` + status + `update_time`",
    answer_within="3 s, 2xx without a body; sent again after 300 s, 1800 s, 10800 s",
    tested_against="Captured pushes, and API answers of the official documentation",
    settings=("partner_id", "shop_id", "signature_base?"),
    on_taken=200,
    empty_answer=True,
)


class _Envelope(Lenient):
    code: int
    shop_id: int = 0


class _Said(Lenient):
    ordersn: Id
    status: Status
    update_time: UnixMoment


class _StatusPush(_Envelope):
    msg_id: Word = ""
    data: _Said


def verify(credentials: Credentials, request: Request, now: datetime) -> None:
    """Raises BadSignature; lets a test without content through, which is read as nothing else."""
    if _says_nothing(request):
        return
    over_body = credentials.settings.get("signature_base") == OVER_BODY
    message = request.raw if over_body else request.url.encode() + b"|" + request.raw
    expected = [mac_hex(secret, message) for secret in credentials.secrets]
    require(request.headers.get("authorization", ""), expected, "authorization")


def read(credentials: Credentials, request: Request) -> Read:
    """Which order to pull, or its cancellation. Raises Malformed."""
    if _says_nothing(request):
        return Ping()
    envelope = parse(_Envelope, request.raw)
    if envelope.code == TEST:
        return Ping()
    if envelope.code != STATUS:
        return Ignored("code")
    if str(envelope.shop_id) != credentials.settings["shop_id"]:
        return Ignored("shop")
    push = parse(_StatusPush, request.raw)
    said = push.data
    if said.status == CANCELLED:
        return OrderCommand.make(said.ordersn, said.update_time, CANCELLED_RANK, Kind.CANCEL)
    key = push.msg_id or f"{push.shop_id}:{said.ordersn}:{said.status}:{unix(said.update_time)}"
    return Thin((Pull(said.ordersn, key, said.update_time, said.status),))


def _says_nothing(request: Request) -> bool:
    return request.raw.strip() in (b"", b"{}")
