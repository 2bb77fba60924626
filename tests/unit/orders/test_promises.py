"""What an order stands at once `allocation` has spoken."""

from uuid import UUID

import pytest

from services.orders.domain.order import Order, OrderState, Product
from tests.unit.orders.books import (
    CAI_MEO_TOMORROW,
    SU_SU_TOMORROW,
    after,
    line,
    new,
    promise_of,
    promised,
    push,
    with_promise,
)


def placed() -> Order:
    """4 steps of cải mèo and 3 bunches of su su."""
    return after(new(), push(0, line(1, "CAI-KG", "2"), line(2, "SU-SU", "3"))).order


@pytest.mark.parametrize(
    ("cai_meo", "su_su", "state"),
    [
        ((4, 0), (3, 0), OrderState.PROMISED),
        ((4, 0), (1, 2), OrderState.PART_PROMISED),
        ((0, 4), (3, 0), OrderState.PART_PROMISED),
        ((0, 4), (0, 3), OrderState.NOT_PROMISED),
    ],
)
def test_the_state_says_how_much_is_promised(
    cai_meo: tuple[int, int], su_su: tuple[int, int], state: OrderState
) -> None:
    told = promised(placed(), (1, CAI_MEO_TOMORROW, *cai_meo), (2, SU_SU_TOMORROW, *su_su))
    assert told.state is state


def test_an_order_is_placed_until_every_line_has_its_promise() -> None:
    assert placed().state is OrderState.PLACED
    assert promised(placed(), (1, CAI_MEO_TOMORROW, 4, 0)).state is OrderState.PLACED


def test_a_refused_line_makes_the_promise_partial_and_alone_none() -> None:
    both = after(new(), push(0, line(1, "SU-SU"), line(2, "???"))).order
    assert promised(both, (1, SU_SU_TOMORROW, 1, 0)).state is OrderState.PART_PROMISED
    assert after(new(), push(0, line(1, "???"))).order.state is OrderState.NOT_PROMISED


def test_an_order_is_delivered_once_nothing_more_of_it_is_coming() -> None:
    promise = promise_of(promised(placed(), (1, CAI_MEO_TOMORROW, 3, 1), (2, SU_SU_TOMORROW, 3, 0)))
    promise.deliver(1, CAI_MEO_TOMORROW)
    with_some_to_come = promise.state
    promise.deliver(2, SU_SU_TOMORROW)
    assert (with_some_to_come, promise.state) == (OrderState.PART_PROMISED, OrderState.DELIVERED)
    lost = promise_of(promised(placed(), (1, CAI_MEO_TOMORROW, 0, 4), (2, SU_SU_TOMORROW, 3, 0)))
    lost.deliver(1, CAI_MEO_TOMORROW)
    assert [line.changed for line in lost.lines.values()] == [False, False]  # nothing came, so nothing is written
    lost.deliver(2, SU_SU_TOMORROW)
    assert lost.state is OrderState.DELIVERED


def test_a_delivered_order_that_asks_for_more_waits_for_the_rest_of_it() -> None:
    promise = promise_of(promised(after(new(), push(0, line(1, "CAI-KG", "2"))).order, (1, CAI_MEO_TOMORROW, 4, 0)))
    promise.deliver(1, CAI_MEO_TOMORROW)
    order = with_promise(after(new(), push(0, line(1, "CAI-KG", "2"))).order, promise)
    more = after(order, push(1, line(1, "CAI-KG", "2"), line(2, "SU-SU", "3"))).order
    assert more.state is OrderState.PLACED
    assert promised(more, (2, SU_SU_TOMORROW, 3, 0)).state is OrderState.PROMISED
    assert after(more, push(2, line(1, "CAI-KG", "2"))).order.state is OrderState.DELIVERED


def test_a_changed_line_waits_for_a_new_promise_and_an_older_one_does_not_end_the_wait() -> None:
    told = promised(placed(), (1, CAI_MEO_TOMORROW, 4, 0), (2, SU_SU_TOMORROW, 3, 0))
    more = after(told, push(1, line(1, "CAI-KG", "2"), line(2, "SU-SU", "5"))).order
    assert more.state is OrderState.PLACED
    assert promised(more, (2, SU_SU_TOMORROW, 3, 0)).state is OrderState.PLACED
    assert promised(more, (2, SU_SU_TOMORROW, 4, 1)).state is OrderState.PART_PROMISED


def test_a_promise_for_a_line_that_was_cancelled_or_moved_is_passed_over() -> None:
    cancelled = after(placed(), push(1, cancel=True)).order
    assert promised(cancelled, (1, CAI_MEO_TOMORROW, 4, 0)) == cancelled
    assert promised(placed(), (1, SU_SU_TOMORROW, 4, 0)) == placed()


def test_what_is_shorted_moves_from_promised_to_short() -> None:
    told = promised(placed(), (1, CAI_MEO_TOMORROW, 4, 0), (2, SU_SU_TOMORROW, 3, 0))
    promise = promise_of(told)
    promise.take_back(1, CAI_MEO_TOMORROW, 1, "pledges_reduced")
    shorted = with_promise(told, promise)
    line = shorted.ordered[0]
    assert (line.promised_steps, line.short_steps, line.reason) == (1, 3, "pledges_reduced")
    assert shorted.state is OrderState.PART_PROMISED
    again = promise_of(shorted)
    again.take_back(1, CAI_MEO_TOMORROW, 1, "pledges_reduced")
    assert again == promise_of(shorted)


def test_only_lines_that_were_told_something_new_have_changed() -> None:
    promise = promise_of(promised(placed(), (1, CAI_MEO_TOMORROW, 4, 0)))
    promise.give(1, CAI_MEO_TOMORROW, 4, 0, None)
    promise.give(2, SU_SU_TOMORROW, 0, 3, "sold_out")
    assert [line.changed for line in promise.lines.values()] == [False, True]


@pytest.mark.parametrize(
    ("step_milliunits", "steps", "text"), [(500, 3, "1.5"), (500, 4, "2"), (1000, 30, "30"), (1, 25, "0.025")]
)
def test_steps_are_shown_as_a_plain_decimal_of_the_unit(step_milliunits: int, steps: int, text: str) -> None:
    assert Product(UUID(int=1), "kg", step_milliunits).quantity_text(steps) == text
