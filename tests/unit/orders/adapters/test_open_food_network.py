"""Open Food Network: the key in the address, and the orders that its payments tell of."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from services.orders.adapters.base import Ignored
from services.orders.domain.command import CommandLine, Kind, OrderCommand
from tests.support.platforms.base import SECRET
from tests.support.platforms.open_food_network import OPEN_FOOD_NETWORK, ofn_push
from tests.unit.orders.adapters import contract


def command(body: Any) -> OrderCommand:
    return contract.command(OPEN_FOOD_NETWORK, body)


def test_the_key_stands_in_the_address() -> None:
    contract.believes(OPEN_FOOD_NETWORK, b"{}", {}, key=SECRET)
    contract.refuses(OPEN_FOOD_NETWORK, b"{}", {}, key=SECRET.upper())
    contract.refuses(OPEN_FOOD_NETWORK, b"{}", {"authorization": f"Bearer {SECRET}"})


def test_a_paid_order_becomes_a_command_and_its_lines_go_by_name() -> None:
    found = command(ofn_push(0, "completed", 2, 1))
    assert (found.partner_ref, found.kind, found.contact) == ("R123456789", Kind.UPSERT, None)
    assert found.lines == (
        CommandLine(1, "Cải mèo 300g", Decimal(2), 15000),
        CommandLine(2, "Cải mèo 400g", Decimal(1), 15000),
    )
    assert found.revision.updated_at == datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


def test_long_names_do_not_become_one() -> None:
    push = ofn_push(0, "completed", 2, 1)
    for line in push["data"]["order"]["line_items"]:
        line["product_name"] = "Cải mèo " * 20
    first, second = (line.sku for line in command(push).lines)
    assert (len(first), len(second), first != second) == (100, 100, True)


def test_a_later_payment_follows_and_a_duplicate_does_not() -> None:
    first = command(ofn_push(0, "completed", 2))
    assert command(ofn_push(1, "completed", 3)).follows(first)
    assert not command(ofn_push(0, "completed", 2)).follows(first)
    assert first.follows(command(ofn_push(0, "pending", 2)))


def test_a_voided_payment_may_have_been_replaced_and_cancels_only_an_order_without_items() -> None:
    for total in ("30000.0", "50000.0"):
        assert contract.read(OPEN_FOOD_NETWORK, ofn_push(0, "void", 2, total=total)) == Ignored("voided")
    for left in ((), (0,)):
        emptied = command(ofn_push(0, "void", *left))
        assert (emptied.kind, emptied.lines) == (Kind.CANCEL, ())
        assert emptied.follows(command(ofn_push(0, "completed", 2)))


def test_other_states_and_events_say_nothing_of_the_order() -> None:
    for state in ("failed", "processing", "checkout", "invalid"):
        assert contract.read(OPEN_FOOD_NETWORK, ofn_push(0, state, 2)) == Ignored("state")
    assert contract.read(OPEN_FOOD_NETWORK, {"event": "order_cycle.opened", "data": {}}) == Ignored("event")


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"data": {}}, ["event"]),
        ({"event": "payment.complete"}, ["data"]),
        (ofn_push(0, "completed", -2), ["data.order.line_items[0].quantity"]),
        (ofn_push(0, "completed", 2, number=None), ["data.order.number"]),
    ],
)
def test_a_malformed_body_names_its_faults(body: Any, fields: list[str]) -> None:
    assert contract.faulty(OPEN_FOOD_NETWORK, body) == fields
