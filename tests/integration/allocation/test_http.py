"""What staff see over HTTP, and that nobody sees what belongs to others."""

from services.allocation.app import service
from services.chassis.http import routes_only
from tests.integration.allocation.conftest import Allocation
from tests.integration.allocation.market import DAY, SU_SU, Stream


async def played(allocation: Allocation) -> Stream:
    s = Stream()
    await allocation.take_in(*s.registered(), s.published(1, {0: 5, 1: 2}), s.published(2, {2: 4}, SU_SU))
    await allocation.take_in(s.placed(11, (1, 4), (2, 1)), s.placed(12, (1, 5)), s.cancelled(11), s.placed(13, (1, 6)))
    await allocation.take_in(s.changed(1, {0: 4, 1: 2}), s.closed(1))
    return s


async def test_staff_see_the_baskets_of_a_day_with_the_reasons(allocation: Allocation) -> None:
    s = await played(allocation)
    path = f"/v1/cooperatives/{s.cooperative_id}/days/{DAY}/baskets"
    answer = await allocation.running.client.get(path, headers=await allocation.running.key("staff", s.cooperative_id))
    assert answer.status_code == 200
    first, second = answer.json()["baskets"]
    assert (first["household_code"], first["version"], first["told_at"]) == ("VH-01", 1, None)
    assert (first["items"][0]["quantity_steps"], first["items"][0]["product_code"]) == (4, "cai-meo")
    assert second["items"][0]["why"] == {
        "rule": "capped_equal_share.v1",
        "level": "all_pledged",
        "even_steps": 2,
        "shared_steps": 6,
        "households": 2,
        "weight": 1,
        "memory_vnd": 0,
        "today_vnd": 0,
        "by_lot": False,
        "load_steps": None,
        "not_asked": 0,
    }
    assert (second["items"][0]["confirmed_steps"], second["items"][0]["raises"], second["answer"]) == (0, [], None)
    assert second["items"][0]["why_en"].startswith("cai-meo, 1 kg: all that you pledged")


async def test_staff_see_how_an_offer_stands(allocation: Allocation) -> None:
    s = await played(allocation)
    answer = await allocation.running.client.get(
        f"/v1/offers/{s.id_of(1)}", headers=await allocation.running.key("staff", s.cooperative_id)
    )
    assert answer.json() == {
        "offer_id": str(s.id_of(1)),
        "cooperative_id": str(s.cooperative_id),
        "product_id": str(s.products["cai-meo"]),
        "product_code": "cai-meo",
        "delivery_day": "2025-11-20",
        "open": False,
        "listed": True,
        "assigned": True,
        "supply_steps": 6,
        "ordered_steps": 15,
        "promised_steps": 7,
        "short_steps": 4,
        "shorted_steps": 1,
        "cancelled_steps": 4,
        "free_steps": 0,
    }


async def test_staff_see_what_an_order_was_promised(allocation: Allocation) -> None:
    s = await played(allocation)
    answer = await allocation.running.client.get(
        f"/v1/orders/{s.id_of(13)}/promise", headers=await allocation.running.key("operator")
    )
    assert answer.json() == {
        "order_id": str(s.id_of(13)),
        "lines": [
            {
                "line_no": 1,
                "offer_id": str(s.id_of(1)),
                "ordered_steps": 6,
                "promised_steps": 2,
                "short_steps": 4,
                "cancelled_steps": 0,
                "shorted_steps": 1,
                "reason": "pledges_reduced",
            }
        ],
    }


async def test_nothing_is_seen_without_a_key_or_with_that_of_another_cooperative(allocation: Allocation) -> None:
    s = await played(allocation)
    client, stranger = allocation.running.client, await allocation.running.key("staff", s.id_of(5))
    for path in (
        f"/v1/cooperatives/{s.cooperative_id}/days/{DAY}/baskets",
        f"/v1/offers/{s.id_of(1)}",
        f"/v1/orders/{s.id_of(13)}/promise",
    ):
        assert (await client.get(path)).status_code == 401
        answer = await client.get(path, headers=stranger)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_what_is_not_there_is_not_found(allocation: Allocation) -> None:
    s, operator = await played(allocation), await allocation.running.key("operator")
    for path, status in (
        (f"/v1/cooperatives/{s.id_of(5)}/days/{DAY}/baskets", 404),
        (f"/v1/cooperatives/{s.cooperative_id}/days/2025-13-01/baskets", 422),
        (f"/v1/offers/{s.id_of(999)}", 404),
        (f"/v1/orders/{s.id_of(999)}/promise", 404),
    ):
        assert (await allocation.running.client.get(path, headers=operator)).status_code == status
    path = f"/v1/cooperatives/{s.cooperative_id}/days/2025-11-21/baskets"
    answer = await allocation.running.client.get(path, headers=operator)
    assert answer.json()["baskets"] == []


def test_the_routes_are_described() -> None:
    day = "/v1/cooperatives/{cooperative_id}/days/{delivery_day}"
    described = routes_only(service.title, service.routers).openapi()
    assert {(path, method) for path, methods in described["paths"].items() for method in methods} == {
        (f"{day}/baskets", "get"),
        (f"{day}/plan", "get"),
        (f"{day}/replies", "get"),
        (f"{day}/replies", "post"),
        (f"{day}/arrivals", "get"),
        (f"{day}/arrivals", "post"),
        (f"{day}/departure", "post"),
        (f"{day}/settlement", "get"),
        (f"{day}/corrections", "post"),
        ("/v1/cooperatives/{cooperative_id}/settlements", "get"),
        ("/v1/offers/{offer_id}", "get"),
        ("/v1/orders/{order_id}/promise", "get"),
    }
    for route in (route for methods in described["paths"].values() for route in methods.values()):
        assert route["summary"]
        assert route["description"]
        assert {"200", "401", "404", "422"} <= route["responses"].keys()
