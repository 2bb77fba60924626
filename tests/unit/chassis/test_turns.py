"""Turns keep the order between producers: what is written down gives back exactly the order of application."""

from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.chassis.cloudevents import Arrival
from services.chassis.rebuild import runs
from services.chassis.turns import Turn, changes

STREAM = UUID(int=1)
PRODUCERS = ("catalog", "notify", "orders")


def event(producer: str, sequence: int) -> Arrival:
    now = datetime(2026, 11, 24, tzinfo=UTC)
    return Arrival(producer, STREAM, sequence, UUID(int=9), f"{producer}.x.v1", now, {}, None, b"{}")


def write_down(batches: list[list[str]]) -> tuple[list[Turn], list[tuple[str, int]]]:
    """The turns of events that are applied in these batches, and the order in which they were applied."""
    at: dict[str, int] = {}
    last: dict[tuple[UUID, str], int] = {}
    turns: list[Turn] = []
    order: list[tuple[str, int]] = []
    for batch in batches:
        applied = []
        for producer in batch:
            at[producer] = at.get(producer, 0) + 1
            applied.append(event(producer, at[producer]))
        begun = changes(applied, last)
        turns += begun
        last |= {(turn.stream, turn.producer): turn.number for turn in begun}
        order += [(it.producer, it.sequence) for it in applied]
    return turns, order


@given(st.lists(st.lists(st.sampled_from(PRODUCERS), min_size=1, max_size=6), max_size=12))
def test_the_turns_give_back_the_order_of_application(batches: list[list[str]]) -> None:
    turns, order = write_down(batches)
    reached = dict(order)
    found = [(run.producer, n) for run in runs(turns, reached) for n in range(run.first, run.last + 1)]
    assert found == order


@given(st.lists(st.lists(st.sampled_from(PRODUCERS), min_size=1, max_size=6), max_size=12))
def test_nothing_is_written_while_the_same_producer_goes_on(batches: list[list[str]]) -> None:
    turns, order = write_down(batches)
    switches = sum(one[0] != other[0] for one, other in zip([("", 0), *order], order, strict=False))
    assert len(turns) == switches
    assert [turn.number for turn in turns] == list(range(1, len(turns) + 1))


def test_what_was_applied_before_turns_were_written_comes_first() -> None:
    turns = [Turn(STREAM, 1, "orders", 4), Turn(STREAM, 2, "catalog", 8)]
    found = [(run.producer, run.first, run.last) for run in runs(turns, {"catalog": 9, "orders": 6})]
    assert found == [("catalog", 1, 7), ("orders", 1, 3), ("orders", 4, 6), ("catalog", 8, 9)]


def test_each_command_of_the_service_itself_is_a_turn_and_nothing_between_two_of_them_is() -> None:
    turns = [Turn(STREAM, 1, "orders", 1), Turn(STREAM, 2, "own", 7), Turn(STREAM, 3, "own", 12)]
    turns += [Turn(STREAM, 4, "orders", 3), Turn(STREAM, 5, "own", 40)]
    found = [(run.producer, run.first, run.last) for run in runs(turns, {"orders": 4, "own": 12}, "own")]
    assert found == [("orders", 1, 2), ("own", 7, 7), ("own", 12, 12), ("orders", 3, 4)]
