"""The load generator, a process of its own: sends requests that were made and signed beforehand.

    python -m tests.perf.hammer < plan.json

The plan says where to, over how many connections, and the requests as raw HTTP. Everything is read first; then it
prints `ready`, waits for a line, sends, and prints what came of it as one JSON line.
"""

import asyncio
import base64
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import uvloop

from tests.perf.market import Push


@dataclass
class Outcome:
    """`waits_s` holds the seconds from sending each request to its whole answer, in no order.

    `late_s` holds how long after its time each request was sent, where the plan is paced: a server that keeps every
    connection busy holds up what is sent to it, and measures the less for it.
    """

    seconds: float = 0.0
    statuses: dict[str, int] = field(default_factory=dict)
    waits_s: list[float] = field(default_factory=list)
    late_s: list[float] = field(default_factory=list)
    cpu_us: int = 0


def raw_request(push: Push) -> bytes:
    """The push as it goes over the wire."""
    head = [f"POST {push.path} HTTP/1.1", "host: orders", f"content-length: {len(push.body)}"]
    head += [f"{name}: {value}" for name, value in push.headers.items()]
    return "\r\n".join([*head, "", ""]).encode() + push.body


def plan(port: int, connections: int, pushes: Sequence[Push], per_s: float | None = None) -> bytes:
    """What the hammer reads. Each connection sends as soon as it may; with `per_s`, request i after i / per_s s."""
    requests = [base64.b64encode(raw_request(push)).decode() for push in pushes]
    return json.dumps({"port": port, "connections": connections, "requests": requests, "per_s": per_s}).encode()


class _Connection(asyncio.Protocol):
    """Keeps one request on its way at a time."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._answered: asyncio.Future[int] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by class

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0 or self._answered is None:
            return
        head = bytes(self._received[:end]).lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if len(self._received) >= end + 4 + length:
            self._received.clear()
            answered, self._answered = self._answered, None
            answered.set_result(int(head[9:12]))

    def connection_lost(self, error: Exception | None) -> None:
        if self._answered is not None:
            self._answered.set_exception(error or ConnectionError("closed"))

    async def ask(self, request: bytes) -> int:
        assert self._transport is not None
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answered


def tell(outcome: Outcome) -> None:
    """Prints what came of it. Whatever the event loop has made of the pipe, all of it goes out."""
    os.set_blocking(sys.stdout.fileno(), True)
    print(json.dumps(asdict(outcome)), flush=True)


async def _run(found: dict[str, Any]) -> Outcome:
    loop = asyncio.get_running_loop()
    requests = [base64.b64decode(text) for text in found["requests"]]
    connections = [
        (await loop.create_connection(_Connection, "127.0.0.1", found["port"]))[1] for _ in range(found["connections"])
    ]
    print("ready", flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)
    per_s, left = found["per_s"], enumerate(requests)
    statuses, waits_s, late_s = Counter[int](), [], []
    began, began_cpu = time.monotonic(), time.process_time()

    async def work(connection: _Connection) -> None:
        for number, request in left:
            if per_s:
                due = began + number / per_s
                await asyncio.sleep(max(0.0, due - time.monotonic()))  # to the millisecond
                late_s.append(max(0.0, time.monotonic() - due))
            sent = time.monotonic()
            statuses[await connection.ask(request)] += 1
            waits_s.append(time.monotonic() - sent)

    await asyncio.gather(*map(work, connections))
    return Outcome(
        time.monotonic() - began,
        {str(status): count for status, count in statuses.items()},
        waits_s,
        late_s,
        round(1_000_000 * (time.process_time() - began_cpu)),
    )


if __name__ == "__main__":
    outcome = uvloop.run(_run(json.loads(sys.stdin.readline())))
    tell(outcome)
