"""What is kept for the relay: the next rows of a stream, or the word that only the log can tell."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.chassis.fresh import MOST_CHARACTERS, Fresh, Row

STREAM, OTHER = UUID(int=1), UUID(int=2)


def row(sequence: int, stream: UUID = STREAM, data: str = "{}") -> Row:
    return {"stream": stream, "sequence": sequence, "data": data}


def taken(fresh: Fresh, relayed: int | None, most: int = 100, stream: UUID = STREAM) -> list[int] | None:
    rows = fresh.take(stream, relayed, most)
    return None if rows is None else [one["sequence"] for one in rows]


def test_what_follows_is_taken_once_and_no_more_than_there_is_room_for() -> None:
    fresh = Fresh()
    for sequence in range(5, 10):
        fresh.add(row(sequence))
    assert taken(fresh, 4, most=2) == [5, 6]
    assert taken(fresh, 6) == [7, 8, 9]
    assert taken(fresh, 9) is None, "nothing is known any more of what follows"


def test_only_the_log_can_tell_where_it_is_not_known_what_was_relayed_or_something_is_missing() -> None:
    fresh = Fresh()
    fresh.add(row(5))
    fresh.add(row(7))
    assert taken(fresh, None) is None
    assert taken(fresh, 3) is None
    assert taken(fresh, 4, stream=OTHER) is None
    assert taken(fresh, 4) == [5]
    assert taken(fresh, 5) is None


def test_what_was_relayed_from_the_log_meanwhile_is_passed_over() -> None:
    fresh = Fresh()
    for sequence in range(5, 8):
        fresh.add(row(sequence))
    assert taken(fresh, 6) == [7]
    fresh.add(row(8))
    assert taken(fresh, 8) == [], "all that was handed over is relayed"


def test_more_than_is_to_be_kept_is_left_to_the_log() -> None:
    fresh = Fresh()
    fresh.add(row(1, data="x" * MOST_CHARACTERS))
    fresh.add(row(2, data="x"))
    fresh.add(row(3))
    assert taken(fresh, 0) is None
    assert taken(fresh, 2) == [3]


@given(st.lists(st.tuples(st.integers(1, 12), st.integers(0, 3)), max_size=20), st.integers(1, 3))
def test_whatever_is_lost_on_the_way_nothing_is_passed_over_and_nothing_comes_twice(
    steps: list[tuple[int, int]], most: int
) -> None:
    """The rows of a log come in some order, some of them never; what memory does not give is read from the log."""
    fresh, relayed = Fresh(), 0
    for sequence, looks in steps:
        fresh.add(row(sequence))
        for _ in range(looks):
            found = fresh.take(STREAM, relayed, most)
            if found is None:
                relayed = min(relayed + 1, 12)
                continue
            assert [one["sequence"] for one in found] == list(range(relayed + 1, relayed + len(found) + 1))
            assert len(found) <= most
            relayed += len(found)
