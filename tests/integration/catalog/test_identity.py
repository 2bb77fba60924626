"""What is entered again is what it was: a catalog that was set back makes nothing a second time beside the first."""

from datetime import UTC, datetime
from uuid import UUID

from tests.integration.catalog.conftest import Catalog, enter, offer, publish
from tests.integration.catalog.test_standing import STANDING, renew

_ALL = "cooperative, collection_point, household, product, offer, pledge, standing_offer, standing_pledge"


async def _ids(catalog: Catalog) -> list[UUID]:
    rows = await catalog.running.runtime.pool.fetch(
        "select household_id as id, 1 as kind, code from household"
        " union all select product_id, 2, code from product order by kind, code"
    )
    return [catalog.van_ho, *(row["id"] for row in rows)]


async def _offers(catalog: Catalog) -> list[str]:
    """One that is withdrawn, and the one that takes its place."""
    (first,) = await publish(catalog, offer())
    await catalog.done("POST", f"/offers/{first}/withdraw")
    (second,) = await publish(catalog, offer(price_vnd=31_000))
    return [first, second]


async def test_what_is_entered_again_after_a_restore_has_the_ids_that_readers_know(catalog: Catalog) -> None:
    ids, offers = await _ids(catalog), await _offers(catalog)
    assert len({*ids, *map(UUID, offers)}) == 7
    await catalog.running.runtime.pool.execute(f"truncate {_ALL}")
    assert await enter(catalog.running.client, catalog.operator) == ids
    assert await _offers(catalog) == offers


async def test_a_renewal_that_is_repeated_after_a_restore_publishes_the_same_offers(catalog: Catalog) -> None:
    await catalog.done("PUT", "/cooperatives/van-ho/standing-offers/cai-meo", STANDING)
    renewed = await _renewed(catalog)
    assert renewed
    await catalog.running.runtime.pool.execute("truncate offer, pledge; update cooperative set renew_at = now()")
    assert await _renewed(catalog) == renewed


async def _renewed(catalog: Catalog) -> set[UUID]:
    await renew(catalog, datetime.now(UTC))
    return {row["offer_id"] for row in await catalog.running.runtime.pool.fetch("select offer_id from offer")}
