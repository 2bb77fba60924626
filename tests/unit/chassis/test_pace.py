"""Who floods has its turns at intervals; nobody else is ever held."""

import asyncio
import random
from collections.abc import Sequence

import pytest

from services.chassis import pace
from services.chassis.group import Group
from services.chassis.pace import BETWEEN_S, FLOOD_S, RECENT, Pace


def test_senders_among_equals_are_never_held() -> None:
    it, rng = Pace(), random.Random(1)
    senders = ["a", "b", "c", "d"]
    for number in range(5000):
        sender, now_s = rng.choice(senders), number / 1000
        it.note(sender, now_s)
        it.had_turn(sender, now_s)
        assert it.held(now_s) is None


def test_one_that_sends_little_is_not_held_though_nobody_else_sends() -> None:
    it = Pace()
    for number in range(200):
        now_s = number * 1.1 * FLOOD_S / (RECENT - 1)
        it.note("a", now_s)
        it.had_turn("a", now_s)
        assert it.held(now_s) is None


def test_a_flood_is_held_from_one_turn_to_the_next_until_it_ends() -> None:
    it, now_s = Pace(), 0.0
    for number in range(200):
        now_s = number / 100
        it.note("calm" if number % 4 == 0 else "flood", now_s)
    it.had_turn("calm", now_s)
    assert it.held(now_s) is None, "it has had no turn as a flood"
    it.had_turn("flood", now_s)
    assert it.held(now_s) == "flood"
    assert it.held(now_s + 0.99 * BETWEEN_S) == "flood"
    assert it.held(it.next_turn_s) is None
    it.had_turn("flood", it.next_turn_s)
    for number in range(RECENT // 2):
        it.note(f"calm {number}", now_s)
    assert it.held(now_s) is None, "others send as much by now"


async def test_a_flood_of_single_items_shares_turns_and_others_do_not_wait_for_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pace, "BETWEEN_S", 0.5)
    batches: list[list[str]] = []

    async def work(items: Sequence[str]) -> Sequence[str]:
        batches.append(list(items))
        return items

    it = Group[str, str](work, most=100, most_waiting=100, most_of_one=100, side_by_side=2, paced=True)
    for _ in range(RECENT):
        await it.submit("flood", ["f"])
    held = []
    before = len(batches)
    for _ in range(20):
        held.append(asyncio.create_task(it.submit("flood", ["f"])))
        await asyncio.sleep(0)
    assert await it.submit("calm", ["c"]) == ["c"]
    assert not any(task.done() for task in held), "it does not wait for them"
    assert await asyncio.gather(*held) == [["f"]] * 20
    assert len(batches) <= before + 3
