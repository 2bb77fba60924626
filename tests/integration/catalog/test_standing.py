"""Standing offers: kept over HTTP, and renewed by the job once per product and day, whoever runs it."""

import asyncio
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.catalog.renewal import LOOK_AGAIN
from tests.integration.catalog.conftest import (
    OPENING,
    SON_LA,
    VAN_HO,
    Catalog,
    fields,
    local_day,
    offer,
    publish,
)

PATH = "/cooperatives/van-ho/standing-offers"
PLEDGES = [{"household_code": "VH-01", "quantity_steps": 20}, {"household_code": "VH-02", "quantity_steps": 10}]
STANDING: dict[str, Any] = {
    "price_vnd": 30_000,
    "cut_off_time": "04:00",
    "cut_off_days_before": 0,
    "arrive_by_time": "05:30",
    "pledges": PLEDGES,
}


async def renew(catalog: Catalog, now: datetime) -> None:
    """One run of the job."""
    (job,) = catalog.running.parts.jobs
    assert not await job.run(now)


async def published_days(catalog: Catalog) -> list[tuple[str, str]]:
    """(product id, day) of the offers that were announced, in order."""
    return [
        (event["product_id"], event["delivery_day"])
        for name, event in await catalog.events()
        if name == "offer_published"
    ]


def days(now: datetime, *ahead: int) -> list[str]:
    """Local days ahead of now."""
    today = now.astimezone(SON_LA).date()
    return [str(today + timedelta(days=n)) for n in ahead]


async def test_a_standing_offer_is_set_shown_replaced_and_ended(catalog: Catalog) -> None:
    first = await catalog.ask("PUT", f"{PATH}/cai-meo", STANDING)
    assert first.status_code == 201
    second = await catalog.ask("PUT", f"{PATH}/cai-meo", STANDING | {"price_vnd": 28_000, "pledges": PLEDGES[:1]})
    assert second.status_code == 200
    shown = await catalog.done("GET", f"{PATH}/cai-meo")
    assert shown == second.json()
    assert (shown["price_vnd"], shown["cut_off_time"], shown["arrive_by_time"]) == (28_000, "04:00", "05:30")
    assert [(p["household_code"], p["quantity_steps"]) for p in shown["pledges"]] == [("VH-01", 20)]
    await catalog.done("PUT", f"{PATH}/su-su", STANDING)
    page = await catalog.done("GET", f"{PATH}?limit=1")
    assert ([s["product_code"] for s in page["standing_offers"]], page["next_after"]) == (["cai-meo"], "cai-meo")
    for _ in range(2):
        await catalog.done("DELETE", f"{PATH}/cai-meo")
    rest = await catalog.done("GET", PATH)
    assert [s["product_code"] for s in rest["standing_offers"]] == ["su-su"]
    assert await catalog.names() == OPENING


async def test_a_standing_offer_that_cannot_be_right_has_every_field_named(catalog: Catalog) -> None:
    wrong = STANDING | {
        "price_vnd": 30_001,
        "cut_off_time": "05:30",
        "collection_point_id": str(UUID(int=9)),
        "pledges": [*PLEDGES, PLEDGES[0], {"household_code": "VH-09", "quantity_steps": 1}],
    }
    assert fields(await catalog.ask("PUT", f"{PATH}/cai-meo", wrong)) == [
        "price_vnd",
        "cut_off_time",
        "collection_point_id",
        "pledges[2].household_code",
        "pledges[3].household_code",
    ]
    misshapen = STANDING | {"cut_off_time": "24:00", "cut_off_days_before": 8, "arrive_by_time": "5:30"}
    assert fields(await catalog.ask("PUT", f"{PATH}/cai-meo", misshapen)) == [
        "cut_off_time",
        "cut_off_days_before",
        "arrive_by_time",
    ]
    for method in ("PUT", "DELETE"):
        assert (await catalog.ask(method, f"{PATH}/ngo", STANDING)).status_code == 404


async def test_standing_offers_renew_each_day_with_their_pledges(catalog: Catalog) -> None:
    product = (await catalog.done("PUT", f"{PATH}/cai-meo", STANDING))["product_id"]
    now = datetime.now(UTC)
    await renew(catalog, now)
    await renew(catalog, now + LOOK_AGAIN)
    await renew(catalog, now + timedelta(days=1))
    wanted = [(product, day) for day in days(now, 1, 2, 3)]
    assert await published_days(catalog) == wanted
    event = (await catalog.events())[len(OPENING)][1]
    tomorrow = date.fromisoformat(wanted[0][1])
    assert datetime.fromisoformat(event["cut_off_at"]) == datetime.combine(tomorrow, time(4), SON_LA)
    assert datetime.fromisoformat(event["arrive_by_at"]) == datetime.combine(tomorrow, time(5, 30), SON_LA)
    assert sorted(pledge["quantity_steps"] for pledge in event["pledges"]) == [10, 20]
    shown = await catalog.done("GET", f"/offers/{event['offer_id']}")
    assert [(p["household_code"], p["quantity_steps"]) for p in shown["pledges"]] == [("VH-01", 20), ("VH-02", 10)]


async def test_renewals_that_run_at_once_publish_each_offer_once(catalog: Catalog) -> None:
    await catalog.done("PUT", f"{PATH}/cai-meo", STANDING)
    await catalog.done("PUT", f"{PATH}/su-su", STANDING)
    now = datetime.now(UTC)
    await asyncio.gather(*(renew(catalog, now) for _ in range(6)))
    found = await published_days(catalog)
    assert len(found) == len(set(found)) == 4


async def test_a_renewal_passes_over_a_cooperative_that_staff_have_in_hand(catalog: Catalog) -> None:
    await catalog.done("PUT", f"{PATH}/cai-meo", STANDING)
    now = datetime.now(UTC)
    async with catalog.running.runtime.pool.acquire() as staff, staff.transaction():
        await staff.execute("select from cooperative for no key update")
        await renew(catalog, now)
        assert await published_days(catalog) == []
    await renew(catalog, now)
    assert len(await published_days(catalog)) == 2


async def test_a_renewal_leaves_days_alone_that_staff_published_or_withdrew(catalog: Catalog) -> None:
    one, two = await publish(catalog, offer(days_ahead=1, arrive_by_at=_at(1)), offer(days_ahead=2))
    await catalog.done("POST", f"/offers/{two}/withdraw")
    await catalog.done("PUT", f"{PATH}/cai-meo", STANDING)
    await renew(catalog, datetime.now(UTC))
    assert await catalog.names() == [*OPENING, "offer_published", "offer_published", "offer_withdrawn"]
    assert (await catalog.done("GET", f"/offers/{one}"))["price_vnd"] == 30_000


def _at(days_ahead: int) -> str:
    """Late on a coming day, so that the cut-off an hour from now lies before it at any hour."""
    return datetime.combine(local_day(days_ahead), time(23, 59), SON_LA).isoformat()


async def test_a_cut_off_that_has_passed_is_not_published(catalog: Catalog) -> None:
    await catalog.done("PUT", f"{PATH}/cai-meo", STANDING | {"cut_off_time": "12:00", "cut_off_days_before": 1})
    noon = datetime.combine(datetime.now(SON_LA).date() + timedelta(days=1), time(12), SON_LA)
    await renew(catalog, noon)
    assert [day for _, day in await published_days(catalog)] == days(noon, 2)


async def test_an_offer_that_repeats_daily_renews_and_replaces_what_stood(catalog: Catalog) -> None:
    await catalog.done("PUT", f"{PATH}/cai-meo", STANDING)
    cut_off = datetime.combine(local_day(2), time(3), SON_LA)
    daily = offer(cut_off_at=cut_off.isoformat(), price_vnd=26_000, repeats_daily=True)
    await publish(catalog, daily)
    standing = await catalog.done("GET", f"{PATH}/cai-meo")
    assert (standing["price_vnd"], standing["cut_off_time"], standing["cut_off_days_before"]) == (26_000, "03:00", 0)
    now = datetime.now(UTC)
    await renew(catalog, now)
    assert [day for _, day in await published_days(catalog)] == days(now, 2, 1)
    assert {event["price_vnd"] for name, event in await catalog.events() if name == "offer_published"} == {26_000}


async def test_nothing_is_renewed_after_the_standing_offer_has_ended(catalog: Catalog) -> None:
    await catalog.done("PUT", f"{PATH}/cai-meo", STANDING)
    await catalog.done("DELETE", f"{PATH}/cai-meo")
    await renew(catalog, datetime.now(UTC))
    assert await published_days(catalog) == []
    waiting = await catalog.running.runtime.pool.fetchval("select count(*) from cooperative where renew_at is not null")
    assert waiting == 0


async def test_a_cooperative_whose_renewal_fails_does_not_hold_up_the_others(catalog: Catalog) -> None:
    await catalog.done("PUT", f"{PATH}/cai-meo", STANDING)
    path = "/cooperatives/chieng-mai"
    await catalog.done("POST", "/cooperatives", VAN_HO | {"slug": "chieng-mai"}, catalog.operator)
    coffee = {"code": "ca-phe", "name": "Cà phê", "crop": "cà phê", "grade": "A", "unit": "kg", "step_milliunits": 500}
    await catalog.done("POST", f"{path}/products", coffee, catalog.operator)
    standing = STANDING | {"pledges": []}
    await catalog.done("PUT", f"{path}/standing-offers/ca-phe", standing, catalog.operator)
    pool = catalog.running.runtime.pool
    await pool.execute("update cooperative set timezone = 'Nowhere/Lost' where slug = 'van-ho'")
    (job,) = catalog.running.parts.jobs
    with pytest.raises(Exception, match="Nowhere/Lost"):
        await job.run(datetime.now(UTC))
    assert await published_days(catalog) == []
    assert await pool.fetchval("select count(*) from offer") == 2
