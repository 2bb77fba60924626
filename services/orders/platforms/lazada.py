"""Lazada Open Platform.

Sign: upper-case hex HMAC-SHA256 by the app secret of the API's name + the sorted parameters. The items of many orders
come in one answer, the customer of each in one of its own. What decides which of two pulls is newer is the items'.
https://open.lazada.com/apps/doc/doc?nodeId=10451, API /orders/items/get, /order/get, /auth/token/refresh
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from services.orders.adapters.base import Malformed
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

ITEMS, ORDER, REFRESH = "/orders/items/get", "/order/get", "/auth/token/refresh"
BAD_TOKEN = ("IllegalAccessToken", "MissingAccessToken", "InvalidAccessToken")
TOO_MANY = ("ApiCallLimit", "AppCallLimit", "SellerCallLimit", "E901", "901")
UNWELL = ("ServiceTimeout", "ServiceUnavailable", "SystemError", "InternalError", "E1000", "1000")
NOT_FOUND = ("16", "37", "39", "E016", "E037", "E039")
CANCELLED = "canceled"
CANCELLED_RANK = 9
_RANK = {
    "unpaid": 0, "pending": 2, "repacked": 4, "packed": 4, "ready_to_ship_pending": 5, "ready_to_ship": 5,
    "shipped": 6, "delivered": 7, "failed": 8, "failed_delivery": 8, "returned": 8, "shipped_back": 8,
    "shipped_back_success": 8, "shipped_back_failed": 8, "lost_by_3pl": 8, "damaged_by_3pl": 8,
}  # fmt: skip
_OTHER_RANK = 3


def sign(secret: str, path: str, params: Mapping[str, str]) -> str:
    """The value of `sign`, over every other parameter."""
    message = path + "".join(f"{name}{params[name]}" for name in sorted(params) if name != "sign")
    return hmac.digest(secret.encode(), message.encode(), hashlib.sha256).hex().upper()


class _Lenient(BaseModel):
    """Blind to the fields that we do not read. Numbers are text in some places."""

    model_config = ConfigDict(extra="ignore", frozen=True, coerce_numbers_to_str=True)


class _Item(_Lenient):
    order_item_id: Annotated[str, Field(pattern=r"^[0-9]{1,30}$")]
    sku: str | None = None
    shop_sku: str | None = None
    sku_id: str | None = None
    status: Annotated[str, Field(min_length=1)]
    item_price: Any = None
    currency: str | None = None
    updated_at: str


class _Items(_Lenient):
    order_id: Id
    order_items: Annotated[tuple[_Item, ...], Field(min_length=1, max_length=MOST_UNITS)]


class _Address(_Lenient):
    first_name: str | None = None
    last_name: str | None = None
    phone: str | None = None
    address1: str | None = None
    address2: str | None = None
    address3: str | None = None
    address4: str | None = None
    address5: str | None = None
    city: str | None = None


class _Order(_Lenient):
    address_shipping: _Address | None = None


def order_command(items: Mapping[str, Any], order: Mapping[str, Any]) -> OrderCommand:
    """An order of /orders/items/get with what /order/get says of its customer. Raises Malformed.

    Items that were sent, lost or came back were wanted all the same: only a cancelled one is not.
    """
    told = parsed(_Items, items)
    updated_at = max(_moment(item.updated_at) for item in told.order_items)
    lines = lines_of([_unit(item) for item in told.order_items])
    if not lines:
        return OrderCommand.make(told.order_id, updated_at, CANCELLED_RANK, Kind.CANCEL)
    rank = max(_RANK.get(item.status, _OTHER_RANK) for item in told.order_items if item.status != CANCELLED)
    return OrderCommand.make(told.order_id, updated_at, rank, Kind.UPSERT, None, lines, _contact(order))


def _contact(order: Mapping[str, Any]) -> Any:
    to = parsed(_Order, order).address_shipping or _Address()
    name = " ".join(part for part in (to.first_name, to.last_name) if part)
    parts = (to.address1, to.address2, to.address5, to.address4, to.address3, to.city)
    return contact_of(name, to.phone, dict.fromkeys(parts))


def _unit(item: _Item) -> Unit:
    sku = sku_text(item.sku, item.shop_sku, otherwise=f"sku:{item.sku_id or 0}")
    price = money_vnd(item.item_price, item.currency)
    return Unit(int(item.order_item_id), sku, 1, price, item.status != CANCELLED)


def _moment(written: str) -> datetime:
    """`2014-10-15 18:36:05 +0800`. Raises Malformed."""
    try:
        found = datetime.strptime(written, "%Y-%m-%d %H:%M:%S %z")
    except ValueError:
        raise Malformed([("updated_at", "must be a time such as 2026-11-23 06:00:00 +0700")]) from None
    if not 2000 <= found.year < 2200:
        raise Malformed([("updated_at", "is outside of the years 2000 to 2199")])
    return found


class Lazada:
    """`url` is that of the country's API, `auth_url` that of tokens, both up to `/rest`."""

    most = 20

    def __init__(self, caller: Caller, url: str, auth_url: str) -> None:
        self._caller, self._url, self._auth_url = caller, url, auth_url

    def calls(self, orders: int) -> int:
        """One for the items of all, one for the customer of each."""
        return 1 + orders

    async def pull(self, access: Access, refs: Sequence[str], now: datetime) -> Found:
        """The orders first, lest the items, which decide, are older than what is said of them."""
        customers = {ref: await self._customer(access, ref, now) for ref in refs}
        answer = await self._ask(self._url, ITEMS, access, now, order_ids=f"[{','.join(refs)}]")
        try:
            found = by_ref(answer.get("data"), "data", "order_id")
        except Malformed:
            raise Unwell("no_orders") from None
        return {ref: _command_or_fault(found[ref], customers[ref]) for ref in refs if ref in found}

    async def refresh(self, access: Access, now: datetime) -> Token:
        """/auth/token/refresh."""
        try:
            answer = await self._ask(self._auth_url, REFRESH, access, now, refresh_token=access.token.refresh)
        except (Refused, Expired, NoSuchOrder) as error:
            raise Unauthorised(str(error)) from None
        return token_of(answer, moment_in(answer.get("expires_in"), now))

    async def _customer(self, access: Access, ref: str, now: datetime) -> Mapping[str, Any]:
        answer = await self._ask(self._url, ORDER, access, now, order_id=ref)
        found = answer.get("data")
        if not isinstance(found, dict):
            raise Unwell("no_order")
        return found

    async def _ask(self, url: str, path: str, access: Access, now: datetime, **asked: str) -> dict[str, Any]:
        params = {
            "app_key": access.settings["app_key"],
            "sign_method": "sha256",
            "timestamp": str(int(now.timestamp() * 1000)),
            **asked,
        }
        if path != REFRESH:
            params["access_token"] = access.token.access
        params["sign"] = sign(access.secret, path, params)
        answer = await self._caller.ask("GET", url + path, params, now)
        _check(answer)
        return answer


def _check(answer: Mapping[str, Any]) -> None:
    code = code_text(answer.get("code", ""))
    if code == "0":
        return
    for codes, trouble in ((BAD_TOKEN, Expired), (TOO_MANY, Limited), (UNWELL, Unwell), (NOT_FOUND, NoSuchOrder)):
        if code in codes:
            raise trouble(code)
    raise Refused(code) if code else Unwell("no_code")


def _command_or_fault(items: Mapping[str, Any], order: Mapping[str, Any]) -> OrderCommand | Malformed:
    try:
        return order_command(items, order)
    except Malformed as error:
        return error
