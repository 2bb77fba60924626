"""The door itself: keeps the partners' virtual host as it should be, and the intake consumed, until it is stopped.

A guard declares the topology again and again, new accounts at once and the others in turns, and begins to consume
anew wherever nobody does, so that deleted queues, a wiped broker and lost connections heal without help.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence, Set
from uuid import UUID

from services.chassis.broker import Broker, Link, answered
from services.chassis.faults import BROKER_WEATHER, Backoff, describe
from services.orders.amqp import lenient, topology
from services.orders.amqp.content import Delivery
from services.orders.amqp.intake import Intake
from services.orders.amqp.receiving import Receiver
from services.orders.amqp.rejects import Rejects
from services.orders.metrics import OrderMetrics

log = logging.getLogger(__name__)

GUARD_EVERY_S = 3.0
MOST_NEW, MOST_AGAIN = 500, 50
"""Partners that are declared in one turn of the guard: those not declared over this connection, and the others."""


class Turns:
    """Whose exchange and queue the guard declares next."""

    def __init__(self) -> None:
        self._known: deque[UUID] = deque()

    def next(self, accounts: Set[UUID]) -> list[UUID]:
        """Some that were not declared yet, and some of the others, the longest ago first."""
        again = [partner_id for partner_id in self._known if partner_id in accounts]
        new = sorted(accounts - set(again))[:MOST_NEW]
        self._known = deque([*again[MOST_AGAIN:], *again[:MOST_AGAIN], *new])
        return [*new, *again[:MOST_AGAIN]]


class AmqpDoor:
    """Open in every process of `orders` that works for lanes; several share what comes."""

    def __init__(self, broker: Broker, receiver: Receiver, drain_s: int, metrics: OrderMetrics) -> None:
        self._broker, self._receiver, self._drain_s = broker, receiver, drain_s
        self._open = metrics.amqp_door_open.labels(topology.INTAKE)
        self._waiting = metrics.amqp_waiting.labels(topology.INTAKE)
        self._stopping = asyncio.Event()
        self.waits_for: list[str] = ["the AMQP door has not opened"]
        """What keeps it closed, in words; empty while it is open."""

    async def run(self) -> None:
        """Takes in until `stop`; then finishes what is under way."""
        lenient.install()
        backoff = Backoff(first_s=0.2)
        while not self._stopping.is_set():
            try:
                async with (
                    self._broker.connected("orders partners") as link,
                    self._broker.connected("orders intake") as source,
                    self._broker.connected("orders rejects") as publisher,
                ):
                    await self._serve(link, source, publisher, backoff)
            except BROKER_WEATHER as error:
                self._set(["the partners' broker is away"])
                log.warning("the partners' broker is away: %s", describe(error))
                await backoff.wait()

    def stop(self) -> None:
        """Ends `run`."""
        self._stopping.set()
        self._receiver.stop()

    def _set(self, waits_for: list[str]) -> None:
        self.waits_for = waits_for
        self._open.set(not waits_for)

    async def _serve(self, link: Link, source: Link, publisher: Link, backoff: Backoff) -> None:
        """Over three connections: a broker that stops publishers must stop neither acknowledgements nor the guard."""
        rejects, turns = Rejects(publisher.connection, self._stopping), Turns()

        async def take(owner: UUID | None, deliveries: Sequence[Delivery]) -> None:
            await self._receiver.take(owner, deliveries, rejects)

        channel = await answered(source.connection.channel(publisher_confirms=False))
        intake = Intake(await channel.get_underlay_channel(), take)
        try:
            while not self._stopping.is_set():
                intake.disturbed.clear()
                if rejects.is_closed:
                    raise ConnectionError("the connection of the rejects was closed")
                accounts = await self._receiver.know_accounts()
                if not (consumed := intake.consumes):
                    turns = Turns()  # with a queue that was deleted, all that led to it is gone
                async with asyncio.timeout(30):
                    now = await answered(topology.declare(link.connection, turns.next(accounts)))
                if not intake.consumes or not now.consumers:
                    await intake.consume()
                    if consumed:  # deleted meanwhile
                        turns = Turns()
                self._set([])
                self._waiting.set(now.waiting)
                backoff.reset()
                await self._until_disturbed(intake)
        finally:
            await intake.close(self._drain_s)

    async def _until_disturbed(self, intake: Intake) -> None:
        waiting = [asyncio.create_task(event.wait()) for event in (self._stopping, intake.disturbed)]
        await asyncio.wait(waiting, timeout=GUARD_EVERY_S, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
