"""Offers over HTTP: published together, changed until the cut-off, withdrawn once, shown with what is left."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.chassis.inbox import Received
from services.chassis.ledger import Transaction
from services.contracts.allocation import OfferAvailabilityChanged
from tests.integration.catalog.conftest import OPENING, Catalog, fields, local_day, offer, publish

PATH = "/cooperatives/van-ho/offers"


async def close(catalog: Catalog, offer_id: str) -> None:
    """Lets the cut-off have passed."""
    await catalog.running.runtime.pool.execute(
        "update offer set cut_off_at = now() - interval '1 second' where offer_id = $1", UUID(offer_id)
    )


async def test_a_days_offers_are_published_at_once_and_announced_as_stated(catalog: Catalog) -> None:
    wanted = [offer("su-su", price_vnd=7_000, pledges=[]), offer("cai-meo")]
    su_su, cai_meo = await publish(catalog, *wanted)
    listed = (await catalog.done("GET", f"{PATH}?delivery_day={local_day(2)}"))["offers"]
    assert [(o["offer_id"], o["product_code"], o["state"]) for o in listed] == [
        (cai_meo, "cai-meo", "open"),
        (su_su, "su-su", "open"),
    ]
    events = (await catalog.events())[len(OPENING) :]
    assert [(name, event["offer_id"]) for name, event in events] == [
        ("offer_published", su_su),
        ("offer_published", cai_meo),
    ]
    event, shown = events[1][1], listed[0]
    pledges = [
        {"household_id": pledge["household_id"], "quantity_steps": pledge["quantity_steps"]}
        for pledge in shown["pledges"]
    ]
    assert event.pop("pledges") == sorted(pledges, key=lambda pledge: pledge["household_id"])
    assert [(p["household_code"], p["quantity_steps"]) for p in shown["pledges"]] == [("VH-01", 60), ("VH-02", 40)]
    assert {name: shown[name] for name in event} == event
    assert datetime.fromisoformat(event["cut_off_at"]) == datetime.fromisoformat(wanted[1]["cut_off_at"])
    assert await catalog.done("GET", f"/offers/{cai_meo}") == shown


async def test_one_wrong_offer_keeps_the_whole_day_back_and_every_field_is_named(catalog: Catalog) -> None:
    wrong = offer(
        "su-su",
        collection_point_id=str(UUID(int=9)),
        cut_off_at=(datetime.now(UTC) - timedelta(minutes=1)).isoformat(),
        delivery_day=local_day(3).isoformat(),
        pledges=[
            {"household_code": "VH-01", "quantity_steps": 1},
            {"household_code": "VH-01", "quantity_steps": 1},
            {"household_code": "VH-09", "quantity_steps": 1},
        ],
    )
    answer = await catalog.ask("POST", PATH, {"offers": [offer(), wrong, offer("ngo", price_vnd=1)]})
    assert fields(answer) == [
        "offers[1].cut_off_at",
        "offers[1].arrive_by_at",
        "offers[1].collection_point_id",
        "offers[1].pledges[1].household_code",
        "offers[1].pledges[2].household_code",
        "offers[2].product_code",
    ]
    assert await catalog.names() == OPENING


async def test_content_of_the_wrong_shape_is_named_field_by_field(catalog: Catalog) -> None:
    wrong = offer(
        delivery_day="25.11.2026",
        price_vnd="30000",
        cut_off_at="2026-11-24T17:30:00",
        arrive_by_at=1_795_000_000,
        pledges=[{"household_code": "VH-01", "quantity_steps": -1}, {"household_code": "VH-02", "quantity_steps": 0.5}],
        repeats_daily="yes",
    )
    assert fields(await catalog.ask("POST", PATH, {"offers": [wrong]})) == [
        "offers[0].delivery_day",
        "offers[0].price_vnd",
        "offers[0].cut_off_at",
        "offers[0].arrive_by_at",
        "offers[0].pledges[0].quantity_steps",
        "offers[0].pledges[1].quantity_steps",
        "offers[0].repeats_daily",
    ]
    assert fields(await catalog.ask("POST", PATH, {"offers": []})) == ["offers"]
    assert fields(await catalog.ask("POST", PATH, {"offers": [offer(cut_off_at="0001-01-01T00:00:00+14:00")]})) == [
        "offers[0].cut_off_at"
    ]


async def test_a_body_that_is_no_json_is_named_as_a_whole(catalog: Catalog) -> None:
    answer = await catalog.running.client.post(f"/v1{PATH}", content=b'{"offers": [', headers=catalog.staff)
    assert fields(answer) == ["body"]


async def test_a_product_has_one_live_offer_a_day_and_the_refusal_names_it(catalog: Catalog) -> None:
    (offer_id,) = await publish(catalog, offer())
    answer = await catalog.ask("POST", PATH, {"offers": [offer("su-su"), offer()]})
    assert answer.status_code == 409
    assert f"cai-meo for {local_day(2)} (offer {offer_id})" in answer.json()["detail"]
    assert "su-su" not in answer.json()["detail"]
    assert await catalog.names() == [*OPENING, "offer_published"]


async def test_the_same_day_sent_many_times_at_once_is_published_once(catalog: Catalog) -> None:
    day = {"offers": [offer(), offer("su-su")]}
    answers = await asyncio.gather(*(catalog.ask("POST", PATH, day) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409]
    assert await catalog.names() == [*OPENING, "offer_published", "offer_published"]


async def test_a_change_announces_the_whole_new_state(catalog: Catalog) -> None:
    (offer_id,) = await publish(catalog, offer())
    pledges = [{"household_code": "VH-02", "quantity_steps": 55}]
    changed = await catalog.done("PATCH", f"/offers/{offer_id}", {"price_vnd": 32_000, "pledges": pledges})
    assert (changed["price_vnd"], [p["household_code"] for p in changed["pledges"]]) == (32_000, ["VH-02"])
    assert changed == await catalog.done("GET", f"/offers/{offer_id}")
    name, event = (await catalog.events())[-1]
    assert (name, event["price_vnd"]) == ("offer_changed", 32_000)
    assert [pledge["quantity_steps"] for pledge in event["pledges"]] == [55]
    assert event["cut_off_at"] == changed["cut_off_at"]
    await catalog.done("PATCH", f"/offers/{offer_id}", {"pledges": pledges})
    assert (await catalog.names()).count("offer_changed") == 1


async def test_a_change_that_cannot_be_right_names_every_field(catalog: Catalog) -> None:
    (offer_id,) = await publish(catalog, offer())
    wrong = {
        "price_vnd": 30_001,
        "cut_off_at": (datetime.now(UTC) - timedelta(minutes=1)).isoformat(),
        "arrive_by_at": (datetime.now(UTC) + timedelta(days=9)).isoformat(),
        "pledges": [{"household_code": "VH-09", "quantity_steps": 1}],
    }
    assert fields(await catalog.ask("PATCH", f"/offers/{offer_id}", wrong)) == [
        "price_vnd",
        "cut_off_at",
        "arrive_by_at",
        "pledges[0].household_code",
    ]


async def test_after_the_cut_off_an_offer_is_neither_changed_nor_withdrawn(catalog: Catalog) -> None:
    (offer_id,) = await publish(catalog, offer())
    await close(catalog, offer_id)
    assert (await catalog.done("GET", f"/offers/{offer_id}"))["state"] == "closed"
    assert (await catalog.ask("PATCH", f"/offers/{offer_id}", {"price_vnd": 32_000})).status_code == 409
    assert (await catalog.ask("POST", f"/offers/{offer_id}/withdraw")).status_code == 409
    assert await catalog.names() == [*OPENING, "offer_published"]


async def test_staff_close_an_offer_early(catalog: Catalog) -> None:
    (offer_id,) = await publish(catalog, offer())
    soon = datetime.now(UTC) + timedelta(seconds=0.4)
    await catalog.done("PATCH", f"/offers/{offer_id}", {"cut_off_at": soon.isoformat()})
    async with asyncio.timeout(10):
        while (await catalog.done("GET", f"/offers/{offer_id}"))["state"] != "closed":
            pass
    assert (await catalog.events())[-1][0] == "offer_changed"


async def test_a_withdrawal_is_announced_once_and_makes_room_for_another_offer(catalog: Catalog) -> None:
    (offer_id,) = await publish(catalog, offer())
    for _ in range(2):
        answer = await catalog.done("POST", f"/offers/{offer_id}/withdraw")
        assert answer["state"] == "withdrawn"
    assert (await catalog.ask("PATCH", f"/offers/{offer_id}", {"price_vnd": 32_000})).status_code == 409
    await publish(catalog, offer(price_vnd=31_000))
    assert (await catalog.events())[len(OPENING) + 1] == ("offer_withdrawn", {"offer_id": offer_id})
    assert await catalog.names() == [*OPENING, "offer_published", "offer_withdrawn", "offer_published"]
    listed = (await catalog.done("GET", f"{PATH}?delivery_day={local_day(2)}"))["offers"]
    assert [o["state"] for o in listed] == ["withdrawn", "open"]


async def test_with_two_collection_points_an_offer_names_its_own(catalog: Catalog) -> None:
    point = await catalog.done("POST", "/cooperatives/van-ho/collection-points", {"name": "Lóng Luông"})
    assert fields(await catalog.ask("POST", PATH, {"offers": [offer()]})) == ["offers[0].collection_point_id"]
    (offer_id,) = await publish(catalog, offer(collection_point_id=point["collection_point_id"]))
    shown = await catalog.done("GET", f"/offers/{offer_id}")
    assert shown["collection_point_id"] == point["collection_point_id"]


@pytest.mark.parametrize("day", ["", "?delivery_day=tomorrow", "?delivery_day=1764000000"])
async def test_a_list_needs_its_delivery_day(catalog: Catalog, day: str) -> None:
    assert len(fields(await catalog.ask("GET", f"{PATH}{day}"))) == 1


async def test_the_last_word_of_allocation_on_each_offer_is_shown(catalog: Catalog) -> None:
    one, two = await publish(catalog, offer(), offer("su-su"))
    shown = await catalog.done("GET", f"/offers/{one}")
    assert (shown["supply_steps"], shown["available_steps"]) == (None, None)
    handler = catalog.running.parts.handlers[OfferAvailabilityChanged]

    async def take_in(*said: tuple[str, int, int]) -> None:
        events = [
            Received(
                catalog.van_ho,
                n,
                UUID(int=n),
                datetime.now(UTC),
                None,
                OfferAvailabilityChanged(offer_id=UUID(offer_id), supply_steps=supply, available_steps=available),
            )
            for n, (offer_id, supply, available) in enumerate(said, 1)
        ]

        async def work(tx: Transaction) -> None:
            await handler(tx, events)

        await catalog.running.runtime.ledger.transact(work)

    await take_in((one, 100, 90), (two, 100, 100), (one, 100, 70))
    await take_in((two, 95, 0))
    listed = (await catalog.done("GET", f"{PATH}?delivery_day={local_day(2)}"))["offers"]
    assert [(o["offer_id"], o["supply_steps"], o["available_steps"]) for o in listed] == [(one, 100, 70), (two, 95, 0)]
