"""After the baskets are told: households answer by the links in their mails, goods arrive, the day is settled.

Two households of each cooperative answer that they bring less, or nothing; what they free is asked of the others.
At the collection point one household turns up with half of what it said.
"""

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import uuid4

from infra.demo import calls
from infra.demo.client import Client
from infra.demo.peers import Received
from infra.demo.reach import SPEAKS, Reach, reaches
from infra.demo.seed import Seed, SeededCooperative
from infra.demo.world import COOPERATIVES

_LINK = re.compile(r"https?://[^/\s]+(/r/[A-Za-z0-9_-]+)")
_VERSION = re.compile(r'name="version" value="(\d+)"')
_QUANTITY = re.compile(r'name="(q\.[0-9a-f-]+)"[^>]* max="([0-9.]+)" step="([0-9.]+)"')

Waiting = Callable[[], Awaitable[None]]


@dataclass
class EveningResult:
    """What was answered, how much was settled, and what went wrong, as seen from outside."""

    answers: Counter[str] = field(default_factory=Counter)
    asked_again: int = 0
    net_vnd: dict[str, int] = field(default_factory=dict)
    """slug → what all households together are owed"""
    wrong: list[str] = field(default_factory=list)
    written: list[tuple[str, str]] = field(default_factory=list)
    """Which household wrote what, in its own words."""


class Evening:
    """The rest of one delivery day; `settled_down` waits until everybody is told and every event is applied."""

    def __init__(self, client: Client, seed: Seed, received: Received, settled_down: Waiting) -> None:
        self._client, self._seed, self._received = client, seed, received
        self._settled_down = settled_down
        self._done: set[tuple[str, int]] = set()
        """Links that were answered, with the version of the basket."""
        self.result = EveningResult()

    async def run(self, delivery_day: date, say: Callable[[str], None]) -> EveningResult:
        """Answers until nobody is asked any more, then weighs in, lets the trucks leave and settles."""
        while answered := await self._answer_all():
            say(f"{answered} households answer, by the links in their messages or in their own words")
            await self._settled_down()
        for cooperative in self._seed.cooperatives:
            await self._weigh_in(cooperative, delivery_day)
            await self._depart(cooperative, delivery_day)
        say("goods are weighed in, the trucks leave, and every household is settled with")
        await self._settled_down()
        return self.result

    # Answers

    async def _answer_all(self) -> int:
        """Everybody whose page asks for an answer gives one; returns how many did."""
        links = links_in(self._received)
        answered = 0
        with_providers = self._client.stack.providers is not None
        for cooperative in COOPERATIVES:
            for number, reach in enumerate(reaches(cooperative, with_providers)):
                path = next((links[address] for address in reach.addresses if address in links), None)
                speaks = with_providers and (cooperative.slug, number) == SPEAKS
                if path is not None and await self._answer(path, number, reach if speaks else None):
                    answered += 1
        return answered

    async def _answer(self, path: str, number: int, speaking: Reach | None) -> bool:
        """`speaking`: who writes instead, the first time."""
        url = self._client.stack.base_url("notify") + path
        page = await self._client.http.get(url, headers={"accept": "text/html"})
        version = version_asked(page.text)
        if version is None or (path, version) in self._done:
            return False
        self._done.add((path, version))
        if speaking is not None and version == 1:
            await self._write(speaking, page.text)
            return True
        form = answer_to(page.text, _choice(number) if version == 1 else "confirm")
        done = await self._client.http.post(url, data=form, headers={"accept": "text/html"})
        if done.status_code != 303:
            self.result.wrong.append(f"answer of household {number}: {done.status_code} {done.text[:200]}")
        self.result.answers[form["answer"]] += 1
        self.result.asked_again += version > 1
        return True

    async def _write(self, who: Reach, page: str) -> None:
        """Half of what is asked, by Zalo."""
        providers = self._client.stack.providers
        assert providers is not None
        [(_, most, step)] = _QUANTITY.findall(page)
        text = f"chỉ có {_half(most, step).rstrip('0').rstrip('.').replace('.', ',')}kg"
        status = await calls.write(self._client.http, providers.url, "zalo", who.phone, text)
        own = next(one for one in self._seed.cooperatives if who.code in one.households)
        path = f"/v1/cooperatives/{own.cooperative_id}/words?household_id={own.households[who.code]}"
        words = (await self._client.speaking_as(own.staff_key).ask("notify", "GET", path))["words"]
        if status != 200 or [(one["text"], one["became"]) for one in words] != [(text, "understood")]:
            self.result.wrong.append(f"“{text}” of {who.code} is answered {status} and became {words}")
        self.result.answers["less"] += 1
        self.result.written.append((who.code, text))

    # Arrivals

    async def _weigh_in(self, cooperative: SeededCooperative, delivery_day: date) -> None:
        staff = self._client.speaking_as(cooperative.staff_key)
        path = f"/v1/cooperatives/{cooperative.cooperative_id}/days/{delivery_day}/arrivals"
        expected = [one for one in (await staff.ask("allocation", "GET", path))["expected"] if one["asked_steps"]]
        short = max(expected, key=lambda one: (one["asked_steps"], one["household_code"]))
        arrivals = [arrival_of(one, one is short) for one in expected]
        if arrivals:
            await staff.ask("allocation", "POST", path, {"arrivals": arrivals})
        too_much = [arrival_of(one, False) for one in expected[:1]]
        refused = await staff.try_to("allocation", "POST", path, {"arrivals": too_much})
        if refused.status_code != 422:
            self.result.wrong.append(f"more than was asked is answered {refused.status_code}: {refused.text[:200]}")

    async def _depart(self, cooperative: SeededCooperative, delivery_day: date) -> None:
        staff = self._client.speaking_as(cooperative.staff_key)
        path = f"/v1/cooperatives/{cooperative.cooperative_id}/days/{delivery_day}/departure"
        settled = await staff.ask("allocation", "POST", path)
        self.result.net_vnd[cooperative.slug] = settled["net_vnd"]
        if settled["net_vnd"] != sum(entry["net_vnd"] for entry in settled["entries"]):
            self.result.wrong.append(f"{cooperative.slug}: the settlement does not add up")


def _choice(number: int) -> str:
    """The first household brings less of everything, the second nothing; asked again, everybody agrees."""
    return {0: "less", 1: "cannot"}.get(number, "confirm")


# -- What a household sees and does --------------------------------------------------------------------------


def links_in(received: Received) -> dict[str, str]:
    """By address the path of its page; every link of a household leads to its basket as it stands."""
    links: dict[str, str] = {}
    for message in received.delivered():
        if found := _LINK.search(message.text):
            links[message.to] = found[1]
    for mail in received.mails():
        body = mail.get_payload(decode=True)
        found = _LINK.search(body.decode()) if isinstance(body, bytes) else None
        if found:
            links[str(mail["To"]).split("<")[-1].strip(" >")] = found[1]
    return links


def version_asked(page: str) -> int | None:
    """The version of the basket that a page asks to answer; None where it asks for nothing (any more)."""
    found = _VERSION.search(page)
    return int(found[1]) if found else None


def answer_to(page: str, answer: str) -> dict[str, str]:
    """The form of a page filled in: `confirm`, `less` (half of everything) or `cannot`."""
    form = {"version": str(version_asked(page)), "answer": answer}
    if answer == "less":
        return form | {name: _half(most, step) for name, most, step in _QUANTITY.findall(page)}
    return form | {"reason": "sold_out"} if answer == "cannot" else form


def _half(most: str, step: str) -> str:
    """Half of a quantity in whole steps, as the form wants it."""
    thousandths, one = (int(Decimal(text) * 1000) for text in (most, step))
    half = thousandths // one // 2 * one
    return f"{half // 1000}.{half % 1000:03}"


def arrival_of(expected: Mapping[str, Any], is_short: bool) -> dict[str, Any]:
    """All that a household is asked for of one offer, or half of it with some that is spoilt."""
    asked_steps = expected["asked_steps"]
    came = {"accepted_steps": asked_steps}
    if is_short:
        came = {"accepted_steps": asked_steps // 2, "rejected_steps": 1, "reason": "dập nát"}
    return {
        "arrival_id": str(uuid4()),
        "household_code": expected["household_code"],
        "offer_id": expected["offer_id"],
        **came,
    }
