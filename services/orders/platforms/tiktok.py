"""TikTok Shop, API version 202309.

Sign: hex HMAC-SHA256 by the app secret of secret + path + the sorted parameters + body + secret.
https://partner.tiktokshop.com/docv2/page/sign-your-api-request, …/get-order-detail, …/authorization-guide-202309
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from services.orders.adapters.base import Malformed
from services.orders.adapters.fields import UnixMoment
from services.orders.adapters.tiktok import CANCELLED_RANK
from services.orders.adapters.words import Id
from services.orders.domain.command import Kind, OrderCommand
from services.orders.domain.token import Token
from services.orders.platforms.base import Access, Expired, Found, Limited, Refused, Unauthorised, Unwell
from services.orders.platforms.calls import Caller, code_text, moment_at, token_of
from services.orders.platforms.units import (
    MOST_UNITS,
    Unit,
    by_ref,
    contact_of,
    lines_of,
    money_vnd,
    parsed,
    sku_text,
)

DETAIL = "/order/202309/orders"
REFRESH = "/api/v2/token/refresh"
TOKEN_HEADER = "x-tts-access-token"  # noqa: S105 - a header's name
TOKEN_EXPIRED = "105002"  # noqa: S105 - a code
TOO_MANY, TIMED_OUT = "36009002", "36009007"
CANCELLED = ("CANCELLED", "CANCEL")
_RANK = {
    "UNPAID": 0, "ON_HOLD": 1, "AWAITING_SHIPMENT": 2, "PARTIALLY_SHIPPING": 4, "AWAITING_COLLECTION": 5,
    "IN_TRANSIT": 6, "DELIVERED": 7, "COMPLETED": 8,
}  # fmt: skip
_OTHER_RANK = 3


def sign(secret: str, path: str, params: Mapping[str, str], body: str = "") -> str:
    """The value of `sign`, over every other parameter."""
    sorted_params = "".join(f"{name}{params[name]}" for name in sorted(params) if name not in ("sign", "access_token"))
    message = f"{secret}{path}{sorted_params}{body}{secret}"
    return hmac.digest(secret.encode(), message.encode(), hashlib.sha256).hex()


class _Lenient(BaseModel):
    """Blind to the fields that we do not read. Ids are numbers in some places, text in others."""

    model_config = ConfigDict(extra="ignore", frozen=True, coerce_numbers_to_str=True)


class _Item(_Lenient):
    id: Annotated[str, Field(pattern=r"^[0-9]{1,30}$")]
    sku_id: str | None = None
    seller_sku: str | None = None
    sale_price: Any = None
    currency: str | None = None
    display_status: str | None = None


class _Recipient(_Lenient):
    name: str | None = None
    phone_number: str | None = None
    full_address: str | None = None


class _Order(_Lenient):
    id: Id
    status: Annotated[str, Field(min_length=1)]
    update_time: UnixMoment
    line_items: Annotated[tuple[_Item, ...], Field(max_length=MOST_UNITS)]
    recipient_address: _Recipient | None = None


def order_command(detail: Mapping[str, Any]) -> OrderCommand:
    """An order of `Get Order Detail`; one of whose units none is left is cancelled. Raises Malformed."""
    order = parsed(_Order, detail)
    lines = lines_of([_unit(item) for item in order.line_items])
    if order.status in CANCELLED or not lines:
        return OrderCommand.make(order.id, order.update_time, CANCELLED_RANK, Kind.CANCEL)
    to = order.recipient_address or _Recipient()
    contact = contact_of(to.name, to.phone_number, [to.full_address])
    rank = _RANK.get(order.status, _OTHER_RANK)
    return OrderCommand.make(order.id, order.update_time, rank, Kind.UPSERT, None, lines, contact)


def _unit(item: _Item) -> Unit:
    sku = sku_text(item.seller_sku, otherwise=f"sku:{item.sku_id or 0}")
    wanted = item.display_status not in CANCELLED
    return Unit(int(item.id), sku, 1, money_vnd(item.sale_price, item.currency), wanted)


class TikTok:
    """`url` is that of the API, `auth_url` that of tokens, both without a slash at the end."""

    most = 50

    def __init__(self, caller: Caller, url: str, auth_url: str) -> None:
        self._caller, self._url, self._auth_url = caller, url, auth_url

    def calls(self, orders: int) -> int:
        """One for up to 50."""
        return 1

    async def pull(self, access: Access, refs: Sequence[str], now: datetime) -> Found:
        """Get Order Detail."""
        params = {
            "app_key": access.settings["app_key"],
            "ids": ",".join(refs),
            "shop_cipher": access.settings["shop_cipher"],
            "timestamp": str(int(now.timestamp())),
        }
        params["sign"] = sign(access.secret, DETAIL, params)
        headers = {TOKEN_HEADER: access.token.access, "content-type": "application/json"}
        answer = await self._caller.ask("GET", self._url + DETAIL, params, now, headers=headers)
        _check(answer)
        try:
            orders = by_ref(_object(answer, "data").get("orders", []), "data.orders", "id")
        except Malformed:
            raise Unwell("no_orders") from None
        return {ref: _command_or_fault(orders[ref]) for ref in refs if ref in orders}

    async def refresh(self, access: Access, now: datetime) -> Token:
        """Get Refresh Token; the times of its answer are points in time."""
        params = {
            "app_key": access.settings["app_key"],
            "app_secret": access.secret,
            "refresh_token": access.token.refresh,
            "grant_type": "refresh_token",
        }
        answer = await self._caller.ask("GET", self._auth_url + REFRESH, params, now)
        try:
            _check(answer)
        except (Refused, Expired) as error:
            raise Unauthorised(str(error)) from None
        told = _object(answer, "data")
        return token_of(told, moment_at(told.get("access_token_expire_in"), now))


def _check(answer: Mapping[str, Any]) -> None:
    code = code_text(answer.get("code", ""))
    if code == "0":
        return
    if code == TOKEN_EXPIRED:
        raise Expired(code)
    if code == TOO_MANY:
        raise Limited(code)
    raise Unwell(code) if code in ("", TIMED_OUT) else Refused(code)


def _object(answer: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    found = answer.get(field)
    if not isinstance(found, dict):
        raise Unwell(f"no_{field}")
    return found


def _command_or_fault(detail: Mapping[str, Any]) -> OrderCommand | Malformed:
    try:
        return order_command(detail)
    except Malformed as error:
        return error
