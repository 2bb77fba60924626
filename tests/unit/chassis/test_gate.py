"""The gate against a brute-force reader that applies whatever is next, one at a time."""

from datetime import UTC, datetime
from itertools import groupby
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.chassis import gate
from services.chassis.cloudevents import Arrival
from services.chassis.gate import Parked, Place

STREAMS = (UUID(int=1), UUID(int=2))
PRODUCERS = ("catalog", "orders")
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def event(stream: UUID, producer: str, sequence: int, after: dict[str, int] | None = None) -> Arrival:
    identifier = UUID(int=stream.int * 1_000_000 + PRODUCERS.index(producer) * 10_000 + sequence)
    return Arrival(producer, stream, sequence, identifier, "a.b.v1", NOW, after or {}, None, b"{}")


def nothing_applied() -> dict[Place, int]:
    return {(stream, producer): 0 for stream in STREAMS for producer in PRODUCERS}


def history() -> st.SearchStrategy[list[Arrival]]:
    """What two producers might write: each event comes after some of what the other had written before."""

    def write(steps: list[tuple[int, int, bool]]) -> list[Arrival]:
        written: list[Arrival] = []
        heads = nothing_applied()
        for stream_no, producer_no, read_other in steps:
            stream, producer = STREAMS[stream_no], PRODUCERS[producer_no]
            other = PRODUCERS[1 - producer_no]
            heads[stream, producer] += 1
            after = {other: heads[stream, other]} if read_other and heads[stream, other] else {}
            written.append(event(stream, producer, heads[stream, producer], after))
        return written

    return st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1), st.booleans()), max_size=14).map(write)


def brute_force(events: list[Arrival]) -> set[UUID]:
    """Everything that can be applied at all, however it is ordered."""
    at = nothing_applied()
    applied: set[UUID] = set()
    moved = True
    while moved:
        moved = False
        for e in events:
            fits = e.sequence == at[e.stream, e.producer] + 1
            if fits and all(at[e.stream, p] >= n for p, n in e.after.items()):
                at[e.stream, e.producer] += 1
                applied.add(e.id)
                moved = True
    return applied


@given(history(), st.data())
def test_everything_that_can_be_applied_is_applied_once_in_order_and_after_its_causes(
    written: list[Arrival], data: st.DataObject
) -> None:
    arrived = data.draw(
        st.permutations(written + data.draw(st.lists(st.sampled_from(written) if written else st.nothing())))
    )
    arrived = arrived[: data.draw(st.integers(0, len(arrived)))]
    cursors, parked, applied = nothing_applied(), dict[UUID, Arrival](), list[Arrival]()
    rest = list(arrived)
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        message, rest = rest[:size], rest[size:]
        most = data.draw(st.integers(1, 3))
        while True:
            near = [e for e in parked.values() if e.sequence <= cursors[e.stream, e.producer] + most]
            verdict = gate.decide(message, [Parked(e, blocked=False) for e in near], cursors)
            applied += verdict.ready
            cursors |= verdict.cursors
            parked |= {e.id: e for e in verdict.early}
            parked = {e.id: e for e in parked.values() if e.sequence > cursors[e.stream, e.producer]}
            if not verdict.ready:
                break
            message = []
    at = nothing_applied()
    for e in applied:
        assert e.sequence == at[e.stream, e.producer] + 1
        assert all(at[e.stream, p] >= n for p, n in e.after.items())
        at[e.stream, e.producer] = e.sequence
    assert {e.id for e in applied} == brute_force(arrived)
    assert {e.id for e in applied} | set(parked) == {e.id for e in arrived}


@given(history())
def test_what_comes_in_an_order_in_which_it_may_pass_passes_in_that_order(written: list[Arrival]) -> None:
    passed = gate.decide(written, [], nothing_applied()).ready
    for stream in STREAMS:
        assert [e.id for e in passed if e.stream == stream] == [e.id for e in written if e.stream == stream]


def test_a_failed_event_blocks_its_own_stream_and_no_other() -> None:
    one, two = STREAMS
    failed = Parked(event(one, "orders", 1), blocked=True)
    verdict = gate.decide([event(one, "orders", 2), event(two, "orders", 1)], [failed], nothing_applied())
    assert [e.stream for e in verdict.ready] == [two]
    assert [e.sequence for e in verdict.early] == [2]


def test_a_failed_event_that_comes_again_is_a_duplicate() -> None:
    failed = event(STREAMS[0], "orders", 1)
    verdict = gate.decide([failed], [Parked(failed, blocked=True)], nothing_applied())
    assert (verdict.ready, verdict.early, verdict.duplicates) == ([], [], 1)


def test_an_event_ahead_of_a_gap_says_how_far_the_stream_reaches() -> None:
    verdict = gate.decide([event(STREAMS[0], "orders", 5)], [], nothing_applied())
    assert verdict.heads == {(STREAMS[0], "orders"): 5}


def test_an_event_that_waits_for_its_cause_says_how_far_the_causes_stream_reaches() -> None:
    verdict = gate.decide([event(STREAMS[0], "orders", 1, {"catalog": 3})], [], nothing_applied())
    assert verdict.heads == {(STREAMS[0], "orders"): 1, (STREAMS[0], "catalog"): 3}


def test_a_cause_from_a_producer_that_is_not_read_holds_nothing() -> None:
    verdict = gate.decide([event(STREAMS[0], "orders", 1, {"notify": 9})], [], nothing_applied())
    assert len(verdict.ready) == 1


def test_at_most_limits_what_is_ready_and_keeps_the_rest() -> None:
    events = [event(STREAMS[0], "orders", n) for n in (1, 2, 3)]
    verdict = gate.decide(events, [], nothing_applied(), at_most=1)
    assert ([e.sequence for e in verdict.ready], [e.sequence for e in verdict.early]) == ([1], [2, 3])


@given(st.lists(st.tuples(st.sampled_from(STREAMS), st.sampled_from("abc")), max_size=12))
def test_runs_keep_the_order_of_each_stream_and_several_streams_share_them(
    said: list[tuple[UUID, str]],
) -> None:
    events = [event(stream, "orders", number) for number, (stream, _) in enumerate(said, 1)]
    kinds = {one.id: kind for one, (_, kind) in zip(events, said, strict=True)}
    runs = list(gate.runs(events, lambda one: kinds[one.id]))
    assert all({kinds[one.id] for one in run} == {kind} for kind, run in runs)
    for stream in STREAMS:
        own = [one for one in events if one.stream == stream]
        assert [one for _, run in runs for one in run if one.stream == stream] == own
    assert sum(len(run) for _, run in runs) == len(events)
    changes = [sum(1 for _ in groupby(kind for one, kind in said if one == stream)) for stream in STREAMS]
    assert max(changes) <= len(runs) <= sum(changes)
