"""Many orders in one push: CloudEvents batches, each event answered for itself."""

import json

from services.orders.adapters import cloudevents
from tests.integration.orders.conftest import Orders, cloud_event, fields, line, order


async def test_each_order_of_a_batch_is_stored_announced_and_answered(orders: Orders) -> None:
    answer = await orders.push_batch(*(order(f"A-{number}", line("SU-SU", number)) for number in range(1, 4)))
    assert answer.status_code == 202
    answers = answer.json()["answers"]
    assert [(it["id"], it["status"]) for it in answers] == [("event-1", 202), ("event-2", 202), ("event-3", 202)]
    assert [it["order"]["lines"][0]["quantity"] for it in answers] == ["1", "2", "3"]
    assert [event["partner_ref"] for _, event in await orders.events()] == ["A-1", "A-2", "A-3"]
    read = await orders.ask("GET", answers[1]["order"]["url"])
    assert read["partner_ref"] == "A-2"


async def test_the_same_batch_again_changes_nothing(orders: Orders) -> None:
    batch = [order(f"A-{number}", line("SU-SU", number)) for number in range(1, 4)]
    first, second = await orders.push_batch(*batch), await orders.push_batch(*batch)
    assert (first.status_code, second.status_code) == (202, 200)
    ids = [[it["order"]["order_id"] for it in answer.json()["answers"]] for answer in (first, second)]
    assert ids[0] == ids[1]
    assert await orders.names() == ["order_placed"] * 3


async def test_pushes_of_one_order_in_one_batch_count_in_their_turn(orders: Orders) -> None:
    batch = [order("A-1", line("SU-SU", quantity), minute=minute) for minute, quantity in ((1, 2), (0, 9), (2, 3))]
    answers = (await orders.push_batch(*batch)).json()["answers"]
    assert [it["status"] for it in answers] == [202, 200, 202]
    assert [event["lines"][0]["quantity_steps"] for _, event in await orders.events()] == [2, 3]


async def test_a_faulty_event_is_named_and_the_others_count(orders: Orders) -> None:
    events = [
        cloud_event("right", order("A-1", line("SU-SU"))),
        cloud_event("quantity", order("A-2", line("SU-SU", 1.5))),
        cloud_event("kind", order("A-3", line("SU-SU")), type="com.example.other"),
        cloud_event("version", order("A-4", line("SU-SU")), specversion="0.3"),
        {"id": 5},
    ]
    raw = json.dumps(events).encode()
    answer = await orders.push_raw(raw, None, **{"content-type": f"{cloudevents.BATCH}; charset=utf-8"})
    assert answer.status_code == 202
    found = [(it["status"], [fault["field"] for fault in it["errors"] or ()]) for it in answer.json()["answers"]]
    assert found == [(202, []), (422, ["lines[0].quantity"]), (422, ["type"]), (422, ["specversion"]), (422, ["event"])]
    assert [event["partner_ref"] for _, event in await orders.events()] == ["A-1"]


async def test_a_batch_of_nothing_but_faults_is_refused(orders: Orders) -> None:
    answer = await orders.push_batch(order("A-1"), order("A-2"))
    assert answer.status_code == 422
    assert {it["status"] for it in answer.json()["answers"]} == {422}
    assert await orders.names() == []


async def test_what_is_no_batch_is_refused_as_a_whole(orders: Orders) -> None:
    for raw in (b"{}", b"[]", b"[", json.dumps([cloud_event("x", {})] * 501).encode()):
        assert fields(await orders.push_raw(raw, None, **{"content-type": cloudevents.BATCH})) == ["body"]


async def test_an_envelope_that_is_no_text_is_refused(orders: Orders) -> None:
    raw = json.dumps([cloud_event("x", order("A-1", line("SU-SU")))]).encode().replace(b"/sap-rau", b"/\xff")
    answer = await orders.push_raw(raw, None, **{"content-type": cloudevents.BATCH})
    assert (answer.status_code, answer.json()["answers"][0]["errors"][0]["field"]) == (422, "event")
    deep = b"[" * 100_000 + b"]" * 100_000
    assert fields(await orders.push_raw(deep, None, **{"content-type": cloudevents.BATCH})) == ["body"]


async def test_a_batch_may_be_larger_than_one_order(orders: Orders) -> None:
    batch = [order(f"A-{number}", *(line("x" * 100) for _ in range(10))) for number in range(100)]
    answer = await orders.push_batch(*batch)
    assert answer.status_code == 202
    assert len(answer.json()["answers"]) == len(await orders.names()) == 100


async def test_the_name_of_the_content_is_read_in_any_case(orders: Orders) -> None:
    raw = json.dumps([cloud_event("x", order("A-1", line("SU-SU")))]).encode()
    answer = await orders.push_raw(raw, None, **{"content-type": "Application/CloudEvents-Batch+JSON"})
    assert answer.status_code == 202


async def test_a_batch_is_signed_as_a_whole(orders: Orders) -> None:
    raw = json.dumps([cloud_event("x", order("A-1", line("SU-SU")))]).encode()
    wrong = {"content-type": cloudevents.BATCH, "webhook-signature": "v1,AAAA"}
    assert (await orders.push_raw(raw, None, **wrong)).status_code == 401
    assert await orders.names() == []
