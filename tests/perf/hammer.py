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
from collections.abc import Iterator, Sequence
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
    began_at_s: float = 0.0
    """Seconds since 1970; request i of a paced plan was due i / per_s after that."""


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
    """Keeps one request on its way at a time, and sends the next one as soon as the answer to the last is whole."""

    def __init__(self, sending: "_Sending") -> None:
        self._sending = sending
        self._received = b""
        self._sent: float | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by class

    def data_received(self, data: bytes) -> None:
        received = self._received + data if self._received else data
        end = received.find(b"\r\n\r\n")
        if end >= 0 and self._sent is not None:
            head = received[:end].lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
            if len(received) >= end + 4 + length:
                self._received = b""
                sent, self._sent = self._sent, None
                self._sending.answered(int(head[9:12]), sent)
                self.send_next()
                return
        self._received = received

    def connection_lost(self, error: Exception | None) -> None:
        if self._sent is not None:
            self._sending.fail(error or ConnectionError("closed before the answer"))

    def send_next(self) -> None:
        """Sends what is next, now or when it is due."""
        number, request = next(self._sending.left, (0, None))
        if request is None:
            return
        due = self._sending.due(number)
        delay = due - time.monotonic() if due else 0.0
        if delay > 0:
            asyncio.get_running_loop().call_later(delay, self._send, request, due)  # to the millisecond
        else:
            self._send(request, due)

    def _send(self, request: bytes, due: float) -> None:
        if self._transport is None or self._transport.is_closing():
            self._sending.fail(ConnectionError("closed before the request"))
            return
        self._sent = time.monotonic()
        if due:
            self._sending.outcome.late_s.append(max(0.0, self._sent - due))
        self._transport.write(request)


class _Sending:
    """The requests that are left, and what came of the others."""

    def __init__(self, requests: Sequence[bytes], per_s: float | None) -> None:
        self.left: Iterator[tuple[int, bytes]] = iter(enumerate(requests))
        self.outcome = Outcome()
        self._per_s, self._unanswered = per_s, len(requests)
        self._statuses = Counter[int]()
        self._began = 0.0
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def due(self, number: int) -> float:
        """When to send it; 0 for at once."""
        return self._began + number / self._per_s if self._per_s else 0.0

    def answered(self, status: int, sent: float) -> None:
        """One more."""
        self._statuses[status] += 1
        self.outcome.waits_s.append(time.monotonic() - sent)
        self._unanswered -= 1
        if not self._unanswered and not self._done.done():
            self._done.set_result(None)

    def fail(self, error: Exception) -> None:
        """An answer will never come, and so there is nothing to be measured."""
        if not self._done.done():
            self._done.set_exception(error)

    async def run(self, connections: Sequence[_Connection]) -> Outcome:
        """Sends all, over all connections at once; raises what a connection was closed for."""
        self._began, began_cpu = time.monotonic(), time.process_time()
        self.outcome.began_at_s = time.time()
        for connection in connections:
            connection.send_next()
        if self._unanswered:
            await self._done
        self.outcome.seconds = time.monotonic() - self._began
        self.outcome.statuses = {str(status): count for status, count in self._statuses.items()}
        self.outcome.cpu_us = round(1_000_000 * (time.process_time() - began_cpu))
        return self.outcome


def tell(outcome: Outcome) -> None:
    """Prints what came of it. Whatever the event loop has made of the pipe, all of it goes out."""
    os.set_blocking(sys.stdout.fileno(), True)
    print(json.dumps(asdict(outcome)), flush=True)


async def go_ahead() -> bool:
    """Says that all is prepared and waits to be let go; False if whoever has asked is gone."""
    print("ready", flush=True)
    return bool(await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline))


async def _run(found: dict[str, Any]) -> Outcome | None:
    sending = _Sending([base64.b64decode(text) for text in found["requests"]], found["per_s"])
    connections = [
        (await asyncio.get_running_loop().create_connection(lambda: _Connection(sending), "127.0.0.1", found["port"]))[
            1
        ]
        for _ in range(found["connections"])
    ]
    return await sending.run(connections) if await go_ahead() else None


if __name__ == "__main__":
    if outcome := uvloop.run(_run(json.loads(sys.stdin.readline()))):
        tell(outcome)
