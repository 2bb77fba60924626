"""A cooperative as notify learns of it, and events applied as the inbox applies them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from pydantic import SecretStr

from services.chassis.ids import uuid7
from services.chassis.inbox import Received
from services.chassis.jobs import Job
from services.chassis.ledger import Transaction
from services.contracts.allocation import (
    BasketAssigned,
    BasketChanged,
    BasketItem,
    DeliveredLine,
    OrderDelivered,
    OrderPromised,
    OrderShorted,
    PromisedLine,
    ShortedLine,
)
from services.contracts.base import Event
from services.contracts.catalog import CollectionPoint, CooperativeRegistered, HouseholdRegistered, ProductListed
from services.contracts.orders import OrderCancelled, OrderLine, OrderPlaced, RefusedLine
from services.notify.domain.links import Links
from services.notify.domain.notices import KINDS
from services.notify.settings import NotifySettings
from tests.support.service import Running

DAY = date(2099, 11, 24)
ARRIVE_BY = datetime(2099, 11, 23, 22, 30, tzinfo=UTC)
REPLY_BY = datetime(2099, 11, 23, 13, 0, tzinfo=UTC)
LINKS = Links("https://cho.example", ("the secret of this test that signs", "another secret that signed before it"))
REACHED: dict[str, Any] = {
    "public_url": LINKS.public_url,
    "link_secrets": SecretStr(",".join(LINKS.secrets)),
    "webhook_private_networks": "127.0.0.0/8",
}
"""The settings of notify that have no default, besides those of mail; and receivers of webhooks may be on loopback."""
TRACE = "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"

_sequences = count(1)


def by_mail(email: str, purpose: str, name: str, language: str = "vi") -> dict[str, Any]:
    """Somebody who agrees to be told by mail, as staff write it down."""
    consent = {"purposes": [purpose], "source": "signed form"}
    addresses = [{"channel": "email", "address": email, "consent": consent}]
    return {"display_name": name, "language": language, "addresses": addresses}


@dataclass
class World:
    """One running notify with a cooperative of two households, two products and a partner's order."""

    service: Running[NotifySettings]
    cooperative: UUID = field(default_factory=uuid7)
    point: UUID = field(default_factory=uuid7)
    household: UUID = field(default_factory=uuid7)
    neighbour: UUID = field(default_factory=uuid7)
    cabbage: UUID = field(default_factory=uuid7)
    coriander: UUID = field(default_factory=uuid7)
    partner: UUID = field(default_factory=uuid7)
    order: UUID = field(default_factory=uuid7)
    offer: UUID = field(default_factory=uuid7)

    async def apply(self, *events: Event, at: datetime | None = None) -> list[Received[Any]]:
        """Applies events of the cooperative's stream, each in a transaction of its own; returns them."""
        return [await self.apply_one(event, at or datetime.now(UTC)) for event in events]

    async def apply_one(self, event: Event, at: datetime) -> Received[Any]:
        received = Received(self.cooperative, next(_sequences), uuid7(), at, TRACE, event)
        await self.apply_together([received])
        return received

    async def apply_together(self, received: Sequence[Received[Any]]) -> None:
        """Applies events of one type in one transaction."""

        async def work(tx: Transaction) -> None:
            await self.service.parts.handlers[type(received[0].event)](tx, received)

        await self.service.runtime.ledger.transact(work)

    async def open(self) -> None:
        """The cooperative and all that belongs to it become known."""
        points = (CollectionPoint(collection_point_id=self.point, name="Nhà văn hóa bản Bó Nhàng"),)
        await self.apply(
            CooperativeRegistered(
                cooperative_id=self.cooperative, slug="van-ho", name="Hợp tác xã Rau Vân Hồ",
                timezone="Asia/Ho_Chi_Minh", collection_points=points,
            ),
            HouseholdRegistered(household_id=self.household, code="VH-01", share_weight=1),
            HouseholdRegistered(household_id=self.neighbour, code="VH-02", share_weight=1),
            self.listed(self.cabbage, "Cải mèo", "kg", 500),
            self.listed(self.coriander, "Rau mùi", "bó", 1000),
            self.placed("CAI", "LA"),
        )  # fmt: skip

    def listed(self, product_id: UUID, name: str, unit: str, step_milliunits: int) -> ProductListed:
        return ProductListed(
            product_id=product_id, code=name, name=name, crop=name, grade="1", unit=unit,
            step_milliunits=step_milliunits,
        )  # fmt: skip

    def placed(self, sku: str, refused: str | None = None) -> OrderPlaced:
        line = OrderLine(line_no=1, offer_id=self.offer, product_id=self.cabbage, sku=sku, quantity_steps=25)
        unknown = (RefusedLine(line_no=2, sku=refused, reason="unknown_sku"),) if refused else ()
        return OrderPlaced(
            order_id=self.order, partner_id=self.partner, partner_ref="DH-1", lines=(line,), refused_lines=unknown
        )

    def promised(self, promised_steps: int = 25) -> OrderPromised:
        line = PromisedLine(
            line_no=1, offer_id=self.offer, ordered_steps=25, promised_steps=promised_steps,
            short_steps=25 - promised_steps, reason="sold_out" if promised_steps < 25 else None,
        )  # fmt: skip
        return OrderPromised(order_id=self.order, lines=(line,))

    def cancelled(self) -> OrderCancelled:
        return OrderCancelled(order_id=self.order)

    def shorted(self, before_steps: int, after_steps: int) -> OrderShorted:
        line = ShortedLine(
            line_no=1, offer_id=self.offer, before_steps=before_steps, after_steps=after_steps, reason="pledges_reduced"
        )
        return OrderShorted(order_id=self.order, lines=(line,))

    def delivered(self, delivered_steps: int) -> OrderDelivered:
        line = DeliveredLine(line_no=1, offer_id=self.offer, delivered_steps=delivered_steps)
        return OrderDelivered(order_id=self.order, delivery_day=DAY, lines=(line,))

    def item(self, product_id: UUID, quantity_steps: int) -> BasketItem:
        return BasketItem(
            offer_id=uuid7(), product_id=product_id, quantity_steps=quantity_steps, pledged_steps=quantity_steps,
            collection_point_id=self.point, arrive_by_at=ARRIVE_BY,
        )  # fmt: skip

    def basket(self, household: UUID | None = None, cabbage_steps: int = 25, day: date = DAY) -> BasketAssigned:
        items = (self.item(self.coriander, 3), self.item(self.cabbage, cabbage_steps)) if cabbage_steps else ()
        return BasketAssigned(household_id=household or self.household, delivery_day=day, version=1, items=items)

    def changed(self, version: int, cabbage_steps: int) -> BasketChanged:
        items = (self.item(self.cabbage, cabbage_steps),) if cabbage_steps else ()
        return BasketChanged(household_id=self.household, delivery_day=DAY, version=version, items=items)

    async def reach(
        self, household: UUID | None = None, email: str = "ba.do@example.vn", language: str = "vi"
    ) -> dict[str, Any]:
        """Staff write down how the household is reached, in the place of what they wrote down before."""
        path = f"/v1/households/{household or self.household}/contacts"
        return await self._write_down(path, by_mail(email, "work", "bà Mùa Thị Dợ", language))

    async def reach_staff(self, email: str = "van-phong@example.vn") -> dict[str, Any]:
        """The same for whom staff want to be told of what they must see to."""
        return await self._write_down(
            f"/v1/cooperatives/{self.cooperative}/contacts", by_mail(email, "alerts", "chị Hà")
        )

    async def _write_down(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        client, staff = self.service.client, await self.staff()
        known = (await client.get(path, headers=staff)).json()["contacts"]
        if known:
            answer = await client.put(known[0]["url"], json=body, headers=staff)
        else:
            answer = await client.post(path, json=body, headers=staff)
        assert answer.status_code in (200, 201), answer.text
        return dict(answer.json())

    async def agree(self, email: str, *purposes: str, household: UUID | None = None) -> None:
        """Somebody of the household agrees to be told by mail of this; without a household, somebody of the staff."""
        of = f"households/{household}" if household else f"cooperatives/{self.cooperative}"
        await self._add(f"/v1/{of}/contacts", email, purposes, await self.staff())

    async def agree_for_the_union(self, email: str, *purposes: str) -> None:
        """Somebody of the union agrees to be told by mail of this."""
        await self._add("/v1/contacts", email, purposes, await self.service.key("operator"))

    async def _add(self, path: str, email: str, purposes: Sequence[str], key: dict[str, str]) -> None:
        consent = {"purposes": list(purposes), "source": "signed form"}
        addresses = [{"channel": "email", "address": email, "consent": consent}]
        body = {"display_name": email.partition("@")[0], "language": "vi", "addresses": addresses}
        answer = await self.service.client.post(path, json=body, headers=key)
        assert answer.status_code == 201, answer.text

    async def listen(self, url: str, secret: str | None = None) -> str:
        """Staff set the partner's endpoint; returns the secret."""
        body = {"cooperative": str(self.cooperative), "url": url, "secret": secret}
        path = f"/v1/partners/{self.partner}/webhook"
        answer = await self.service.client.put(path, json=body, headers=await self.staff())
        assert answer.status_code == 200, answer.text
        return secret or str(answer.json()["secret"])

    async def staff(self) -> dict[str, str]:
        """Headers with a new key of the cooperative's staff."""
        return await self.service.key("staff", self.cooperative)

    async def run(self, name: str, after: timedelta = timedelta()) -> bool:
        """Runs a job once, `after` from now."""
        return await self.job(name).run_if_due(datetime.now(UTC) + after)

    async def run_at(self, name: str, now: datetime) -> bool:
        """Runs a job once, as at that time."""
        return await self.job(name).run_if_due(now)

    def job(self, name: str) -> Job:
        return next(job for job in self.service.parts.jobs if job.name == name)

    async def notices(self, **wanted: str) -> list[dict[str, Any]]:
        """What staff see, oldest first."""
        path = f"/v1/cooperatives/{self.cooperative}/notices"
        answer = await self.service.client.get(path, params=wanted, headers=await self.staff())
        assert answer.status_code == 200, answer.text
        return list(reversed(answer.json()["notices"]))

    async def states(self) -> list[tuple[str, int, str | None]]:
        """(state, attempts, reason) of every notice, oldest first."""
        return [(n["state"], n["attempts"], n["reason"]) for n in await self.notices()]

    async def partner_states(self) -> list[tuple[str, int, str | None]]:
        """(state, attempts, reason) of every message to the partner; of one that waits, what the last attempt said."""
        return [
            (m["state"], m["attempts"], m["last_status"] if m["state"] == "queued" else m["reason"])
            for m in await self.messages()
        ]

    async def facts_told(self, kind: str) -> list[Any]:
        """What notices of the kind say, oldest first, as far as they were told."""
        rows = await self.service.runtime.pool.fetch(
            "select facts from notice where kind = $1 and state = 'told' order by told_at, happened_at, version", kind
        )
        return [msgspec.json.decode(r["facts"], type=KINDS[kind].facts) for r in rows]

    async def events(self) -> list[asyncpg.Record]:
        """What notify published, in order."""
        return await self.service.runtime.pool.fetch(
            "select stream, type, traceparent, data::jsonb as data from event_log order by stream, sequence"
        )

    async def webhook(self) -> dict[str, Any]:
        """The partner's endpoint as staff see it."""
        answer = await self.service.client.get(f"/v1/partners/{self.partner}/webhook", headers=await self.staff())
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def messages(self, **wanted: str) -> list[dict[str, Any]]:
        """What was meant for the partner, oldest first."""
        path = f"/v1/partners/{self.partner}/webhook/messages"
        answer = await self.service.client.get(path, params=wanted, headers=await self.staff())
        assert answer.status_code == 200, answer.text
        return list(reversed(answer.json()["messages"]))
