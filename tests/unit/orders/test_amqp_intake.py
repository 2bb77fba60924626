"""What the AMQP door does at its edges: a partner that changes again and again, and an end amid acknowledgements."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from prometheus_client import CollectorRegistry

from services.chassis.faults import Backoff
from services.orders.amqp import receiving, topology
from services.orders.amqp.content import JSON, Delivery, Limits
from services.orders.amqp.intake import Intake
from services.orders.amqp.receiving import Receiver
from services.orders.desk import PartnerChanged
from services.orders.metrics import OrderMetrics
from services.orders.store import accounts

PARTNER = UUID(int=7)
BODY = b'{"order": {"ref": "A-1", "updated_at": "2026-11-23T06:00:00+07:00", "status": "cancelled"}}'


class ChangingDesk:
    """Whoever pushes here is another partner than a moment ago."""

    def __init__(self) -> None:
        self.asked, self.often = 0, asyncio.Event()

    async def partner(self, partner_id: UUID, *, anew: bool) -> object:
        return SimpleNamespace(partner_id=partner_id, anew=anew)

    async def take(self, *_: object) -> list[object]:
        self.asked += 1
        if self.asked == 3:
            self.often.set()
        raise PartnerChanged


async def test_a_partner_that_changes_again_and_again_is_asked_for_at_leisure_and_until_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def has_account(*_: object) -> bool:
        return True

    waits = 0

    class Counted(Backoff):
        async def wait(self) -> None:
            nonlocal waits
            waits += 1
            await super().wait()

    monkeypatch.setattr(accounts, "has_account", has_account)
    monkeypatch.setattr(receiving, "Backoff", Counted)
    desk: Any = ChangingDesk()
    ledger: Any = SimpleNamespace(pool=None)
    metrics, limits = OrderMetrics(CollectorRegistry()), Limits(1000, 1000)
    receiver = Receiver(ledger, desk, metrics, limits, lambda: datetime.now(UTC))
    delivery = Delivery(1, topology.exchange(PARTNER), topology.user(PARTNER), JSON, None, None, BODY)
    nowhere: Any = None
    taking = asyncio.create_task(receiver.take(PARTNER, [delivery], nowhere))
    await desk.often.wait()
    assert waits == desk.asked  # after each time
    receiver.stop()
    with pytest.raises(ConnectionError):
        await taking


class SlowChannel:
    """Acknowledges slowly, and one at a time."""

    is_closed = False

    def __init__(self) -> None:
        self.closing = asyncio.get_running_loop().create_future()
        self.on_consumer_cancel_callbacks: set[object] = set()
        self.handler: Any = None
        self.acknowledged: list[int] = []
        self.begun, self.busy = asyncio.Event(), False

    async def basic_qos(self, **_: object) -> None:
        pass

    async def basic_consume(self, _: str, handler: object) -> object:
        self.handler = handler
        return SimpleNamespace(consumer_tag="tag")

    async def basic_cancel(self, _: str) -> None:
        pass

    async def basic_ack(self, tag: int, **_: object) -> None:
        assert not self.busy, "one after the other"
        self.busy = True
        self.begun.set()
        try:
            await asyncio.sleep(0.1)
        finally:
            self.busy = False
        self.acknowledged.append(tag)

    async def bring(self, tag: int) -> None:
        properties = SimpleNamespace(headers=None, user_id=None, content_type=None, message_id=None)
        header = SimpleNamespace(properties=properties)
        await self.handler(SimpleNamespace(header=header, delivery_tag=tag, exchange="", body=b""))


async def test_the_end_does_not_acknowledge_beside_what_acknowledges_already() -> None:
    async def take(_: UUID | None, __: Sequence[Delivery]) -> None:
        pass

    channel: Any = SlowChannel()
    intake = Intake(channel, take)
    await intake.consume()
    await channel.bring(1)
    await channel.begun.wait()
    await channel.bring(2)
    await asyncio.sleep(0)
    await intake.close(drain_s=1)
    assert channel.acknowledged[-1] == 2
