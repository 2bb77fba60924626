"""One day of notices, from the first basket until everybody is told or on the call list."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg
import httpx

from infra.demo.seed import first_operator_key
from infra.local.processes import ServiceProcess, ServiceProcesses
from infra.local.providers.everyone import Hooks
from infra.local.stack import Stack
from tests.perf.notices import market, told_seconds
from tests.perf.notices.books import LANES, Books, opened
from tests.perf.notices.counting import Change, Count, count
from tests.perf.notices.market import Cooperative, Household
from tests.perf.notices.weather import Receivers
from tests.perf.readers import declare_readers

AT_ONCE = 16


@dataclass(frozen=True)
class Plan:
    """How large, and how long things last. `kill_after` is the part of the households that is told by then."""

    cooperatives: int = 50
    households: int = 20
    seed: int = 1
    step_s: int = 25
    kill_after: float = 0.3
    away_s: float = 15
    timeout_s: float = 400


@dataclass
class Found:
    """What the day showed: the count from outside, and notify's own histogram of how long telling took."""

    count: Count
    metric: told_seconds.Histogram
    seconds: float
    refused: int
    lost: int
    cut_off: int
    """Requests that were under way when notify was killed."""


SETTINGS = {
    "NOTIFY_PROVIDER_TIMEOUT_S": "2",
    "NOTIFY_SMTP_TIMEOUT_S": "2",
    "NOTIFY_WEBHOOK_TIMEOUT_S": "2",
    "NOTIFY_UNKNOWN_AFTER_S": "40",  # more than any attempt takes, with a new token from Zalo in the middle of it
    "NOTIFY_ZALO_PER_SECOND": "60",
    "NOTIFY_SMS_PER_SECOND": "50",
    "NOTIFY_LEASE_S": "2",
}


class Run:
    """The day on a fresh running stack."""

    def __init__(self, stack: Stack, plan: Plan, say: Callable[[str], None]) -> None:
        self._stack, self._plan, self._say = stack, plan, say
        self._rng = random.Random(f"notices {plan.seed}")
        self._cooperatives = market.make(plan.cooperatives, plan.households, self._rng)
        self._receivers = Receivers(self._rng)
        self._day = market.tomorrow()
        self._said_at: dict[Change, datetime] = {}
        self._metric = told_seconds.Histogram()
        self._notify: ServiceProcess
        self._http: httpx.AsyncClient
        self._key = ""

    async def run(self) -> Found:
        """Raises TimeoutError where not everything comes to an end."""
        ServiceProcesses(self._stack, ["catalog", "allocation", "notify"]).migrate()
        async with self._running() as (catalog, allocation):
            await self._introduce(catalog)
            began = datetime.now(UTC)
            self._say(f"{self._plan.cooperatives} cooperatives share out: a basket for each household")
            for cooperative in self._cooperatives:
                await self._tell(allocation, cooperative, 1, cooperative.households)
            cut_off = await self._kill()
            await self._until_told(max(self._plan.kill_after + 0.25, 0.55))
            self._say(f"Zalo is away for {self._plan.away_s:.0f} s, and baskets change")
            await self._receivers.take_zalo_away()
            await self._change(allocation)
            await asyncio.sleep(self._plan.away_s)
            await self._receivers.bring_zalo_back()
            self._say("Zalo is back")
            await self._until("everybody is told or on the call list", self._at_rest)
            seconds = (datetime.now(UTC) - began).total_seconds()
            self._metric += await told_seconds.read(self._http, self._notify.url)
            found = count(self._said_at, self._receivers.arrived(), await self._calls(), self._households())
            weather = self._receivers.weather
            return Found(found, self._metric, seconds, weather.refused, weather.lost, cut_off)

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[tuple[Books, Books]]:
        async with AsyncExitStack() as closing:
            await closing.enter_async_context(self._receivers.running())
            environment = {**self._receivers.settings(), **SETTINGS}
            self._notify = ServiceProcess(self._stack, "notify", extra_environment=environment)
            self._notify.start()
            closing.callback(self._notify.stop)
            self._http = await closing.enter_async_context(httpx.AsyncClient(timeout=30, trust_env=False))
            hooks = Hooks(f"{self._notify.url}/v1/hooks/zalo", "", "")
            reporting = asyncio.create_task(self._receivers.everyone.report(hooks))
            closing.callback(reporting.cancel)
            self._key = await asyncio.to_thread(first_operator_key, self._stack)
            await asyncio.to_thread(self._notify.wait_until_ready)
            await declare_readers(self._stack, "notify", LANES)
            catalog, allocation = [
                await closing.enter_async_context(opened(self._stack, name)) for name in ("catalog", "allocation")
            ]
            yield catalog, allocation

    # -- Before the day ------------------------------------------------------------------------------------------

    async def _introduce(self, catalog: Books) -> None:
        """Notify comes to know everybody, and staff write down how households are reached."""
        for cooperative in self._cooperatives:
            await catalog.say(cooperative.cooperative_id, cooperative.opening())
        reachable = [h for h in self._households() if h.reachable]
        self._receivers.have_zalo(h.phone for h in reachable)
        await self._until("notify knows every cooperative", self._knows_everybody)
        await self._set_steps()
        places = asyncio.Semaphore(AT_ONCE)

        async def write_down(household: Household) -> None:
            async with places:
                await self._ask("POST", f"/v1/households/{household.household_id}/contacts", household.contact)

        async with asyncio.TaskGroup() as tasks:
            for household in reachable:
                tasks.create_task(write_down(household))

    async def _set_steps(self) -> None:
        """Shorter than the routes allow, or the run would take hours."""
        await self._query(
            "insert into notice_policy (cooperative_id, step_s, call_before_s, gather_s, remind_before_s, changed_at) "
            f"select cooperative_id, {self._plan.step_s}, 2700, 0, 0, now() from cooperative"
        )

    async def _knows_everybody(self) -> bool:
        return bool(await self._query("select count(*) from household") == len(self._households()))

    # -- The day -------------------------------------------------------------------------------------------------

    async def _tell(self, books: Books, of: Cooperative, version: int, households: Any) -> None:
        now = datetime.now(UTC)
        self._said_at |= {(h.household_id, version): now for h in households}
        await books.say(of.cooperative_id, [of.basket(h, version, self._day) for h in households])

    async def _change(self, allocation: Books) -> None:
        """Of some households, and of some of these again while the change before is on its way."""
        for version, part in ((2, market.CHANGED), (3, market.CHANGED_AGAIN)):
            for cooperative in self._cooperatives:
                known = [h for h in cooperative.households if (h.household_id, version - 1) in self._said_at]
                changed = [h for h in known if self._rng.random() < part]
                if changed:
                    await self._tell(allocation, cooperative, version, changed)

    async def _kill(self) -> int:
        """SIGKILL while providers have taken messages and have not answered; returns how many."""
        await self._until_told(self._plan.kill_after)
        gate, weather = self._receivers.gate, self._receivers.weather
        weather.fair = True
        gate.shut()

        async def stuck() -> bool:
            before = gate.waiting
            await asyncio.sleep(0.5)
            return gate.waiting == before > 0

        await self._until("requests are under way", stuck)
        cut_off = gate.waiting
        self._metric += await told_seconds.read(self._http, self._notify.url)
        await asyncio.to_thread(self._notify.kill)
        self._say(f"notify is killed (SIGKILL) with {cut_off} requests under way, and started again")
        gate.reopen()
        weather.fair = False
        self._notify.start()
        await asyncio.to_thread(self._notify.wait_until_ready)
        return cut_off

    async def _until_told(self, part: float) -> None:
        wanted = part * len(self._households())

        async def told() -> bool:
            return len({one.to for _, one in self._receivers.arrived()}) >= wanted

        await self._until(f"{part:.0%} of the households are told", told)

    async def _at_rest(self) -> bool:
        """Asked of our tables, since receivers cannot know what is still to come; nothing is counted by them."""
        waiting = await self._query("select count(*) from notice where state = 'queued'")
        known = await self._query("select count(*) from notice where kind = 'basket'")
        sending = await self._query("select count(*) from delivery where state in ('queued', 'sending')")
        return not waiting and not sending and known == len(self._said_at) and self._receivers.everyone.all_heard

    async def _calls(self) -> list[tuple[Change, str]]:
        found: list[tuple[Change, str]] = []
        for cooperative in self._cooperatives:
            answer = await self._ask("GET", f"/v1/cooperatives/{cooperative.cooperative_id}/call-list")
            members = {str(h.household_id): h for h in cooperative.households}
            found += [((members[c["household_id"]].household_id, c["version"]), c["state"]) for c in answer["calls"]]
        return found

    # -- Means ---------------------------------------------------------------------------------------------------

    def _households(self) -> list[Household]:
        return [h for cooperative in self._cooperatives for h in cooperative.households]

    async def _ask(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"authorization": f"Bearer {self._key}"}
        answer = await self._http.request(method, self._notify.url + path, json=body, headers=headers)
        answer.raise_for_status()
        return answer.json()

    async def _query(self, query: str) -> Any:
        connection = await asyncpg.connect(self._stack.dsn("notify"))
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    async def _until(self, what: str, holds: Callable[[], Awaitable[bool]]) -> None:
        try:
            async with asyncio.timeout(self._plan.timeout_s):
                while not await holds():  # noqa: ASYNC110 - other processes cannot set an event of this one
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise TimeoutError(f"after {self._plan.timeout_s:.0f} s it is still not so that {what}") from None
