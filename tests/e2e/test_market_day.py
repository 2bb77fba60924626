"""The whole market day: four processes, real servers, real SMTP, signed pushes and webhooks, checked by SQL."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from infra.demo import report
from infra.demo.__main__ import broken, run_day
from infra.local.processes import ServiceProcesses
from infra.local.stack import Stack


@pytest.fixture(scope="module")
def day() -> dict[str, Any]:
    """The report of one day on servers of its own, since every mail in the mailbox counts."""
    lines: list[str] = []
    stack = Stack(
        Path(__file__).parents[2] / ".local" / f"test-{os.getpid()}-day", fresh=True, durable=False, with_providers=True
    )
    stack.start()
    try:
        with ServiceProcesses(stack):
            return asyncio.run(run_day(stack, lines.append))
    finally:
        stack.stop(remove=True)


def test_every_invariant_holds_and_every_answer_was_right(day: dict[str, Any]) -> None:
    assert broken(day) == []
    assert len(day["invariants"]) == 8
    assert all(count >= 0 for it in day["invariants"].values() for count in it["compared"].values())


def test_the_day_was_a_full_one(day: dict[str, Any]) -> None:
    assert day["orders"] >= 300
    shown = {
        "bad signature", "cancelled", "cancelled before placed", "changed", "duplicate", "malformed", "out of order",
        "stale timestamp", "too large", "unknown SKU", "wait", "wrong fields",
    }  # fmt: skip
    assert shown <= day["pushes"].keys()
    assert {"200", "202", "401", "413", "422"} <= day["answers"].keys()
    assert day["promised_steps"] > 0
    assert day["short_steps"] > 0, "something was oversold"


def test_every_household_is_told_once_by_a_message_that_really_arrived_or_by_a_call(day: dict[str, Any]) -> None:
    assert [len(c["baskets"]) for c in day["cooperatives"]] == [8, 18]
    assert all(basket["told"] for c in day["cooperatives"] for basket in c["baskets"])
    assert day["baskets"] == 26
    compared = next(it["compared"] for name, it in day["invariants"].items() if name.startswith("households are told"))
    assert compared["called"] == day["told"]["calls"] == 1
    assert (
        day["notices_told"]["basket"] == compared["messages"] + compared["called"] > 26
    )  # more for those that changed
    assert day["notices_told"]["settlement_day"] > 0


def test_the_ladder_goes_on_where_a_channel_refuses_and_an_answer_in_words_is_taken(day: dict[str, Any]) -> None:
    told = day["told"]
    assert set(told["messages"]) == {"email", "zalo", "sms", "telegram"}
    climbed = {one["household"].split()[0]: (one["not_by"], one["told_by"]) for one in told["climbed"]}
    assert climbed["VH-03"] == ([["zalo", "zalo_no_account"]], "sms")
    assert climbed["VH-05"] == ([["zalo", "zalo_no_account"]], "call")
    assert [code for code, _ in told["written"]] == ["VH-04"]


def test_households_answer_others_are_asked_and_everybody_is_settled_with(day: dict[str, Any]) -> None:
    assert (day["replies"]["less"], day["replies"]["cannot"]) == (3, 2)
    assert day["replies"]["confirm"] >= 20 + day["asked_again"]  # and who was called told it to staff
    assert day["asked_again"] > 0
    assert all(net_vnd > 0 for net_vnd in day["settled_vnd"].values())


def test_every_order_is_told_what_was_delivered_of_it(day: dict[str, Any]) -> None:
    compared = day["invariants"]["delivered = promised - shorted, and the partner is told so"]["compared"]
    assert compared["deliveries"] > 200  # the others were promised nothing
    assert compared["steps"] > 0


def test_standing_pledges_have_renewed_the_offers(day: dict[str, Any]) -> None:
    for cooperative in day["cooperatives"]:
        assert cooperative["renewed_offers"] >= len(cooperative["offers"])


def test_the_same_orders_are_promised_whatever_process_was_faster(day: dict[str, Any]) -> None:
    """What was promised of an oversold offer is all of it, not more and not less; some did not come after all."""
    for cooperative in day["cooperatives"]:
        for offer in cooperative["offers"]:
            if offer["short_steps"] > offer["lost_steps"]:
                assert offer["promised_steps"] + offer["lost_steps"] == offer["supply_steps"]


def test_the_report_reads_well(day: dict[str, Any]) -> None:
    text = report.text(day)
    assert "Hợp tác xã Rau hữu cơ Vân Hồ: 200 orders" in text
    assert "BROKEN" not in text


@pytest.mark.parametrize(
    ("steps", "step_milliunits", "unit", "written"),
    [(25, 500, "kg", "12,5 kg"), (3, 1000, "bó", "3 bó"), (2468, 500, "kg", "1.234 kg"), (1, 250, "kg", "0,25 kg")],
)
def test_quantities_are_written_as_vietnamese_readers_expect(
    steps: int, step_milliunits: int, unit: str, written: str
) -> None:
    assert report.quantity(steps, step_milliunits, unit) == written
