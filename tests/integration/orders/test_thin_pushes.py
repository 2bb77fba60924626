"""Pushes without lines: stored and answered at once, pulled from platforms that check our signatures, never lost."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from infra.local.stack import Stack
from services.orders.adapters import ADAPTERS as BY_NAME
from services.orders.domain.pulls import STALE_ASKED
from tests.integration.orders.thin import AT, Thin, an_order, each_platform, thin_market
from tests.support.platform_apis import Item, Order


@pytest.fixture
async def thin(stack: Stack) -> AsyncIterator[Thin]:
    async with thin_market(stack) as found:
        yield found


# -- From a push to the books --------------------------------------------------------------------------------


@each_platform
async def test_a_push_is_stored_answered_with_nothing_and_pulled_later(thin: Thin, adapter: str) -> None:
    order = Order("5764", AT, [Item("CAI-300G", 5), Item("SU-SU", 2, 9000)])
    await thin.tell(adapter, order)
    assert await thin.books(adapter) == {}
    assert await thin.waiting() == {"5764": None}
    await thin.pull_once()
    assert await thin.books(adapter) == {"5764": ("upsert", {"CAI-300G": 3, "SU-SU": 2})}
    assert await thin.waiting() == {}
    ((name, event),) = await thin.orders.events()
    assert (name, event["partner_ref"]) == ("order_placed", "5764")
    stored = await thin.orders.fetch("select contact_name, contact_phone, contact_address, wanted from customer_order")
    assert all(stored[0][name] for name in ("contact_name", "contact_phone", "contact_address"))
    assert "9000" in stored[0]["wanted"]
    assert thin.platform(adapter).refused == []
    assert thin.counted("orders_pulls_total", adapter=adapter, outcome="pulled") == 1


@each_platform
async def test_the_same_push_again_changes_nothing_before_and_after_the_pull(thin: Thin, adapter: str) -> None:
    order = an_order()
    await thin.tell(adapter, order, order)
    await thin.pull_once()
    await thin.tell(adapter, order)
    assert await thin.waiting() == {}
    assert not await thin.pull_once()
    assert thin.platform(adapter).asked == [["5764"]]
    assert await thin.orders.names() == ["order_placed"]
    assert thin.counted("orders_pushed_total", adapter=adapter, outcome="told") == 1
    assert thin.counted("orders_pushed_total", adapter=adapter, outcome="repeated") == 2


@each_platform
async def test_a_newer_push_makes_the_order_due_again_and_an_older_one_does_not(thin: Thin, adapter: str) -> None:
    await thin.tell(adapter, an_order(minute=1))
    await thin.pull_once()
    await thin.push(adapter, an_order(minute=0))
    assert await thin.waiting() == {}
    await thin.tell(adapter, an_order(quantity=7, minute=2))
    await thin.pull_all()
    assert await thin.books(adapter) == {"5764": ("upsert", {"SU-SU": 7})}
    assert await thin.orders.names() == ["order_placed", "order_changed"]


@each_platform
async def test_another_push_of_the_same_second_is_pulled_as_well(thin: Thin, adapter: str) -> None:
    await thin.tell(adapter, an_order())
    await thin.pull_once()
    thin.platform(adapter).put(an_order(quantity=4))
    other = Order("5764", AT, [Item("SU-SU", 4)], status="IN_TRANSIT")
    await thin.push(adapter, other)
    assert await thin.waiting() == {"5764": None}


@each_platform
async def test_a_cancellation_reaches_the_books_whatever_was_pulled_before(thin: Thin, adapter: str) -> None:
    await thin.tell(adapter, an_order("1"), an_order("2", cancelled=True), an_order("3"))
    await thin.pull_all()
    await thin.tell(adapter, an_order("3", minute=1, cancelled=True))
    await thin.pull_all()
    assert await thin.books(adapter) == {
        "1": ("upsert", {"SU-SU": 3}),
        "2": ("cancel", {}),
        "3": ("cancel", {}),
    }


@pytest.mark.parametrize("adapter", ["tiktok", "shopee"])
async def test_a_cancellation_that_says_all_is_taken_at_once(thin: Thin, adapter: str) -> None:
    await thin.tell(adapter, an_order())
    await thin.pull_all()
    await thin.tell(adapter, an_order(minute=1, cancelled=True))
    assert await thin.waiting() == {}
    assert await thin.books(adapter) == {"5764": ("cancel", {})}


@each_platform
async def test_what_nobody_signed_is_refused_and_leaves_nothing(thin: Thin, adapter: str) -> None:
    answer = await thin.push(adapter, an_order(), secret="another secret")
    assert answer.status_code == BY_NAME[adapter].DECLARATION.on_bad_signature
    assert await thin.orders.fetch("select from pull") == []


@each_platform
async def test_a_burst_is_pulled_in_few_requests(thin: Thin, adapter: str) -> None:
    orders = [an_order(str(1000 + number)) for number in range(60)]
    for order in orders:
        thin.platform(adapter).put(order)
    answers = await asyncio.gather(*(thin.push(adapter, order) for order in orders))
    assert {answer.status_code for answer in answers} == {200}
    await thin.pull_all()
    assert len(await thin.books(adapter)) == 60
    most = 20 if adapter == "lazada" else 50
    assert sorted(map(len, thin.platform(adapter).asked), reverse=True) == [most] * (60 // most) + [60 % most] * (
        60 % most > 0
    )


# -- Never lost ----------------------------------------------------------------------------------------------


@each_platform
async def test_an_order_that_is_older_than_its_push_is_asked_for_again(thin: Thin, adapter: str) -> None:
    thin.platform(adapter).put(an_order())
    await thin.push(adapter, an_order(minute=1))
    await thin.pull_once()
    assert await thin.books(adapter) == {"5764": ("upsert", {"SU-SU": 3})}
    assert await thin.waiting() == {"5764": None}
    thin.platform(adapter).put(an_order(quantity=4, minute=1))
    await thin.pull_all()
    assert await thin.books(adapter) == {"5764": ("upsert", {"SU-SU": 4})}
    await thin.push(adapter, an_order(minute=3))
    await thin.pull_all()
    assert thin.counted("orders_pulls_total", adapter=adapter, outcome="stale") == 1 + STALE_ASKED


async def test_a_push_that_comes_while_the_order_is_pulled_is_not_lost(thin: Thin) -> None:
    tiktok = thin.platforms.tiktok
    await thin.tell("tiktok", an_order())
    tiktok.hold = asyncio.Event()
    pulling = asyncio.create_task(thin.pull_once())
    await tiktok.holding.wait()
    await thin.push("tiktok", an_order(quantity=9, minute=1))
    tiktok.hold.set()
    await pulling
    assert await thin.books("tiktok") == {"5764": ("upsert", {"SU-SU": 3})}
    assert await thin.waiting() == {"5764": None}
    tiktok.put(an_order(quantity=9, minute=1))
    await thin.pull_all()
    assert await thin.books("tiktok") == {"5764": ("upsert", {"SU-SU": 9})}


@each_platform
async def test_a_process_that_dies_after_the_books_leaves_the_order_to_be_pulled_again(
    thin: Thin, adapter: str
) -> None:
    await thin.tell(adapter, an_order())
    await thin.pull_once()
    await thin.orders.fetch("update pull set due_at = now(), attempts = 1")  # as its lease would have left it
    await thin.pull_all()
    assert len(thin.platform(adapter).asked) == 2
    assert await thin.orders.names() == ["order_placed"]


# -- Pushes that do not say when the order changed -----------------------------------------------------------


async def test_a_push_with_a_time_of_its_own_hides_no_state_that_the_order_had_before_it(thin: Thin) -> None:
    """TikTok tells of a cancellation that is asked for at 12:00:03; what changed at 12:00:02 comes later."""
    tiktok = thin.platforms.tiktok
    tiktok.put(Order("5764", AT, [Item("SU-SU", 3)]))
    await thin.push_hint(AT + 3, "n-1")
    await thin.pull_all()
    assert await thin.books("tiktok") == {"5764": ("upsert", {"SU-SU": 3})}
    await thin.tell("tiktok", Order("5764", AT + 2, [Item("SU-SU", 2)]))
    await thin.pull_all()
    assert await thin.books("tiktok") == {"5764": ("upsert", {"SU-SU": 2})}
    assert thin.counted("orders_pulls_total", adapter="tiktok", outcome="stale") == 0


async def test_a_push_without_a_time_of_the_order_counts_once_and_leaves_the_newest_time_known(thin: Thin) -> None:
    await thin.tell("tiktok", an_order(minute=1))
    await thin.pull_all()
    await thin.push_hint(AT, "n-1")
    assert list(await thin.waiting()) == ["5764"]
    await thin.pull_all()
    await thin.push_hint(AT, "n-1")
    await thin.push("tiktok", an_order(minute=0))
    await thin.push("tiktok", an_order(minute=1))
    assert await thin.waiting() == {}
