"""What households answer, and what follows: freed quantity moves, nobody else is disturbed, orders hear the truth."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from tests.integration.allocation.conftest import Allocation
from tests.integration.allocation.market import DAY, NOON, SU_SU, Stream
from tests.integration.allocation.test_market_day import baskets, promised, said

RE_OFFER: dict[str, Any] = {"silence": "re_offer"}


async def asked(
    allocation: Allocation, pledges: dict[int, int], *orders: int, told_at: datetime | None = NOON, **policies: Any
) -> Stream:
    """A day of one offer that has closed: pledges by household, and what was ordered. Its truck leaves far from now.

    All households are told at once, unless it is said when; None: not yet.
    """
    s = Stream()
    await allocation.take_in(*s.registered(**policies), s.published(1, pledges))
    await allocation.running.runtime.pool.execute("update offer set arrive_by_at = '2100-01-01T00:00:00Z'")
    await allocation.take_in(*(s.placed(11 + n, (1, steps)) for n, steps in enumerate(orders)), s.closed(1))
    if told_at is not None:
        await allocation.take_in(*(s.told(household, at=told_at) for household in pledges))
    return s


async def baskets_said(allocation: Allocation, stream: Stream) -> list[tuple[str, int, int, list[int]]]:
    """(event, household, version, steps of its items) of all that was said of baskets, in order."""
    return [
        (
            name,
            stream.households.index(UUID(body["household_id"])),
            body["version"],
            [item["quantity_steps"] for item in body["items"]],
        )
        for name, body, _ in await allocation.events(stream.cooperative_id)
        if name.startswith("basket_")
    ]


async def close_rounds(allocation: Allocation, minutes: int) -> None:
    (job,) = allocation.running.parts.jobs
    assert not await job.run(NOON + timedelta(minutes=minutes))


async def test_households_are_asked_until_a_deadline_and_told_why(allocation: Allocation) -> None:
    s = await asked(allocation, {0: 6, 1: 6}, 8)
    (first, _) = await said(allocation, s, "basket_assigned")
    assert first["reply_by_at"] == "2025-11-19T07:00:00Z"
    assert (
        first["items"][0]["why_en"]
        == "cai-meo, 2 kg: 4 kg for customers among 2 households, each up to what it can bring, gives you 2 kg."
    )
    assert first["items"][0]["why_vi"].endswith(".")


async def test_what_one_cannot_bring_is_asked_of_the_others_and_those_who_are_not_asked_hear_nothing(
    allocation: Allocation,
) -> None:
    s = await asked(allocation, {0: 6, 1: 6, 2: 3}, 9)
    await allocation.take_in(s.replied(2, "confirm"))
    await allocation.take_in(s.replied(0, "cannot"))
    assert await baskets(allocation, s) == {0: {1: 3}, 1: {1: 3}, 2: {1: 3}}
    await allocation.take_in(s.replied(1, "confirm"))
    assert await baskets(allocation, s) == {0: {1: 0}, 1: {1: 6}, 2: {1: 3}}
    assert (await baskets_said(allocation, s))[3:] == [
        ("basket_confirmed", 2, 1, [3]),
        ("basket_confirmed", 1, 1, [3]),
        ("basket_changed", 0, 2, []),
        ("basket_changed", 1, 2, [6]),
    ]
    (changed,) = [body for body in await said(allocation, s, "basket_changed") if body["items"]]
    (item,) = changed["items"]
    assert (item["confirmed_steps"], changed["reply_by_at"] is not None) == (3, True)
    assert item["why_en"] == "cai-meo, 3 kg: others cannot bring 1.5 kg, and 1.5 kg of it comes to you."
    await allocation.take_in(s.replied(1, "confirm", version=2))
    assert (await baskets_said(allocation, s))[-1] == ("basket_confirmed", 1, 2, [6])
    assert await said(allocation, s, "order_shorted") == []


async def test_what_nobody_can_bring_is_taken_from_the_orders_each_of_which_is_told_once(
    allocation: Allocation,
) -> None:
    s = await asked(allocation, {0: 5, 1: 5}, 4, 6)
    await allocation.take_in(s.replied(1, "confirm"))
    await allocation.take_in(s.replied(0, "less", less={1: 2}))
    assert await baskets(allocation, s) == {0: {1: 2}, 1: {1: 5}}
    assert await promised(allocation, s) == [(11, 4, 0, 1, 0), (12, 6, 0, 2, 0)]  # 3 each, and one more by lot
    told = [body["lines"] for body in await said(allocation, s, "order_shorted")]
    assert [(line["before_steps"], line["after_steps"], line["reason"]) for (line,) in told] == [
        (4, 3, "not_delivered"),
        (6, 4, "not_delivered"),
    ]
    available = [body["available_steps"] for body in await said(allocation, s, "offer_availability_changed")]
    assert available == [10, 0]  # what is not delivered is never sold again


async def test_silence_means_yes_unless_the_cooperative_chose_otherwise(allocation: Allocation) -> None:
    s = await asked(allocation, {0: 5, 1: 5}, 6)
    await close_rounds(allocation, 119)
    assert len(await baskets_said(allocation, s)) == 2
    await close_rounds(allocation, 120)
    assert (await baskets_said(allocation, s))[2:] == [("basket_confirmed", 0, 1, [3]), ("basket_confirmed", 1, 1, [3])]
    assert [body["by"] for body in await said(allocation, s, "basket_confirmed")] == ["silence"] * 2
    await close_rounds(allocation, 500)
    assert len(await said(allocation, s, "replies_closed")) == 1


async def test_who_is_silent_may_lose_its_part_to_others(allocation: Allocation) -> None:
    s = await asked(allocation, {0: 6, 1: 6}, 6, **RE_OFFER)
    await allocation.take_in(s.replied(1, "confirm"))
    await close_rounds(allocation, 120)
    assert await baskets(allocation, s) == {0: {1: 0}, 1: {1: 6}}
    await close_rounds(allocation, 50 * 365 * 24 * 60)
    assert await baskets(allocation, s) == {0: {1: 0}, 1: {1: 6}}  # it has not been told yet
    await allocation.take_in(s.told(1, version=2))
    await close_rounds(allocation, 50 * 365 * 24 * 60)
    assert await baskets(allocation, s) == {0: {1: 0}, 1: {1: 3}}
    assert await promised(allocation, s) == [(11, 6, 0, 3, 0)]


async def test_a_reply_that_is_too_late_or_answers_an_older_basket_changes_nothing(allocation: Allocation) -> None:
    s = await asked(allocation, {0: 6, 1: 6}, 6)
    await close_rounds(allocation, 120)
    before = await allocation.state()
    await allocation.take_in(s.replied(0, "cannot"), s.replied(1, "less", version=7, less={1: 1}))
    assert await allocation.state() == before


async def test_staff_record_what_a_household_said_and_are_told_when_it_is_too_late(allocation: Allocation) -> None:
    s = await asked(allocation, {0: 6, 1: 6}, 6)
    path = f"/v1/cooperatives/{s.cooperative_id}/days/{DAY}/replies"
    client, key = allocation.running.client, await allocation.running.key("staff", s.cooperative_id)
    body = {"household_code": "VH-01", "version": 1, "answer": "less"}
    items = [{"product_code": "cai-meo", "quantity_steps": 1}]
    refused = await client.post(
        path, json=body | {"items": [{"product_code": "plum", "quantity_steps": 1}]}, headers=key
    )
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "items[0].product_code")
    assert (await client.post(path, json=body | {"answer": "cannot"}, headers=key)).status_code == 422
    done = await client.post(path, json=body | {"items": items}, headers=key)
    assert (done.status_code, done.json()["answered"], done.json()["asked"]) == (200, 1, 2)
    more = await client.post(
        path, json=body | {"items": [{"product_code": "cai-meo", "quantity_steps": 4}]}, headers=key
    )
    assert (more.status_code, "more than" in more.json()["detail"]) == (409, True)
    await close_rounds(allocation, 120)
    late = await client.post(path, json=body | {"version": 2}, headers=key)
    assert (late.status_code, late.json()["detail"].split(":")[0]) == (409, "It is too late")
    assert await baskets(allocation, s) == {0: {1: 1}, 1: {1: 5}}


async def test_nobody_is_asked_for_more_than_it_can_carry(allocation: Allocation) -> None:
    s = Stream()
    await allocation.take_in(*s.registered())
    await allocation.running.runtime.pool.execute("update product set step_grams = 500")
    await allocation.running.runtime.pool.execute(
        "update household set load_grams = 2000 where household_id = $1", s.households[1]
    )
    await allocation.take_in(s.published(1, {0: 6, 1: 6}), s.published(2, {1: 2}, SU_SU))
    await allocation.take_in(s.placed(11, (1, 6), (2, 1)), s.closed(1, closes_day=False), s.closed(2))
    assert await baskets(allocation, s) == {0: {1: 3}, 1: {1: 3, 2: 1}}
    await allocation.take_in(s.replied(1, "confirm"), s.replied(0, "cannot"))
    assert await baskets(allocation, s) == {0: {1: 0}, 1: {1: 3, 2: 1}}
    assert await promised(allocation, s) == [(11, 6, 0, 3, 0), (11, 1, 0, 0, 0)]


async def test_however_replies_are_cut_into_messages_the_day_comes_out_the_same(allocation: Allocation) -> None:
    def played() -> list[Any]:
        one, two = Stream(1), Stream(2)
        events = [*one.registered(), *two.registered(**RE_OFFER)]
        for s in (one, two):
            events += [s.published(1, {0: 6, 1: 6, 2: 6}), s.published(2, {0: 4, 2: 4}, SU_SU)]
            events += [s.placed(11, (1, 9), (2, 4)), s.closed(1, closes_day=False), s.closed(2)]
        for n, answer in enumerate(("less", "confirm", "cannot")):
            for s in (one, two):
                events.append(s.replied(n, answer, less={1: 1} if answer == "less" else None))
        return [*events, *(s.replied(1, "confirm", version=2) for s in (one, two))]

    await allocation.take_in_cut(played(), [])
    together = await allocation.state()
    for size in (1, 2, 5):
        await allocation.forget()
        events = played()
        await allocation.take_in_cut(events, [size] * len(events))
        assert await allocation.state() == together


async def test_an_offer_that_closes_late_is_told_with_what_the_household_has_answered_already(
    allocation: Allocation,
) -> None:
    s = await asked(allocation, {0: 6, 1: 6}, 8)
    await allocation.take_in(s.replied(0, "less", less={1: 1}))
    await allocation.take_in(s.published(2, {0: 3}, SU_SU), s.placed(12, (2, 2)), s.closed(2))
    (changed,) = await said(allocation, s, "basket_changed")
    assert [(item["quantity_steps"], item["confirmed_steps"]) for item in changed["items"]] == [(1, 1), (2, 0)]
    assert await baskets(allocation, s) == {0: {1: 1, 2: 2}, 1: {1: 4}}
    await allocation.take_in(s.replied(1, "confirm"), s.replied(0, "confirm", version=2))
    assert await baskets(allocation, s) == {0: {1: 1, 2: 2}, 1: {1: 6}}


async def test_what_comes_behind_a_closing_finds_what_is_missing_taken_from_the_orders(allocation: Allocation) -> None:
    def played() -> list[Any]:
        s = Stream()
        return [
            *s.registered(), s.published(1, {0: 9}), s.placed(11, (1, 5)), s.placed(12, (1, 4)), s.closed(1),
            s.reordered(11, (1, 2)), s.cancelled(12),
        ]  # fmt: skip

    states = []
    for sizes in ([], [1] * 12):
        await allocation.forget()
        events = played()
        await allocation.take_in(*events[:6])
        await allocation.running.runtime.pool.execute("update product set step_grams = 500")
        await allocation.running.runtime.pool.execute("update household set load_grams = 3000")
        await allocation.take_in_cut(events[6:], sizes)
        states.append(await allocation.state())
    assert states[0] == states[1]
    lines = states[0]["order_line"]
    assert sum(line["promised_steps"] - line["shorted_steps"] for line in lines) == 6


async def test_once_the_goods_must_be_there_nobody_else_is_asked(allocation: Allocation) -> None:
    s = await asked(allocation, {0: 6, 1: 6}, 6, **RE_OFFER)
    await allocation.running.runtime.pool.execute("update offer set arrive_by_at = $1", NOON + timedelta(minutes=60))
    await allocation.take_in(s.replied(1, "confirm"))
    await close_rounds(allocation, 120)
    assert await baskets(allocation, s) == {0: {1: 0}, 1: {1: 3}}
    assert await promised(allocation, s) == [(11, 6, 0, 3, 0)]
    assert await allocation.fetch("select from market_day where open") == []


# -- How long there is to answer -----------------------------------------------------------------------------


async def test_nobody_counts_as_silent_before_it_was_told_and_had_its_time_to_answer(allocation: Allocation) -> None:
    s = await asked(allocation, {0: 6, 1: 6}, 6, told_at=None, **RE_OFFER)
    for minutes in (120, 500):
        await close_rounds(allocation, minutes)
    await allocation.take_in(s.told(0, at=NOON + timedelta(minutes=500)))
    await close_rounds(allocation, 700)  # the other one has not been told yet
    assert await baskets(allocation, s) == {0: {1: 3}, 1: {1: 3}}
    await allocation.take_in(s.untold(1, at=NOON + timedelta(minutes=600)), s.replied(1, "confirm"))
    await close_rounds(allocation, 619)
    assert len(await said(allocation, s, "replies_closed")) == 0
    await close_rounds(allocation, 620)
    assert await baskets(allocation, s) == {0: {1: 0}, 1: {1: 6}}


async def test_whoever_no_channel_can_tell_has_its_time_from_when_that_is_known(allocation: Allocation) -> None:
    s = await asked(allocation, {0: 6, 1: 6}, 6, told_at=None)
    await allocation.take_in(s.told(0), s.untold(1, at=NOON + timedelta(minutes=300)))
    await close_rounds(allocation, 419)
    assert await said(allocation, s, "replies_closed") == []
    await close_rounds(allocation, 420)
    assert [body["by"] for body in await said(allocation, s, "basket_confirmed")] == ["silence"] * 2


async def test_a_round_that_waits_for_a_notice_ends_when_the_goods_must_be_there(allocation: Allocation) -> None:
    s = await asked(allocation, {0: 6, 1: 6}, 6, told_at=None)
    await allocation.running.runtime.pool.execute("update offer set arrive_by_at = $1", NOON + timedelta(minutes=600))
    await close_rounds(allocation, 599)
    assert await said(allocation, s, "replies_closed") == []
    await close_rounds(allocation, 600)
    assert [body["by"] for body in await said(allocation, s, "basket_confirmed")] == ["silence"] * 2


async def test_the_notice_carries_how_long_there_is_to_answer_it(allocation: Allocation) -> None:
    s = await asked(allocation, {0: 6, 1: 6, 2: 6}, 2, reply_minutes=45)
    told = await said(allocation, s, "basket_assigned")
    assert sorted((len(e["items"]), e["reply_by_at"], e["reply_minutes"]) for e in told) == [
        (0, None, None),
        (1, "2025-11-19T05:45:00Z", 45),
        (1, "2025-11-19T05:45:00Z", 45),
    ]


async def test_a_round_that_was_prolonged_is_rebuilt_row_by_row(allocation: Allocation) -> None:
    def played(s: Stream) -> list[Any]:
        late = NOON + timedelta(minutes=400)
        return [
            *s.registered(**RE_OFFER), s.published(1, {0: 6, 1: 6, 2: 6}), s.placed(11, (1, 12)), s.closed(1),
            s.told(0, at=late), s.untold(1, at=late), s.replied(2, "confirm"),
        ]  # fmt: skip

    async def commands() -> list[Any]:
        """As a rebuild reads them from the log."""
        stream, runtime = Stream().cooperative_id, allocation.running.runtime
        rows = await allocation.fetch("select sequence from event_log where type like '%replies_closed.v1'")
        given: Any = allocation.running.parts.commands
        return [await given.get(runtime.pool, stream, row["sequence"]) for row in rows]

    events = played(Stream())
    await allocation.take_in(*events)
    await close_rounds(allocation, 519)
    assert await commands() == []
    await close_rounds(allocation, 520)
    given, before = await commands(), await allocation.state()
    assert [command.event.round for command in given] == [1]
    await allocation.forget()
    await allocation.take_in_cut(events, [1] * len(events))
    for command in given:
        await allocation.running.parts.commands.repeat(command)  # type: ignore[union-attr]  # allocation has some
    assert await allocation.state() == before
