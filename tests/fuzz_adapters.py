"""Mutated pushes at every adapter: nothing but BadSignature and Malformed may come back, and what is read is sound.

python -m tests.fuzz_adapters --seconds 60 [--seed 7] [--only shopify]
"""

import argparse
import json
import random
import string
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from services.orders.adapters import ADAPTERS
from services.orders.adapters.base import BadSignature, Malformed, Pull, Request
from services.orders.domain.command import OrderCommand
from tests.support.platforms import PLATFORMS
from tests.support.platforms.base import NOW, Platform, commands, pulls

STRANGE: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, 10**15, 10**30, -(10**30)),
    *(0.1, 1e-300, 1e300, -0.0, 1.0000001),
    *("", " ", "0", "-1", "1e5", "NaN", "٣", "1,5", "1.5", "x" * 600, "\x00", "\ud800", "😀", "\u202e", "Lò\nMai"),
    *("2026-11-23T06:00:00", "2026-13-45T99:99:99Z", "9999-12-31T23:59:59Z", "0000-00-00T00:00:00", "1795410000"),
    *([], {}, [[]], [None], {"": None}, {"@id": 5}, {"@id": {}}, ["x"] * 250),
)
BYTES = (b"", b"\xff", b"\x00", b"{", b"}", b"[", b'"', b"1e999", b"NaN", b"\\ud800", b"\xed\xa0\x80", b"9" * 30, b"-")
HEADERS = (
    "",
    "x",
    "\x00",
    "\xff",
    "é",
    "order.updated",
    "orders/create",
    "orders/delete",
    "application/json",
    "9" * 50,
)


def mutated(platform: Platform, draw: random.Random) -> Request:
    """One push of the story with something wrong in its body, its bytes, its headers or its query."""
    told = draw.choice(platform.story)
    body = told.body
    for _ in range(draw.choice((0, 1, 1, 1, 2, 5))):
        body = _mutate(body, draw)
    raw = json.dumps(body).encode()
    if draw.random() < 0.25:
        raw = _mutate_bytes(raw, draw)
    headers, query = dict(told.headers), {}
    if draw.random() < 0.15:
        names = [*headers, "content-type", "date", "ce-specversion", "x-sapo-tenant-domain", "prefer"]
        headers[draw.choice(names)] = draw.choice(HEADERS)
    push = platform.push_raw(raw, headers)
    headers, query = dict(push.headers), dict(push.query)
    if draw.random() < 0.15 and headers:
        headers[draw.choice(sorted(headers))] = draw.choice(HEADERS)
    if draw.random() < 0.1:
        query[draw.choice(("key", "hub.mode", "hub.challenge"))] = draw.choice(HEADERS)
    method = "GET" if draw.random() < 0.05 else "POST"
    return Request(method, push.url, query, headers, push.raw, NOW)


def _mutate(value: Any, draw: random.Random) -> Any:
    """The same with one place changed, added, doubled or left out."""
    if draw.random() < 0.12 or not isinstance(value, dict | list) or not value:
        return draw.choice(STRANGE)
    if isinstance(value, list):
        place = draw.randrange(len(value))
        how = draw.random()
        if how < 0.1:
            return value[:place] + value[place + 1 :]
        if how < 0.2:
            return value + [value[place]] * draw.choice((1, 2, 250))
        return [*value[:place], _mutate(value[place], draw), *value[place + 1 :]]
    name = draw.choice(list(value))
    how = draw.random()
    if how < 0.1:
        return {key: one for key, one in value.items() if key != name}
    if how < 0.15:
        return value | {draw.choice(("id", "data", "status", "@type", "order")): draw.choice(STRANGE)}
    return value | {name: _mutate(value[name], draw)}


def _mutate_bytes(raw: bytes, draw: random.Random) -> bytes:
    start = draw.randrange(len(raw) + 1)
    end = min(len(raw), start + draw.choice((0, 1, 1, 5, 50)))
    return raw[:start] + draw.choice(BYTES) + raw[end:]


def attempt(platform: Platform, request: Request) -> str:
    """What the adapter says to it. Raises whatever it should not raise; AssertionError for what is not sound."""
    adapter = ADAPTERS[platform.name]
    with suppress(BadSignature):  # it is read all the same: the mutation may only have broken the signature
        adapter.verify(platform.credentials, request, NOW)
    try:
        found = adapter.read(platform.credentials, request)
    except Malformed as error:
        json.dumps([*error.fields], ensure_ascii=False).encode()
        return "malformed" if error.fields else "refused without a reason"
    for command in commands(found):
        sound(command)
    for pull in pulls(found):
        sound_pull(pull)
    return type(found).__name__


def sound(command: OrderCommand) -> None:
    """What the database and the rest of the service rely on."""
    assert 1 <= len(command.partner_ref) <= 200
    texts = [command.partner_ref, *(line.sku for line in command.lines)]
    if command.contact:
        texts += filter(None, (command.contact.name, command.contact.phone, command.contact.address))
    for text in texts:
        assert "\x00" not in text
        text.encode()
    numbers = [line.line_no for line in command.lines]
    assert len(set(numbers)) == len(numbers)
    assert all(1 <= number < 2**31 for number in numbers)
    for line in command.lines:
        assert 1 <= len(line.sku) <= 100
        assert isinstance(line.quantity, Decimal)
        assert 0 < line.quantity < 10**6
        assert line.quantity == round(line.quantity, 6)
        assert line.price_vnd is None or (type(line.price_vnd) is int and 0 <= line.price_vnd < 2**63)
    assert command.revision.updated_at.tzinfo is not None
    assert datetime(1999, 1, 1, tzinfo=UTC) < command.revision.updated_at
    assert 0 <= command.revision.status_rank < 2**15


def sound_pull(pull: Pull) -> None:
    """The same of an order that is to be pulled; its number goes into the platform's API as it is."""
    assert 1 <= len(pull.partner_ref) <= 100
    assert set(pull.partner_ref) <= set(string.ascii_letters + string.digits + "_-")
    for text, most in ((pull.key, 500), (pull.status, 100)):
        assert 1 <= len(text) <= most
        assert "\x00" not in text
        text.encode()
    if pull.updated_at is not None:
        assert pull.updated_at.tzinfo is not None
        assert datetime(1999, 1, 1, tzinfo=UTC) < pull.updated_at < datetime(2201, 1, 1, tzinfo=UTC)


def outcomes(platform: Platform, draw: random.Random, go_on: Callable[[int], bool]) -> Iterator[str]:
    """What becomes of one mutated push after the other, as long as it is to go on."""
    count = 0
    while go_on(count):
        request = mutated(platform, draw)
        try:
            yield attempt(platform, request)
        except Exception as error:
            error.add_note(f"{platform.name}: {request.method} {request.query} {request.headers}\n{request.raw!r}")
            raise
        count += 1


def main() -> None:
    """Goes through all adapters, or the one that is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="for each adapter")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=sorted(PLATFORMS))
    options = parser.parse_args()
    for name in [options.only] if options.only else sorted(PLATFORMS):
        until, counted = time.monotonic() + options.seconds, dict[str, int]()
        draw = random.Random(f"{options.seed} {name}")
        for outcome in outcomes(PLATFORMS[name], draw, lambda _, until=until: time.monotonic() < until):  # type: ignore[misc]
            counted[outcome] = counted.get(outcome, 0) + 1
        print(f"{name}: {sum(counted.values())} pushes, {counted}", flush=True)


if __name__ == "__main__":
    main()
