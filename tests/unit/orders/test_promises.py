"""What an order stands at once `allocation` has spoken."""

from uuid import UUID

import pytest

from services.orders.domain.order import (
    LineLoss,
    LinePromise,
    Order,
    OrderState,
    Product,
    apply_losses,
    apply_promise,
)
from tests.unit.orders.books import CAI_MEO_TOMORROW, SU_SU_TOMORROW, after, line, new, push


def placed() -> Order:
    """4 steps of cải mèo and 3 bunches of su su."""
    return after(new(), push(0, line(1, "CAI-KG", "2"), line(2, "SU-SU", "3"))).order


def promise(line_no: int, offer_id: UUID, promised_steps: int, short_steps: int) -> LinePromise:
    return LinePromise(line_no, offer_id, promised_steps, short_steps, "sold_out" if short_steps else None)


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
    told = apply_promise(placed(), [promise(1, CAI_MEO_TOMORROW, *cai_meo), promise(2, SU_SU_TOMORROW, *su_su)])
    assert told.state is state


def test_an_order_is_placed_until_every_line_has_its_promise() -> None:
    assert placed().state is OrderState.PLACED
    assert apply_promise(placed(), [promise(1, CAI_MEO_TOMORROW, 4, 0)]).state is OrderState.PLACED


def test_a_refused_line_makes_the_promise_partial_and_alone_none() -> None:
    both = after(new(), push(0, line(1, "SU-SU"), line(2, "???"))).order
    assert apply_promise(both, [promise(1, SU_SU_TOMORROW, 1, 0)]).state is OrderState.PART_PROMISED
    assert after(new(), push(0, line(1, "???"))).order.state is OrderState.NOT_PROMISED


def test_a_changed_line_waits_for_a_new_promise_and_an_older_one_does_not_end_the_wait() -> None:
    told = apply_promise(placed(), [promise(1, CAI_MEO_TOMORROW, 4, 0), promise(2, SU_SU_TOMORROW, 3, 0)])
    more = after(told, push(1, line(1, "CAI-KG", "2"), line(2, "SU-SU", "5"))).order
    assert more.state is OrderState.PLACED
    assert apply_promise(more, [promise(2, SU_SU_TOMORROW, 3, 0)]).state is OrderState.PLACED
    assert apply_promise(more, [promise(2, SU_SU_TOMORROW, 4, 1)]).state is OrderState.PART_PROMISED


def test_a_promise_for_a_line_that_was_cancelled_or_moved_is_passed_over() -> None:
    cancelled = after(placed(), push(1, cancel=True)).order
    assert apply_promise(cancelled, [promise(1, CAI_MEO_TOMORROW, 4, 0)]) == cancelled
    assert apply_promise(placed(), [promise(1, SU_SU_TOMORROW, 4, 0)]) == placed()


def test_what_is_shorted_moves_from_promised_to_short() -> None:
    told = apply_promise(placed(), [promise(1, CAI_MEO_TOMORROW, 4, 0), promise(2, SU_SU_TOMORROW, 3, 0)])
    shorted = apply_losses(told, [LineLoss(1, CAI_MEO_TOMORROW, 1, "pledges_reduced")])
    line = shorted.ordered[0]
    assert (line.promised_steps, line.short_steps, line.reason) == (1, 3, "pledges_reduced")
    assert shorted.state is OrderState.PART_PROMISED
    assert apply_losses(shorted, [LineLoss(1, CAI_MEO_TOMORROW, 1, "pledges_reduced")]) == shorted


@pytest.mark.parametrize(
    ("step_milliunits", "steps", "text"), [(500, 3, "1.5"), (500, 4, "2"), (1000, 30, "30"), (1, 25, "0.025")]
)
def test_steps_are_shown_as_a_plain_decimal_of_the_unit(step_milliunits: int, steps: int, text: str) -> None:
    assert Product(UUID(int=1), "kg", step_milliunits).quantity_text(steps) == text
