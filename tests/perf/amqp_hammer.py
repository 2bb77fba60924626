"""The load generator over AMQP, a process of its own: publishes messages that were made beforehand, with confirms.

    python -m tests.perf.amqp_hammer < plan.json

It speaks as `tests.perf.hammer` does. What it sends is laid out before it begins, since any client library would take
more of the machine than what is measured.
"""

import asyncio
import base64
import json
import struct
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import uvloop
from pamqp import body, commands, frame, header

from tests.perf.hammer import Outcome, go_ahead, tell

WINDOW = 200
"""Messages of one connection that the broker has not confirmed yet."""
_CHANNEL = 1
_ACK, _NACK, _RETURN = (60, 80), (60, 120), (60, 50)
_STATUS = {_ACK: "200", _NACK: "503", _RETURN: "404"}


@dataclass(frozen=True)
class Sender:
    """Who publishes what over one connection. `exchange` may be empty, as that of the queues' names is."""

    user: str
    password: str
    vhost: str
    exchange: str
    routing_key: str
    content_type: str
    messages: Sequence[bytes]


def plan(port: int, senders: Sequence[Sender]) -> bytes:
    """What the hammer reads."""
    told = [
        asdict(sender) | {"messages": [base64.b64encode(message).decode() for message in sender.messages]}
        for sender in senders
    ]
    return json.dumps({"port": port, "senders": told}).encode()


class _Connection:
    """Publishes as fast as the broker confirms."""

    def __init__(self, sender: Sender, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._sender = sender
        self._payloads = [_payload(sender, message) for message in sender.messages]
        self.statuses: Counter[str] = Counter()

    async def open(self) -> None:
        sender, say = self._sender, self._say
        self._writer.write(header.ProtocolHeader(0, 9, 1).marshal())
        login = f"\0{sender.user}\0{sender.password}"
        await say(None, 0)
        tune = await say(commands.Connection.StartOk({}, "PLAIN", login, "en_US"), 0)
        self._writer.write(frame.marshal(commands.Connection.TuneOk(tune.channel_max, tune.frame_max, 0), 0))
        await say(commands.Connection.Open(sender.vhost), 0)
        await say(commands.Channel.Open(), _CHANNEL)
        await say(commands.Confirm.Select(), _CHANNEL)

    async def publish(self) -> None:
        """Returns when all are confirmed or refused."""
        room = asyncio.Semaphore(WINDOW)
        hearing = asyncio.create_task(self._hear(room))
        for payload in self._payloads:
            await room.acquire()
            self._writer.write(payload)
            await self._writer.drain()
        await hearing

    async def _hear(self, room: asyncio.Semaphore) -> None:
        left, first = len(self._payloads), 1
        done: set[int] = set()
        while left:
            method, payload = await self._next()
            if method == _RETURN:
                self.statuses[_STATUS[method]] += 1
            if method not in (_ACK, _NACK):
                continue
            tag, multiple = struct.unpack_from(">QB", payload, 4)
            tags = [it for it in range(first, tag + 1) if it not in done] if multiple & 1 else [tag]
            done.update(tags)
            while first in done:
                done.remove(first)
                first += 1
            self.statuses[_STATUS[method]] += len(tags)
            left -= len(tags)
            for _ in tags:
                room.release()

    async def _say(self, command: Any, channel: int) -> Any:
        """Sends a command, if any, and returns the broker's answer."""
        if command is not None:
            self._writer.write(frame.marshal(command, channel))
        head = await self._reader.readexactly(7)
        rest = await self._reader.readexactly(struct.unpack_from(">I", head, 3)[0] + 1)
        return frame.unmarshal(head + rest)[2]

    async def _next(self) -> tuple[tuple[int, int] | None, bytes]:
        """The class and number of the next method, and its frame's payload; None for any other frame."""
        kind, _, size = struct.unpack(">BHI", await self._reader.readexactly(7))
        payload = (await self._reader.readexactly(size + 1))[:-1]
        return struct.unpack_from(">HH", payload) if kind == 1 else None, payload


def _payload(sender: Sender, message: bytes) -> bytes:
    properties = commands.Basic.Properties(content_type=sender.content_type, delivery_mode=2, user_id=sender.user)
    frames = (
        commands.Basic.Publish(exchange=sender.exchange, routing_key=sender.routing_key, mandatory=True),
        header.ContentHeader(body_size=len(message), properties=properties),
        body.ContentBody(message),
    )
    return b"".join(frame.marshal(one, _CHANNEL) for one in frames)


async def _run(found: dict[str, Any]) -> Outcome | None:
    connections = []
    for told in found["senders"]:
        sender = Sender(**told | {"messages": [base64.b64decode(text) for text in told["messages"]]})
        connection = _Connection(sender, *await asyncio.open_connection("127.0.0.1", found["port"]))
        await connection.open()
        connections.append(connection)
    if not await go_ahead():
        return None
    began, began_cpu = time.monotonic(), time.process_time()
    await asyncio.gather(*(connection.publish() for connection in connections))
    statuses: Counter[str] = sum((connection.statuses for connection in connections), Counter())
    cpu_us = round(1_000_000 * (time.process_time() - began_cpu))
    return Outcome(time.monotonic() - began, dict(statuses), cpu_us=cpu_us)


if __name__ == "__main__":
    if outcome := uvloop.run(_run(json.loads(sys.stdin.readline()))):
        tell(outcome)
