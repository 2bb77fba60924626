"""Runs one process of a service: HTTP, consumer, relay and jobs, started together and drained on SIGTERM.

`http` answers requests, `worker` consumes, relays and runs jobs for its lanes, `all` does both. Every role has
the probes. Faults of broker and database never end the process: it waits, heals, and says so in /readyz.
"""

import asyncio
import contextlib
import gc
import logging
import signal
from collections.abc import Iterator, Sequence
from typing import Generic

import uvicorn

from services.chassis import http, incarnation, jobs, migrate
from services.chassis.broker import Broker
from services.chassis.consumer import Consumer
from services.chassis.database import open_all, open_pool
from services.chassis.doorbell import Doorbell
from services.chassis.faults import Backoff, Unsettled, describe, is_weather
from services.chassis.fresh import Row
from services.chassis.ids import uuid7
from services.chassis.inbox import Inbox, Patience
from services.chassis.incarnation import Incarnation
from services.chassis.jobs import Job
from services.chassis.lanes import shared_lane
from services.chassis.ledger import Ledger
from services.chassis.metrics import Metrics
from services.chassis.relay import Relay, oldest_waiting_s
from services.chassis.runtime import Door, Parts, Runtime, S, Service
from services.chassis.topology import Wiring
from services.contracts.flow import READS, read_by

log = logging.getLogger(__name__)

RELAY_LAG_S = 30
"""Above this age of the oldest event that waits for the broker, a process is not ready."""

KEPT_ALIVE_S = 75
"""How long an HTTP connection may be idle: longer than most partners and proxies keep theirs.

One that the server closes while a request is on its way loses that request.
"""


class _Server(uvicorn.Server):
    """Signals are the process's business, not the HTTP server's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Process(Generic[S]):
    """One running process of a service."""

    def __init__(self, service: Service[S], settings: S, role: str, lanes: Sequence[int]) -> None:
        self._service, self._settings, self._role, self._lanes = service, settings, role, lanes
        self._worker = role in ("all", "worker")
        self._consumer: Consumer | None = None
        self._doors: Sequence[Door] = ()
        self._relay: Relay | None = None
        self._incarnation: Incarnation | None = None
        self._lag_s = 0.0
        self._unsettled = False
        self._migrations = service.migrations()

    async def run_until_signal(self) -> None:
        """Serves until SIGTERM or SIGINT."""
        stopped = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        await self.run(stopped)

    async def run(self, stopped: asyncio.Event) -> None:
        """Serves until `stopped`, then drains: HTTP first, then the consumer, last the relay."""
        drain = asyncio.Event()
        settings, service = self._settings, self._service
        pool = await open_pool(
            settings.database_url, settings.database_connections, f"{service.name} {self._role}",
            settings.database_timeout_s, incarnation.check,
        )  # fmt: skip
        closing = contextlib.AsyncExitStack()
        try:
            doorbell = Doorbell(pool, settings.database_url)

            def wake(logged: Sequence[Row]) -> None:
                self._wake(doorbell, logged)

            ledger = Ledger(pool, lambda stream: shared_lane(stream, settings.shared_lanes), wake)
            metrics = Metrics(READS[service.name], service.name, settings.shared_lanes)
            runtime = Runtime(settings, pool, ledger, metrics, stopped)
            parts = service.wire(runtime)
            for close in parts.close:
                closing.push_async_callback(close)
            server = self._server(runtime, parts)
            gc.collect()
            gc.set_threshold(50_000, 20, 100)  # batches make many objects and hardly any cycles
            gc.freeze()  # to look through all that stays for good takes up to 100 ms, in which nothing is served
            serving = asyncio.create_task(server.serve())
            working = asyncio.create_task(self._work(runtime, parts, doorbell, drain))
            watching = asyncio.create_task(incarnation.watch(pool))
            stopping = asyncio.create_task(stopped.wait())
            await asyncio.wait({serving, working, watching, stopping}, return_when=asyncio.FIRST_COMPLETED)
            log.info("draining")
            stopping.cancel()
            watching.cancel()
            server.should_exit = True
            await serving
            drain.set()
            await working
            (end,) = await asyncio.gather(watching, return_exceptions=True)
            if isinstance(end, Exception):
                raise end
        finally:
            await closing.aclose()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(pool.close(), 10)
        log.info("stopped")

    def _wake(self, doorbell: Doorbell, logged: Sequence[Row]) -> None:
        relay = self._relay
        if relay is not None:
            relay.wake(logged)
        lanes: set[int] = {row["lane"] for row in logged}
        doorbell.ring({lane for lane in lanes if relay is None or not relay.serves(lane)})

    def _server(self, runtime: Runtime[S], parts: Parts) -> uvicorn.Server:
        settings = self._settings

        async def ready() -> list[str]:
            return await self._waits_for(runtime)

        app = http.build(runtime, self._service, parts, ready, with_routes=self._role != "worker")
        return _Server(
            uvicorn.Config(
                app,
                host=settings.http_host,
                port=settings.http_port,
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,  # who asks is told by keys and signatures, never by addresses
                lifespan="off",
                timeout_graceful_shutdown=settings.drain_s,
                timeout_keep_alive=KEPT_ALIVE_S,
            )
        )

    async def _waits_for(self, runtime: Runtime[S]) -> list[str]:
        """What keeps this process from its work, in words."""
        waits = await self._waits_for_database(runtime)
        if waits or not self._worker:
            return waits
        if self._consumer is None or self._relay is None:
            return ["the worker is starting"]
        waits = [*self._consumer.waits_for, *(reason for door in self._doors for reason in door.waits_for)]
        if not self._relay.connected:
            waits.append("the relay has no broker")
        if self._lag_s > RELAY_LAG_S:
            waits.append(f"the relay lags by {self._lag_s:.0f} s")
        return waits

    async def _work(self, runtime: Runtime[S], parts: Parts, doorbell: Doorbell, drain: asyncio.Event) -> None:
        if not await self._until_migrated(runtime, drain) or not self._worker:
            await drain.wait()
            return
        settings, name = self._settings, self._service.name
        broker = Broker(settings.amqp_url, settings.amqp_heartbeat_s)
        relay = self._relay = Relay(
            name, broker, runtime.pool, self._lanes, settings.instance, settings.lease_s, settings.heads_every_s,
            runtime.metrics,
        )  # fmt: skip
        patience = Patience(settings.max_attempts, settings.retry_first_s, settings.retry_most_s)
        holder = uuid7()
        own = parts.commands.own if parts.commands else ""
        inbox = Inbox(runtime.ledger, READS[name], parts.handlers, patience, runtime.metrics, holder, own)
        wiring = Wiring(name, READS[name], read_by(name), self._lanes)
        settling = self._incarnation = Incarnation(
            name, settings.database_url, read_by(name), self._lanes, settings.shared_lanes, relay
        )
        consumer = self._consumer = Consumer(
            broker, wiring, inbox, runtime.ledger, relay, settling, runtime.metrics, settings.shared_lanes,
            settings.prefetch, self._service.gathers_s, settings.gap_patience_s, settings.drain_s,
        )  # fmt: skip
        chores = [
            Job("retry", 1.0, lambda _: consumer.retry_due()),
            Job("look again", 2.0, lambda _: consumer.look_again()),
            Job(
                "gaps",
                max(0.5, settings.gap_patience_s / 10),
                lambda _: consumer.ask_for_gaps(),
                is_due=lambda _: consumer.is_any_behind(),
            ),
            *parts.jobs,
        ]
        background = [asyncio.create_task(jobs.run_for_ever(job, runtime.metrics)) for job in chores]
        background.append(asyncio.create_task(doorbell.listen(relay.look_at, holder)))
        background.append(asyncio.create_task(settling.run()))
        relaying, consuming = asyncio.create_task(relay.run()), asyncio.create_task(consumer.run())
        self._doors = parts.doors
        taking = [asyncio.create_task(door.run()) for door in parts.doors]
        draining = asyncio.create_task(drain.wait())
        everything = {relaying, consuming, draining, *taking, *background}
        done, _ = await asyncio.wait(everything, return_when=asyncio.FIRST_COMPLETED)
        if draining not in done:
            log.error("a part of the worker has ended; the process ends too", extra={"parts": len(done)})
        consumer.stop()
        for door in parts.doors:
            door.stop()
        ends: list[BaseException | None] = [*await asyncio.gather(consuming, *taking, return_exceptions=True)]
        for task in (*background, draining):
            task.cancel()
        ends += await asyncio.gather(*background, return_exceptions=True)
        relay.stop()
        ends += await asyncio.gather(relaying, return_exceptions=True)
        for end in ends:
            if isinstance(end, Exception):
                raise end  # a defect, not weather: the process ends and its supervisor starts a new one

    async def _until_migrated(self, runtime: Runtime[S], drain: asyncio.Event) -> bool:
        """Waits for the database and its migrations; False when the process is stopped before."""
        backoff = Backoff(first_s=0.2)
        while not drain.is_set():
            waits = await self._waits_for_database(runtime)
            if not waits or self._unsettled:  # settling is the worker's business
                await self._open_connections(runtime)
                return True
            log.warning("waiting", extra={"waits_for": waits})
            await backoff.wait()
        return False

    async def _open_connections(self, runtime: Runtime[S]) -> None:
        try:
            await open_all(runtime.pool, self._settings.database_connections)
        except Exception as error:
            if not is_weather(error):
                raise
            log.warning("connections are opened later: %s", describe(error))

    async def _waits_for_database(self, runtime: Runtime[S]) -> list[str]:
        """What the database lacks; also looks how long events have waited for the relay."""
        self._unsettled = False
        try:
            async with asyncio.timeout(3), runtime.pool.acquire() as conn:
                if await migrate.pending(conn, self._migrations):
                    return ["migrations are pending"]
                self._lag_s = await oldest_waiting_s(conn, self._lanes)
                return []
        except Unsettled as error:
            self._unsettled = True
            return (self._incarnation.waits_for if self._incarnation else None) or [str(error)]
        except Exception as error:
            if not is_weather(error):
                raise
            return [f"the database is away ({type(error).__name__})"]
