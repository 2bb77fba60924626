"""Asking for a batch: one bad order keeps no other back, and all requests count."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from math import ceil, log2
from typing import cast
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from services.orders.asking import Asking
from services.orders.domain.command import Kind, OrderCommand
from services.orders.domain.token import Token
from services.orders.platforms.base import Access, Expired, Found, NoSuchOrder, Refused, Trouble
from services.orders.store.partners import Partner
from services.orders.tokens import Tokens

NOW = datetime(2026, 11, 23, tzinfo=UTC)
PARTNER = Partner(UUID(int=1), UUID(int=2), "Sạp", "tiktok", ("x",))
REFS = [str(number) for number in range(50)]


class Platform:
    """Gives no order of a batch in which one is bad, and says when it was asked."""

    most = 50

    def __init__(self, bad: Mapping[str, Trouble], silent: frozenset[str] = frozenset()) -> None:
        self.bad, self.silent = bad, silent
        self.asked: list[Sequence[str]] = []
        self.asked_at: list[float] = []
        self.valid = "token"

    def calls(self, orders: int) -> int:
        return 2 if orders > 20 else 1

    async def pull(self, access: Access, refs: Sequence[str], now: datetime) -> Found:
        self.asked.append(refs)
        self.asked_at.append(asyncio.get_running_loop().time())
        if access.token.access != self.valid:
            raise Expired("over")
        for ref in refs:
            if ref in self.bad:
                raise self.bad[ref]
        return {ref: OrderCommand.make(ref, NOW, 0, Kind.UPSERT) for ref in refs if ref not in self.silent}

    async def refresh(self, access: Access, now: datetime) -> Token:
        raise AssertionError("the tokens here are at hand")


class AtHand:
    """Tokens that need no database: the first one, and the next one where it was refused."""

    async def access(self, partner: Partner, platform: Platform, refused: Token | None = None) -> Access:
        return Access("secret", Token("newer" if refused else "token", "", NOW), {})


def asked(platform: Platform, refs: Sequence[str] = REFS, call_s: float = 0.0) -> tuple[Asking, Trouble | None]:
    """What came of asking, and what trouble."""

    async def run() -> tuple[Asking, Trouble | None]:
        asking = Asking(cast(Tokens, AtHand()), PARTNER, platform, lambda: NOW, call_s)
        try:
            await asking.ask(refs)
        except Trouble as trouble:
            return asking, trouble
        return asking, None

    return asyncio.run(run())


some = st.sets(st.sampled_from(REFS), max_size=6).map(frozenset)


@settings(max_examples=100, deadline=None)
@given(missing=some, silent=some, refused=st.sampled_from([None, *REFS]), count=st.integers(1, 50))
def test_all_orders_come_but_those_that_are_bad(
    missing: frozenset[str], silent: frozenset[str], refused: str | None, count: int
) -> None:
    bad: dict[str, Trouble] = {ref: NoSuchOrder("16") for ref in missing}
    if refused is not None:
        bad[refused] = Refused("105005")
    platform, refs = Platform(bad, silent), REFS[:count]
    asking, trouble = asked(platform, refs)
    assert trouble is None
    assert set(asking.found) == {ref for ref in refs if ref not in bad and ref not in silent}
    assert asking.missing == {ref for ref in refs if ref != refused and (ref in missing or ref in silent)}
    assert set(asking.refused) == ({refused} & set(refs))
    assert asking.calls == sum(platform.calls(len(one)) for one in platform.asked)


def test_one_bad_order_of_many_costs_few_requests() -> None:
    platform = Platform({"17": Refused("105005")})
    asked(platform)
    assert len(platform.asked) <= 1 + 2 * ceil(log2(50))


def test_a_platform_that_refuses_everything_is_not_asked_for_each_order() -> None:
    platform = Platform({ref: Refused("36009003") for ref in REFS})
    asking, trouble = asked(platform)
    assert (str(trouble), asking.found, asking.has_answered) == ("36009003", {}, False)
    assert len(platform.asked) <= ceil(log2(50)) + 2


def test_a_token_that_is_over_is_renewed_and_what_was_answered_is_not_asked_for_again() -> None:
    platform = Platform({})
    platform.valid = "newer"
    asking, trouble = asked(platform, REFS[:3])
    assert (trouble, set(asking.found), asking.calls) == (None, set(REFS[:3]), 2)


def test_a_token_that_is_refused_twice_is_the_sellers_business() -> None:
    platform = Platform({})
    platform.valid = "none"
    assert isinstance(asked(platform)[1], Expired)
    assert len(platform.asked) == 2


def test_requests_are_no_closer_together_than_the_platform_allows() -> None:
    platform = Platform({"1": NoSuchOrder("16")})
    asked(platform, REFS[:4], call_s=0.01)
    assert len(platform.asked) == 5
    assert all(at - platform.asked_at[0] >= 0.01 * number - 0.001 for number, at in enumerate(platform.asked_at))


def test_a_trouble_in_the_midst_keeps_what_was_answered_before() -> None:
    class Limiting(Platform):
        async def pull(self, access: Access, refs: Sequence[str], now: datetime) -> Found:
            if len(self.asked) == 4:
                raise Trouble("enough")
            return await super().pull(access, refs, now)

    asking, trouble = asked(Limiting({"49": NoSuchOrder("16")}))  # 50, 25, 25 and 12 of them
    assert (str(trouble), set(asking.found)) == ("enough", set(REFS[:37]))
