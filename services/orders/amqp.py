"""Partners over AMQP: each message is one push of a `canonical` partner, in a virtual host of their own.

The broker vouches for who sent a message: its verified user is `partner-<partner id>`, so no signature is needed.
What waits in the queue is taken together, and acknowledged once it is committed. A message that cannot be read is
kept for an operator and acknowledged, since it would never become right.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from services.chassis import parking
from services.chassis.broker import Broker, answered
from services.chassis.faults import BROKER_WEATHER, Backoff, describe, is_weather
from services.chassis.ledger import Ledger, Transaction
from services.chassis.topology import QUORUM
from services.orders.adapters import canonical
from services.orders.adapters.base import Batch, Malformed
from services.orders.desk import Desk, PartnerChanged
from services.orders.domain.command import OrderCommand
from services.orders.intake import Push
from services.orders.metrics import OrderMetrics
from services.orders.store.partners import Partner

log = logging.getLogger(__name__)

EXCHANGE = "orders.pushes"
"""Where partners publish; the routing key has no meaning."""
QUEUE = "orders.intake"
USER = "partner-"
PREFETCH = 1000


@dataclass(frozen=True, slots=True)
class _Rejected(Exception):
    reason: str


class AmqpDoor:
    """Takes in what partners publish. `run` is a job: it returns when the connection is lost."""

    def __init__(self, broker: Broker, desk: Desk, ledger: Ledger, metrics: OrderMetrics) -> None:
        self._broker, self._desk, self._ledger, self._metrics = broker, desk, ledger, metrics

    async def run(self, _: datetime) -> bool:
        """Consumes until the broker is away; never more to do at once."""
        try:
            async with self._broker.connected("orders intake") as link:
                lost = asyncio.Event()
                link.connection.close_callbacks.add(lambda *_: lost.set())
                channel = await answered(link.connection.channel(publisher_confirms=False))
                channel.close_callbacks.add(lambda *_: lost.set())
                await self._consume(channel, lost)
        except BROKER_WEATHER as error:
            log.warning("partners' broker is away: %s", describe(error))
        return False

    async def _consume(self, channel: AbstractChannel, lost: asyncio.Event) -> None:
        await answered(channel.set_qos(PREFETCH))
        exchange = await answered(channel.declare_exchange(EXCHANGE, ExchangeType.FANOUT, durable=True))
        queue = await answered(channel.declare_queue(QUEUE, durable=True, arguments=dict(QUORUM)))
        await answered(queue.bind(exchange))
        waiting: list[AbstractIncomingMessage] = []
        came = asyncio.Event()

        async def on_message(message: AbstractIncomingMessage) -> None:
            waiting.append(message)
            came.set()

        await answered(queue.consume(on_message))
        ended = asyncio.create_task(lost.wait())
        try:
            while not lost.is_set():
                coming = asyncio.create_task(came.wait())
                await asyncio.wait({coming, ended}, return_when=asyncio.FIRST_COMPLETED)
                coming.cancel()
                came.clear()
                batch, waiting[:] = waiting[:], []
                if batch:
                    await self._take_in(batch)
                    await batch[-1].ack(multiple=True)
        finally:
            ended.cancel()

    async def _take_in(self, batch: Sequence[AbstractIncomingMessage]) -> None:
        """Stores what the messages say, or why not; waits for the database as long as it takes."""
        pushes: dict[UUID, list[Push]] = {}
        for message in batch:
            try:
                partner, commands = await self._read(message)
            except _Rejected as rejected:
                await self._patiently_reject(rejected.reason, message.body)
            else:
                pushes.setdefault(partner.partner_id, []).extend(Push(partner, command) for command in commands)
        await asyncio.gather(*(self._patiently_take(partner_id, own) for partner_id, own in pushes.items()))

    async def _read(self, message: AbstractIncomingMessage) -> tuple[Partner, list[OrderCommand]]:
        user = message.user_id or ""
        try:
            partner_id = UUID(user.removeprefix(USER)) if user.startswith(USER) else None
        except ValueError:
            partner_id = None
        partner = await self._partner(partner_id) if partner_id else None
        if partner is None or partner.adapter != "canonical":
            raise _Rejected(f"{user!r} is no canonical partner")
        try:
            read = canonical.read({"content-type": message.content_type or ""}, message.body)
        except Malformed as error:
            raise _Rejected(f"malformed: {error}") from None
        if not isinstance(read, Batch):
            assert isinstance(read, OrderCommand)
            return partner, [read]
        if wrong := [item for item in read.items if isinstance(item.command, Malformed)]:
            raise _Rejected(f"malformed: {wrong[0].id}: {wrong[0].command}")
        return partner, [item.command for item in read.items if isinstance(item.command, OrderCommand)]

    async def _partner(self, partner_id: UUID) -> Partner | None:
        backoff = Backoff()
        while True:
            try:
                return await self._desk.partner(partner_id, anew=False)
            except Exception as error:
                if not is_weather(error):
                    raise
                await backoff.wait()

    async def _patiently_take(self, partner_id: UUID, pushes: Sequence[Push]) -> None:
        """Takes the pushes of one partner; what fails for its own sake is tried alone, and kept for an operator."""
        backoff = Backoff()
        while True:
            try:
                for answer in await self._desk.take(pushes[0].partner, pushes):
                    self._metrics.pushes.labels("canonical", answer.outcome).inc()
                return
            except PartnerChanged:
                partner = await self._desk.partner(partner_id, anew=True)
                if partner is None:
                    return
                pushes = [Push(partner, push.command, push.traceparent) for push in pushes]
            except Exception as error:
                if is_weather(error):
                    log.warning("the database is away: %s", describe(error))
                    await backoff.wait()
                elif len(pushes) > 1:
                    for push in pushes:
                        await self._patiently_take(partner_id, [push])
                    return
                else:
                    log.exception("push of a partner failed")
                    await self._patiently_reject(describe(error), pushes[0].command.partner_ref.encode())
                    return

    async def _patiently_reject(self, reason: str, body: bytes) -> None:
        async def work(tx: Transaction) -> None:
            await parking.save_rejected(tx.conn, QUEUE, reason, body)

        self._metrics.pushes.labels("canonical", "malformed").inc()
        log.error("message rejected", extra={"queue": QUEUE, "reason": reason})
        backoff = Backoff()
        while True:
            try:
                await self._ledger.transact(work)
                return
            except Exception as error:
                if not is_weather(error):
                    raise
                await backoff.wait()
