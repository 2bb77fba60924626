"""The evening of a chaos day: households answer by their links, goods are weighed in, trucks leave, days are settled.

All of them are patient, as phones and staff are: what was not answered for certain is sent again, and has one effect.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from infra.demo.evening import answer_to, arrival_of, links_in, version_asked
from tests.chaos import settled
from tests.chaos.arena import Arena
from tests.chaos.load import SIDE_BY_SIDE, Unanswered, patiently
from tests.chaos.world import Member

_BROWSER = {"accept": "text/html"}
_ASKED = (
    "select distinct household_id::text, state = 'told' and told_by = 'email' as by_mail from notice"
    " where kind = 'basket' and state in ('told', 'unknown') and facts->>'reply_by_at' is not null"
)
"""Households that were asked by a basket with a link, or may have been; and whether it was certainly by mail."""


@dataclass
class Taken:
    """What households and staff were answered is taken."""

    replies: dict[tuple[str, int], str] = field(default_factory=dict)
    """(household_id, version of its basket) → its answer"""
    arrivals: dict[str, tuple[str, str, int, int]] = field(default_factory=dict)
    """arrival_id → (household_id, offer_id, accepted and rejected steps)"""
    departures: set[str] = field(default_factory=set)
    """Cooperatives whose truck has left."""


class Evening:
    """What is left of the day once everything is closed and every household has been told."""

    def __init__(self, arena: Arena, side_by_side: int = SIDE_BY_SIDE) -> None:
        """`side_by_side`: so many ask at the same time."""
        self._arena, self._random = arena, arena.random
        self._places = asyncio.Semaphore(side_by_side)
        self._answered: set[tuple[str, int]] = set()
        """Pages with the version of the basket that was answered."""
        self.taken = Taken()
        self._weighed: set[str] = set()
        arena.evening = self

    @classmethod
    async def of(cls, arena: Arena, side_by_side: int = SIDE_BY_SIDE) -> "Evening":
        """Ends the load and closes the day first."""
        await arena.load.finished()
        await settled.until_settled(arena)
        await arena.load.close_day()
        await settled.until_closed(arena)
        await settled.until_settled(arena)
        return cls(arena, side_by_side)

    async def to_its_end(self) -> None:
        """All that is left to do of it: answers until nobody is asked, arrivals, departures."""
        while await self.answer():
            await settled.until_settled(self._arena)
        await self.weigh_in()
        await self.depart()
        await settled.until_settled(self._arena)

    async def answer(self) -> int:
        """Everybody whose page asks for an answer gives one, side by side; returns how many did."""
        links = links_in(self._arena.received)
        addresses = {id: it for member in self._arena.world.members for id, it in member.addresses.items()}
        asked = await self._arena.sql("notify", _ASKED)
        must_have = {addresses[household_id] for household_id, by_mail in asked if by_mail}
        may_have = {addresses[household_id] for household_id, _ in asked}
        have = links.keys() & set(addresses.values())  # staff get mails with links of their own
        if not must_have <= have <= may_have:
            self._arena.load.faults.append(f"{len(have)} households have a link, {len(must_have)} were told of one")
        paths = [(id, links[address]) for id, address in sorted(addresses.items()) if address in links]
        choices = [self._random.choice(["confirm", "less", "cannot"]) for _ in paths]
        answers = (self._answer_one(*found, choice) for found, choice in zip(paths, choices, strict=True))
        return sum(await asyncio.gather(*answers))

    async def _answer_one(self, household_id: str, path: str, choice: str) -> bool:
        url, http = self._arena.client.stack.base_url("notify") + path, self._arena.client.http
        page = await self._certain(f"GET {path}", lambda: http.get(url, headers=_BROWSER), 200)
        version = version_asked(page.text) if page is not None else None
        if page is None or version is None or (path, version) in self._answered:
            return False
        self._answered.add((path, version))
        form = answer_to(page.text, choice if version == 1 else "confirm")
        if await self._certain(f"POST {path}", lambda: http.post(url, data=form, headers=_BROWSER), 303) is not None:
            self.taken.replies[household_id, version] = form["answer"]
        return True

    async def weigh_in(self) -> None:
        """Most of what is asked arrives; what was weighed in before is not weighed in again."""
        left = [member for member in self._arena.world.members if member.seeded.cooperative_id not in self._weighed]
        await asyncio.gather(*map(self._weigh_in, left))

    async def _weigh_in(self, member: Member) -> None:
        shown = await self._ask(member, "GET", "arrivals")
        expected = [one for one in shown["expected"] if one["asked_steps"]] if shown else []
        arrivals = [arrival_of(one, is_short=self._random.random() < 0.2) for one in expected]  # their ids are kept
        if shown is not None and not arrivals:
            self._weighed.add(member.seeded.cooperative_id)
        elif arrivals and await self._ask(member, "POST", "arrivals", {"arrivals": arrivals}):
            self._weighed.add(member.seeded.cooperative_id)
            for one in arrivals:
                place = member.seeded.households[one["household_code"]], one["offer_id"]
                self.taken.arrivals[one["arrival_id"]] = (*place, one["accepted_steps"], one.get("rejected_steps", 0))

    async def depart(self) -> None:
        """The trucks leave that have not left."""
        members = {member.seeded.cooperative_id: member for member in self._arena.world.members}
        for cooperative_id in self.taken.departures:
            members.pop(cooperative_id)
        left = await asyncio.gather(*(self._ask(member, "POST", "departure") for member in members.values()))
        self.taken.departures.update(id for id, answer in zip(members, left, strict=True) if answer is not None)

    async def _ask(self, member: Member, method: str, what: str, body: Any = None) -> Any:
        day = self._arena.world.delivery_day
        path = f"/v1/cooperatives/{member.seeded.cooperative_id}/days/{day}/{what}"
        staff = self._arena.client.speaking_as(member.seeded.staff_key)
        answer = await self._certain(f"{method} {path}", lambda: staff.try_to("allocation", method, path, body), 200)
        return answer.json() if answer is not None else None

    async def _certain(
        self, what: str, send: Callable[[], Awaitable[httpx.Response]], right: int
    ) -> httpx.Response | None:
        load = self._arena.load
        try:
            async with self._places:
                certain = await patiently(send, self._random, load.answers)
        except Unanswered as error:
            load.faults.append(f"{what}: no certain answer, last {error}")
            return None
        if certain.answer.status_code != right:
            load.faults.append(f"{what}: {certain.answer.status_code} {certain.answer.text[:300]}")
            return None
        return certain.answer
