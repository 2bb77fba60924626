"""Pushes without lines: stored and answered at once, pulled from platforms that check our signatures, never lost."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from starlette.responses import JSONResponse, Response

from infra.local.stack import Stack
from services.orders.adapters import ADAPTERS as BY_NAME
from services.orders.domain.pulls import GIVE_UP_AFTER, STALE_ASKED
from services.orders.platforms.calls import Caller, open_client
from services.orders.platforms.shopee import Shopee
from services.orders.store.partners import get_partner
from services.orders.tokens import Tokens
from tests.integration.orders.thin import ADAPTERS, AT, Thin, partner_id, thin_market
from tests.support.platform_apis import Item, Order, broken, limited

REFUSALS: dict[str, Response] = {
    "tiktok": JSONResponse({"code": 105005, "data": None}, 403),
    "shopee": JSONResponse({"error": "error_param", "message": "ordersn is invalid"}, 200),
    "lazada": JSONResponse({"code": "InvalidParameter", "type": "ISV", "message": "order_ids"}, 200),
}
each_platform = pytest.mark.parametrize("adapter", ADAPTERS)


@pytest.fixture
async def thin(stack: Stack) -> AsyncIterator[Thin]:
    async with thin_market(stack) as found:
        yield found


def an_order(ref: str = "5764", quantity: int = 3, minute: int = 0, cancelled: bool = False) -> Order:
    return Order(ref, AT + 60 * minute, [Item("SU-SU", quantity)], cancelled=cancelled)


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


# -- Trouble -------------------------------------------------------------------------------------------------


@each_platform
async def test_an_expired_token_is_renewed_once_and_its_refresh_token_replaced(thin: Thin, adapter: str) -> None:
    thin.platform(adapter).access = "another-than-ours"
    await thin.tell(adapter, an_order())
    await thin.pull_once()
    assert await thin.books(adapter) != {}
    await thin.tell(adapter, an_order(minute=1))
    await thin.pull_all()
    assert (thin.platform(adapter).refreshed, thin.platform(adapter).refused) == (1, [])
    ((row),) = await thin.orders.fetch(
        "select access_token, refresh_token from platform_token where partner_id = $1", partner_id(thin, adapter)
    )
    assert tuple(row) == ("access-1", "refresh-1")


@each_platform
async def test_a_token_that_is_about_to_end_is_renewed_before_it_is_used(thin: Thin, adapter: str) -> None:
    await thin.authorise(adapter, expires_at=(datetime.now(UTC) + timedelta(minutes=1)).isoformat())
    await thin.tell(adapter, an_order())
    await thin.pull_once()
    assert thin.platform(adapter).refreshed == 1
    told = await thin.orders.ask("GET", thin.credentials(adapter))
    assert datetime.fromisoformat(told["valid_until"]) > datetime.now(UTC) + timedelta(hours=3)


async def test_of_many_who_find_the_token_over_one_renews_it(thin: Thin) -> None:
    partner = await get_partner(thin.orders.running.runtime.pool, partner_id(thin, "shopee"))
    assert partner is not None
    async with open_client(5) as client:
        platform = Shopee(Caller(client, 5), f"{thin.platforms.url}/shopee")
        tokens = Tokens(thin.orders.running.runtime.ledger, lambda: datetime.now(UTC), asyncio.Event())
        refused = (await tokens.access(partner, platform)).token
        found = await asyncio.gather(*(tokens.access(partner, platform, refused) for _ in range(6)))
    assert {one.token.access for one in found} == {"access-1"}
    assert (thin.platforms.shopee.refreshed, thin.platforms.shopee.refused) == (1, [])


async def test_a_token_that_cannot_be_saved_at_once_is_kept_until_it_is(thin: Thin) -> None:
    await thin.orders.fetch("create sequence failed_commits")
    await thin.orders.fetch(
        "create function fail_at_first() returns trigger language plpgsql as $$ begin "
        "if nextval('failed_commits') <= 2 then raise exception 'away' using errcode = '57P03'; end if; "
        "return null; end $$"
    )
    await thin.orders.fetch(
        "create constraint trigger fails after update of refresh_token on platform_token deferrable initially deferred "
        "for each row execute function fail_at_first()"
    )
    thin.platforms.tiktok.access = "another-than-ours"
    await thin.tell("tiktok", an_order())
    await thin.pull_once()
    assert await thin.books("tiktok") != {}
    ((stored,),) = await thin.orders.fetch(
        "select refresh_token from platform_token where partner_id = $1", partner_id(thin, "tiktok")
    )
    assert (stored, thin.platforms.tiktok.refreshed) == ("refresh-1", 1)


async def test_a_process_that_stops_does_not_wait_for_ever_to_save_a_token(
    thin: Thin, caplog: pytest.LogCaptureFixture
) -> None:
    """The database is away, and stays away."""
    await thin.orders.fetch(
        "create function fail() returns trigger language plpgsql as $$ begin "
        "raise exception 'away' using errcode = '57P03'; end $$"
    )
    await thin.orders.fetch(
        "create trigger fails before update of refresh_token on platform_token for each row execute function fail()"
    )
    runtime, tiktok = thin.orders.running.runtime, thin.platforms.tiktok
    tiktok.access, tiktok.hold = "another-than-ours", asyncio.Event()
    await thin.tell("tiktok", an_order())
    pulling = asyncio.create_task(thin.pull_once())
    await tiktok.holding.wait()
    runtime.stopping.set()
    pulling.cancel()
    tiktok.hold.set()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(30):
            await pulling
    assert tiktok.refreshed == 1
    assert "a new token is lost" in caplog.text
    assert "refresh-1" not in caplog.text


async def test_no_transaction_waits_for_a_platform_that_gives_a_token(thin: Thin) -> None:
    tiktok = thin.platforms.tiktok
    tiktok.access, tiktok.hold = "another-than-ours", asyncio.Event()
    await thin.tell("tiktok", an_order())
    pulling = asyncio.create_task(thin.pull_once())
    await tiktok.holding.wait()
    async with asyncio.timeout(20):
        await thin.authorise("tiktok", access_token="access-1", refresh_token="of-staff")
    tiktok.hold.set()
    await pulling
    ((stored,),) = await thin.orders.fetch(
        "select refresh_token from platform_token where partner_id = $1", partner_id(thin, "tiktok")
    )
    assert (stored, await thin.books("tiktok")) == ("of-staff", {"5764": ("upsert", {"SU-SU": 3})})


@each_platform
async def test_too_many_requests_a_broken_server_and_then_a_good_one(thin: Thin, adapter: str) -> None:
    thin.platform(adapter).troubles += [limited(7), broken(), broken()]
    await thin.tell(adapter, an_order())
    await thin.pull_once()
    assert await thin.waiting() == {"5764": "http_429"}
    (not_before,) = (await thin.orders.fetch(
        "select next_call_at from platform_token where partner_id = $1", partner_id(thin, adapter)
    ))[0]  # fmt: skip
    assert timedelta(seconds=1) < not_before - datetime.now(UTC)
    assert not await thin.orders.run("pull_orders", datetime.now(UTC))
    await thin.pull_all()
    assert await thin.books(adapter) == {"5764": ("upsert", {"SU-SU": 3})}
    assert thin.counted("orders_pulls_total", adapter=adapter, outcome="limited") == 1
    assert thin.counted("orders_pulls_total", adapter=adapter, outcome="unwell") == 2
    assert thin.counted("orders_pulls_total", adapter=adapter, outcome="pulled") == 1


@each_platform
async def test_an_order_that_is_not_there_holds_up_no_other(thin: Thin, adapter: str) -> None:
    for ref in ("1", "2", "3", "4", "5"):
        if ref != "3":
            thin.platform(adapter).put(an_order(ref))
        await thin.push(adapter, an_order(ref))
    await thin.pull_once()
    assert set(await thin.books(adapter)) == {"1", "2", "4", "5"}
    assert await thin.waiting() == {"3": "not_found"}
    await thin.orders.run("count_pulls", datetime.now(UTC) + timedelta(hours=1))
    assert thin.counted("orders_pulls_waiting", adapter=adapter) == 1
    assert thin.counted("orders_pull_oldest_due_seconds", adapter=adapter) == 0
    thin.platform(adapter).put(an_order("3"))
    await thin.pull_all()
    assert len(await thin.books(adapter)) == 5


@pytest.mark.parametrize("trouble", [limited(0), broken()])
async def test_what_a_platform_did_to_all_orders_makes_none_of_them_suspect(thin: Thin, trouble: Response) -> None:
    tiktok = thin.platforms.tiktok
    await thin.tell("tiktok", *(an_order(str(number)) for number in range(1, 41)))
    for _ in range(5):
        tiktok.troubles.append(trouble)
        thin.ahead += timedelta(hours=1)
        await thin.pull_once()
    assert (len(await thin.waiting()), list(tiktok.troubles)) == (40, [])
    await thin.pull_all()
    assert len(await thin.books("tiktok")) == 40
    assert len(tiktok.asked) <= 7


async def test_a_platform_that_hangs_is_asked_by_one_job_and_holds_up_no_other(thin: Thin) -> None:
    tiktok = thin.platforms.tiktok
    await thin.tell("tiktok", an_order("1"))
    tiktok.hold = asyncio.Event()
    pulling = asyncio.create_task(thin.pull_once())
    await tiktok.holding.wait()
    await thin.tell("tiktok", an_order("2"))
    await thin.tell("shopee", an_order("3"))
    async with asyncio.timeout(20):
        assert await thin.orders.run("pull_orders", datetime.now(UTC) + thin.ahead)
        assert not await thin.orders.run("pull_orders", datetime.now(UTC) + thin.ahead)
    assert (await thin.books("shopee"), tiktok.asked) == ({"3": ("upsert", {"SU-SU": 3})}, [["1"]])
    tiktok.hold.set()
    await pulling
    await thin.pull_all()
    assert set(await thin.books("tiktok")) == {"1", "2"}


async def test_a_platform_that_fails_is_asked_less_and_less_often_until_it_answers(thin: Thin) -> None:
    async def failures() -> int:
        ((found,),) = await thin.orders.fetch(
            "select failures from platform_token where partner_id = $1", partner_id(thin, "tiktok")
        )
        return int(found)

    await thin.tell("tiktok", *(an_order(str(number)) for number in range(1, 9)))
    for number in (1, 2, 3):
        thin.platforms.tiktok.troubles.append(broken())
        thin.ahead += timedelta(hours=1)
        await thin.pull_once()
        assert await failures() == number
    await thin.pull_all()
    assert await failures() == 0


async def test_an_order_at_which_the_platform_fails_holds_up_no_other(thin: Thin) -> None:
    for ref in ("1", "2", "3"):
        await thin.tell("tiktok", an_order(ref))
    thin.platforms.tiktok.poison = "2"
    for _ in range(12):
        await thin.pull_once()
    assert set(await thin.books("tiktok")) == {"1", "3"}
    assert await thin.waiting() == {"2": "http_500"}


async def test_a_refused_order_stops_the_others_of_its_seller_for_seconds(thin: Thin) -> None:
    tiktok = thin.platforms.tiktok
    tiktok.poison, tiktok.poison_answer = "2", JSONResponse({"code": 105005, "data": None}, 403)
    await thin.tell("tiktok", *(an_order(str(number)) for number in range(1, 9)))
    for _ in range(3):  # 8, 4 and 2 orders
        thin.ahead += timedelta(minutes=15)
        await thin.pull_once()
        (next_call_at,) = (await thin.orders.fetch("select max(next_call_at) from platform_token"))[0]
        assert next_call_at < datetime.now(UTC) + timedelta(minutes=1)


async def test_an_order_that_the_platform_refuses_does_not_keep_it_from_the_others_for_long(thin: Thin) -> None:
    tiktok = thin.platforms.tiktok
    tiktok.poison, tiktok.poison_answer = "2", JSONResponse({"code": 105005, "data": None}, 403)
    await thin.tell("tiktok", an_order("1"), an_order("2"))
    for _ in range(8):
        thin.ahead += timedelta(hours=1)
        await thin.pull_once()
    assert await thin.waiting() == {"2": "105005"}
    await thin.orders.fetch("update pull set due_at = now() where due_at is not null")
    await thin.orders.fetch("update platform_token set next_call_at = '-infinity'")
    thin.ahead = timedelta(0)
    await thin.pull_once()
    (next_call_at,) = (await thin.orders.fetch("select max(next_call_at) from platform_token"))[0]
    assert next_call_at < datetime.now(UTC) + timedelta(minutes=5)
    assert (await thin.orders.fetch("select attempts from pull where due_at is not null"))[0]["attempts"] > 4


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


@each_platform
async def test_a_seller_who_takes_the_authorisation_back_is_seen_and_nothing_is_lost(thin: Thin, adapter: str) -> None:
    platform = thin.platform(adapter)
    platform.access, platform.authorised = "another-than-ours", False
    await thin.tell(adapter, an_order())
    await thin.pull_once()
    told = await thin.orders.ask("GET", thin.credentials(adapter))
    assert (told["is_set"], told["needs_authorisation"]) == (True, True)
    assert thin.counted("orders_pulls_total", adapter=adapter, outcome="unauthorised") == 1
    platform.authorised = True
    await thin.authorise(adapter)
    assert not (await thin.orders.ask("GET", thin.credentials(adapter)))["needs_authorisation"]
    assert await thin.orders.run("pull_orders", datetime.now(UTC))
    assert await thin.books(adapter) != {}


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


async def test_nothing_secret_gets_into_logs_and_errors(thin: Thin, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="services")
    for adapter in ADAPTERS:
        platform = thin.platform(adapter)
        platform.access, platform.authorised = "another-than-ours", False
        await thin.tell(adapter, an_order())
    for _ in range(6):
        await thin.pull_once()
    errors = " ".join(str(error) for error in (await thin.waiting()).values())
    for secret in ("access-0", "refresh-0", "app-secret-of-a-test", "partner-key-of-a-test"):
        assert secret not in caplog.text + errors
    assert "left alone" in caplog.text


@each_platform
async def test_a_refused_order_keeps_none_of_the_others_from_the_books(thin: Thin, adapter: str) -> None:
    platform = thin.platform(adapter)
    platform.poison, platform.poison_answer = "3", REFUSALS[adapter]
    await thin.tell(adapter, *(an_order(str(number)) for number in range(1, 9)))
    began = datetime.now(UTC)
    await thin.pull_once()
    assert set(await thin.books(adapter)) == {"1", "2", "4", "5", "6", "7", "8"}
    assert set(await thin.waiting()) == {"3"}
    (row,) = await thin.orders.fetch(
        "select t.next_call_at, t.failures, p.faults from platform_token t join pull p using (partner_id) "
        "where p.due_at is not null"
    )
    assert (row["failures"], row["faults"]) == (0, 1)
    assert row["next_call_at"] >= began + timedelta(seconds=7 * 0.02)  # as many calls as that took


async def test_a_platform_that_refuses_all_orders_is_not_asked_for_each(thin: Thin) -> None:
    calls = 0

    class Refusing(deque[Response]):
        def popleft(self) -> Response:
            nonlocal calls
            calls += 1
            return REFUSALS["tiktok"]

    await thin.tell("tiktok", *(an_order(str(number)) for number in range(1, 41)))
    thin.platforms.tiktok.troubles = Refusing([REFUSALS["tiktok"]])
    await thin.pull_once()
    assert len(await thin.waiting()) == 40
    assert calls <= 8
    rows = await thin.orders.fetch("select distinct faults, last_error from pull")
    assert [tuple(row) for row in rows] == [(0, "105005")]


# -- Orders that cannot be had -------------------------------------------------------------------------------


async def days_later(thin: Thin) -> None:
    """As if everything had been asked for in vain since."""
    await thin.orders.fetch("update pull set told_at = told_at - $1::interval, attempts = $2", GIVE_UP_AFTER, 20)


@each_platform
async def test_an_order_that_comes_to_nothing_for_days_is_given_up_shown_and_asked_for_again(
    thin: Thin, adapter: str
) -> None:
    platform = thin.platform(adapter)
    platform.poison, platform.poison_answer = "2", REFUSALS[adapter]
    await thin.tell(adapter, an_order("1"), an_order("2"))
    await thin.pull_once()
    path = f"/v1/partners/{partner_id(thin, adapter)}/pulls"
    assert (await thin.orders.ask("GET", path))["orders"] == []
    (waits,) = (await thin.orders.ask("GET", f"{path}?state=waiting"))["orders"]
    assert (waits["partner_ref"], waits["attempts"], waits["given_up_at"]) == ("2", 1, None)
    await days_later(thin)
    thin.ahead += timedelta(hours=1)
    await thin.pull_once()
    assert await thin.waiting() == {}
    (lost,) = (await thin.orders.ask("GET", path))["orders"]
    assert (lost["partner_ref"], lost["state"], lost["next_at"]) == ("2", "given_up", None)
    assert lost["reason"] == waits["reason"] != None  # noqa: E711 - compared with what was said before
    await thin.orders.run("count_pulls", datetime.now(UTC))
    assert thin.counted("orders_pulls_given_up", adapter=adapter) == 1
    assert thin.counted("orders_pulls_waiting", adapter=adapter) == 0
    platform.poison = ""
    assert await thin.orders.ask("POST", f"{path}/retry", {"partner_refs": ["1", "9"]}) == {"retried": 0}
    assert await thin.orders.ask("POST", f"{path}/retry", {}) == {"retried": 1}
    thin.ahead += timedelta(hours=1)
    await thin.pull_once()
    assert set(await thin.books(adapter)) == {"1", "2"}
    await thin.orders.run("count_pulls", datetime.now(UTC))
    assert thin.counted("orders_pulls_given_up", adapter=adapter) == 0


async def test_an_order_that_was_given_up_is_pulled_after_another_push_and_with_other_credentials(thin: Thin) -> None:
    async def give_up() -> None:
        await thin.pull_once()
        await days_later(thin)
        thin.ahead += timedelta(hours=1)
        await thin.pull_once()
        assert await thin.waiting() == {}

    tiktok = thin.platforms.tiktok
    tiktok.authorised, tiktok.access = False, "another-than-ours"
    await thin.tell("tiktok", an_order("1"))
    await give_up()
    await thin.tell("tiktok", an_order("1", minute=1))
    assert list(await thin.waiting()) == ["1"]
    await give_up()
    tiktok.authorised = True
    await thin.authorise("tiktok")
    await thin.pull_once()
    assert set(await thin.books("tiktok")) == {"1"}


async def test_an_order_that_its_platform_does_not_know_is_given_up_and_raises_no_alarm(thin: Thin) -> None:
    await thin.push("shopee", an_order("7"))
    await thin.pull_once()
    await days_later(thin)
    thin.ahead += timedelta(hours=1)
    await thin.pull_once()
    path = f"/v1/partners/{partner_id(thin, 'shopee')}/pulls"
    assert [one["reason"] for one in (await thin.orders.ask("GET", path))["orders"]] == ["not_found"]
    await thin.orders.run("count_pulls", datetime.now(UTC))
    assert thin.counted("orders_pulls_given_up", adapter="shopee") == 0
    await thin.orders.ask("DELETE", f"{path}/7")
    assert (await thin.orders.ask("GET", path)) == {"orders": [], "next": None}
    answer = await thin.orders.running.client.delete(f"{path}/7", headers=thin.orders.staff)
    assert answer.status_code == 404


async def test_orders_that_were_given_up_are_listed_in_pages_and_to_nobody_else(thin: Thin) -> None:
    refs = [str(number) for number in range(100, 107)]
    await thin.tell("lazada", *(an_order(ref) for ref in refs))
    await thin.orders.fetch("update pull set due_at = null, gave_up_at = now()")
    path, found, after = f"/v1/partners/{partner_id(thin, 'lazada')}/pulls", [], ""
    while after is not None:
        page = await thin.orders.ask("GET", f"{path}?limit=3&after={after}")
        found += [one["partner_ref"] for one in page["orders"]]
        after = page["next"]
    assert found == refs
    stranger = await thin.orders.running.key("staff", partner_id(thin, "lazada"))
    for method, url in (("GET", path), ("POST", f"{path}/retry"), ("DELETE", f"{path}/100")):
        answer = await thin.orders.running.client.request(method, url, json={}, headers=stranger)
        assert answer.status_code == 404


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


# -- What staff do and see -----------------------------------------------------------------------------------


async def test_without_credentials_orders_wait_and_the_metrics_say_how_long(stack: Stack) -> None:
    async with thin_market(stack, authorised=False) as thin:
        await thin.tell("tiktok", an_order())
        assert not await thin.pull_once()
        assert (await thin.orders.ask("GET", thin.credentials("tiktok"))) == {
            "is_set": False,
            "valid_until": None,
            "needs_authorisation": False,
        }
        await thin.orders.run("count_pulls", datetime.now(UTC) + timedelta(minutes=10))
        assert thin.counted("orders_pulls_waiting", adapter="tiktok") == 1
        assert 600 <= thin.counted("orders_pull_oldest_due_seconds", adapter="tiktok") < 700
        await thin.authorise("tiktok")
        assert await thin.orders.run("pull_orders", datetime.now(UTC))
        await thin.orders.run("count_pulls", datetime.now(UTC))
        assert thin.counted("orders_pull_oldest_due_seconds", adapter="tiktok") == 0


async def test_a_refresh_token_alone_gets_the_first_token(stack: Stack) -> None:
    async with thin_market(stack, authorised=False) as thin:
        await thin.orders.ask("PUT", thin.credentials("lazada"), {"refresh_token": "refresh-0"})
        await thin.tell("lazada", an_order())
        await thin.pull_once()
        assert await thin.books("lazada") != {}


async def test_an_app_secret_of_its_own_signs_the_requests(stack: Stack) -> None:
    async with thin_market(stack, authorised=False) as thin:
        path = f"/v1/partners/{partner_id(thin, 'shopee')}/secrets"
        await thin.orders.ask("POST", path, {"secret": "push-key-of-its-own"})
        await thin.authorise("shopee", app_secret="partner-key-of-a-test")
        thin.platforms.shopee.put(an_order())
        assert (await thin.push("shopee", an_order(), secret="push-key-of-its-own")).status_code == 200
        await thin.pull_once()
        assert (await thin.books("shopee"), thin.platforms.shopee.refused) != ({}, [])
        assert thin.platforms.shopee.refused == []


async def test_credentials_are_checked_and_never_shown(thin: Thin) -> None:
    async def refused(path: str, body: object) -> int:
        answer = await thin.orders.running.client.put(path, json=body, headers=thin.orders.staff)
        assert "secret-in-the-body" not in answer.text
        return answer.status_code

    path = thin.credentials("tiktok")
    for body in (
        {},
        {"refresh_token": ""},
        {"refresh_token": "a b"},
        {"refresh_token": "secret-in-the-body", "expires_at": "2026-11-23T00:00:00"},
        {"refresh_token": "secret-in-the-body", "access_token": "x", "expires_at": "0001-01-01T00:00:00+14:00"},
        {"refresh_token": "secret-in-the-body", "scope": "x"},
        {"consumer_key": "ck_secret-in-the-body", "consumer_secret": "cs_x"},
    ):
        assert await refused(path, body) == 422
    canonical = f"/v1/partners/{thin.orders.shop.partner_id}/api-credentials"
    assert await refused(canonical, {"refresh_token": "secret-in-the-body"}) == 409
    stranger = await thin.orders.running.key("staff", partner_id(thin, "tiktok"))
    for method in ("GET", "PUT", "DELETE"):
        answer = await thin.orders.running.client.request(method, path, json={"refresh_token": "x"}, headers=stranger)
        assert answer.status_code == 404
    told = (await thin.orders.running.client.get(path, headers=thin.orders.staff)).text
    assert "access-0" not in told
    assert "refresh-0" not in told


async def test_credentials_can_be_taken_back(thin: Thin) -> None:
    await thin.orders.ask("DELETE", thin.credentials("tiktok"))
    await thin.tell("tiktok", an_order())
    assert not await thin.pull_once()
    assert await thin.waiting() == {"5764": None}


async def test_a_shop_whose_number_is_none_cannot_be_asked(thin: Thin) -> None:
    settings = {"partner_id": "1000639", "shop_id": "mine"}
    shop = await thin.orders.register("shopee", secret="a-partner-key", settings=settings)
    path = f"/v1/partners/{shop.partner_id}/api-credentials"
    answer = await thin.orders.running.client.put(path, json={"refresh_token": "x"}, headers=thin.orders.staff)
    assert (answer.status_code, "shop_id" in answer.json()["detail"]) == (409, True)
