"""The market that every benchmark sells on: cooperatives with one shop each, and the signed pushes of those shops.

Made from a seed without any service, so that ours, its peers and the floor all do the same business.
"""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import count
from uuid import UUID

from services.chassis import standard_webhooks
from services.orders.adapters import cloudevents
from tests.perf.customers import Customers

SUPPLY_STEPS = 1_000_000_000
"""Of every offer: what is measured is the way of an order, and not how it feels to be sold out."""
STEP_MILLIUNITS = 500


@dataclass(frozen=True)
class Ware:
    """One product of a cooperative, the offer of the day that sells it, and the shop's name for it."""

    sku: str
    product_id: UUID
    offer_id: UUID
    price_vnd: int


@dataclass(frozen=True)
class Shop:
    """One partner of one cooperative. One sold item of each SKU is one unit of the product, two steps."""

    cooperative_id: UUID
    partner_id: UUID
    secret: str
    wares: tuple[Ware, ...]

    @property
    def path(self) -> str:
        """Where it pushes its orders."""
        return f"/v1/partners/{self.partner_id}/orders"


@dataclass(frozen=True)
class Market:
    """Every shop, and the day on which all of them sell."""

    shops: tuple[Shop, ...]
    delivery_day: date
    cut_off_at: datetime


def make_market(cooperatives: int, wares: int, seed: int) -> Market:
    """A market whose offers take orders until tomorrow."""
    rng = random.Random(f"market {seed}")
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    shops = tuple(
        Shop(
            _uuid(rng),
            _uuid(rng),
            standard_webhooks.new_secret(),
            tuple(
                Ware(f"RAU-{number}", _uuid(rng), _uuid(rng), 1000 * rng.randint(5, 30))
                for number in range(1, wares + 1)
            ),
        )
        for _ in range(cooperatives)
    )
    return Market(shops, tomorrow.date(), tomorrow)


@dataclass(frozen=True)
class Push:
    """One signed request with so many orders, and what these are called."""

    path: str
    body: bytes
    headers: dict[str, str]
    orders: int
    refs: Sequence[str]


class Pusher:
    """The pushes of one shop: every order is new, has one to three lines, and is named after `run`."""

    def __init__(self, market: Market, shop: Shop, run: str) -> None:
        self._market, self._shop, self._run = market, shop, run
        self._random = random.Random(f"{run} {shop.partner_id}")
        self._customers = Customers(self._random)
        self._numbers = count(1)

    def batches(self, size: int) -> Iterator[Push]:
        """CloudEvents batches of this many orders, without end."""
        while True:
            yield self.batch(size)

    def batch(self, size: int) -> Push:
        """One CloudEvents batch."""
        orders = [self.order() for _ in range(size)]
        events = [
            {
                "specversion": "1.0",
                "id": str(order["ref"]),
                "source": f"/shops/{self._shop.partner_id}",
                "type": cloudevents.ORDER,
                "time": order["updated_at"],
                "datacontenttype": "application/json",
                "data": order,
            }
            for order in orders
        ]
        return self._signed(events, cloudevents.BATCH, orders)

    def single(self) -> Push:
        """One order as a request of its own."""
        order = self.order()
        return self._signed({"order": order}, "application/json", [order])

    def order(self) -> dict[str, object]:
        """One order in the canonical form."""
        shop, rng = self._shop, self._random
        wares = rng.sample(shop.wares, k=rng.randint(1, min(3, len(shop.wares))))
        return {
            "ref": f"{self._run}-{next(self._numbers)}",
            "updated_at": datetime.now(UTC).isoformat(),
            "status": "placed",
            "delivery_day": self._market.delivery_day.isoformat(),
            "contact": self._customers.next(),
            "lines": [
                {"sku": ware.sku, "quantity": str(rng.randint(1, 5)), "price_vnd": ware.price_vnd} for ware in wares
            ],
        }

    def _signed(self, content: object, content_type: str, orders: Sequence[Mapping[str, object]]) -> Push:
        refs = [str(order["ref"]) for order in orders]
        body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        signed = standard_webhooks.headers(
            self._shop.secret, f"{self._run}-{next(self._numbers)}", datetime.now(UTC), body
        )
        return Push(self._shop.path, body, {**signed, "content-type": content_type}, len(orders), refs)


def _uuid(rng: random.Random) -> UUID:
    return UUID(int=rng.getrandbits(128), version=4)
