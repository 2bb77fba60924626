"""CloudEvents 1.0 in JSON batch mode: one AMQP message carries all events that wait on one lane.

Envelopes are written around the stored JSON and read without touching it (`msgspec.Raw`), so that an event
costs a few microseconds however large its data is. Extensions: `partitionkey` (= `cooperative`) is the stream,
`sequence` (20 digits, ordered as text) the place in it, `after` what must be applied before, `traceparent`.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Annotated, Any
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Meta, Struct

from services.chassis import trace

CONTENT_TYPE = "application/cloudevents-batch+json"

MOST_MESSAGE_BYTES = 8_388_608
"""A relay packs half a megabyte into a message; what is far larger is nothing of ours."""

HEADS = "chassis.stream_heads.v1"
RESEND = "chassis.resend_requested.v1"
RESENT = "chassis.resent.v1"
REACH_ASKED = "chassis.reach_asked.v1"
REACH_TOLD = "chassis.reach_told.v1"

MOST_SEQUENCE = 2**63 - 1
"""A bigint of the database; the 20 digits of the envelope have room for more."""

SequenceNumber = Annotated[int, Meta(ge=0, le=MOST_SEQUENCE)]
Heads = dict[UUID, SequenceNumber]
"""How far streams reach."""
LaneNumber = Annotated[int, Meta(ge=0, le=32_767)]
PartNumber = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Identity = Annotated[str, Meta(pattern=r"^[ -~]{1,200}$")]
QueueName = Annotated[str, Meta(pattern=r"^[ -~]{0,200}$")]
"""Has room in a routing key behind a service's name."""

_TYPE = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)+")
_PRODUCER = re.compile(r"[a-z0-9_]+")


class _Envelope(msgspec.Struct):
    specversion: str
    id: UUID
    source: str
    type: str
    time: datetime
    partitionkey: UUID | None = None
    sequence: str | None = None
    after: str = ""
    traceparent: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"null")


_decoder = msgspec.json.Decoder(list[_Envelope])
_one_decoder = msgspec.json.Decoder(_Envelope)


class Arrival(Struct, frozen=True):
    """One event as it came over the wire; `body` is its JSON, not yet read."""

    producer: str
    stream: UUID
    sequence: int
    id: UUID
    type: str
    time: datetime
    after: Mapping[str, int]
    traceparent: str | None
    body: bytes


class Resend(msgspec.Struct, frozen=True):
    """A reader asks for a stream from this sequence number on; one from before the beginning asks for all of it.

    `to`: into which of its queues, if not the lane's.
    """

    stream: UUID
    sequence: Annotated[int, Meta(ge=-MOST_SEQUENCE, le=MOST_SEQUENCE)]
    to: QueueName = ""


class Resent(msgspec.Struct, frozen=True):
    """What a resend ends with. Whoever still misses something of the stream has to ask for it anew."""

    stream: UUID


class ReachAsked(msgspec.Struct, frozen=True):
    """A producer on a database of this identity asks how far its readers know its streams.

    It travels through each lane, so that an answer comes after everything that waited there before it.
    """

    identity: Identity
    lane: LaneNumber


class ReachTold(msgspec.Struct, frozen=True):
    """A reader's answer: for each stream of the producer the greatest sequence number that it has heard of.

    It comes in so many `parts`, numbered from 1.
    """

    identity: Identity
    lane: LaneNumber
    reach: Heads
    part: PartNumber = 1
    parts: PartNumber = 1


class Content(Struct, frozen=True):
    """What one message holds, in its order. Heads and resend requests stand outside of any stream."""

    senders: frozenset[str]
    arrivals: Sequence[Arrival]
    heads: Sequence[tuple[str, Mapping[UUID, int]]]
    """(producer, how far its streams reach)"""
    resends: Sequence[tuple[str, Resend]]
    """(reader, what it wants)"""
    resent: Sequence[tuple[str, Resent]]
    reach_asked: Sequence[tuple[str, ReachAsked]]
    reach_told: Sequence[tuple[str, ReachTold]]

    @property
    def is_control(self) -> bool:
        """Whether it says something beside events."""
        return bool(self.heads or self.resends or self.resent or self.reach_asked or self.reach_told)


class Unreadable(ValueError):
    """A message that is no CloudEvents batch of ours, or that could not be written down as it is."""


def envelope(source: str, row: "Mapping[str, Any] | asyncpg.Record") -> str:
    """The JSON of one event from its row of the event log."""
    stream = row["stream"]
    after = f'"after":"{row["after"]}",' if row["after"] else ""
    trace = f'"traceparent":"{row["traceparent"]}",' if row["traceparent"] else ""
    return (
        f'{{"specversion":"1.0","id":"{row["id"]}","source":"/{source}","type":"{row["type"]}",'
        f'"time":"{row["occurred_at"].isoformat()}","datacontenttype":"application/json",'
        f'"partitionkey":"{stream}","cooperative":"{stream}","sequence":"{row["sequence"]:020d}",'
        f'{after}{trace}"data":{row["data"]}}}'
    )


def control(source: str, kind: str, identifier: UUID, now: datetime, content: object) -> bytes:
    """A batch of one control event."""
    head = {"specversion": "1.0", "id": identifier, "source": f"/{source}", "type": kind, "time": now}
    return msgspec.json.encode([head | {"datacontenttype": "application/json", "data": content}])


def read(body: bytes) -> Content:
    """Reads a message. Raises Unreadable; control events of a kind that is not known are passed over."""
    if len(body) > MOST_MESSAGE_BYTES:
        raise Unreadable(f"{len(body)} bytes are more than any message of ours")
    try:
        envelopes = _decoder.decode(body)
        arrivals = [_arrival(e) for e in envelopes if e.sequence is not None]
        others = [e for e in envelopes if e.sequence is None]
        heads = [(_sender(e), msgspec.json.decode(e.data, type=Heads)) for e in others if e.type == HEADS]
        resends = [(_sender(e), msgspec.json.decode(e.data, type=Resend)) for e in others if e.type == RESEND]
        resent = [(_sender(e), msgspec.json.decode(e.data, type=Resent)) for e in others if e.type == RESENT]
        asked = [(_sender(e), msgspec.json.decode(e.data, type=ReachAsked)) for e in others if e.type == REACH_ASKED]
        told = [(_sender(e), msgspec.json.decode(e.data, type=ReachTold)) for e in others if e.type == REACH_TOLD]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(f"not a CloudEvents batch: {error}") from None
    senders = frozenset(source.removeprefix("/") for source in {e.source for e in envelopes})
    return Content(senders, arrivals, heads, resends, resent, asked, told)


def read_from(sender: str | None, senders: Collection[str], body: bytes) -> Content:
    """Reads a message of one of the senders, in its own name and about its own facts. Raises Unreadable.

    `sender` is whom the broker vouches for.
    """
    content = read(body)
    if content.senders - {sender}:
        raise Unreadable(f"sent by {sender!r} in the name of {sorted(content.senders)}")
    if content.senders - {*senders}:
        raise Unreadable(f"{sorted(content.senders)} has no business in this queue")
    for producer, kind in {(arrival.producer, arrival.type) for arrival in content.arrivals}:
        if not (kind.startswith(f"{producer}.") and _TYPE.fullmatch(kind)):  # else any could issue access keys
            raise Unreadable(f"{kind!r} is not an event of {producer}")
    return content


def read_one(text: str) -> Arrival:
    """One event as it was parked."""
    return _arrival(_one_decoder.decode(text))


def parked_json(arrival: Arrival) -> str:
    """The envelope to park an arrival with; `read_one` reads it back."""
    row = {
        "stream": arrival.stream,
        "id": arrival.id,
        "type": arrival.type,
        "occurred_at": arrival.time,
        "sequence": arrival.sequence,
        "after": ";".join(f"{producer}={sequence}" for producer, sequence in arrival.after.items()),
        "traceparent": arrival.traceparent,
        "data": arrival.body.decode(),
    }
    return envelope(arrival.producer, row)


def _sender(found: _Envelope) -> str:
    return found.source.removeprefix("/")


def _arrival(found: _Envelope) -> Arrival:
    if found.specversion != "1.0":
        raise Unreadable(f"CloudEvents {found.specversion!r} is not known")
    if found.partitionkey is None or found.sequence is None:
        raise Unreadable("partitionkey or sequence is missing")
    if found.time.tzinfo is None:
        raise Unreadable("time has no zone")
    return Arrival(
        _sender(found),
        found.partitionkey,
        _sequence(found.sequence),
        found.id,
        found.type,
        found.time,
        _causes(found.after),
        trace.well_formed(found.traceparent),
        _text(found.data),
    )


def _text(data: msgspec.Raw) -> bytes:
    """What is not read is not looked at by the decoder, and the database takes only text."""
    body = bytes(data)
    if not body.isascii():
        body.decode()
    return body


@lru_cache(maxsize=1024)
def _causes(text: str) -> Mapping[str, int]:
    """What must be applied before; the same for all that one transaction appends to a stream."""
    after: dict[str, int] = {}
    for part in filter(None, text.split(";")):
        producer, _, sequence = part.partition("=")
        if not _PRODUCER.fullmatch(producer):
            raise Unreadable("after is malformed")
        after[producer] = _sequence(sequence)
    return MappingProxyType(after)


def _sequence(text: str) -> int:
    if len(text) > 20 or not (text.isascii() and text.isdecimal()):
        raise Unreadable("a sequence number is malformed")
    number = int(text)
    if number > MOST_SEQUENCE:
        raise Unreadable("a sequence number is greater than any of ours")
    return number
