"""Households pledge what they may: at publishing, when they lose it, at renewal, and after the migration."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg

from infra.local.stack import Stack
from services.catalog.app import service
from services.chassis.migrate import migrate
from tests.integration.catalog.conftest import OPENING, Catalog, offer, publish
from tests.support.servers import fresh_database

HOUSEHOLD = "/cooperatives/van-ho/households/VH-01"
STANDING = "/cooperatives/van-ho/standing-offers"
DAILY: dict[str, Any] = {
    "price_vnd": 30_000,
    "cut_off_time": "04:00",
    "cut_off_days_before": 0,
    "arrive_by_time": "05:30",
    "pledges": [
        {"household_code": "VH-01", "quantity_steps": 20},
        {"household_code": "VH-02", "quantity_steps": 10},
    ],
}


async def close(catalog: Catalog, offer_id: str) -> None:
    """Lets the cut-off have passed."""
    await catalog.running.runtime.pool.execute(
        "update offer set cut_off_at = now() - interval '1 second' where offer_id = $1", UUID(offer_id)
    )


async def pledging(catalog: Catalog, path: str) -> list[str]:
    """The codes of the households that pledge to an offer or a standing offer."""
    return [pledge["household_code"] for pledge in (await catalog.done("GET", path))["pledges"]]


async def test_a_pledge_that_is_not_allowed_is_refused_and_says_who_lacks_what(catalog: Catalog) -> None:
    await catalog.done("PATCH", HOUSEHOLD, {"certificates": ["VietGAP"], "crops": ["su su"]})
    wanted = {
        "pledges[0].household_code": "VH-01 does not grow cải mèo and does not hold Hữu cơ PGS",
    }
    (offer_id,) = await publish(catalog, offer(pledges=[]))
    pledges = {"pledges": DAILY["pledges"]}
    for method, path, body, at in (
        ("POST", "/cooperatives/van-ho/offers", {"offers": [offer("su-su"), offer(days_ahead=3)]}, "offers[1]."),
        ("PATCH", f"/offers/{offer_id}", pledges, ""),
        ("PUT", f"{STANDING}/cai-meo", DAILY, ""),
    ):
        answer = await catalog.ask(method, path, body)
        assert answer.status_code == 422
        told = {error["field"]: error["detail"] for error in answer.json()["errors"]}
        assert told == {f"{at}{field}": detail for field, detail in wanted.items()}
    assert await catalog.names() == [*OPENING, "household_changed", "offer_published"]


async def test_lost_eligibility_takes_pledges_out_of_open_offers_and_standing_offers(catalog: Catalog) -> None:
    bare, closed, withdrawn, one, two = await publish(
        catalog, offer("su-su"), offer(days_ahead=3), offer(days_ahead=4), offer(days_ahead=5), offer(days_ahead=6)
    )
    await close(catalog, closed)
    await catalog.done("POST", f"/offers/{withdrawn}/withdraw")
    for code in ("cai-meo", "su-su"):
        await catalog.done("PUT", f"{STANDING}/{code}", DAILY)
    before = len(await catalog.names())
    changed = await catalog.done("PATCH", HOUSEHOLD, {"certificates": []})
    events = (await catalog.events())[before:]
    assert [(name, event.get("offer_id")) for name, event in events] == [
        ("household_changed", None),
        ("offer_changed", one),
        ("offer_changed", two),
    ]
    assert all([pledge["quantity_steps"] for pledge in event["pledges"]] == [40] for _, event in events[1:])
    assert changed["certificates"] == []
    both = ["VH-01", "VH-02"]
    found = {each: await pledging(catalog, f"/offers/{each}") for each in (bare, closed, withdrawn, one, two)}
    assert found == {bare: both, closed: both, withdrawn: both, one: ["VH-02"], two: ["VH-02"]}
    assert await pledging(catalog, f"{STANDING}/cai-meo") == ["VH-02"]
    assert await pledging(catalog, f"{STANDING}/su-su") == both


async def test_a_change_that_still_allows_all_pledges_leaves_them(catalog: Catalog) -> None:
    (offer_id,) = await publish(catalog, offer())
    await catalog.done("PATCH", HOUSEHOLD, {"certificates": ["Hữu cơ PGS", "VietGAP"], "grades": ["A"]})
    assert await pledging(catalog, f"/offers/{offer_id}") == ["VH-01", "VH-02"]
    assert await catalog.names() == [*OPENING, "offer_published", "household_changed"]


async def test_a_renewal_leaves_out_pledges_that_are_not_allowed(catalog: Catalog) -> None:
    await catalog.done("PUT", f"{STANDING}/cai-meo", DAILY)
    await catalog.running.runtime.pool.execute("update household set certificates = '{}' where code = 'VH-01'")
    (job,) = catalog.running.parts.jobs
    await job.run(datetime.now(UTC))
    published = [event for name, event in await catalog.events() if name == "offer_published"]
    assert [[pledge["quantity_steps"] for pledge in event["pledges"]] for event in published] == [[10], [10]]


FROM_BEFORE = """
insert into cooperative values ('00000000-0000-0000-0000-000000000001', 'a', 'A', 'Asia/Ho_Chi_Minh');
insert into collection_point values ('00000000-0000-0000-0000-000000000002',
    '00000000-0000-0000-0000-000000000001', 'x');
insert into household select ('00000000-0000-0000-0000-00000000001' || n)::uuid,
    '00000000-0000-0000-0000-000000000001', n::text, 'hộ', 1 from generate_series(1, 3) n;
insert into product select ('00000000-0000-0000-0000-00000000002' || n)::uuid,
    '00000000-0000-0000-0000-000000000001', n::text, 'p', 'p', 'A', (array['kg', 'g', 'bó', 'g'])[n],
    (array[500, 250000, 1000, 1])[n], null, (array['{VietGAP,PGS}', '{VietGAP,OCOP}', '{}', '{}'])[n]::text[]
    from generate_series(1, 4) n;
insert into offer values ('00000000-0000-0000-0000-000000000031', '00000000-0000-0000-0000-000000000001',
    '00000000-0000-0000-0000-000000000021', '2026-11-24', 1000, '2026-11-23T10:00Z',
    '00000000-0000-0000-0000-000000000002', '2026-11-23T22:00Z');
insert into standing_offer values ('00000000-0000-0000-0000-000000000022', '00000000-0000-0000-0000-000000000001',
    1000, '04:00', 0, '05:00', '00000000-0000-0000-0000-000000000002');
insert into pledge values ('00000000-0000-0000-0000-000000000031', '00000000-0000-0000-0000-000000000011', 5);
insert into standing_pledge select '00000000-0000-0000-0000-000000000022',
    ('00000000-0000-0000-0000-00000000001' || n)::uuid, 5 from generate_series(1, 2) n;
"""


async def test_who_pledged_certified_products_before_holds_their_certificates_after_the_migration(
    stack: Stack,
) -> None:
    migrations = service.migrations()
    async with fresh_database(stack, "catalog") as dsn:
        await migrate(dsn, [each for each in migrations if each.name < "0002_policies" or each.component == "chassis"])
        conn = await asyncpg.connect(dsn)
        await conn.execute(FROM_BEFORE)
        await migrate(dsn, migrations)
        held = await conn.fetch("select certificates from household order by code")
        weights = await conn.fetch("select step_grams from product order by code")
        await conn.close()
    assert [row["certificates"] for row in held] == [["OCOP", "PGS", "VietGAP"], ["OCOP", "VietGAP"], []]
    assert [row["step_grams"] for row in weights] == [500, 250, None, None]
