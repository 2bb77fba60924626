"""How the FastStream peers run: a worker is a FastStream application, and `orders` a FastAPI one with a broker."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

from fastapi import FastAPI
from faststream import FastStream
from faststream.exceptions import RejectMessage
from faststream.rabbit import Channel, RabbitBroker, RabbitMessage
from pydantic import BaseModel, ValidationError

from tests.perf.peers import environment
from tests.perf.peers.database import Database

log = logging.getLogger("peer")

Model = TypeVar("Model", bound=BaseModel)


class Relay(Protocol):
    """Sends the outbox until it is cancelled."""

    async def run(self) -> None:
        """For ever; heals itself."""


def make_broker(prefetch: int) -> RabbitBroker:
    """Publishes with confirms; an event that reaches no queue is an error. Logs what fails, and not each message."""
    logging.basicConfig(level=logging.WARNING)
    return RabbitBroker(
        environment.amqp_url(),
        default_channel=Channel(prefetch_count=prefetch, on_return_raises=True),
        logger=log,
        log_level=logging.DEBUG,
    )


def worker(database: Database, broker: RabbitBroker, relay: Relay | None = None) -> FastStream:
    """A process without HTTP."""
    app = FastStream(broker, logger=log)
    beside: list[asyncio.Task[None]] = []

    @app.on_startup
    async def open_database() -> None:
        await database.open()

    @app.after_startup
    async def start_relay() -> None:
        if relay:
            beside.append(asyncio.create_task(relay.run()))

    @app.on_shutdown
    async def end_deliveries() -> None:
        await cancel_consumers(broker)

    @app.after_shutdown
    async def stop() -> None:
        await _cancel(beside)
        await database.close()

    return app


def lifespan(
    database: Database, broker: RabbitBroker, relay: Relay
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """What runs beside the HTTP server of `orders`."""

    @contextlib.asynccontextmanager
    async def run(_app: FastAPI) -> AsyncIterator[None]:
        await database.open()
        await broker.start()
        beside = [asyncio.create_task(relay.run())]
        yield
        await cancel_consumers(broker)
        await _cancel(beside)
        await broker.stop()
        await database.close()

    return run


async def cancel_consumers(broker: RabbitBroker) -> None:
    """Ends the deliveries before the drain, in which FastStream 0.7.8 would drop what it still receives."""
    for subscriber in broker.subscribers:
        tag, queue = getattr(subscriber, "_consumer_tag", None), getattr(subscriber, "_queue_obj", None)
        if tag and queue:
            await queue.cancel(tag)
            vars(subscriber)["_consumer_tag"] = None


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def read_as(model: type[Model]) -> Callable[[RabbitMessage], Awaitable[Model]]:
    """A decoder straight from JSON to the model, so that it can be strict; what is malformed goes to the dead."""

    async def read(message: RabbitMessage) -> Model:
        try:
            return model.model_validate_json(message.body)
        except ValidationError as error:
            raise RejectMessage from error

    return read
