"""Group commit: what waits goes together, senders take turns, and a failure is its own sender's."""

import asyncio
from collections.abc import Sequence

import pytest

from services.chassis.group import Group, Overloaded


class Worker:
    """Answers each item with itself, once it may; keeps what came together."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.may_go_on = asyncio.Event()

    async def work(self, items: Sequence[str]) -> Sequence[str]:
        self.batches.append(list(items))
        await self.may_go_on.wait()
        for item in items:
            if item.startswith("bad"):
                raise ValueError(item)
            if item == "weather":
                raise ConnectionError(item)
        return list(items)


def group(worker: Worker, most: int = 4, most_waiting: int = 100) -> Group[str, str]:
    return Group(worker.work, most=most, most_waiting=most_waiting, side_by_side=1)


async def submitted(it: Group[str, str], *submissions: tuple[str, list[str]]) -> list["asyncio.Task[Sequence[str]]"]:
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


async def test_senders_take_turns_so_that_a_flood_stands_before_nobody() -> None:
    worker = Worker()
    flood = [("flood", [f"f{number}"]) for number in range(9)]
    tasks = await submitted(group(worker), *flood, ("calm", ["c"]))
    worker.may_go_on.set()
    await asyncio.gather(*tasks)
    assert worker.batches == [["f0"], ["f1", "c", "f2", "f3"], ["f4", "f5", "f6", "f7"], ["f8"]]


async def test_a_failure_is_that_of_its_submission_alone() -> None:
    worker = Worker()
    tasks = await submitted(group(worker), ("a", ["1"]), ("b", ["bad 2", "3"]), ("c", ["4"]))
    worker.may_go_on.set()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert (found[0], found[2]) == (["1"], ["4"])
    assert isinstance(found[1], ValueError)


async def test_weather_is_told_to_all_and_nobody_is_tried_alone() -> None:
    worker = Worker()
    tasks = await submitted(group(worker), ("a", ["1"]), ("b", ["weather"]), ("c", ["4"]))
    worker.may_go_on.set()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(it) for it in found] == [list, ConnectionError, ConnectionError]
    assert len(worker.batches) == 2


async def test_whoever_gives_up_while_waiting_is_left_out() -> None:
    worker = Worker()
    tasks = await submitted(group(worker), ("a", ["1"]), ("b", ["2"]), ("c", ["3"]))
    tasks[1].cancel()
    await asyncio.gather(tasks[1], return_exceptions=True)
    worker.may_go_on.set()
    await asyncio.gather(tasks[0], tasks[2])
    assert worker.batches == [["1"], ["3"]]


async def test_more_than_can_be_remembered_is_refused_and_the_rest_goes_on() -> None:
    worker = Worker()
    it = group(worker, most_waiting=2)
    tasks = await submitted(it, ("a", ["1"]), ("b", ["2", "3"]))
    with pytest.raises(Overloaded):
        await it.submit("c", ["4"])
    worker.may_go_on.set()
    assert await asyncio.gather(*tasks) == [["1"], ["2", "3"]]
