"""WooCommerce's REST API v3: the orders of a shop that changed after a time, in the order of their changes.

https://woocommerce.github.io/woocommerce-rest-api-docs/#list-all-orders. Its pages are those of a list that moves while
it is read, so who reads on does it from the time of the last order, not by the next page.
"""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from services.orders.platforms.base import Limited, Refused, Unwell
from services.orders.platforms.calls import retry_after_s

PAGE = 100
ORDERS = "/wp-json/wc/v3/orders"
TRASH = "trash"
"""Orders in the trash are in no other list."""


class Fetched(Struct, frozen=True):
    """An answer; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Fetch(Protocol):
    """Gets from addresses that staff have chosen, public ones only. Raises Unwell and Refused."""

    async def get(self, url: str, headers: Mapping[str, str]) -> Fetched:
        """The answer with its whole body."""


class Key(Struct, frozen=True):
    """Of the shop's API, with the right to read."""

    consumer_key: str
    consumer_secret: str

    def __repr__(self) -> str:  # no log may repeat it
        return "Key()"


class Changed(Struct, frozen=True):
    """An order as the shop wrote it, and when it changed."""

    raw: bytes
    changed_at: datetime


class _Stamp(Struct):
    date_modified_gmt: str


_page = msgspec.json.Decoder(list[msgspec.Raw])
_stamp = msgspec.json.Decoder(_Stamp)


class WooCommerce:
    """The API of any shop."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

    async def changed(
        self, shop_url: str, key: Key, after: datetime, page: int, status: str | None, now: datetime
    ) -> list[Changed]:
        """At most PAGE orders that changed after that second. Raises Trouble."""
        asked = {
            "modified_after": after.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
            "dates_are_gmt": "true",
            "orderby": "modified",
            "order": "asc",
            "per_page": str(PAGE),
            "page": str(page),
        }
        if status is not None:
            asked["status"] = status
        login = base64.b64encode(f"{key.consumer_key}:{key.consumer_secret}".encode()).decode()
        headers = {"authorization": f"Basic {login}", "accept": "application/json"}
        headers |= {"accept-encoding": "identity", "user-agent": "cho-phien"}
        answer = await self._fetch.get(f"{shop_url.rstrip('/')}{ORDERS}?{urlencode(asked)}", headers)
        return _orders(answer, now)


def _orders(answer: Fetched, now: datetime) -> list[Changed]:
    if answer.status == 429:
        raise Limited("http_429", retry_after_s(answer.headers.get("retry-after", ""), now))
    if answer.status >= 500:
        raise Unwell(f"http_{answer.status}")
    if answer.status != 200:
        raise Refused(f"http_{answer.status}")
    try:
        return [Changed(bytes(one), _moment(_stamp.decode(one).date_modified_gmt)) for one in _page.decode(answer.body)]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError):
        raise Unwell("no_orders") from None


def _moment(written: str) -> datetime:
    found = datetime.fromisoformat(written)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
