"""Connections to RabbitMQ: any node of several, with a heartbeat that notices a silent one.

Nodes are tried in random order, so that clients spread over a cluster and find what is left of it.
"""

import asyncio
import contextlib
import random
import re
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import aio_pika
from aio_pika.abc import AbstractConnection
from pydantic import SecretStr
from yarl import URL

from services.chassis.faults import BROKER_WEATHER

CONNECT_S = 5

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Link:
    """An open connection, and the address of the node that it leads to."""

    connection: AbstractConnection
    address: str


class Broker:
    """The nodes of one broker, from a setting such as `amqp://u:p@one:5672/%2F,amqp://u:p@two:5672/%2F`."""

    def __init__(self, urls: SecretStr, heartbeat_s: int) -> None:
        parts = re.split(r",(?=amqps?://)", urls.get_secret_value())
        self._addresses = [str(URL(part).update_query(heartbeat=heartbeat_s)) for part in parts]

    @asynccontextmanager
    async def connected(self, name: str) -> AsyncIterator[Link]:
        """A connection to the first node that lets us in. Raises what the last one said where none does."""
        link = await self._connect(name)
        try:
            yield link
        finally:
            with contextlib.suppress(*BROKER_WEATHER):  # a silent node never answers the goodbye
                async with asyncio.timeout(2):
                    await answered(link.connection.close())

    async def _connect(self, name: str) -> Link:
        failure: Exception | None = None
        for address in random.sample(self._addresses, k=len(self._addresses)):
            try:
                async with asyncio.timeout(CONNECT_S):
                    connecting = aio_pika.connect(address, client_properties={"connection_name": name})
                    connection = await answered(connecting)
                return Link(connection, address)
            except BROKER_WEATHER as error:
                failure = error
        assert failure is not None, "there is at least one address"
        raise failure


async def answered(work: Awaitable[T]) -> T:
    """Awaits the broker's answer. Raises ConnectionError where the connection was closed meanwhile.

    aiormq cancels whoever waits on a connection that it gives up. Passed on, that would end the task that waits,
    although nobody wants it to end.
    """
    try:
        return await work
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise ConnectionError("the connection was closed while an answer was awaited") from None


async def within(limit_s: float, work: Awaitable[object]) -> None:
    """Waits for work on a broker connection, but not longer, whatever it does when it is cancelled.

    Raises TimeoutError, and what the work raises.
    """
    task = asyncio.ensure_future(work)
    done, _ = await asyncio.wait({task}, timeout=limit_s)
    if not done:
        task.add_done_callback(_let_go)
        task.cancel()
        raise TimeoutError(f"not done within {limit_s:g} s")
    await answered(task)


def _let_go(given_up: "asyncio.Future[object]") -> None:
    """Looks at how it ended, which nobody waits for any more; asyncio would complain that nobody does."""
    if not given_up.cancelled():
        given_up.exception()
