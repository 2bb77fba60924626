"""One service's clock is ten minutes wrong for a while; leases, retries and promises do not follow it.

Signatures do, and must. Orders refuses the pushes that are signed with their time, and partners refuse what notify
signs: both sides try again, and all is well once the clock is right. A fast clock of orders closes intake early.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial

import httpx

from infra.demo.client import Client
from infra.local.binaries import clock_moved_by, faketime
from infra.local.errors import LocalStackError
from tests.chaos import settled
from tests.chaos.arena import Arena
from tests.chaos.scenario import scenario

OFF = timedelta(minutes=10)
ENOUGH = 20
"""Refusals that show that a signature's time is looked at."""
_LEASES = "select count(*) from relay_lease where until between now() and now() + interval '1 minute'"
_OPEN = "select count(*) from offer where state = 'open'"


def _no_faketime() -> str | None:
    try:
        faketime()
    except LocalStackError as error:
        return str(error)
    return None


@asynccontextmanager
async def _wrong_clock(arena: Arena, service: str, off: timedelta) -> AsyncIterator[None]:
    """The service is started anew with the wrong clock, and at the end with the right one."""
    usual = dict(arena.environment[service])
    arena.environment[service] |= clock_moved_by(off)
    await arena.restart(service)
    said = (await arena.client.http.get(f"{arena.services[service].url}/healthz")).headers["date"]
    wrong_by = parsedate_to_datetime(said) - datetime.now(UTC)
    assert abs(wrong_by - off) < timedelta(minutes=1), f"the clock of {service} is wrong by {wrong_by}"
    yield
    await arena.until(
        f"{service} holds a lease that the database's clock calls one", partial(arena.books.value, service, _LEASES)
    )
    arena.environment[service] = usual
    await arena.restart(service)


async def _unnoticed(arena: Arena, service: str, off: timedelta) -> None:
    """All goes on while the clock is wrong."""
    await arena.load.until(0.2)
    async with _wrong_clock(arena, service, off):
        await arena.load.until((arena.load.answered + 100) / arena.load.planned)
        await settled.until_healed(arena, await settled.moment(arena))


@scenario("clock ten minutes fast", cannot_run=_no_faketime)
async def fast(arena: Arena) -> None:
    """In allocation; in catalog it would rightly refuse offers whose cut-off seems past."""
    await _unnoticed(arena, "allocation", OFF)


@scenario("clock ten minutes slow", cannot_run=_no_faketime)
async def slow(arena: Arena) -> None:
    """In catalog or allocation."""
    await _unnoticed(arena, arena.random.choice(["catalog", "allocation"]), -OFF)


# -- Orders ----------------------------------------------------------------------------------------------------


class NotBelieved(httpx.TransportError):
    """401, which is no certain answer for a partner that knows its secret to be right."""


class InsistentClient(Client):
    """Pushes of partners that try again after 401, as after 503."""

    async def push(self, path: str, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
        """As its parent. Raises NotBelieved."""
        answer = await super().push(path, body, headers)
        if answer.status_code == 401:
            raise NotBelieved(answer.text[:300])
        return answer


async def _with_insistent_partners(arena: Arena) -> None:
    arena.client = InsistentClient(arena.stack, arena.client.http, arena.client.key)


async def _until_refused(arena: Arena) -> None:
    async def refused() -> bool:
        return arena.load.answers[NotBelieved.__name__] >= ENOUGH

    await arena.until("pushes are refused", refused)


@scenario("orders' clock ten minutes fast", before_services=_with_insistent_partners, cannot_run=_no_faketime)
async def orders_fast(arena: Arena) -> None:
    """Signed pushes are refused, and every offer with a cut-off in the next ten minutes takes no more orders."""
    await arena.load.until(0.2)
    assert await arena.books.value("orders", _OPEN)
    async with _wrong_clock(arena, "orders", OFF):
        await _until_refused(arena)
        await arena.until("intake is closed before its time", partial(_is_closed, arena))


async def _is_closed(arena: Arena) -> bool:
    return not await arena.books.value("orders", _OPEN)


@scenario("orders' clock ten minutes slow", before_services=_with_insistent_partners, cannot_run=_no_faketime)
async def orders_slow(arena: Arena) -> None:
    """Signed pushes are refused, and offers are open."""
    await arena.load.until(0.2)
    async with _wrong_clock(arena, "orders", -OFF):
        await _until_refused(arena)
        assert not await _is_closed(arena)


# -- Notify ----------------------------------------------------------------------------------------------------


@scenario("notify's clock ten minutes fast", cannot_run=_no_faketime)
async def notify_fast(arena: Arena) -> None:
    """Partners refuse its webhooks. What it puts off by its own clock is due ten minutes late, or when staff say so."""
    await _refused_webhooks(arena, OFF)
    for member in arena.world.members:
        staff = arena.client.speaking_as(member.seeded.staff_key)
        for partner in member.seeded.partners:
            await staff.ask("notify", "POST", f"/v1/partners/{partner.partner_id}/webhook/enable")


@scenario("notify's clock ten minutes slow", cannot_run=_no_faketime)
async def notify_slow(arena: Arena) -> None:
    """Partners refuse its webhooks until it is right again, and get them then."""
    await _refused_webhooks(arena, -OFF)


async def _refused_webhooks(arena: Arena, off: timedelta) -> None:
    await arena.load.until(0.2)
    refused = arena.received.bad_signatures
    assert not refused, refused[0]
    async with _wrong_clock(arena, "notify", off):

        async def enough() -> bool:
            return len(refused) >= ENOUGH

        await arena.until("partners refuse its webhooks", enough)
    wrong = [it for it in refused if "timestamp too" not in it]
    assert not wrong, wrong[0]
    refused.clear()
