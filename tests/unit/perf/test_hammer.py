"""The load generator: all requests are answered, or it says so and does not wait for ever."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from tests.perf import hammer
from tests.perf.generator import Hammering
from tests.perf.market import Push

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def pushes(count: int) -> Sequence[Push]:
    headers = {"content-type": "application/json"}
    return [Push(f"/{number}", b"{}", headers, 1, [str(number)]) for number in range(count)]


async def outcome(handler: Handler, count: int, per_s: float | None = None, timeout_s: float = 30) -> hammer.Outcome:
    async with await asyncio.start_server(handler, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        hammering = await asyncio.to_thread(Hammering, port, 3, pushes(count), per_s)
        hammering.go()
        return await asyncio.to_thread(hammering.outcome, timeout_s)


async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers each request in two parts."""
    while await reader.readline():
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(2)
        writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 4\r\n\r\nte")
        await writer.drain()
        await asyncio.sleep(0.001)
        writer.write(b"xt")
    writer.close()


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Closes instead of answering."""
    await reader.readline()
    writer.close()


async def keep_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Reads all and never answers."""
    await reader.read()
    writer.close()


@pytest.mark.parametrize("per_s", [None, 200.0])
async def test_every_request_is_sent_and_answered_once(per_s: float | None) -> None:
    found = await outcome(accept, 40, per_s)
    assert found.statuses == {"202": 40}
    assert len(found.waits_s) == 40
    assert len(found.late_s) == (40 if per_s else 0)
    assert found.seconds >= (39 / per_s if per_s else 0)


async def test_a_lost_answer_fails() -> None:
    with pytest.raises(AssertionError, match="load generator failed"):
        await outcome(hang_up, 5)


async def test_an_answer_that_never_comes_fails() -> None:
    with pytest.raises(AssertionError, match="not everything was answered"):
        await outcome(keep_silent, 5, timeout_s=1)
