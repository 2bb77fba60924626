"""The day's load: partners that push and staff who change their offers, all of them patient.

Patient means what real platforms do: what was not answered for certain (no answer, a broken one, 5xx) is sent again
until it is. So every answer that counts can be held against the books afterwards, and a lost one is a fault.
"""

import asyncio
import contextlib
import random
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from infra.demo.client import Client, canonical_headers
from infra.demo.pushes import Plan, Push, Script
from tests.chaos.world import LiveOffer, Member, World

SIDE_BY_SIDE = 64
PATIENCE_S = 120
TOO_FAST = 429
MOST_ORDERS = 100_000
"""Of one shop; more than any scenario lasts."""


class Unanswered(Exception):
    """No certain answer came within the patience of a platform."""


@dataclass(frozen=True)
class Certain:
    """An answer that settles the matter; `repeated`: an earlier attempt may have had its effect already."""

    answer: httpx.Response
    repeated: bool


async def patiently(
    send: Callable[[], Awaitable[httpx.Response]], rng: random.Random, answers: Counter[str]
) -> Certain:
    """Asks until there is a certain answer: neither an error of the connection, 429 nor 5xx. Raises Unanswered."""
    began, repeated, last = time.monotonic(), False, ""
    while time.monotonic() < began + PATIENCE_S:
        try:
            answer = await send()
        except httpx.TransportError as error:
            last = type(error).__name__
        else:
            if answer.status_code < 500 and answer.status_code != TOO_FAST:
                answers[str(answer.status_code)] += 1
                return Certain(answer, repeated)
            last = str(answer.status_code)
        answers[last] += 1
        repeated = True
        await asyncio.sleep(rng.uniform(0.1, 0.5))
    raise Unanswered(last)


def signed_now(push: Push) -> Mapping[str, str]:
    """The headers of a push: where the time of sending is signed, that of this attempt, under the same id."""
    if push.partner.adapter != "canonical":
        return push.headers
    return canonical_headers(push.partner.secret, push.headers["webhook-id"], datetime.now(UTC), push.body)


Revision = tuple[datetime, bool, tuple[tuple[str, int], ...]]
"""What a push says of its order: as of when, whether it is cancelled, and its lines."""


class Acknowledged(dict[tuple[str, str], Push]):
    """By (partner, order number) the newest push that was answered. `revisions`: all that were pushed."""

    def __init__(self) -> None:
        super().__init__()
        self.revisions: defaultdict[tuple[str, str], set[Revision]] = defaultdict(set)

    def __setitem__(self, key: tuple[str, str], push: Push) -> None:
        super().__setitem__(key, push)
        self.pushed(push)

    def pushed(self, push: Push) -> None:
        """It is on its way, and may have its effect whatever is answered."""
        key = (push.partner.partner_id, push.partner_ref)
        self.revisions[key].add((push.updated_at, push.cancelled, push.lines))


class Load:
    """A paced random day, and what was acknowledged of it."""

    def __init__(self, client: Client, world: World, seed: int, pushes_per_s: int, duration_s: float) -> None:
        self._client, self._world = client, world
        self._random = random.Random(f"load {seed}")
        self._pushes_per_s, self._duration_s = pushes_per_s, duration_s
        self.acknowledged = Acknowledged()
        self.order_ids: dict[tuple[str, str], str] = {}
        self.unanswered: set[int] = set()
        """Pushes that were sent and have no certain answer yet."""
        self.answers: Counter[str] = Counter()
        self.faults: list[str] = []
        self.answered = 0
        self.planned = round(pushes_per_s * duration_s)
        self._scripts = self._plan(seed)
        self._progress = asyncio.Event()
        self._finish, self._finished = asyncio.Event(), asyncio.Event()
        self._staff_rooms = {member.seeded.slug: asyncio.Lock() for member in world.members}
        self._closing = False

    def _plan(self, seed: int) -> Iterator[Script]:
        """Orders without end, of every shop as many."""
        now = datetime.now(UTC).replace(microsecond=0)  # WooCommerce knows no fractions
        plans = {m.seeded.slug: Plan(m.cooperative, self._world.delivery_day, now, seed) for m in self._world.members}
        shops = [
            plans[member.seeded.slug].scripts(shop, partner, MOST_ORDERS)
            for member in self._world.members
            for shop, partner in zip(member.cooperative.shops, member.seeded.partners, strict=True)
        ]
        while True:
            self._random.shuffle(shops)
            for scripts in shops:
                yield next(scripts)

    async def run(self) -> None:
        """Pushes with staff at work meanwhile, for the planned time and until `finish`; all of it is answered then."""
        places, began, pushes = asyncio.Semaphore(SIDE_BY_SIDE), time.monotonic(), 0

        async def play(script: Script) -> None:
            try:
                for push in script:
                    await self._push(push)
            finally:
                places.release()

        async with asyncio.TaskGroup() as tasks:
            for member in self._world.members:
                tasks.create_task(self._staff(member))
            while not (self._finish.is_set() and pushes >= self.planned):
                script = next(self._scripts)
                await asyncio.sleep(max(0.0, began + pushes / self._pushes_per_s - time.monotonic()))
                await places.acquire()
                began = max(began, time.monotonic() - pushes / self._pushes_per_s)  # held up, not made up for
                tasks.create_task(play(script))
                pushes += len(script)
        self._finished.set()

    async def until(self, share: float) -> None:
        """Returns when this share of the planned pushes is answered; above 1 it waits beyond the planned time."""
        while self.answered < share * self.planned:
            self._progress.clear()
            await self._progress.wait()

    def finish(self) -> None:
        """Lets the load end, once all that was planned is pushed."""
        self._finish.set()

    async def finished(self) -> None:
        """Ends the load and returns when all of it is answered."""
        self.finish()
        await self._finished.wait()

    async def _push(self, push: Push) -> None:
        path, token = push.partner.push_path, id(push)
        self.acknowledged.pushed(push)
        self.unanswered.add(token)
        try:
            certain = await patiently(
                lambda: self._client.push(path, push.body, signed_now(push)), self._random, self.answers
            )
        except Unanswered as error:
            self.faults.append(f"{push.kind} {push.partner_ref}: no certain answer in {PATIENCE_S} s, last {error}")
        else:
            self._judge(push, certain)
        finally:
            self.unanswered.discard(token)
            self.answered += 1
            self._progress.set()

    def _judge(self, push: Push, certain: Certain) -> None:
        status, key = certain.answer.status_code, (push.partner.partner_id, push.partner_ref)
        right = (200, 202) if certain.repeated else push.right
        if status not in right:
            self.faults.append(f"{push.kind} {key[1]}: {status} instead of {right}: {certain.answer.text[:300]}")
            return
        order_id = certain.answer.json()["order_id"]
        if self.order_ids.setdefault(key, order_id) != order_id:
            self.faults.append(f"{push.kind} {key[1]}: order {order_id}, and {self.order_ids[key]} before")
        known = self.acknowledged.get(key)
        if known is None or push.updated_at >= known.updated_at:
            self.acknowledged[key] = push

    # -- Staff -------------------------------------------------------------------------------------------------

    async def _staff(self, member: Member) -> None:
        """Pledges change; now and then an offer is withdrawn and another one posted. Ends with the load."""
        while not self._finish.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._finish.wait(), self._random.uniform(1, 5))
            async with self._staff_rooms[member.seeded.slug]:
                if self._closing:
                    return
                offer = self._random.choice(list(member.offers.values()))
                if self._random.random() < 0.15:
                    await self._renew(member, offer)
                else:
                    await self._change_pledges(member, offer)

    @contextlib.asynccontextmanager
    async def staff_at_rest(self) -> AsyncIterator[None]:
        """Staff have finished what they were at, and begin nothing inside."""
        async with contextlib.AsyncExitStack() as held:
            for room in self._staff_rooms.values():
                await held.enter_async_context(room)
            yield

    async def _change_pledges(self, member: Member, offer: LiveOffer) -> None:
        pledges = [
            it | {"quantity_steps": max(1, it["quantity_steps"] + self._random.randint(-10, 20))}
            for it in offer.pledges
        ]
        path = f"/v1/offers/{offer.offer_id}"
        if await self.ask_as_staff(member, "PATCH", path, lambda: {"pledges": pledges}) is not None:
            offer.state(pledges)

    async def _renew(self, member: Member, offer: LiveOffer) -> None:
        """Withdraws the offer and posts another one for the same product."""
        if await self.ask_as_staff(member, "POST", f"/v1/offers/{offer.offer_id}/withdraw", lambda: None) is None:
            return
        member.withdrawn.append(offer)
        path = f"/v1/cooperatives/{member.seeded.slug}/offers"
        body = self._world.offer_body(member, offer.product, offer.pledges)
        certain = await self.ask_as_staff(member, "POST", path, lambda: {"offers": [body]}, also_right=409)
        if certain is None:
            return
        if certain.answer.status_code == 409:  # an attempt without an answer had posted it
            day = self._world.delivery_day.isoformat()
            certain = await self.ask_as_staff(member, "GET", f"{path}?delivery_day={day}", lambda: None)
            listed = certain.answer.json()["offers"] if certain else []
            ids = [o["offer_id"] for o in listed if o["product_code"] == offer.product.code and o["state"] == "open"]
        else:
            ids = [certain.answer.json()["offers"][0]["offer_id"]]
        if len(ids) == 1:
            member.offers[offer.product.code] = LiveOffer(ids[0], offer.product, offer.pledges)
        else:
            self.faults.append(f"{member.seeded.slug} has {len(ids)} open offers of {offer.product.code}")

    async def ask_as_staff(
        self, member: Member, method: str, path: str, body: Callable[[], Any], also_right: int | None = None
    ) -> Certain | None:
        """One patient request to catalog; `also_right` is what it may answer where an attempt was repeated."""
        staff = self._client.speaking_as(member.seeded.staff_key)
        try:
            certain = await patiently(lambda: staff.try_to("catalog", method, path, body()), self._random, self.answers)
        except Unanswered as error:
            self.faults.append(f"{method} {path}: no certain answer in {PATIENCE_S} s, last {error}")
            return None
        status = certain.answer.status_code
        if not certain.answer.is_success and not (certain.repeated and status == also_right):
            self.faults.append(f"{method} {path}: {status} {certain.answer.text[:300]}")
            return None
        return certain

    async def close_day(self) -> None:
        """Staff move every cut-off to now and change nothing more. Doing it again changes nothing."""
        if not self._closing:
            self._closing = True
            await asyncio.gather(*(self._close_offers(member) for member in self._world.members))

    async def _close_offers(self, member: Member) -> None:
        async with self._staff_rooms[member.seeded.slug]:
            await asyncio.gather(*(self._close(member, offer) for offer in member.offers.values()))

    async def _close(self, member: Member, offer: LiveOffer) -> None:
        def soon() -> dict[str, str]:
            return {"cut_off_at": (datetime.now(UTC) + timedelta(seconds=2)).isoformat()}

        path = f"/v1/offers/{offer.offer_id}"
        certain = await self.ask_as_staff(member, "PATCH", path, soon, also_right=409)
        if certain is not None and certain.answer.status_code == 409:
            shown = await self.ask_as_staff(member, "GET", path, lambda: None)
            if shown is not None and shown.answer.json()["state"] != "closed":
                self.faults.append(f"offer {offer.offer_id} cannot be closed: {certain.answer.text[:300]}")
