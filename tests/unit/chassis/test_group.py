"""Group commit: what waits goes together, senders take turns, and a failure is its own item's."""

import asyncio
from collections.abc import Sequence

import pytest

from services.chassis import pace, trace
from services.chassis.group import SHARE, Group, Overloaded


class Worker:
    """Answers each item with itself, once it may; keeps what came together."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.traces: list[str | None] = []
        self.may_go_on = asyncio.Event()

    async def work(self, items: Sequence[str]) -> Sequence[str]:
        self.batches.append(list(items))
        self.traces.append(trace.current.get())
        await self.may_go_on.wait()
        for item in items:
            if item.startswith("bad"):
                raise ValueError(item)
            if item == "weather":
                raise ConnectionError(item)
        return list(items)


def group(
    worker: Worker, most: int = 4, most_waiting: int = 1000, most_of_one: int = 1000, every_s: float = 0
) -> Group[str, str]:
    return Group(
        worker.work, most=most, most_waiting=most_waiting, most_of_one=most_of_one, side_by_side=1, every_s=every_s
    )


async def submitted(
    it: Group[str, str], *submissions: tuple[str, list[str]]
) -> list["asyncio.Task[Sequence[str | Exception]]"]:
    """The first is being worked on, the others wait in this order."""
    tasks = []
    for sender, items in submissions:
        tasks.append(asyncio.create_task(it.submit(sender, items)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    return tasks


async def test_what_waits_goes_together_and_each_gets_its_own_answers() -> None:
    worker = Worker()
    tasks = await submitted(group(worker), ("a", ["1"]), ("b", ["2", "3"]), ("c", ["4"]))
    worker.may_go_on.set()
    assert await asyncio.gather(*tasks) == [["1"], ["2", "3"], ["4"]]
    assert worker.batches == [["1"], ["2", "3", "4"]]


async def test_one_after_the_other_is_never_left_waiting() -> None:
    worker = Worker()
    worker.may_go_on.set()
    it = group(worker)
    for number in range(20):
        assert await asyncio.wait_for(it.submit("a", [str(number)]), 5) == [str(number)]


async def test_what_follows_on_the_heels_of_a_turn_is_gathered_until_there_is_enough() -> None:
    worker = Worker()
    worker.may_go_on.set()
    it = group(worker, most=3, every_s=3600)
    assert await asyncio.wait_for(it.submit("a", ["1"]), 5) == ["1"]
    tasks = await submitted(it, ("a", ["2"]), ("b", ["3"]))
    assert worker.batches == [["1"]]
    assert await asyncio.wait_for(it.submit("b", ["4"]), 5) == ["4"]
    assert await asyncio.gather(*tasks) == [["2"], ["3"]]
    assert worker.batches == [["1"], ["2", "3", "4"]]


async def test_what_is_gathered_has_its_turn_when_it_is_time() -> None:
    worker = Worker()
    worker.may_go_on.set()
    it = group(worker, every_s=0.01)
    for number in range(5):
        assert await asyncio.wait_for(it.submit("a", [str(number)]), 5) == [str(number)]
    assert len(worker.batches) == 5


async def test_others_do_not_wait_for_the_turn_of_a_flood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "BETWEEN_S", 3600.0)
    monkeypatch.setattr(pace, "RECENT", 8)
    worker = Worker()
    worker.may_go_on.set()
    it = Group[str, str](
        worker.work, most=100, most_waiting=100, most_of_one=100, side_by_side=1, every_s=0.01, paced=True
    )
    flood = [asyncio.create_task(it.submit("flood", [str(number)])) for number in range(8)]
    await asyncio.wait(flood, return_when=asyncio.FIRST_COMPLETED)
    held = asyncio.create_task(it.submit("flood", ["held"]))
    await asyncio.sleep(0)
    for number in range(3):
        assert await asyncio.wait_for(it.submit("calm", [f"c{number}"]), 5) == [f"c{number}"]
    assert not held.done()
    held.cancel()


async def test_senders_take_turns_so_that_batches_stand_before_nobody() -> None:
    worker = Worker()
    flood = ("flood", [f"f{number}" for number in range(4 * SHARE)])
    tasks = await submitted(group(worker, most=2 * SHARE), flood, flood, ("calm", ["c1"]), ("calm", ["c2"]))
    worker.may_go_on.set()
    await asyncio.gather(*tasks)
    assert [[item for item in batch if item.startswith("c")] for batch in worker.batches[:2]] == [[], ["c1", "c2"]]
    assert max(map(len, worker.batches)) < 3 * SHARE


async def test_nothing_is_answered_at_once() -> None:
    assert await asyncio.wait_for(group(Worker()).submit("a", []), 5) == []


async def test_heavy_items_count_for_what_they_weigh() -> None:
    worker = Worker()
    it = Group[str, str](
        worker.work, most=SHARE, most_waiting=1000, most_of_one=1000, side_by_side=1, weigh=lambda _: SHARE
    )
    tasks = await submitted(it, ("a", ["1"]), ("a", ["2", "3"]), ("b", ["4"]))
    worker.may_go_on.set()
    await asyncio.gather(*tasks)
    assert worker.batches == [["1"], ["2"], ["4"], ["3"]]


async def test_a_failure_is_that_of_its_item_alone() -> None:
    worker = Worker()
    tasks = await submitted(group(worker), ("a", ["1"]), ("b", ["bad 2", "3"]), ("c", ["4"]))
    worker.may_go_on.set()
    (one, (bad, three), four) = await asyncio.gather(*tasks)
    assert (one, three, four) == (["1"], "3", ["4"])
    assert isinstance(bad, ValueError)


async def test_weather_is_told_to_all_and_nobody_is_tried_alone() -> None:
    worker = Worker()
    tasks = await submitted(group(worker), ("a", ["1"]), ("b", ["weather"]), ("c", ["4"]))
    worker.may_go_on.set()
    found = [results[0] for results in await asyncio.gather(*tasks)]
    assert [type(it) for it in found] == [str, ConnectionError, ConnectionError]
    assert len(worker.batches) == 2


async def test_too_few_answers_are_a_failure_and_no_endless_wait() -> None:
    async def forgetful(items: Sequence[str]) -> Sequence[str]:
        return []

    it = Group[str, str](forgetful, most=4, most_waiting=10, most_of_one=10, side_by_side=1)
    (result,) = await asyncio.wait_for(it.submit("a", ["1"]), 5)
    assert isinstance(result, ValueError)


async def test_a_worker_that_is_broken_off_leaves_nobody_waiting() -> None:
    workers: list[asyncio.Task[object] | None] = []

    async def broken_off(items: Sequence[str]) -> Sequence[str]:
        if len(items) > 1:
            raise ValueError("somebody is to blame")
        if items == ["2"]:
            worker = asyncio.current_task()
            workers.append(worker)
            assert worker
            worker.cancel()
            await asyncio.sleep(0)
        return list(items)

    it = Group[str, str](broken_off, most=4, most_waiting=10, most_of_one=10, side_by_side=1)
    one, *others = await asyncio.wait_for(it.submit("a", ["1", "2", "3"]), 5)
    assert one == "1"
    assert [type(other) for other in others] == [ConnectionError, ConnectionError]
    assert workers
    assert await it.submit("a", ["4"]) == ["4"]


async def test_whoever_gives_up_while_waiting_is_left_out() -> None:
    worker = Worker()
    tasks = await submitted(group(worker), ("a", ["1"]), ("b", ["2"]), ("c", ["3"]))
    tasks[1].cancel()
    await asyncio.gather(tasks[1], return_exceptions=True)
    worker.may_go_on.set()
    await asyncio.gather(tasks[0], tasks[2])
    assert worker.batches == [["1"], ["3"]]


@pytest.mark.parametrize("limits", [{"most_waiting": 2}, {"most_of_one": 2}])
async def test_more_than_can_be_remembered_is_refused_and_the_rest_goes_on(limits: dict[str, int]) -> None:
    worker = Worker()
    it = group(worker, **limits)
    tasks = await submitted(it, ("a", ["1"]), ("b", ["2", "3"]))
    with pytest.raises(Overloaded):
        await it.submit("b", ["4"])
    worker.may_go_on.set()
    assert await asyncio.gather(*tasks) == [["1"], ["2", "3"]]
    assert await it.submit("b", ["4"]) == ["4"]


@pytest.mark.parametrize("limits", [{"most_waiting": 2}, {"most_of_one": 2}])
async def test_what_is_more_than_the_limit_by_itself_can_still_be_sent(limits: dict[str, int]) -> None:
    worker = Worker()
    worker.may_go_on.set()
    assert await asyncio.wait_for(group(worker, **limits).submit("a", ["1", "2", "3"]), 5) == ["1", "2", "3"]


async def test_work_for_many_carries_the_trace_of_nobody() -> None:
    worker = Worker()
    worker.may_go_on.set()
    token = trace.current.set("00-1-2-01")
    try:
        await group(worker).submit("a", ["1"])
    finally:
        trace.current.reset(token)
    assert worker.traces == [None]
