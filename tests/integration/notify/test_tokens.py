"""Tokens whose refresh token is good once: one refresher at a time, nothing lost that can be kept, loss found out."""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from infra.local.providers import Trouble, serve
from infra.local.providers.zalo import Zalo
from infra.local.stack import Stack
from services.chassis.database import open_pool
from services.chassis.ledger import Ledger, T, Transaction
from services.notify import tokens as module
from services.notify.channels.zalo_oauth import ZaloOauth
from services.notify.store.provider_tokens import get_tokens
from services.notify.tokens import NoToken, TokenMetrics, Tokens, Unauthorised
from tests.support.servers import fresh_database

TABLE = Path(module.__file__).parent / "migrations" / "0008_provider_tokens.sql"
SEED = "refresh-0"


@dataclass
class Wall:
    now: datetime = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Desk:
    """Zalo's token endpoint, a database, and processes that want tokens."""

    zalo: Zalo
    url: str
    dsn: str
    clock: Wall
    pools: list["asyncpg.Pool[asyncpg.Record]"] = field(default_factory=list)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    async def process(self, seed: str = SEED, secret: str | None = None) -> Tokens:
        """As one more process has them."""
        ledger = Ledger(await self.pool(), lambda _: 0, lambda _: None)
        return self.on(ledger, seed, secret)

    def on(self, ledger: Ledger, seed: str = SEED, secret: str | None = None) -> Tokens:
        oauth = ZaloOauth(self.url, self.zalo.app_id, secret or self.zalo.app_secret)
        self.registry = CollectorRegistry()
        return Tokens(ledger, "zalo", oauth.next_pair, seed, self.clock, TokenMetrics(self.registry))

    async def pool(self) -> "asyncpg.Pool[asyncpg.Record]":
        pool = await open_pool(SecretStr(self.dsn), 5, "tokens test")
        self.pools.append(pool)
        return pool

    def good(self, access: str) -> bool:
        return self.zalo.access_tokens[access] > self.clock.now

    def metric(self, name: str) -> float | None:
        return self.registry.get_sample_value(f"notify_provider_token_{name}", {"provider": "zalo"})


@pytest.fixture
async def desk(stack: Stack) -> AsyncIterator[Desk]:
    clock = Wall()
    zalo = Zalo(refresh_token=SEED, clock=clock)
    async with fresh_database(stack, "notify") as dsn, serve(zalo.app) as url:
        conn = await asyncpg.connect(dsn)
        await conn.execute(TABLE.read_text("utf-8"))
        await conn.close()
        desk = Desk(zalo, url, dsn, clock)
        yield desk
        for pool in desk.pools:
            await pool.close()


async def test_the_first_pair_comes_from_the_settings_and_the_next_from_the_table(desk: Desk) -> None:
    tokens = await desk.process()
    first = await tokens.access()
    assert first == await tokens.access() == await (await desk.process()).access()
    desk.clock.now += timedelta(hours=25)
    second = await (await desk.process("another setting, which is not needed")).access()
    assert (desk.good(second), second != first, desk.zalo.renewals) == (True, True, 2)
    assert desk.metric("renewals_total") == 1


async def test_many_processes_that_need_a_token_at_once_ask_once(desk: Desk) -> None:
    processes = [await desk.process() for _ in range(4)]
    got = await asyncio.gather(*(tokens.access() for tokens in processes for _ in range(3)))
    assert (len(set(got)), desk.zalo.renewals) == (1, 1)
    again = await asyncio.gather(*(tokens.access(refused=got[0]) for tokens in processes for _ in range(3)))
    assert (len(set(again)), desk.zalo.renewals) == (1, 2)
    assert desk.zalo.refused == []


async def test_it_is_renewed_ahead_of_its_end_and_shown(desk: Desk) -> None:
    tokens = await desk.process()
    assert not await tokens.keep_fresh(desk.clock.now)
    assert desk.metric("left_seconds") == 25 * 3600
    desk.clock.now += timedelta(hours=20, minutes=59)
    await tokens.keep_fresh(desk.clock.now)
    assert desk.zalo.renewals == 1
    desk.clock.now += timedelta(minutes=1)
    await tokens.keep_fresh(desk.clock.now)
    assert (desk.zalo.renewals, desk.metric("left_seconds")) == (2, 25 * 3600)


@pytest.mark.parametrize(
    "trouble",
    [Trouble(status=500), Trouble(code=-32), Trouble(code=None), Trouble(drop=True), Trouble(code="?")],
    ids=["500", "rate", "nothing in it", "drop", "no code"],
)
async def test_what_passes_by_itself_is_waited_for(desk: Desk, trouble: Trouble) -> None:
    tokens = await desk.process()
    desk.zalo.troubles.append(trouble)
    with pytest.raises(NoToken) as caught:
        await tokens.access()
    assert not isinstance(caught.value, Unauthorised)
    assert desk.good(await tokens.access())


async def test_a_lost_answer_is_found_out_while_the_old_token_still_opens_everything(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    tokens = await desk.process()
    access = await tokens.access()
    desk.clock.now += timedelta(hours=21)
    desk.zalo.troubles.append(Trouble(drop=True, taken=True))
    with caplog.at_level(logging.WARNING):
        await tokens.keep_fresh(desk.clock.now)
        assert desk.metric("refused") == 0
        await tokens.keep_fresh(desk.clock.now)
    assert await tokens.access() == access
    assert desk.metric("refused") == 1
    assert "Authorise the application again" in caplog.text
    assert all(secret not in caplog.text for secret in (SEED, access, desk.zalo.refresh_token, "refresh-1"))


async def test_a_refused_token_is_tried_again_only_now_and_then(desk: Desk) -> None:
    tokens = await desk.process(seed="never given out")
    for _ in range(3):
        with pytest.raises(Unauthorised):
            await tokens.access()
    assert desk.zalo.refused == ["-14014"]
    desk.clock.now += timedelta(minutes=10)
    with pytest.raises(Unauthorised):
        await tokens.access()
    assert desk.zalo.refused == ["-14014"] * 2


async def test_a_wrong_secret_heals_when_it_is_put_right(desk: Desk) -> None:
    with pytest.raises(Unauthorised):
        await (await desk.process(secret="wrong")).access()
    desk.clock.now += timedelta(minutes=10)
    assert desk.good(await (await desk.process()).access())
    assert desk.metric("refused") == 0


async def test_a_new_token_in_the_settings_takes_the_place_of_a_refused_one(desk: Desk) -> None:
    await (await desk.process()).access()
    desk.clock.now += timedelta(hours=25)
    fresh = desk.zalo.authorise_again()
    with pytest.raises(Unauthorised):
        await (await desk.process()).access()
    tokens = await desk.process(seed=fresh)
    access = await tokens.access()
    assert desk.good(access)
    assert await (await desk.process()).access() == access


async def test_a_pair_that_was_given_out_is_saved_when_the_database_comes_back(desk: Desk) -> None:
    class Cut(Ledger):
        """Loses the connection after all the work, twice."""

        left = 2

        async def transact(self, decide: Callable[[Transaction], Awaitable[T]]) -> T:
            async def cut(tx: Transaction) -> T:
                result = await decide(tx)
                if self.left:
                    self.left -= 1
                    raise ConnectionResetError
                return result

            return await super().transact(cut)

    tokens = desk.on(Cut(await desk.pool(), lambda _: 0, lambda _: None))
    access = await tokens.access()
    assert (desk.good(access), desk.zalo.renewals) == (True, 1)
    assert await (await desk.process()).access() == access


async def test_who_stops_waiting_does_not_waste_the_token(desk: Desk) -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()
    tokens = await desk.process()
    ask = tokens._ask

    async def slow(refresh: str) -> module.Pair:
        pair = await ask(refresh)
        asked.set()
        await go_on.wait()
        return pair

    tokens._ask = slow
    waiting = asyncio.create_task(tokens.access())
    await asked.wait()
    waiting.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert desk.good(await (await desk.process()).access())
    assert desk.zalo.renewals == 1


async def test_a_death_between_the_answer_and_the_commit_is_found_out_and_healed(desk: Desk) -> None:
    async with _doomed(desk) as doomed:
        assert await doomed.wait() == -9
    assert desk.zalo.renewals == 1
    assert await get_tokens(await desk.pool(), "zalo") is None
    with pytest.raises(Unauthorised):
        await (await desk.process()).access()
    assert desk.metric("refused") == 1
    fresh = desk.zalo.authorise_again()
    assert desk.good(await (await desk.process(seed=fresh)).access())


@asynccontextmanager
async def _doomed(desk: Desk) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that dies when it has the next pair and everything is done but the commit."""
    program = (
        "import asyncio, sys\n"
        "from prometheus_client import CollectorRegistry\n"
        "from pydantic import SecretStr\n"
        "from services.chassis import faultpoints\n"
        "from services.chassis.database import open_pool\n"
        "from services.chassis.ledger import Ledger\n"
        "from services.notify.channels.zalo_oauth import ZaloOauth\n"
        "from services.notify.clock import wall_clock\n"
        "from services.notify.tokens import TokenMetrics, Tokens\n"
        "async def main(dsn, url, app_id, secret, seed):\n"
        "    ledger = Ledger(await open_pool(SecretStr(dsn), 2, 'doomed'), lambda _: 0, lambda _: None)\n"
        "    ask = ZaloOauth(url, app_id, secret).next_pair\n"
        "    faultpoints.arm('before_commit')\n"
        "    await Tokens(ledger, 'zalo', ask, seed, wall_clock, TokenMetrics(CollectorRegistry())).access()\n"
        "asyncio.run(main(*sys.argv[1:]))\n"
    )
    arguments = (desk.dsn, desk.url, desk.zalo.app_id, desk.zalo.app_secret, SEED)
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, *arguments)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
