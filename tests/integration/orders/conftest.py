"""orders on a fresh database, with what catalog has told it: Vân Hồ, two products, and their offers."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID

import httpx
import pytest

from infra.local.stack import Stack
from services.chassis import standard_webhooks
from services.chassis.ids import uuid7
from services.chassis.inbox import Received
from services.chassis.ledger import Transaction
from services.contracts import allocation, catalog
from services.contracts.base import Event
from services.orders.adapters import cloudevents
from services.orders.app import service
from services.orders.settings import OrdersSettings
from tests.support.node import until
from tests.support.servers import fresh_database
from tests.support.service import Running, running

TOMORROW = date(2026, 11, 24)
NEXT_DAY = date(2026, 11, 25)
CAI_MEO, SU_SU = UUID(int=1), UUID(int=2)
CAI_MEO_TOMORROW, CAI_MEO_NEXT_DAY, SU_SU_TOMORROW = UUID(int=11), UUID(int=12), UUID(int=21)

CANONICAL_SKUS = [
    {"sku": "CAI-300G", "product_code": "cai-meo", "factor": "0.3"},
    {"sku": "CAI-KG", "product_code": "cai-meo", "factor": "1"},
    {"sku": "SU-SU", "product_code": "su-su", "factor": "1"},
]


def product(product_id: UUID, code: str, unit: str, step_milliunits: int) -> catalog.ProductListed:
    """A product as catalog lists it."""
    return catalog.ProductListed(
        product_id=product_id,
        code=code,
        name=code,
        crop=code,
        grade="A",
        unit=unit,
        step_milliunits=step_milliunits,
    )


def published(
    offer_id: UUID, product_id: UUID, day: date, cut_off_at: datetime | None = None
) -> catalog.OfferPublished:
    """An offer whose cut-off lies six hours ahead unless told otherwise."""
    now = datetime.now(UTC)
    return catalog.OfferPublished(
        offer_id=offer_id,
        product_id=product_id,
        delivery_day=day,
        price_vnd=30_000,
        cut_off_at=cut_off_at or now + timedelta(hours=6),
        collection_point_id=UUID(int=5),
        arrive_by_at=now + timedelta(hours=20),
        pledges=(),
    )


def registered(cooperative_id: UUID, slug: str) -> catalog.CooperativeRegistered:
    """A cooperative as catalog registers it."""
    return catalog.CooperativeRegistered(
        cooperative_id=cooperative_id,
        slug=slug,
        name=slug,
        timezone="Asia/Ho_Chi_Minh",
        collection_points=(),
    )


@dataclass(frozen=True, slots=True)
class Shop:
    """A partner as it was registered."""

    partner_id: UUID
    secret: str
    path: str


@dataclass
class Orders:
    """The running service, the key of Vân Hồ's staff, its offers, and a canonical partner with its SKUs mapped."""

    running: Running[OrdersSettings]
    dsn: str
    staff: dict[str, str]
    van_ho: UUID
    cai_meo_tomorrow: UUID = CAI_MEO_TOMORROW
    cai_meo_next_day: UUID = CAI_MEO_NEXT_DAY
    su_su_tomorrow: UUID = SU_SU_TOMORROW
    shop: Shop = field(init=False)

    async def hear(self, *events: Event, stream: UUID | None = None) -> None:
        """Applies events through the service's handlers, in runs as the inbox does."""
        handlers = self.running.parts.handlers
        now = datetime.now(UTC)

        async def work(tx: Transaction) -> None:
            received = [
                Received(stream or self.van_ho, number, uuid7(), now, None, event)
                for number, event in enumerate(events, 1)
            ]
            for handler, run in groupby(received, key=lambda one: handlers[type(one.event)]):
                await handler(tx, list(run))

        await self.running.runtime.ledger.transact(work)

    async def ask(self, method: str, path: str, body: object = None, key: dict[str, str] | None = None) -> Any:
        """One request of staff; the content of an answer that must be 2xx."""
        headers = self.staff if key is None else key
        answer = await self.running.client.request(method, path, json=body, headers=headers)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    async def register(self, adapter: str = "canonical", name: str = "Sạp rau online", **other: object) -> Shop:
        """A new partner of Vân Hồ; `other`: the `secret` that its platform gave, and `settings`."""
        body = {"cooperative": "van-ho", "name": name, "adapter": adapter}
        made = await self.ask("POST", "/v1/partners", body | other)
        return Shop(UUID(made["partner_id"]), made["secret"] or str(other["secret"]), made["push_url"])

    async def register_elsewhere(self) -> Shop:
        """A partner of another cooperative."""
        chieng_mai = uuid7()
        await self.hear(registered(chieng_mai, "chieng-mai"), stream=chieng_mai)
        body = {"cooperative": "chieng-mai", "name": "Sạp cà phê", "adapter": "canonical"}
        made = await self.ask("POST", "/v1/partners", body, await self.running.key("staff", chieng_mai))
        return Shop(UUID(made["partner_id"]), made["secret"], made["push_url"])

    async def push_batch(self, *orders: dict[str, Any]) -> httpx.Response:
        """A CloudEvents batch, an event for each order, called event-1, event-2 …"""
        events = [cloud_event(f"event-{number}", order) for number, order in enumerate(orders, 1)]
        return await self.push_raw(json.dumps(events).encode(), None, **{"content-type": cloudevents.BATCH})

    async def push(self, order: dict[str, Any], shop: Shop | None = None, **headers: str) -> httpx.Response:
        """A canonical push, signed now."""
        return await self.push_raw(json.dumps({"order": order}).encode(), shop, **headers)

    async def push_raw(self, raw: bytes, shop: Shop | None = None, **headers: str) -> httpx.Response:
        """Any body, signed now."""
        to = shop or self.shop
        signed = standard_webhooks.headers(to.secret, f"msg_{uuid7().hex}", datetime.now(UTC), raw)
        return await self.running.client.post(to.path, content=raw, headers=signed | headers)

    async def push_woo(self, shop: Shop, order: object, topic: str = "order.updated") -> httpx.Response:
        """A push of a WooCommerce shop."""
        raw = json.dumps(order).encode()
        signature = base64.b64encode(hmac.digest(shop.secret.encode(), raw, hashlib.sha256)).decode()
        headers = {
            "content-type": "application/json",
            "x-wc-webhook-topic": topic,
            "x-wc-webhook-signature": signature,
        }
        return await self.running.client.post(shop.path, content=raw, headers=headers)

    async def events(self, stream: UUID | None = None) -> list[tuple[str, Any]]:
        """(name, data) of what was appended to Vân Hồ's stream, in order."""
        rows = await self.fetch(
            "select sequence, type, data from event_log where stream = $1 order by sequence", stream or self.van_ho
        )
        assert [row["sequence"] for row in rows] == list(range(1, len(rows) + 1))
        return [(row["type"].removeprefix("orders.").removesuffix(".v1"), json.loads(row["data"])) for row in rows]

    async def names(self) -> list[str]:
        """The names of what was appended."""
        return [name for name, _ in await self.events()]

    async def fetch(self, query: str, *values: object) -> Sequence[Any]:
        """Rows from the database."""
        return await self.running.runtime.pool.fetch(query, *values)

    async def close(self, now: datetime) -> None:
        """Runs the closing job until nothing is due."""
        while await self.run("close_intake", now):
            pass

    async def run(self, job: str, now: datetime) -> bool:
        """Runs a job once; whether it has more to do."""
        found = next(one for one in self.running.parts.jobs if one.name == job)
        return await found.run_if_due(now)

    async def promise(self, order_id: UUID | str, stream: UUID | None = None, /, **promised_steps: int) -> None:
        """Lets allocation promise so many steps of each line (`line_1=3`), all of it where not told."""
        lines = await self.fetch(
            "select line_no, offer_id, quantity_steps from order_line where order_id = $1 and state = 'ordered'",
            UUID(str(order_id)),
        )
        told = []
        for line in lines:
            steps = promised_steps.get(f"line_{line['line_no']}", line["quantity_steps"])
            told.append(
                allocation.PromisedLine(
                    line_no=line["line_no"],
                    offer_id=line["offer_id"],
                    ordered_steps=line["quantity_steps"],
                    promised_steps=steps,
                    short_steps=line["quantity_steps"] - steps,
                    reason="sold_out" if steps < line["quantity_steps"] else None,
                )
            )
        await self.hear(allocation.OrderPromised(order_id=UUID(str(order_id)), lines=tuple(told)), stream=stream)

    async def promise_when_placed(self, ref: str, **promised_steps: int) -> None:
        """Lets allocation promise an order as soon as it is here."""
        found: Sequence[Any] = ()

        async def is_here() -> bool:
            nonlocal found
            found = await self.fetch("select order_id from customer_order where partner_ref = $1", ref)
            return bool(found)

        await until(is_here)
        await self.promise(found[0]["order_id"], **promised_steps)


@pytest.fixture
async def orders(stack: Stack) -> AsyncIterator[Orders]:
    """As `market` makes it."""
    async with market(stack) as found:
        yield found


@asynccontextmanager
async def market(stack: Stack, **settings: Any) -> AsyncIterator[Orders]:
    """Vân Hồ with cải mèo (kg, 500 g) for two days and su su (bó) for one, all open."""
    async with fresh_database(stack, "orders") as dsn, running(service, dsn, **settings) as it:
        van_ho = uuid7()
        found = Orders(it, dsn, await it.key("staff", van_ho), van_ho)
        await found.hear(
            registered(van_ho, "van-ho"),
            product(CAI_MEO, "cai-meo", "kg", 500),
            product(SU_SU, "su-su", "bó", 1000),
            published(found.cai_meo_tomorrow, CAI_MEO, TOMORROW),
            published(found.cai_meo_next_day, CAI_MEO, NEXT_DAY),
            published(found.su_su_tomorrow, SU_SU, TOMORROW),
        )
        found.shop = await found.register()
        await found.ask("PUT", f"/v1/partners/{found.shop.partner_id}/skus", CANONICAL_SKUS)
        yield found


def cloud_event(name: str, data: object, **other: object) -> dict[str, object]:
    """One event of a batch."""
    envelope = {"specversion": "1.0", "id": name, "source": "/sap-rau", "type": cloudevents.ORDER}
    return envelope | {"datacontenttype": "application/json", "data": data} | other


def line(sku: str, quantity: object = "1", **other: object) -> dict[str, object]:
    """One line of a canonical order."""
    return {"sku": sku, "quantity": quantity} | other


def order(ref: str, *lines: dict[str, object], minute: int = 0, **other: object) -> dict[str, Any]:
    """A canonical order that was updated so many minutes after six o'clock."""
    return {
        "ref": ref,
        "updated_at": f"2026-11-23T06:{minute:02d}:00+07:00",
        "status": "placed",
        "lines": lines,
    } | other


def fields(answer: httpx.Response) -> list[str]:
    """The faulty fields that a 422 names."""
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return [error["field"] for error in answer.json()["errors"]]
