"""The proxy carries bytes faithfully, and each of its faults does what the network does when it fails so."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from infra.local.ports import choose_ports
from tests.chaos.proxy import Direction, Proxy
from tests.support.node import until


class Echo:
    """A server that answers with what it hears, and remembers it."""

    def __init__(self) -> None:
        self.heard = bytearray()
        self.began = 0
        self.ended: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.began += 1
        try:
            while chunk := await reader.read(65_536):
                self.heard += chunk
                writer.write(chunk)
                await writer.drain()
            self.ended.append("closed")
        except ConnectionError:
            self.ended.append("reset")
        finally:
            writer.close()


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
async def proxy(echo: Echo) -> AsyncIterator[Proxy]:
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    async with server:
        async with Proxy(server.sockets[0].getsockname()[1]) as proxy:
            yield proxy
        await until(lambda: holds(len(echo.ended) == echo.began))


@pytest.fixture
async def connect() -> AsyncIterator[Callable[[Proxy], Awaitable["Client"]]]:
    clients = []

    async def connected(proxy: Proxy) -> Client:
        clients.append(Client(*await asyncio.open_connection("127.0.0.1", proxy.port)))
        return clients[-1]

    yield connected
    for client in clients:
        await client.close()


class Client:
    """One connection to the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self._writer = reader, writer

    async def say(self, content: bytes) -> None:
        self._writer.write(content)
        await self._writer.drain()

    async def hear(self, size: int) -> bytes:
        async with asyncio.timeout(20):
            return await self.reader.readexactly(size)

    async def is_echoed(self) -> None:
        await self.say(b"chao")
        assert await self.hear(4) == b"chao"

    async def is_reset(self) -> None:
        with pytest.raises(ConnectionResetError):
            await self.hear(1)

    def finish(self) -> None:
        self._writer.write_eof()

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()


Connect = Callable[[Proxy], Awaitable[Client]]


async def test_it_carries_everything_both_ways_and_the_end_of_it(proxy: Proxy, connect: Connect, echo: Echo) -> None:
    client = await connect(proxy)
    content = random.Random(1).randbytes(3_000_000)
    sending = asyncio.create_task(client.say(content))
    assert await client.hear(len(content)) == content
    await sending
    client.finish()
    assert await client.reader.read() == b""
    assert echo.ended == ["closed"]
    await client.close()
    await until(lambda: holds(proxy.connections == 0))


async def test_a_cut_resets_both_ends_and_refuses_new_connections_until_it_is_healed(
    proxy: Proxy, connect: Connect, echo: Echo
) -> None:
    clients = [await connect(proxy) for _ in range(3)]
    for client in clients:
        await client.is_echoed()
    await proxy.cut()
    for client in clients:
        await client.is_reset()
    await until(lambda: holds(echo.ended == ["reset"] * 3))
    with pytest.raises(ConnectionRefusedError):
        await connect(proxy)
    await proxy.heal()
    await (await connect(proxy)).is_echoed()
    assert (proxy.accepted, proxy.resets) == (4, 3)


async def test_bytes_to_the_server_vanish_while_every_connection_stays_open(
    proxy: Proxy, connect: Connect, echo: Echo
) -> None:
    before = await connect(proxy)
    await before.is_echoed()
    await proxy.lose(Direction.TO_SERVER)
    during = await connect(proxy)
    await before.say(b"lost")
    await during.say(b"lost too")
    await until(lambda: holds(proxy.lost_bytes == 12))
    assert echo.heard == b"chao"
    assert echo.ended == []
    assert proxy.connections == 2
    await proxy.heal()
    await before.is_reset()
    await during.is_reset()
    await (await connect(proxy)).is_echoed()


async def test_bytes_to_the_client_vanish_although_the_server_heard_and_answered(
    proxy: Proxy, connect: Connect, echo: Echo
) -> None:
    client = await connect(proxy)
    await client.is_echoed()
    await proxy.lose(Direction.TO_CLIENT)
    await client.say(b"heard")
    await until(lambda: holds(proxy.lost_bytes == 5))
    assert echo.heard == b"chaoheard"
    await proxy.heal()
    await client.is_reset()


async def test_a_connection_that_lost_nothing_survives_the_cut(proxy: Proxy, connect: Connect) -> None:
    client = await connect(proxy)
    await client.is_echoed()
    await proxy.lose(Direction.TO_SERVER)
    await proxy.heal()
    await client.is_echoed()


async def test_the_end_of_a_client_is_not_heard_beyond_a_cut(proxy: Proxy, connect: Connect, echo: Echo) -> None:
    client = await connect(proxy)
    await client.is_echoed()
    await proxy.lose(Direction.TO_SERVER)
    await client.close()
    await (await connect(proxy)).say(b"lost")
    await until(lambda: holds(proxy.lost_bytes == 4))
    assert echo.ended == []
    await proxy.heal()
    await until(lambda: holds(echo.ended == ["reset"] * 2))


async def test_chunks_arrive_late_in_order_and_do_not_wait_for_each_other(proxy: Proxy, connect: Connect) -> None:
    client = await connect(proxy)
    await client.is_echoed()
    await proxy.delay(0.25)
    started = time.monotonic()
    for number in range(50):
        await client.say(b"%02d" % number)
        await asyncio.sleep(0.001)  # or they would travel as one chunk
    assert await client.hear(100) == b"".join(b"%02d" % number for number in range(50))
    assert 0.5 <= time.monotonic() - started < 5


async def test_a_trickle_lets_so_many_bytes_through_in_a_second(proxy: Proxy, connect: Connect) -> None:
    client = await connect(proxy)
    await client.is_echoed()
    await proxy.trickle(1000)
    started = time.monotonic()
    await client.say(b"x" * 500)
    assert await client.hear(500) == b"x" * 500
    assert time.monotonic() - started >= 0.4
    await client.say(b"y" * 1_000_000)
    await proxy.heal()
    assert await client.hear(1_000_000) == b"y" * 1_000_000


async def test_nothing_listens_behind_it(proxy: Proxy, connect: Connect) -> None:
    async with Proxy(choose_ports([None])[0]) as nowhere:
        await (await connect(nowhere)).is_reset()


async def holds(condition: bool) -> bool:
    return condition
