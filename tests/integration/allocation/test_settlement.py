"""Weighing in, the truck's departure and the accounts: what is owed adds up to the đồng, and orders know their lots."""

import csv
import io
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx

from tests.integration.allocation.conftest import Allocation
from tests.integration.allocation.market import DAY, STEP_VALUES_VND, SU_SU, Stream
from tests.integration.allocation.test_market_day import promised, said
from tests.integration.allocation.test_replies import asked


class Staff:
    """Staff of a cooperative at its collection point."""

    def __init__(self, allocation: Allocation, stream: Stream, key: dict[str, str]) -> None:
        self._client, self._stream, self._key = allocation.running.client, stream, key

    @classmethod
    async def of(cls, allocation: Allocation, stream: Stream) -> "Staff":
        return cls(allocation, stream, await allocation.running.key("staff", stream.cooperative_id))

    async def post(self, what: str, body: Any = None) -> httpx.Response:
        path = f"/v1/cooperatives/{self._stream.cooperative_id}/days/{DAY}/{what}"
        return await self._client.post(path, json=body, headers=self._key)

    async def get(self, what: str) -> httpx.Response:
        return await self._client.get(f"/v1/cooperatives/{self._stream.cooperative_id}/{what}", headers=self._key)

    async def bring(self, household: str, steps: int, may_exceed: bool = False, **more: Any) -> httpx.Response:
        arrival = {"arrival_id": str(uuid4()), "household_code": household, "product_code": "cai-meo"}
        body = {"arrivals": [arrival | {"accepted_steps": steps} | more], "may_exceed": may_exceed}
        return await self.post("arrivals", body)


async def test_what_arrives_is_weighed_in_and_more_than_asked_needs_an_explicit_act(allocation: Allocation) -> None:
    s = await asked(allocation, {0: 6, 1: 6}, 8)
    staff = await Staff.of(allocation, s)
    number = str(uuid4())
    first = await staff.bring("VH-01", 3, arrival_id=number, rejected_steps=1, reason="wilted")
    assert first.status_code == 200
    (arrival,) = first.json()["arrivals"]
    assert (arrival["lot"], arrival["accepted_steps"], arrival["rejected_steps"]) == ("VH--01-cai-meo-251120", 3, 1)
    assert (
        len((await staff.bring("VH-01", 3, arrival_id=number, rejected_steps=1, reason="wilted")).json()["arrivals"])
        == 1
    )
    assert len(await said(allocation, s, "arrival_recorded")) == 1
    too_much = await staff.bring("VH-01", 2)
    assert (too_much.status_code, too_much.json()["errors"][0]["field"]) == (422, "arrivals[0].accepted_steps")
    assert (await staff.bring("VH-01", 2, may_exceed=True)).status_code == 200
    expected = (await staff.get(f"days/{DAY}/arrivals")).json()["expected"]
    assert [(x["household_code"], x["asked_steps"], x["accepted_steps"], x["rejected_steps"]) for x in expected] == [
        ("VH-01", 4, 5, 1),
        ("VH-02", 4, 0, 0),
    ]


async def test_bad_arrivals_are_named_all_at_once_and_change_nothing(allocation: Allocation) -> None:
    s = await asked(allocation, {0: 6, 1: 6}, 8)
    staff = await Staff.of(allocation, s)
    good = {"arrival_id": str(uuid4()), "household_code": "VH-01", "product_code": "cai-meo", "accepted_steps": 1}
    faulty = [
        good,
        good | {"arrival_id": str(uuid4()), "household_code": "VH-99"},
        good | {"arrival_id": str(uuid4()), "accepted_grams": 500},
        {**good, "arrival_id": str(uuid4()), "accepted_steps": None, "accepted_grams": 500},
    ]
    answer = await staff.post("arrivals", {"arrivals": faulty})
    assert (answer.status_code, [error["field"] for error in answer.json()["errors"]]) == (
        422,
        ["arrivals[1].household_code", "arrivals[2].accepted_steps", "arrivals[3].accepted_grams"],
    )
    for wrong in ({"accepted_steps": -1}, {"accepted_steps": 1.5}, {"rejected_steps": 1}):
        assert (await staff.post("arrivals", {"arrivals": [good | wrong]})).status_code == 422
    assert await allocation.fetch("select from arrival") == []


async def test_a_weight_counts_in_whole_steps(allocation: Allocation) -> None:
    s = Stream()
    await allocation.take_in(*s.registered())
    await allocation.running.runtime.pool.execute("update product set step_grams = 500")
    await allocation.take_in(s.published(1, {0: 6}), s.placed(11, (1, 5)), s.closed(1))
    staff = await Staff.of(allocation, s)
    answer = await staff.bring("VH-01", 0, accepted_steps=None, accepted_grams=2_499)
    assert [(x["accepted_steps"], x["grams"]) for x in answer.json()["arrivals"]] == [(4, 2_499)]


async def test_the_departure_settles_the_day_and_tells_each_order_once_what_it_lost(allocation: Allocation) -> None:
    s = await asked(allocation, {0: 6, 1: 6}, 3, 7, fee_permille=35)
    staff = await Staff.of(allocation, s)
    await staff.bring("VH-01", 5)
    await staff.bring("VH-02", 2)
    done = await staff.post("departure")
    assert done.status_code == 200
    entries = {x["household_code"]: (x["gross_vnd"], x["fee_vnd"], x["net_vnd"]) for x in done.json()["entries"]}
    gross_vnd = 7 * STEP_VALUES_VND["cai-meo"]
    assert entries == {"VH-01": (75_000, 2_625, 72_375), "VH-02": (30_000, 1_050, 28_950)}
    assert done.json()["net_vnd"] == gross_vnd - round(gross_vnd * 35 / 1000)
    assert await promised(allocation, s) == [(11, 3, 0, 0, 0), (12, 7, 0, 3, 0)]
    ((line,),) = [body["lines"] for body in await said(allocation, s, "order_shorted")]
    assert (line["before_steps"], line["after_steps"], line["reason"]) == (7, 4, "not_delivered")
    lots = await allocation.fetch("select order_id, lot, quantity_steps from line_lot order by order_id, lot")
    assert [(row["order_id"].int - s.cooperative_id.int, row["lot"], row["quantity_steps"]) for row in lots] == [
        (11, "VH--01-cai-meo-251120", 1),
        (11, "VH--02-cai-meo-251120", 2),
        (12, "VH--01-cai-meo-251120", 4),
    ]
    again = await staff.post("departure")
    assert (again.status_code, again.json()) == (200, done.json())
    assert len(await said(allocation, s, "day_settled")) == 1
    late = await staff.bring("VH-02", 1)
    assert (late.status_code, "correction" in late.json()["detail"]) == (409, True)


async def delivered(allocation: Allocation, stream: Stream) -> list[tuple[int, list[tuple[int, int, int]]]]:
    """The orders that were told what was delivered, by their numbers: line, offer and steps."""
    return [
        (
            UUID(body["order_id"]).int - stream.cooperative_id.int,
            [
                (x["line_no"], UUID(x["offer_id"]).int - stream.cooperative_id.int, x["delivered_steps"])
                for x in body["lines"]
            ],
        )
        for body in await said(allocation, stream, "order_delivered")
    ]


async def test_the_departure_tells_each_order_once_what_was_delivered_of_its_day(allocation: Allocation) -> None:
    s = Stream()
    await allocation.take_in(*s.registered(), s.published(1, {0: 6, 1: 6}), s.published(2, {0: 9}, SU_SU))
    later = DAY + timedelta(days=1)
    await allocation.take_in(s.published(3, {0: 9}), s.published(4, {0: 9}, day=later))
    await allocation.take_in(
        s.placed(11, (1, 3), (2, 4), (4, 5)),  # its last line is for another day
        s.placed(12, (1, 7)),
        s.placed(13, (1, 9), (2, 2)),  # 2 of 9 are there
        s.placed(14, (3, 2)),
        s.placed(15, (3, 1), (2, 1)),
        s.placed(16, (4, 1)),
    )
    await allocation.take_in(s.withdrawn(3), s.closed(1, closes_day=False), s.closed(2), s.closed(4, day=later))
    staff = await Staff.of(allocation, s)
    await staff.bring("VH-01", 5, offer_id=str(s.id_of(1)), product_code=None)
    await staff.bring("VH-01", 20, offer_id=str(s.id_of(2)), product_code=None, may_exceed=True)
    assert (await staff.post("departure")).status_code == 200
    told = await delivered(allocation, s)
    assert [number for number, _ in told] == [11, 12, 13, 15]  # 14 had lost all before, 16 is for another day
    books = await allocation.fetch(
        "select order_id, line_no, offer_id, sum(promised_steps - shorted_steps)::bigint as steps from order_line "
        "where promised_steps > 0 and offer_id = any($1::uuid[]) group by 1, 2, 3 order by 1, 2",
        [s.id_of(1), s.id_of(2), s.id_of(3)],
    )
    number = s.cooperative_id.int
    held = [(row["order_id"].int - number, row["line_no"], row["offer_id"].int - number, row["steps"]) for row in books]
    assert [(order, *line) for order, lines in told for line in lines] == [one for one in held if one[0] != 14]
    assert dict(told)[15] == [(1, 3, 0), (2, 2, 1)]
    assert sum(steps for _, lines in told for _, offer, steps in lines if offer == 1) == 5
    assert await staff.post("departure")
    assert await delivered(allocation, s) == told
    names = [name for name, _, _ in await allocation.events(s.cooperative_id)]
    assert names[-6:] == ["order_shorted", *["order_delivered"] * 4, "day_settled"]


async def test_whoever_gets_something_with_a_later_truck_is_told_the_whole_day_again(allocation: Allocation) -> None:
    s = await asked(allocation, {0: 6, 1: 6}, 3, 5)
    staff = await Staff.of(allocation, s)
    await staff.bring("VH-01", 4)
    await staff.bring("VH-02", 4)
    await staff.post("departure")
    first = [(11, [(1, 1, 3)]), (12, [(1, 1, 5)])]
    assert await delivered(allocation, s) == first
    await allocation.take_in(s.published(2, {0: 3}, SU_SU), s.reordered(12, (1, 5), (2, 2)), s.closed(2))
    assert (await staff.post("departure")).status_code == 200
    assert await delivered(allocation, s) == [*first, (12, [(1, 1, 5), (2, 2, 0)])]


async def test_nothing_departs_before_everything_is_shared_out(allocation: Allocation) -> None:
    s = Stream()
    staff = await Staff.of(allocation, s)
    assert (await staff.post("departure")).status_code == 404
    await allocation.take_in(*s.registered(), s.published(1, {0: 6}), s.published(2, {0: 6}, SU_SU))
    await allocation.take_in(s.placed(11, (1, 5)), s.closed(1, closes_day=False))
    early = await staff.post("departure")
    assert (early.status_code, early.json()["detail"][:8]) == (409, "2 offers")


async def test_a_basket_that_nobody_answered_is_settled_when_the_truck_leaves(allocation: Allocation) -> None:
    s = await asked(allocation, {0: 6, 1: 6}, 8)
    staff = await Staff.of(allocation, s)
    await allocation.take_in(s.replied(0, "less", less={1: 1}))
    await staff.bring("VH-01", 1)
    await staff.bring("VH-02", 4)
    assert (await staff.post("departure")).status_code == 200
    assert await allocation.fetch("select from market_day where open") == []
    assert await promised(allocation, s) == [(11, 8, 0, 3, 0)]
    assert [(body["by"], len(body["items"])) for body in await said(allocation, s, "basket_confirmed")] == [
        ("reply", 1),
        ("silence", 1),
    ]


async def test_a_correction_is_a_new_entry_that_is_booked_once(allocation: Allocation) -> None:
    s = await asked(allocation, {0: 6}, 4)
    staff = await Staff.of(allocation, s)
    body = {"correction_id": str(uuid4()), "household_code": "VH-01", "amount_vnd": -5_000, "reason": "torn sacks"}
    early = await staff.post("corrections", body)
    assert (early.status_code, "not settled" in early.json()["detail"]) == (409, True)
    await staff.bring("VH-01", 4)
    await staff.post("departure")
    assert (await staff.post("corrections", body | {"household_code": "VH-99"})).status_code == 422
    assert (await staff.post("corrections", body | {"amount_vnd": 0})).status_code == 409
    for _ in range(2):
        assert (await staff.post("corrections", body)).json()["net_vnd"] == 55_000
    assert len(await said(allocation, s, "settlement_corrected")) == 1


async def test_a_month_is_the_sum_of_its_entries_also_as_a_file(allocation: Allocation) -> None:
    s = await asked(allocation, {0: 6, 1: 6}, 8, fee_permille=10)
    staff = await Staff.of(allocation, s)
    await staff.bring("VH-01", 4)
    await staff.bring("VH-02", 4)
    await staff.post("departure")
    reason = "=1+1; thưởng Tết"
    await staff.post(
        "corrections",
        {"correction_id": str(uuid4()), "household_code": "VH-02", "amount_vnd": 7_000, "reason": reason},
    )
    month = (await staff.get("settlements?month=2025-11")).json()
    assert [(x["household_code"], x["net_vnd"]) for x in month["totals"]] == [("VH-01", 59_400), ("VH-02", 66_400)]
    assert month["net_vnd"] == sum(x["net_vnd"] for x in month["entries"]) == 125_800
    assert (await staff.get("settlements?month=2025-12")).json()["entries"] == []
    assert (await staff.get("settlements?month=2025-13")).status_code == 422
    text = (await staff.get("settlements?month=2025-11&format=csv")).content.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert sum(int(row["net_vnd"]) for row in rows) == 125_800
    assert {row["reason"] for row in rows} == {"", f"'{reason}"}
    book = await staff.get("settlements?month=2025-11&format=xlsx")
    assert book.content.startswith(b"PK")


async def test_the_books_of_one_cooperative_are_nobody_elses_business(allocation: Allocation) -> None:
    s = await asked(allocation, {0: 6}, 4)
    other = await allocation.running.key("staff", UUID(int=5))
    for what in ("days/2025-11-20/arrivals", "days/2025-11-20/replies", "settlements?month=2025-11"):
        path = f"/v1/cooperatives/{s.cooperative_id}/{what}"
        assert (await allocation.running.client.get(path, headers=other)).status_code == 404


async def test_what_was_really_accepted_is_what_the_households_memory_keeps(allocation: Allocation) -> None:
    s = await asked(allocation, {0: 6, 1: 6}, 8)
    staff = await Staff.of(allocation, s)
    await staff.bring("VH-01", 4)
    await staff.post("departure")
    rows = await allocation.fetch("select assigned_vnd, fair_vnd from fairness_entry order by household_id")
    assert [tuple(row) for row in rows] == [(60_000, 30_000), (0, 30_000)]


async def test_an_arrival_keeps_to_its_day_and_cooperative_whatever_others_call_theirs(
    allocation: Allocation,
) -> None:
    one, two = Stream(1), Stream(2)
    number = str(uuid4())
    for s in (one, two):
        await allocation.take_in(*s.registered(), s.published(1, {0: 6}), s.placed(11, (1, 5)), s.closed(1))
    first, second = await Staff.of(allocation, one), await Staff.of(allocation, two)
    assert (await first.bring("VH-01", 5, arrival_id=number)).status_code == 200
    assert (await second.bring("VH-01", 2, arrival_id=number)).status_code == 200
    rows = await allocation.fetch("select accepted_steps from arrival order by cooperative_id")
    assert [row["accepted_steps"] for row in rows] == [5, 2]
    await first.post("departure")
    await allocation.take_in(one.published(2, {0: 4}, SU_SU), one.placed(12, (2, 2)), one.closed(2))
    elsewhere = await first.bring("VH-01", 2, arrival_id=number, product_code="su-su")
    assert (elsewhere.status_code, elsewhere.json()["errors"][0]["field"]) == (422, "arrivals[0].arrival_id")


async def test_what_a_truck_has_left_with_is_not_asked_again_when_an_offer_closes_late(allocation: Allocation) -> None:
    s = await asked(allocation, {0: 6, 1: 6}, 8, fee_permille=100)
    staff = await Staff.of(allocation, s)
    await staff.bring("VH-01", 4)
    await staff.bring("VH-02", 4)
    await staff.post("departure")
    await allocation.take_in(s.published(2, {0: 3}, SU_SU), s.placed(12, (2, 2)), s.closed(2))
    changed = (await said(allocation, s, "basket_changed"))[-1]
    assert [item["quantity_steps"] for item in changed["items"]] == [2]
    await allocation.take_in(s.replied(0, "cannot", version=changed["version"]))
    assert await promised(allocation, s) == [(11, 8, 0, 0, 0), (12, 2, 0, 2, 0)]
    assert (await staff.post("departure")).status_code == 200
    assert [body["households"] for body in await said(allocation, s, "day_settled")][-1] == [
        {"household_id": str(s.households[n]), "gross_vnd": 60_000, "fee_vnd": 6_000, "net_vnd": 54_000} for n in (0, 1)
    ]


async def test_who_pledged_nothing_and_brings_something_is_paid_for_it(allocation: Allocation) -> None:
    s = await asked(allocation, {0: 6, 1: 0}, 5)
    staff = await Staff.of(allocation, s)
    await staff.bring("VH-01", 5)
    assert (await staff.bring("VH-02", 2, may_exceed=True)).status_code == 200
    done = await staff.post("departure")
    assert {x["household_code"]: x["net_vnd"] for x in done.json()["entries"]} == {"VH-01": 75_000, "VH-02": 30_000}


async def test_an_unanswered_basket_that_was_brought_is_not_taken_back(allocation: Allocation) -> None:
    s = await asked(allocation, {0: 6, 1: 6}, 8, silence="re_offer")
    staff = await Staff.of(allocation, s)
    await staff.bring("VH-01", 4)
    await staff.bring("VH-02", 4)
    await staff.post("departure")
    assert await said(allocation, s, "basket_changed") == []
    assert await promised(allocation, s) == [(11, 8, 0, 0, 0)]


async def test_another_correction_under_a_name_that_is_taken_is_refused(allocation: Allocation) -> None:
    s = await asked(allocation, {0: 6}, 4)
    staff = await Staff.of(allocation, s)
    await staff.bring("VH-01", 4)
    await staff.post("departure")
    body = {"correction_id": str(uuid4()), "household_code": "VH-01", "amount_vnd": -5_000, "reason": "torn sacks"}
    assert (await staff.post("corrections", body)).status_code == 200
    assert (await staff.post("corrections", body | {"amount_vnd": -6_000})).status_code == 409
    assert (await staff.post("corrections", body | {"reason": "a\u0000b"})).status_code == 422


async def test_an_offer_to_which_nobody_pledged_is_settled_with_its_day(allocation: Allocation) -> None:
    s = Stream()
    await allocation.take_in(*s.registered(), s.published(1, {0: 6}), s.published(2, {}, SU_SU))
    await allocation.take_in(s.placed(11, (1, 4)), s.closed(1, closes_day=False), s.closed(2))
    staff = await Staff.of(allocation, s)
    await staff.bring("VH-01", 4)
    assert (await staff.post("departure")).status_code == 200
    assert await allocation.fetch("select from offer where not settled") == []


# -- A product that is offered twice on a day ----------------------------------------------------------------


async def offered_twice(allocation: Allocation) -> Stream:
    """Two offers of the same product: both households are asked 3 steps of the first, one 2 of the second."""
    s = await asked(allocation, {0: 6, 1: 6}, 6)
    await allocation.take_in(s.published(2, {0: 4}), s.placed(14, (2, 2)), s.closed(2))
    return s


async def test_each_of_two_offers_of_a_product_is_weighed_in_by_its_id(allocation: Allocation) -> None:
    s = await offered_twice(allocation)
    staff = await Staff.of(allocation, s)
    first, second = str(s.id_of(1)), str(s.id_of(2))
    expected = (await staff.get(f"days/{DAY}/arrivals")).json()["expected"]
    assert [(x["household_code"], x["offer_id"], x["asked_steps"]) for x in expected] == [
        ("VH-01", first, 3),
        ("VH-02", first, 3),
        ("VH-01", second, 2),
    ]
    assert (await staff.bring("VH-02", 3)).status_code == 200  # only one offer can be meant
    assert (await staff.bring("VH-01", 3, offer_id=first)).status_code == 200
    brought = await staff.bring("VH-01", 2, product_code=None, offer_id=second)
    assert sorted((x["household_code"], x["offer_id"], x["accepted_steps"]) for x in brought.json()["arrivals"]) == [
        ("VH-01", first, 3),
        ("VH-01", second, 2),
        ("VH-02", first, 3),
    ]
    assert (await staff.post("departure")).json()["net_vnd"] == 8 * STEP_VALUES_VND["cai-meo"]


async def test_a_code_that_could_mean_two_offers_is_refused_and_the_offers_are_listed(allocation: Allocation) -> None:
    s = await offered_twice(allocation)
    staff = await Staff.of(allocation, s)
    (error,) = (await staff.bring("VH-01", 1)).json()["errors"]
    assert error["field"] == "arrivals[0].product_code"
    assert f"{s.id_of(1)} (3 steps asked), {s.id_of(2)} (2 steps asked)" in error["detail"]
    for wrong, field in (
        ({"product_code": None}, "product_code"),
        ({"offer_id": str(s.id_of(9))}, "household_code"),
        ({"offer_id": str(s.id_of(1)), "product_code": "su-su"}, "household_code"),
    ):
        refused = await staff.bring("VH-01", 1, **wrong)
        assert (refused.status_code, [e["field"] for e in refused.json()["errors"]]) == (422, [f"arrivals[0].{field}"])
    assert await allocation.fetch("select from arrival") == []


async def test_a_reply_to_two_offers_of_a_product_names_them_by_id(allocation: Allocation) -> None:
    s = await offered_twice(allocation)
    staff = await Staff.of(allocation, s)
    less = {"household_code": "VH-01", "version": 2, "answer": "less"}
    refused = await staff.post("replies", less | {"items": [{"product_code": "cai-meo", "quantity_steps": 1}]})
    assert [error["field"] for error in refused.json()["errors"]] == ["items[0].product_code"]
    assert str(s.id_of(2)) in refused.json()["errors"][0]["detail"]
    items = [{"offer_id": str(s.id_of(2)), "quantity_steps": 0}, {"offer_id": str(s.id_of(1)), "quantity_steps": 2}]
    assert (await staff.post("replies", less | {"items": items})).status_code == 200
    (reply,) = await said(allocation, s, "reply_recorded")
    assert reply["items"] == items


async def test_what_has_left_with_a_truck_does_not_make_a_code_ambiguous(allocation: Allocation) -> None:
    s = await asked(allocation, {0: 6}, 3)
    staff = await Staff.of(allocation, s)
    await staff.bring("VH-01", 3)
    assert (await staff.post("departure")).status_code == 200
    await allocation.take_in(s.published(2, {0: 4}), s.placed(14, (2, 2)), s.closed(2))
    assert (await staff.bring("VH-01", 2)).status_code == 200
    left = await staff.bring("VH-01", 1, offer_id=str(s.id_of(1)))
    assert (left.status_code, "settled" in left.json()["detail"]) == (409, True)
