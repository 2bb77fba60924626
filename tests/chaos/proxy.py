"""A bad network in front of one server: a TCP proxy on a loopback port whose faults are switched while it runs.

What happens beyond a cut is heard on neither side, as with a real one: a connection that lost bytes stays open and
silent until `heal`, and is reset then, because TCP never delivers a stream with a hole in it.
"""

import asyncio
import socket
import struct
from enum import Enum
from types import TracebackType
from typing import Self

from infra.local.ports import choose_ports

_CHUNK = 65_536
_WAITING_CHUNKS = 256
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Direction(Enum):
    """Which way bytes travel."""

    TO_SERVER = "to the server"
    TO_CLIENT = "to the client"


class Proxy:
    """Listens on `port` and carries every connection to `target_port` of 127.0.0.1; without a fault, faithfully."""

    def __init__(self, target_port: int) -> None:
        self.port = choose_ports([None])[0]
        self.accepted = 0
        """Connections taken since the start."""
        self.resets = 0
        """Connections ended by a fault since the start."""
        self.lost_bytes = 0
        """Bytes that vanished since the start."""
        self.slowed_bytes = 0
        """Bytes that came through while there was latency or a trickle, since the start."""
        self.longest_hold_s = 0.0
        """The longest that one of those chunks was on its way."""
        self._target_port = target_port
        self._listener: asyncio.Server | None = None
        self._links: set[_Link] = set()
        self._lost: set[Direction] = set()
        self._whole = asyncio.Event()
        self._latency_s = 0.0
        self._bytes_per_second: int | None = None

    async def __aenter__(self) -> Self:
        await self.heal()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.cut()

    @property
    def connections(self) -> int:
        """Connections that are open now."""
        return len(self._links)

    async def cut(self) -> None:
        """Reset all connections and refuse new ones."""
        if self._listener:
            self._listener.close()
            self._listener = None
        await self._reset(self._links)

    async def lose(self, direction: Direction) -> None:
        """Bytes of this direction vanish from now on, of open connections and of new ones."""
        self._lost.add(direction)
        self._whole.clear()

    async def delay(self, latency_s: float) -> None:
        """Each chunk arrives this much later, in both directions and in order."""
        self._latency_s = latency_s

    async def trickle(self, bytes_per_second: int) -> None:
        """So many bytes get through in a second, in each direction of each connection."""
        self._bytes_per_second = bytes_per_second

    async def heal(self) -> None:
        """End all faults. Connections that lost something are reset; new ones are taken again."""
        self._lost.clear()
        self._whole.set()
        self._latency_s, self._bytes_per_second = 0.0, None
        await self._reset({link for link in self._links if link.torn})
        if self._listener is None:
            self._listener = await asyncio.start_server(self._take, "127.0.0.1", self.port)

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._listener is None:  # it was on its way in when the connection was cut
            _end(writer, reset=True)
            return
        self.accepted += 1
        link = _Link(self, reader, writer)
        self._links.add(link)
        link.task.add_done_callback(lambda _: self._links.discard(link))

    async def _reset(self, links: set["_Link"]) -> None:
        ended = [link.task for link in links]
        self.resets += len(ended)
        for task in ended:
            task.cancel()
        await asyncio.gather(*ended, return_exceptions=True)


class _Link:
    """One connection through the proxy; cancelling its task resets both its ends."""

    def __init__(self, proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.torn = False
        self._proxy = proxy
        self._client = (reader, writer)
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        ends, reset = [self._client[1]], True
        try:
            server = await asyncio.open_connection("127.0.0.1", self._proxy._target_port)
            ends.append(server[1])
            async with asyncio.TaskGroup() as both:
                both.create_task(self._carry(Direction.TO_SERVER, self._client[0], server[1]))
                both.create_task(self._carry(Direction.TO_CLIENT, server[0], self._client[1]))
            reset = False
        except* OSError:
            # One end is gone. The other hears of it, unless that news would have to pass a cut.
            await self._proxy._whole.wait()
        finally:
            for writer in ends:
                _end(writer, reset=reset)

    async def _carry(self, direction: Direction, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Reading goes on while earlier chunks wait for their time: latency is no limit of throughput."""
        clock = asyncio.get_running_loop().time
        waiting: asyncio.Queue[tuple[float, float, bytes]] = asyncio.Queue(_WAITING_CHUNKS)

        async def arrive() -> None:
            chunk = b"?"
            while chunk:
                chunk = await reader.read(_CHUNK)
                await waiting.put((now := clock(), now + self._proxy._latency_s, chunk))

        async def deliver() -> None:
            while True:
                came, due, chunk = await waiting.get()
                await asyncio.sleep(max(0.0, due - clock()))
                slow = due > came or self._proxy._bytes_per_second is not None
                if direction in self._proxy._lost:
                    self._lose(chunk)
                elif chunk:
                    await self._send(direction, chunk, writer)
                    if slow:
                        self._proxy.slowed_bytes += len(chunk)
                        self._proxy.longest_hold_s = max(self._proxy.longest_hold_s, clock() - came)
                else:
                    writer.write_eof()
                    return

        async with asyncio.TaskGroup() as both:
            both.create_task(arrive())
            both.create_task(deliver())

    async def _send(self, direction: Direction, chunk: bytes, writer: asyncio.StreamWriter) -> None:
        while chunk and direction not in self._proxy._lost:
            rate = self._proxy._bytes_per_second
            size = len(chunk) if rate is None else max(1, rate // 10)
            writer.write(chunk[:size])
            await writer.drain()
            if rate is not None:
                await asyncio.sleep(min(size, len(chunk)) / rate)
            chunk = chunk[size:]
        if chunk:
            self._lose(chunk)

    def _lose(self, chunk: bytes) -> None:
        self.torn = True
        self._proxy.lost_bytes += len(chunk)


def _end(writer: asyncio.StreamWriter, *, reset: bool) -> None:
    if not reset:
        writer.close()  # after what it still has to send
    elif not writer.is_closing():
        end = writer.get_extra_info("socket")
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        writer.transport.abort()
