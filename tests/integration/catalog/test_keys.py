"""Who may do what, and how keys are issued and revoked, over HTTP and on the command line."""

import asyncio
import hashlib
import os
import sys
from uuid import UUID

import pytest

from services.contracts.base import UNION_STREAM
from tests.integration.catalog.conftest import VAN_HO, Catalog, fields, local_day, offer, publish

EVERY_ROUTE = [
    ("POST", "/cooperatives"),
    ("GET", "/cooperatives"),
    ("GET", "/cooperatives/van-ho"),
    ("PATCH", "/cooperatives/van-ho"),
    ("POST", "/cooperatives/van-ho/collection-points"),
    ("GET", "/cooperatives/van-ho/policies"),
    ("PUT", "/cooperatives/van-ho/policies"),
    ("POST", "/cooperatives/van-ho/households"),
    ("GET", "/cooperatives/van-ho/households"),
    ("GET", "/cooperatives/van-ho/households/VH-01"),
    ("PATCH", "/cooperatives/van-ho/households/VH-01"),
    ("POST", "/cooperatives/van-ho/products"),
    ("GET", "/cooperatives/van-ho/products"),
    ("GET", "/cooperatives/van-ho/products/cai-meo"),
    ("POST", "/cooperatives/van-ho/offers"),
    ("GET", "/cooperatives/van-ho/offers?delivery_day=2026-11-25"),
    ("GET", f"/offers/{UUID(int=7)}"),
    ("PATCH", f"/offers/{UUID(int=7)}"),
    ("POST", f"/offers/{UUID(int=7)}/withdraw"),
    ("GET", "/cooperatives/van-ho/standing-offers"),
    ("GET", "/cooperatives/van-ho/standing-offers/cai-meo"),
    ("PUT", "/cooperatives/van-ho/standing-offers/cai-meo"),
    ("DELETE", "/cooperatives/van-ho/standing-offers/cai-meo"),
    ("POST", "/keys"),
    ("GET", "/keys"),
    ("DELETE", f"/keys/{UUID(int=7)}"),
]


async def test_no_route_is_open_without_a_key(catalog: Catalog) -> None:
    for method, path in EVERY_ROUTE:
        for key in ({"Authorization": ""}, {"Authorization": "Bearer cp_" + "0" * 32 + "_" + "0" * 64}):
            answer = await catalog.ask(method, path, {}, key)
            assert answer.status_code == 401, (method, path)
            assert answer.headers["www-authenticate"] == "Bearer"


async def test_the_list_of_these_tests_has_every_route(catalog: Catalog) -> None:
    document = (await catalog.running.client.get("/openapi.json")).json()
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    listed = set()
    for method, path in EVERY_ROUTE:
        plain = path.partition("?")[0].replace("van-ho", "{slug}").replace("VH-01", "{code}")
        plain = plain.replace("products/cai-meo", "products/{code}").replace("cai-meo", "{product_code}")
        plain = plain.replace(f"offers/{UUID(int=7)}", "offers/{offer_id}").replace(str(UUID(int=7)), "{key_id}")
        listed.add((method, f"/v1{plain}"))
    assert listed == described


async def test_every_route_is_described_with_its_answer_and_its_refusals(catalog: Catalog) -> None:
    document = (await catalog.running.client.get("/openapi.json")).json()
    for methods in document["paths"].values():
        for operation in methods.values():
            assert operation["summary"]
            assert operation["security"]
            (success,) = [s for s in operation["responses"] if s in ("200", "204")] or ["201"]
            assert success == "204" or "$ref" in str(operation["responses"][success]["content"])
            for status in {"401", "422"} | {s for s in operation["responses"] if s >= "400"}:
                assert list(operation["responses"][status]["content"]) == ["application/problem+json"]


async def test_another_cooperative_is_not_found_whether_it_exists_or_not(catalog: Catalog) -> None:
    (offer_id,) = await publish(catalog, offer())
    other = await catalog.done("POST", "/cooperatives", VAN_HO | {"slug": "chieng-mai"}, catalog.operator)
    key = await catalog.running.key("staff", UUID(other["cooperative_id"]))
    for method, path in EVERY_ROUTE:
        if "van-ho" in path or "/offers/" in path:
            real = await catalog.ask(method, path.replace(str(UUID(int=7)), offer_id), _body(method, path), key)
            missing = await catalog.ask(method, path.replace("van-ho", "nowhere"), _body(method, path), key)
            assert (real.status_code, missing.status_code) == (404, 404), (method, path)
            assert real.json() == missing.json(), (method, path)


def _body(method: str, path: str) -> object:
    """A body that would be right, so that only the key is wrong."""
    last = path.partition("?")[0].rpartition("/")[2]
    bodies: dict[str, object] = {
        "collection-points": {"name": "Kho"},
        "households": {"code": "VH-09", "name": "A"},
        "products": {
            "code": "x",
            "name": "x",
            "crop": "x",
            "grade": "A",
            "unit": "kg",
            "step_milliunits": 1000,
        },
        "offers": {"offers": [offer()]},
        "cai-meo": {
            "price_vnd": 30_000,
            "cut_off_time": "17:00",
            "cut_off_days_before": 1,
            "arrive_by_time": "05:00",
            "pledges": [],
        },
    }
    return bodies.get(last, {}) if method != "GET" else None


async def test_an_operator_acts_for_every_cooperative_and_learns_what_is_not_there(catalog: Catalog) -> None:
    day = local_day(2)
    await catalog.done("POST", "/cooperatives/van-ho/offers", {"offers": [offer()]}, catalog.operator)
    listed = await catalog.done("GET", f"/cooperatives/van-ho/offers?delivery_day={day}", key=catalog.operator)
    assert len(listed["offers"]) == 1
    for path, what in (("/cooperatives/nowhere", "cooperative"), (f"/offers/{UUID(int=7)}", "offer")):
        answer = await catalog.ask("GET", path, key=catalog.operator)
        assert (answer.status_code, answer.json()["detail"]) == (404, f"There is no such {what}.")


async def test_a_staff_key_works_until_it_is_revoked_and_both_are_announced(catalog: Catalog) -> None:
    wanted = {"role": "staff", "cooperative": "van-ho", "label": "Bàn Vân Hồ"}
    answer = await catalog.ask("POST", "/keys", wanted, catalog.operator)
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    issued = answer.json()
    key = {"Authorization": f"Bearer {issued['token']}"}
    assert (await catalog.ask("GET", "/cooperatives/van-ho", key=key)).status_code == 200
    for _ in range(2):
        assert (await catalog.ask("DELETE", f"/keys/{issued['key_id']}", key=catalog.operator)).status_code == 204
    assert (await catalog.ask("GET", "/cooperatives/van-ho", key=key)).status_code == 401
    secret = issued["token"].rpartition("_")[2]
    assert (await catalog.events())[-2:] == [
        (
            "access_key_issued",
            {
                "key_id": issued["key_id"],
                "secret_sha256": hashlib.sha256(secret.encode()).hexdigest(),
                "role": "staff",
                "scope": str(catalog.van_ho),
                "label": "Bàn Vân Hồ",
            },
        ),
        ("access_key_revoked", {"key_id": issued["key_id"]}),
    ]


async def test_an_operator_key_travels_in_the_stream_of_the_union(catalog: Catalog) -> None:
    issued = await catalog.done("POST", "/keys", {"role": "operator", "label": "Liên minh HTX"}, catalog.operator)
    key = {"Authorization": f"Bearer {issued['token']}"}
    await catalog.done("DELETE", f"/keys/{issued['key_id']}", key=key)
    (issue, issued_event), (revocation, _) = await catalog.events(UNION_STREAM)
    assert (issue, revocation) == ("access_key_issued", "access_key_revoked")
    assert issued_event["scope"] is None
    assert (await catalog.ask("GET", "/keys", key=key)).status_code == 401


async def test_keys_are_listed_without_secrets_in_pages(catalog: Catalog) -> None:
    first = await catalog.done("GET", "/keys?limit=1", key=catalog.operator)
    second = await catalog.done("GET", f"/keys?limit=1&after={first['next_after']}", key=catalog.operator)
    assert [k["role"] for k in first["keys"] + second["keys"]] == ["operator", "staff"]
    assert second["keys"][0]["cooperative"] == "van-ho"
    assert second["next_after"] is None
    assert set(first["keys"][0]) == {"key_id", "role", "cooperative", "label", "revoked"}


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"role": "staff", "label": "x"}, ["cooperative"]),
        ({"role": "operator", "cooperative": "van-ho", "label": "x"}, ["cooperative"]),
        ({"role": "staff", "cooperative": "nowhere", "label": "x"}, ["cooperative"]),
        ({"role": "king", "label": ""}, ["role", "label"]),
    ],
)
async def test_a_key_whose_role_and_cooperative_do_not_fit_is_refused(
    catalog: Catalog, body: dict[str, str], named: list[str]
) -> None:
    assert fields(await catalog.ask("POST", "/keys", body, catalog.operator)) == named
    assert await catalog.events(UNION_STREAM) == []


async def test_staff_issue_list_and_revoke_no_keys(catalog: Catalog) -> None:
    body = {"role": "staff", "cooperative": "van-ho", "label": "x"}
    assert (await catalog.ask("POST", "/keys", body)).status_code == 403
    assert (await catalog.ask("GET", "/keys")).status_code == 403
    assert (await catalog.ask("DELETE", f"/keys/{UUID(int=7)}")).status_code == 403


async def command(catalog: Catalog, *words: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of `python -m services.catalog key issue …`."""
    environment = os.environ | {"CATALOG_DATABASE_URL": catalog.dsn, "CATALOG_AMQP_URL": "amqp://unused"}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.catalog",
        "key",
        "issue",
        *words,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_the_first_key_is_made_on_the_command_line_which_prints_only_the_token(catalog: Catalog) -> None:
    code, out, err = await command(catalog, "--role", "operator", "--label", "the first")
    assert (code, err) == (0, "")
    key = {"Authorization": f"Bearer {out.strip()}"}
    assert (await catalog.ask("GET", "/cooperatives", key=key)).status_code == 200
    assert await catalog.names(UNION_STREAM) == ["access_key_issued"]


async def test_the_command_line_refuses_what_does_not_fit(catalog: Catalog) -> None:
    code, out, err = await command(catalog, "--role", "staff", "--label", "x", "--cooperative", "nowhere")
    assert (code, out, err) == (1, "", "there is no cooperative nowhere\n")
    code, out, err = await command(catalog, "--role", "staff", "--label", "x")
    assert (code, out) == (2, "")
    assert "needs the slug" in err
