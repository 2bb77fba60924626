"""Shopee Open Platform v2.

Sign: hex HMAC-SHA256 by the partner key of partner id + path + timestamp + access token + shop id; without the last
two for a new token, whose refresh token is good for one use. https://open.shopee.com/documents/v2/v2.order.get_order_detail
"""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from services.orders.adapters.base import Malformed
from services.orders.adapters.fields import UnixMoment
from services.orders.adapters.shopee import CANCELLED, CANCELLED_RANK
from services.orders.adapters.words import Id
from services.orders.domain.command import Kind, OrderCommand
from services.orders.domain.token import Token
from services.orders.platforms.base import (
    Access,
    Expired,
    Found,
    Limited,
    NoSuchOrder,
    Refused,
    Unauthorised,
    Unwell,
)
from services.orders.platforms.calls import Caller, code_text, moment_in, token_of
from services.orders.platforms.units import Unit, by_ref, contact_of, lines_of, money_vnd, parsed, sku_text

DETAIL = "/api/v2/order/get_order_detail"
REFRESH = "/api/v2/auth/access_token/get"
FIELDS = "item_list,recipient_address"
BAD_TOKEN = ("invalid_acceess_token", "invalid_access_token", "error_auth")  # the first is Shopee's own spelling
TOO_MANY = ("error_rate_limit", "error_limit", "api_call_limit")
UNWELL = ("error_server", "error_network", "error_data", "error_inner", "error_system_busy")
NOT_FOUND = ("error_not_found",)
_RANK = {
    "UNPAID": 0, "INVOICE_PENDING": 1, "READY_TO_SHIP": 2, "PROCESSED": 4, "RETRY_SHIP": 4, "SHIPPED": 5,
    "TO_CONFIRM_RECEIVE": 6, "COMPLETED": 7, "TO_RETURN": 8, "IN_CANCEL": 8,
}  # fmt: skip
_OTHER_RANK = 3


def sign(key: str, partner_id: str, path: str, timestamp: str, access_token: str = "", shop_id: str = "") -> str:
    """The value of `sign`."""
    message = f"{partner_id}{path}{timestamp}{access_token}{shop_id}"
    return hmac.digest(key.encode(), message.encode(), hashlib.sha256).hex()


class _Lenient(BaseModel):
    """Blind to the fields that we do not read."""

    model_config = ConfigDict(extra="ignore", frozen=True, coerce_numbers_to_str=True)


class _Item(_Lenient):
    item_id: int = 0
    model_id: int = 0
    item_sku: str | None = None
    model_sku: str | None = None
    model_quantity_purchased: Annotated[int, Field(ge=0, le=999_999)]
    model_discounted_price: Any = None


class _Recipient(_Lenient):
    name: str | None = None
    phone: str | None = None
    full_address: str | None = None


class _Order(_Lenient):
    order_sn: Id
    order_status: Annotated[str, Field(min_length=1)]
    update_time: UnixMoment
    currency: str | None = None
    item_list: tuple[_Item, ...]
    recipient_address: _Recipient | None = None


def order_command(detail: Mapping[str, Any]) -> OrderCommand:
    """An order of `get_order_detail`. A cancellation that is only asked for (IN_CANCEL) is none. Raises Malformed."""
    order = parsed(_Order, detail)
    lines = lines_of([_unit(item, order.currency) for item in order.item_list])
    if order.order_status == CANCELLED or not lines:
        return OrderCommand.make(order.order_sn, order.update_time, CANCELLED_RANK, Kind.CANCEL)
    to = order.recipient_address or _Recipient()
    contact = contact_of(to.name, to.phone, [to.full_address])
    rank = _RANK.get(order.order_status, _OTHER_RANK)
    return OrderCommand.make(order.order_sn, order.update_time, rank, Kind.UPSERT, None, lines, contact)


def _unit(item: _Item, currency: str | None) -> Unit:
    own = f"model:{item.model_id}" if item.model_id else f"item:{item.item_id}"
    sku = sku_text(item.model_sku, item.item_sku, otherwise=own)
    price = money_vnd(item.model_discounted_price, currency)
    return Unit(item.model_id or item.item_id, sku, item.model_quantity_purchased, price)


class Shopee:
    """`url` is that of the API, without a slash at its end."""

    most = 50

    def __init__(self, caller: Caller, url: str) -> None:
        self._caller, self._url = caller, url

    def calls(self, orders: int) -> int:
        """One for up to 50."""
        return 1

    async def pull(self, access: Access, refs: Sequence[str], now: datetime) -> Found:
        """get_order_detail."""
        partner_id, shop_id = access.settings["partner_id"], access.settings["shop_id"]
        token, timestamp = access.token.access, str(int(now.timestamp()))
        params = {
            "partner_id": partner_id,
            "timestamp": timestamp,
            "access_token": token,
            "shop_id": shop_id,
            "sign": sign(access.secret, partner_id, DETAIL, timestamp, token, shop_id),
            "order_sn_list": ",".join(refs),
            "response_optional_fields": FIELDS,
        }
        answer = await self._caller.ask("GET", self._url + DETAIL, params, now)
        _check(answer)
        told = answer.get("response")
        try:
            orders = by_ref(told.get("order_list") if isinstance(told, dict) else None, "order_list", "order_sn")
        except Malformed:
            raise Unwell("no_orders") from None
        return {ref: _command_or_fault(orders[ref]) for ref in refs if ref in orders}

    async def refresh(self, access: Access, now: datetime) -> Token:
        """access_token/get."""
        partner_id, shop_id = access.settings["partner_id"], access.settings["shop_id"]
        timestamp = str(int(now.timestamp()))
        params = {
            "partner_id": partner_id,
            "timestamp": timestamp,
            "sign": sign(access.secret, partner_id, REFRESH, timestamp),
        }
        wanted = {"refresh_token": access.token.refresh, "partner_id": int(partner_id), "shop_id": int(shop_id)}
        headers, body = {"content-type": "application/json"}, json.dumps(wanted).encode()
        answer = await self._caller.ask("POST", self._url + REFRESH, params, now, headers=headers, body=body)
        try:
            _check(answer)
        except (Refused, Expired, NoSuchOrder) as error:
            raise Unauthorised(str(error)) from None
        return token_of(answer, moment_in(answer.get("expire_in"), now))


def _check(answer: Mapping[str, Any]) -> None:
    code = code_text(answer.get("error") or "")
    if code == "":
        return
    for codes, trouble in ((BAD_TOKEN, Expired), (TOO_MANY, Limited), (UNWELL, Unwell), (NOT_FOUND, NoSuchOrder)):
        if code.removeprefix("common.") in codes:
            raise trouble(code)
    raise Refused(code)


def _command_or_fault(detail: Mapping[str, Any]) -> OrderCommand | Malformed:
    try:
        return order_command(detail)
    except Malformed as error:
        return error
