"""What catalog and allocation tell: offers open, change, close and are withdrawn; promises are lost again."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from msgspec.structs import asdict

from services.chassis.access import new_key
from services.chassis.ids import uuid7
from services.contracts import allocation, catalog
from services.contracts.base import UNION_STREAM
from tests.integration.orders.conftest import (
    CAI_MEO,
    NEXT_DAY,
    SU_SU,
    TOMORROW,
    Orders,
    line,
    order,
    product,
    published,
    registered,
)


async def test_each_offer_closes_once_and_the_last_of_a_day_closes_the_day(orders: Orders) -> None:
    now = datetime.now(UTC)
    early = uuid7()
    await orders.hear(published(early, SU_SU, NEXT_DAY, now - timedelta(seconds=1)))
    await orders.close(now)
    await orders.close(now)
    assert [(e["offer_id"], e["closes_day"]) for _, e in await orders.events()] == [(str(early), False)]
    await orders.close(now + timedelta(days=1))
    await orders.close(now + timedelta(days=1))
    assert [(e["offer_id"], e["delivery_day"], e["closes_day"]) for _, e in (await orders.events())[1:]] == [
        (str(orders.cai_meo_tomorrow), TOMORROW.isoformat(), False),
        (str(orders.cai_meo_next_day), NEXT_DAY.isoformat(), True),
        (str(orders.su_su_tomorrow), TOMORROW.isoformat(), True),
    ]


async def test_cooperatives_close_in_their_own_streams(orders: Orders) -> None:
    now, chieng_mai, coffee, offer = datetime.now(UTC), uuid7(), uuid7(), uuid7()
    await orders.hear(
        registered(chieng_mai, "chieng-mai"),
        product(coffee, "ca-phe", "kg", 250),
        published(offer, coffee, TOMORROW),
        stream=chieng_mai,
    )
    await orders.close(now + timedelta(days=1))
    assert [e["offer_id"] for _, e in await orders.events(chieng_mai)] == [str(offer)]
    assert len(await orders.events()) == 3


async def test_a_withdrawn_offer_closes_as_at_a_cut_off_and_only_once(orders: Orders) -> None:
    both = [catalog.OfferWithdrawn(offer_id=one) for one in (orders.cai_meo_tomorrow, orders.su_su_tomorrow)]
    await orders.hear(*both, both[1])
    await orders.hear(catalog.OfferWithdrawn(offer_id=orders.su_su_tomorrow))
    await orders.close(datetime.now(UTC))
    assert [(e["offer_id"], e["closes_day"], e["withdrawn"]) for _, e in await orders.events()] == [
        (str(orders.cai_meo_tomorrow), False, True),
        (str(orders.su_su_tomorrow), True, True),
    ]
    answer = await orders.push(order("A-1", line("SU-SU")))
    assert answer.json()["lines"][0]["reason"] == "no_offer"


async def test_a_closed_offer_that_is_withdrawn_says_nothing_more(orders: Orders) -> None:
    await orders.close(datetime.now(UTC) + timedelta(days=1))
    await orders.hear(catalog.OfferWithdrawn(offer_id=orders.su_su_tomorrow))
    assert await orders.names() == ["intake_closed"] * 3


async def test_a_changed_cut_off_counts_until_the_offer_has_closed(orders: Orders) -> None:
    now = datetime.now(UTC)
    earlier = published(orders.su_su_tomorrow, SU_SU, TOMORROW, now - timedelta(seconds=1))
    await orders.hear(catalog.OfferChanged(**asdict(earlier)))
    answer = await orders.push(order("A-1", line("SU-SU"), delivery_day=TOMORROW.isoformat()))
    assert answer.json()["lines"][0]["reason"] == "intake_closed"
    later = published(orders.su_su_tomorrow, SU_SU, TOMORROW)
    await orders.hear(catalog.OfferChanged(**asdict(later)))
    assert (await orders.push(order("A-2", line("SU-SU")))).json()["lines"][0]["state"] == "ordered"
    await orders.close(now + timedelta(days=1))
    await orders.hear(catalog.OfferChanged(**asdict(later)))
    assert (await orders.push(order("A-3", line("SU-SU")))).json()["lines"][0]["reason"] == "no_offer"


async def test_what_is_shorted_later_is_shown(orders: Orders) -> None:
    told = (await orders.push(order("A-1", line("CAI-KG", 2)))).json()
    order_id = UUID(told["order_id"])
    await orders.promise(order_id)
    lost = allocation.ShortedLine(
        line_no=1, offer_id=orders.cai_meo_tomorrow, before_steps=4, after_steps=1, reason="pledges_reduced"
    )
    await orders.hear(allocation.OrderShorted(order_id=order_id, lines=(lost,)))
    shown = await orders.ask("GET", told["url"])
    assert shown["state"] == "part_promised"
    assert shown["lines"][0]["promise"] == {"promised": "0.5", "short": "1.5", "reason": "pledges_reduced"}
    await orders.hear(
        allocation.OrderPromised(
            order_id=order_id,
            lines=(
                allocation.PromisedLine(
                    line_no=1,
                    offer_id=orders.cai_meo_tomorrow,
                    ordered_steps=4,
                    promised_steps=4,
                    short_steps=0,
                    shorted_steps=2,
                    reason="pledges_reduced",
                ),
            ),
        )
    )
    shown = await orders.ask("GET", told["url"])
    assert shown["lines"][0]["promise"] == {"promised": "1", "short": "1", "reason": "pledges_reduced"}


async def test_an_order_whose_truck_has_left_is_delivered_and_stays_so(orders: Orders) -> None:
    told = (await orders.push(order("A-1", line("CAI-KG", 2)))).json()
    order_id = UUID(told["order_id"])
    await orders.promise(order_id)
    brought = allocation.DeliveredLine(line_no=1, offer_id=orders.cai_meo_tomorrow, delivered_steps=4)
    delivered = allocation.OrderDelivered(order_id=order_id, delivery_day=TOMORROW, lines=(brought,))
    await orders.hear(delivered)
    assert (await orders.ask("GET", told["url"]))["state"] == "delivered"
    await orders.hear(delivered)
    await orders.hear(allocation.OrderDelivered(order_id=uuid7(), delivery_day=TOMORROW, lines=(brought,)))
    await orders.promise(order_id)
    shown = await orders.ask("GET", told["url"])
    assert (shown["state"], shown["lines"][0]["promise"]["promised"]) == ("delivered", "2")
    again = (await orders.push(order("A-1", line("CAI-KG", 2), line("SU-SU"), minute=1))).json()
    assert again["state"] == "placed"


async def test_a_promise_for_an_order_that_is_not_here_is_passed_over(orders: Orders) -> None:
    await orders.hear(allocation.OrderPromised(order_id=uuid7(), lines=()))


async def test_an_order_of_which_nothing_could_be_ordered_is_answered_too(orders: Orders) -> None:
    told = (await orders.push(order("A-1", line("LẠ")))).json()
    await orders.hear(allocation.OrderPromised(order_id=UUID(told["order_id"]), lines=()))
    shown = await orders.ask("GET", told["url"])
    assert (shown["state"], shown["promised_at"] is None) == ("not_promised", False)


async def test_keys_open_and_close_with_catalogs_events(orders: Orders) -> None:
    key = new_key()
    issued = catalog.AccessKeyIssued(
        key_id=key.key_id, secret_sha256=key.secret_sha256, role="operator", scope=None, label="phòng điều phối"
    )
    headers = {"Authorization": f"Bearer {key.token}"}
    path = "/v1/cooperatives/van-ho/orders"
    assert (await orders.running.client.get(path, headers=headers)).status_code == 401
    await orders.hear(issued, stream=UNION_STREAM)
    assert (await orders.running.client.get(path, headers=headers)).status_code == 200
    await orders.hear(catalog.AccessKeyRevoked(key_id=key.key_id), stream=UNION_STREAM)
    assert (await orders.running.client.get(path, headers=headers)).status_code == 401


async def test_a_cooperative_moves_to_its_own_lane_and_back(orders: Orders) -> None:
    def moved(lane: int | None) -> catalog.CooperativeChanged:
        return catalog.CooperativeChanged(**asdict(registered(orders.van_ho, "van-ho")) | {"lane": lane})

    lane = "select lane from stream_head where stream = $1"
    await orders.push(order("A-1", line("SU-SU")))
    (shared,) = await orders.fetch(lane, orders.van_ho)
    await orders.hear(moved(9))
    assert (await orders.fetch(lane, orders.van_ho))[0]["lane"] == 9
    await orders.hear(moved(None))
    assert (await orders.fetch(lane, orders.van_ho))[0]["lane"] == shared["lane"]


async def test_products_and_offers_of_one_message_are_kept_together(orders: Orders) -> None:
    offer = uuid7()
    renamed = product(CAI_MEO, "cai-meo-a", "kg", 500)
    await orders.hear(renamed, published(offer, CAI_MEO, NEXT_DAY), product(CAI_MEO, "cai-meo", "kg", 500))
    rows = await orders.fetch("select code from product order by code")
    assert [row["code"] for row in rows] == ["cai-meo", "su-su"]
