"""The market day itself, from the offers to the settlement, driven through the public interfaces."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg

from infra.demo.calls import call_everybody
from infra.demo.client import Client
from infra.demo.evening import Evening, EveningResult
from infra.demo.law import Databases, mapping
from infra.demo.peers import Received, WebhookReceiver
from infra.demo.pushes import Plan, Push, Script
from infra.demo.reach import SPECIALISED
from infra.demo.seed import Seed, SeededCooperative, until
from infra.demo.world import COOPERATIVES, ZONE, Cooperative

ORDERS = {"van-ho": (120, 80), "chieng-mai": (70, 40)}
"""How many orders each shop of a cooperative brings, in the order of its shops."""

SIDE_BY_SIDE = 16
"""Scripts of pushes that run at the same time."""

Say = Callable[[str], None]


@dataclass
class DayResult:
    """What the day's driver saw from outside."""

    delivery_day: date
    offers: dict[str, list[str]] = field(default_factory=dict)
    """slug → offer ids of the delivery day"""
    pushed: Counter[str] = field(default_factory=Counter)
    """kind of push → how many"""
    answers: Counter[int] = field(default_factory=Counter)
    refs: set[tuple[str, str]] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    """What was not answered as it should have been."""
    set_aside: int = 0
    """Malformed pushes that were kept for an operator, as their platform must not see a refusal."""
    called: list[str] = field(default_factory=list)
    """Households that were called, since no channel reached them."""
    evening: EveningResult = field(default_factory=EveningResult)


class Day:
    """One delivery day of the seeded cooperatives on a running stack."""

    def __init__(
        self,
        client: Client,
        seed: Seed,
        databases: Databases,
        receiver: WebhookReceiver,
        say: Say,
        random_seed: int = 1,
    ) -> None:
        self._client, self._seed, self._databases = client, seed, databases
        self._receiver, self._say, self._random_seed = receiver, say, random_seed
        self._zone = ZoneInfo(ZONE)
        self.result = DayResult(datetime.now(self._zone).date() + timedelta(days=1))

    @property
    def received(self) -> Received:
        """What the receivers got."""
        return self._receiver.received

    async def run(self) -> DayResult:
        """Offers, orders, promises, cut-off, baskets, notices, answers, arrivals and settlement.

        Raises TimeoutError where a step never completes.
        """
        pairs = list(zip(COOPERATIVES, self._seed.cooperatives, strict=True))
        for cooperative, seeded in pairs:
            await self._publish(cooperative, seeded)
            await self._set_endpoints(seeded)
        await self._until("the offers are known to orders and allocation", self._offers_known)
        scripts = [script for pair in pairs for script in self._scripts(*pair)]
        self._say(f"partners push {sum(map(len, scripts))} times, {SIDE_BY_SIDE} side by side")
        await self._push_all(scripts)
        await self._until("every order is promised", self._all_promised)
        self._say("staff move the cut-off to now; intake closes and the baskets are shared out")
        for _, seeded in pairs:
            await self._close_intake(seeded)
        await self._until("every household and partner is told, or is on the call list", self._all_noticed)
        await self._call_everybody()
        await self._until("every household is told", self._all_told)

        async def settled_down() -> None:
            await self._until("everybody is told what has changed", self._at_rest)
            await self._call_everybody()
            await self._until("nobody is left out", self._all_told)

        evening = Evening(self._client, self._seed, self.received, settled_down)
        self.result.evening = await evening.run(self.result.delivery_day, self._say)
        self.result.wrong += self.result.evening.wrong
        return self.result

    async def _publish(self, cooperative: Cooperative, seeded: SeededCooperative) -> None:
        day = self.result.delivery_day
        arrive_by = datetime.combine(day, time.fromisoformat(cooperative.arrive_by_time), self._zone)
        cut_off = datetime.now(UTC) + timedelta(minutes=10)
        offers = [
            {
                "product_code": product.code,
                "delivery_day": day.isoformat(),
                "price_vnd": product.price_vnd,
                "cut_off_at": cut_off.isoformat(),
                "arrive_by_at": arrive_by.isoformat(),
                "repeats_daily": True,
                "pledges": [
                    {"household_code": code, "quantity_steps": max(1, product.pledged_steps - 2 * (n % 5))}
                    for n, code in enumerate(seeded.households)
                    if SPECIALISED.get((cooperative.slug, n), product.code) == product.code
                ],
            }
            for product in cooperative.products
        ]
        staff = self._client.speaking_as(seeded.staff_key)
        answer = await staff.ask("catalog", "POST", f"/v1/cooperatives/{seeded.slug}/offers", {"offers": offers})
        self.result.offers[seeded.slug] = [offer["offer_id"] for offer in answer["offers"]]
        self._say(f"{cooperative.name}: {len(offers)} offers for {day:%d/%m/%Y}")

    async def _set_endpoints(self, seeded: SeededCooperative) -> None:
        staff = self._client.speaking_as(seeded.staff_key)
        for partner in seeded.partners:
            body = {"cooperative": seeded.cooperative_id, "url": self._receiver.url(partner.partner_id), "secret": None}
            answer = await staff.ask("notify", "PUT", f"/v1/partners/{partner.partner_id}/webhook", body)
            partner.webhook_secret = self._receiver.secrets[partner.partner_id] = answer["secret"]

    def _scripts(self, cooperative: Cooperative, seeded: SeededCooperative) -> list[Script]:
        plan = Plan(cooperative, self.result.delivery_day, datetime.now(UTC), self._random_seed)
        scripts: list[Script] = []
        for shop, partner, orders in zip(cooperative.shops, seeded.partners, ORDERS[seeded.slug], strict=True):
            good = list(plan.scripts(shop, partner, orders))
            self.result.refs |= {(partner.partner_id, script[0].partner_ref) for script in good}
            scripts += [*good, *plan.refused(shop, partner)]
        return scripts

    async def _push_all(self, scripts: Sequence[Script]) -> None:
        places = asyncio.Semaphore(SIDE_BY_SIDE)

        async def run(script: Script) -> None:
            async with places:
                for push in script:
                    await self._push(push)

        async with asyncio.TaskGroup() as tasks:
            for script in scripts:
                tasks.create_task(run(script))

    async def _push(self, push: Push) -> None:
        answer = await self._client.push(push.partner.push_path, push.body, push.headers)
        self.result.pushed[push.kind] += 1
        self.result.answers[answer.status_code] += 1
        if answer.status_code not in push.right:
            said = f"{push.kind} {push.ref}: {answer.status_code} instead of {push.right}: {answer.text[:300]}"
            self.result.wrong.append(said)
        elif push.kind == "wait" and any(line["promise"] is None for line in answer.json()["lines"]):
            self.result.wrong.append(f"wait {push.ref}: no promise in {answer.text[:300]}")
        elif answer.status_code == 422 and not answer.json().get("errors"):
            self.result.wrong.append(f"{push.kind} {push.ref}: the problem names no field")
        elif push.kind == "malformed" and answer.status_code == 200:
            self.result.set_aside += 1

    async def _call_everybody(self) -> None:
        """Those whom no channel reaches."""
        if called := await call_everybody(self._client, self._seed):
            self._say(f"staff call {', '.join(called)}, whom no channel reached")
            self.result.called += called

    async def _close_intake(self, seeded: SeededCooperative) -> None:
        staff = self._client.speaking_as(seeded.staff_key)
        for offer_id in self.result.offers[seeded.slug]:
            soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
            await staff.ask("catalog", "PATCH", f"/v1/offers/{offer_id}", {"cut_off_at": soon})

    async def _offers_known(self) -> bool:
        offers = [offer for ids in self.result.offers.values() for offer in ids]
        known_to_orders = "select count(*) from offer where offer_id = any($1::uuid[])"
        known_to_allocation = "select count(*) from offer_book where offer_id = any($1::uuid[])"
        for name, query in (("orders", known_to_orders), ("allocation", known_to_allocation)):
            if await self._databases[name].fetchval(query, offers) < len(offers):
                return False
        return True

    async def _all_promised(self) -> bool:
        waiting = await self._databases["orders"].fetchval(
            "select count(*) from customer_order where promised_at is null and announced and state <> 'cancelled'"
        )
        return bool(waiting == 0) and await self._at_rest()

    async def _at_rest(self) -> bool:
        """Whether no event waits for the relay or a reader, nobody has to be told, and nothing came while we looked."""
        heads = await self._heads()
        for name, database in self._databases.items():
            waiting = await database.fetchval(
                "select count(*) from stream_head h left join relay_cursor c using (stream)"
                " where h.last_sequence > coalesce(c.sequence, 0)"
            )
            if waiting:
                return False
            for reader, other in self._databases.items():
                if reader == name:
                    continue
                cursors = await other.fetch("select stream, sequence from consumer_cursor where producer = $1", name)
                if any(row["sequence"] < heads[name].get(row["stream"], 0) for row in cursors):
                    return False
        untold = await self._databases["notify"].fetchval(
            "select (select count(*) from notice where state = 'queued' and not_before <= now())"
            " + (select count(*) from partner_message where next_at is not null)"
        )
        return bool(untold == 0) and await self._heads() == heads

    async def _heads(self) -> dict[str, dict[Any, Any]]:
        """How far each stream of each service has come."""
        query = "select stream, last_sequence from stream_head"
        return {name: await mapping(database, query) for name, database in self._databases.items()}

    async def _all_noticed(self) -> bool:
        """Whether every household has a basket, and nothing of that is still on its way."""
        return await self._all_have("true") and await self._at_rest()

    async def _all_told(self) -> bool:
        return await self._all_have("told_at is not null") and await self._at_rest()

    async def _all_have(self, condition: str) -> bool:
        households = sum(len(seeded.households) for seeded in self._seed.cooperatives)
        found = await self._databases["allocation"].fetchval(
            f"select count(distinct household_id) from basket_version where delivery_day = $1 and {condition}",  # noqa: S608 - only fixed text
            self.result.delivery_day,
        )
        return bool(found == households)

    async def _until(self, what: str, holds: Callable[[], Awaitable[bool]], timeout_s: float = 60) -> None:
        began = datetime.now(UTC)
        try:
            await until(holds, timeout_s)
        except TimeoutError:
            raise TimeoutError(f"after {timeout_s:.0f} s it is still not so that {what}") from None
        self._say(f"{what} ({(datetime.now(UTC) - began).total_seconds():.1f} s)")


async def connect_all(dsns: dict[str, str]) -> "dict[str, asyncpg.Connection[asyncpg.Record]]":
    """A connection to each service's database, for looking at the books."""
    return {name: await asyncpg.connect(dsn) for name, dsn in dsns.items()}
