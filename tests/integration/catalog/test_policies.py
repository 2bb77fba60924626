"""What cooperatives state in advance, over HTTP: set as a whole, announced once, refused where it is wrong."""

from typing import Any

import asyncpg
import pytest

from tests.integration.catalog.conftest import OPENING, VAN_HO, Catalog, fields

PATH = "/cooperatives/van-ho/policies"
DEFAULTS: dict[str, Any] = {
    "promise_rule": "first_come",
    "buffer_permille": 0,
    "memory_days": 30,
    "minimum_delivery_vnd": 0,
    "reply_minutes": 120,
    "silence": "yes",
    "reply_rounds": 2,
    "shortfall_rule": "equal",
    "fee_permille": 0,
}
LEAST = DEFAULTS | {"memory_days": 1, "reply_minutes": 1, "reply_rounds": 1}
MOST = {
    "promise_rule": "fair",
    "buffer_permille": 900,
    "memory_days": 366,
    "minimum_delivery_vnd": 1_000_000_000,
    "reply_minutes": 1440,
    "silence": "re_offer",
    "reply_rounds": 5,
    "shortfall_rule": "pro_rata",
    "fee_permille": 1000,
}


async def test_a_cooperative_that_stated_nothing_has_the_defaults(catalog: Catalog) -> None:
    assert await catalog.done("GET", PATH) == DEFAULTS
    assert (await catalog.done("GET", "/cooperatives/van-ho"))["policies"] == DEFAULTS
    assert (await catalog.events())[0][1]["policies"] == DEFAULTS


async def test_policies_are_set_as_a_whole_shown_and_announced(catalog: Catalog) -> None:
    for wanted in (MOST, LEAST):
        assert await catalog.done("PUT", PATH, wanted) == wanted
        assert await catalog.done("GET", PATH) == wanted
        shown = await catalog.done("GET", "/cooperatives/van-ho")
        assert shown["policies"] == wanted
        assert (await catalog.events())[-1] == ("cooperative_changed", shown)
    renamed = await catalog.done("PATCH", "/cooperatives/van-ho", {"name": "HTX Vân Hồ"})
    assert renamed["policies"] == LEAST


async def test_the_same_policies_again_announce_nothing(catalog: Catalog) -> None:
    for _ in range(2):
        await catalog.done("PUT", PATH, MOST)
    assert await catalog.names() == [*OPENING, "cooperative_changed"]


async def test_policies_that_cannot_be_right_have_every_field_named(catalog: Catalog) -> None:
    wrong = {
        "promise_rule": "lottery",
        "buffer_permille": 901,
        "memory_days": 0,
        "minimum_delivery_vnd": -1,
        "reply_minutes": 1441,
        "silence": "no",
        "reply_rounds": 2.0,
        "shortfall_rule": None,
        "colour": "green",
    }
    assert fields(await catalog.ask("PUT", PATH, wrong)) == [
        *(name for name in DEFAULTS if name != "fee_permille"),
        "fee_permille",
        "colour",
    ]
    assert await catalog.names() == OPENING


async def test_staff_see_and_set_the_policies_of_their_own_cooperative_only(catalog: Catalog) -> None:
    await catalog.done("POST", "/cooperatives", VAN_HO | {"slug": "chieng-mai"}, catalog.operator)
    for slug in ("chieng-mai", "no-such"):
        assert (await catalog.ask("GET", f"/cooperatives/{slug}/policies")).status_code == 404
        assert (await catalog.ask("PUT", f"/cooperatives/{slug}/policies", MOST)).status_code == 404
    assert (await catalog.ask("PUT", PATH, MOST, key={})).status_code == 401
    assert await catalog.done("PUT", PATH, MOST, catalog.operator) == MOST


@pytest.mark.parametrize(
    "wrong",
    [
        "promise_rule = 'lottery'",
        "buffer_permille = 901",
        "memory_days = 367",
        "minimum_delivery_vnd = -1",
        "reply_minutes = 0",
        "silence = 'no'",
        "reply_rounds = 0",
        "shortfall_rule = ''",
        "fee_permille = 1001",
    ],
)
async def test_the_database_checks_each_policy_too(catalog: Catalog, wrong: str) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await catalog.running.runtime.pool.execute(f"update cooperative set {wrong}")  # noqa: S608 - from above
