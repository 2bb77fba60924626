"""Cooperatives, households and products over HTTP: what is stored, announced and refused."""

from typing import Any
from uuid import UUID

import pytest

from services.chassis.lanes import shared_lane
from tests.integration.catalog.conftest import CAI_MEO, OPENING, VAN_HO, Catalog, fields

CHIENG_MAI = {
    "slug": "chieng-mai",
    "name": "HTX Cà phê Chiềng Mai",
    "timezone": "Asia/Ho_Chi_Minh",
    "lane": 9,
    "collection_points": [{"name": "Kho Chiềng Mai"}, {"name": "UBND xã"}],
}


async def lane_of(catalog: Catalog, stream: UUID) -> int:
    """Where the stream's events go."""
    lane: int = await catalog.running.runtime.pool.fetchval("select lane from stream_head where stream = $1", stream)
    return lane


async def test_a_cooperative_is_registered_on_its_own_lane_and_announced(catalog: Catalog) -> None:
    answer = await catalog.done("POST", "/cooperatives", CHIENG_MAI, catalog.operator)
    stream = UUID(answer["cooperative_id"])
    assert await catalog.events(stream) == [("cooperative_registered", answer)]
    assert [point["name"] for point in answer["collection_points"]] == ["Kho Chiềng Mai", "UBND xã"]
    assert await lane_of(catalog, stream) == 9
    assert await catalog.done("GET", "/cooperatives/chieng-mai", key=catalog.operator) == answer


async def test_a_cooperative_is_renamed_by_its_staff_and_moved_by_an_operator(catalog: Catalog) -> None:
    path = "/cooperatives/van-ho"
    renamed = await catalog.done("PATCH", path, {"name": "HTX Vân Hồ"})
    assert (await catalog.ask("PATCH", path, {"lane": 12})).status_code == 403
    moved = await catalog.done("PATCH", path, {"lane": 12}, catalog.operator)
    assert await lane_of(catalog, catalog.van_ho) == 12
    back = await catalog.done("PATCH", path, {"lane": None}, catalog.operator)
    assert await lane_of(catalog, catalog.van_ho) == shared_lane(catalog.van_ho, 8)
    assert (await catalog.events())[len(OPENING) :] == [
        ("cooperative_changed", renamed),
        ("cooperative_changed", moved),
        ("cooperative_changed", back),
    ]
    assert (renamed["name"], renamed["lane"], moved["lane"], back["lane"]) == ("HTX Vân Hồ", None, 12, None)


async def test_what_changes_nothing_announces_nothing(catalog: Catalog) -> None:
    await catalog.done("PATCH", "/cooperatives/van-ho", {"name": VAN_HO["name"]})
    await catalog.done("PATCH", "/cooperatives/van-ho/households/VH-01", {"share_weight": 1})
    assert await catalog.names() == OPENING


async def test_a_second_collection_point_is_added(catalog: Catalog) -> None:
    path = "/cooperatives/van-ho/collection-points"
    point = await catalog.done("POST", path, {"name": "Ngã ba Lóng Luông"})
    assert (await catalog.ask("POST", path, {"name": "Ngã ba Lóng Luông"})).status_code == 409
    name, event = (await catalog.events())[-1]
    assert name == "cooperative_changed"
    assert event["collection_points"][1] == point


async def test_cooperatives_are_listed_in_pages_for_operators_only(catalog: Catalog) -> None:
    for slug in ("a-co-op", "chieng-mai"):
        await catalog.done("POST", "/cooperatives", CHIENG_MAI | {"slug": slug}, catalog.operator)
    first = await catalog.done("GET", "/cooperatives?limit=2", key=catalog.operator)
    assert [c["slug"] for c in first["cooperatives"]] == ["a-co-op", "chieng-mai"]
    second = await catalog.done("GET", f"/cooperatives?limit=2&after={first['next_after']}", key=catalog.operator)
    assert [c["slug"] for c in second["cooperatives"]] == ["van-ho"]
    assert second["next_after"] is None
    assert (await catalog.ask("GET", "/cooperatives")).status_code == 403
    assert (await catalog.ask("POST", "/cooperatives", CHIENG_MAI | {"slug": "x"})).status_code == 403


async def test_a_cooperative_that_cannot_be_right_has_every_field_named(catalog: Catalog) -> None:
    wrong = {
        "slug": "Vân Hồ",
        "name": " ",
        "timezone": "Asia/SonLa",
        "lane": 40_000,
        "collection_points": [],
        "colour": "green",
    }
    answer = await catalog.ask("POST", "/cooperatives", wrong, catalog.operator)
    assert fields(answer) == ["slug", "name", "timezone", "lane", "collection_points", "colour"]
    twice = CHIENG_MAI | {"collection_points": [{"name": "Kho"}, {"name": " Kho"}]}
    assert fields(await catalog.ask("POST", "/cooperatives", twice, catalog.operator)) == ["collection_points[1].name"]


async def test_a_household_is_announced_without_its_name(catalog: Catalog) -> None:
    path = "/cooperatives/van-ho/households"
    household = await catalog.done("POST", path, {"code": "VH-03", "name": "Vàng A Páo", "share_weight": 2})
    renamed = await catalog.done("PATCH", f"{path}/VH-03", {"name": "Vàng A Páo (em)"})
    weighed = await catalog.done("PATCH", f"{path}/VH-03", {"share_weight": 3})
    assert (await catalog.events())[len(OPENING) :] == [
        ("household_registered", {name: value for name, value in household.items() if name != "name"}),
        ("household_changed", {name: value for name, value in weighed.items() if name != "name"}),
    ]
    assert (household["share_weight"], weighed["share_weight"]) == (2, 3)
    assert renamed["name"] == weighed["name"] == "Vàng A Páo (em)"
    assert await catalog.done("GET", f"{path}/VH-03") == weighed
    page = await catalog.done("GET", f"{path}?after=VH-01&limit=1")
    assert ([h["code"] for h in page["households"]], page["next_after"]) == (["VH-02"], "VH-02")


async def test_what_a_household_may_pledge_and_carry_is_set_and_announced(catalog: Catalog) -> None:
    path = "/cooperatives/van-ho/households"
    states = {
        "crops": ["cải mèo", "bí đỏ"],
        "grades": ["A"],
        "certificates": ["VietGAP", "Hữu cơ PGS"],
        "maximum_load_grams": 60_000,
    }
    twice = states | {"crops": ["cải mèo", " bí đỏ ", "cải mèo"]}
    household = await catalog.done("POST", path, {"code": "VH-03", "name": "Vàng A Páo"} | twice)
    assert {name: household[name] for name in states} == states
    assert (await catalog.events())[-1] == (
        "household_registered",
        {name: value for name, value in household.items() if name != "name"},
    )
    changed = await catalog.done("PATCH", f"{path}/VH-03", {"grades": [], "crops": None, "maximum_load_grams": None})
    assert changed == household | {"grades": [], "maximum_load_grams": None}
    name, event = (await catalog.events())[-1]
    assert (name, event) == ("household_changed", {n: value for n, value in changed.items() if n != "name"})
    await catalog.done("PATCH", f"{path}/VH-03", {"certificates": states["certificates"]})
    assert len(await catalog.names()) == len(OPENING) + 2
    assert await catalog.done("GET", f"{path}/VH-03") == changed


@pytest.mark.parametrize(
    ("unit", "step_milliunits", "said", "weight"),
    [
        ("kg", 500, None, 500),
        ("kg", 500, 500, 500),
        ("g", 250_000, None, 250),
        ("bó", 1000, 300, 300),
        ("bó", 1000, None, None),
    ],
)
async def test_a_step_weighs_what_its_unit_or_staff_say(
    catalog: Catalog, unit: str, step_milliunits: int, said: int | None, weight: int | None
) -> None:
    body = CAI_MEO | {"code": "x", "unit": unit, "step_milliunits": step_milliunits, "step_grams": said}
    product = await catalog.done("POST", "/cooperatives/van-ho/products", body)
    assert product["step_grams"] == weight
    assert (await catalog.events())[-1] == ("product_listed", product)
    assert await catalog.done("GET", "/cooperatives/van-ho/products/x") == product


async def test_a_weight_that_contradicts_the_unit_is_a_fault(catalog: Catalog) -> None:
    body = CAI_MEO | {"code": "x", "step_grams": 501}
    assert fields(await catalog.ask("POST", "/cooperatives/van-ho/products", body)) == ["step_grams"]
    assert await catalog.names() == OPENING


async def test_a_product_is_announced_as_it_was_listed(catalog: Catalog) -> None:
    path = "/cooperatives/van-ho/products"
    product = await catalog.done("POST", path, CAI_MEO | {"code": "cai-meo-b", "grade": "B"})
    assert (await catalog.events())[-1] == ("product_listed", product)
    assert await catalog.done("GET", f"{path}/cai-meo-b") == product
    listed = await catalog.done("GET", path)
    assert [p["code"] for p in listed["products"]] == ["cai-meo", "cai-meo-b", "su-su"]


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("/cooperatives", VAN_HO, "van-ho"),
        ("/cooperatives/van-ho/households", {"code": "VH-01", "name": "Giàng A Sà"}, "VH-01"),
        ("/cooperatives/van-ho/products", CAI_MEO, "cai-meo"),
    ],
)
async def test_what_exists_is_not_made_again_and_the_answer_names_it(
    catalog: Catalog, path: str, body: dict[str, Any], named: str
) -> None:
    answer = await catalog.ask("POST", path, body, catalog.operator)
    assert answer.status_code == 409
    assert named in answer.json()["detail"]
    assert await catalog.names() == OPENING


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("households", {"code": "VH 3", "name": "A\u0000", "share_weight": 0}, ["code", "name", "share_weight"]),
        ("households", {"code": "VH-3", "name": "A", "share_weight": 1.0}, ["share_weight"]),
        (
            "households",
            {"code": "VH-3", "name": "A", "crops": [" "], "grades": "A", "maximum_load_grams": 0},
            ["crops[0]", "grades", "maximum_load_grams"],
        ),
        (
            "products",
            CAI_MEO | {"code": "x", "step_milliunits": "500", "ocop_stars": 2},
            ["step_milliunits", "ocop_stars"],
        ),
        ("products", {"code": "x"}, ["name", "crop", "grade", "unit", "step_milliunits"]),
    ],
)
async def test_every_wrong_field_of_a_member_is_named(
    catalog: Catalog, path: str, body: dict[str, Any], named: list[str]
) -> None:
    assert fields(await catalog.ask("POST", f"/cooperatives/van-ho/{path}", body)) == named


@pytest.mark.parametrize(
    "path", ["households/VH-09", "products/mo-hau", "standing-offers/cai-meo", "standing-offers/x"]
)
async def test_what_is_not_there_is_not_found(catalog: Catalog, path: str) -> None:
    assert (await catalog.ask("GET", f"/cooperatives/van-ho/{path}")).status_code == 404
