"""Small days end to end: what is promised, what is said, who brings what, and who has been told."""

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from msgspec.structs import asdict, replace

from services.chassis.access import new_key
from services.contracts.catalog import AccessKeyIssued, AccessKeyRevoked, CooperativeChanged
from services.contracts.notify import NoticeDelivered, NoticeUndeliverable
from tests.integration.allocation.conftest import Allocation
from tests.integration.allocation.market import DAY, SU_SU, Stream

TOLD_AT = datetime(2025, 11, 19, 12, 0, tzinfo=UTC)


async def promised(allocation: Allocation, stream: Stream) -> list[tuple[int, int, int, int, int]]:
    """(order, promised, short, shorted, cancelled) of every place in the queues, in order."""
    rows = await allocation.fetch("select * from order_line order by offer_id, position")
    return [
        (
            row["order_id"].int - stream.cooperative_id.int,
            row["promised_steps"],
            row["short_steps"],
            row["shorted_steps"],
            row["cancelled_steps"],
        )
        for row in rows
    ]


async def baskets(allocation: Allocation, stream: Stream) -> dict[int, dict[int, int]]:
    """Steps by household and offer."""
    found: dict[int, dict[int, int]] = {}
    for row in await allocation.fetch("select * from basket_item order by household_id, offer_id"):
        household = stream.households.index(row["household_id"])
        found.setdefault(household, {})[row["offer_id"].int - stream.cooperative_id.int] = row["quantity_steps"]
    return found


async def said(allocation: Allocation, stream: Stream, *names: str) -> list[Any]:
    return [body for name, body, _ in await allocation.events(stream.cooperative_id) if name in names]


async def test_a_small_day_from_the_offer_to_the_baskets(allocation: Allocation) -> None:
    s = Stream()
    await allocation.take_in(*s.registered(), s.published(1, {0: 10, 1: 10, 2: 3}))
    await allocation.take_in(s.placed(11, (1, 12)), s.placed(12, (1, 8)), s.placed(13, (1, 6)))
    assert await promised(allocation, s) == [(11, 12, 0, 0, 0), (12, 8, 0, 0, 0), (13, 3, 3, 0, 0)]

    await allocation.take_in(s.cancelled(12))
    assert await promised(allocation, s) == [(11, 12, 0, 0, 0), (12, 0, 0, 0, 8), (13, 6, 0, 0, 0)]

    await allocation.take_in(s.changed(1, {0: 10, 1: 4, 2: 3}))
    assert await promised(allocation, s) == [(11, 12, 0, 0, 0), (12, 0, 0, 0, 8), (13, 6, 0, 1, 0)]

    await allocation.take_in(s.closed(1))
    assert await baskets(allocation, s) == {0: {1: 10}, 1: {1: 4}, 2: {1: 3}}
    assigned = await said(allocation, s, "basket_assigned")
    assert [(b["version"], b["items"][0]["quantity_steps"]) for b in assigned] == [(1, 10), (1, 4), (1, 3)]


async def test_everything_that_changed_is_said_once_with_the_trace_of_its_cause(allocation: Allocation) -> None:
    s = Stream()
    published, first, second = s.published(1, {0: 4, 1: 4}), s.placed(11, (1, 6)), s.placed(12, (1, 4))
    cancelled, lowered, closed = s.cancelled(11), s.changed(1, {0: 1, 1: 1}), s.closed(1)
    await allocation.take_in(*s.registered(), published)
    await allocation.take_in(first, second)
    await allocation.take_in(cancelled)
    await allocation.take_in(lowered)
    await allocation.take_in(closed)
    events = await allocation.events(s.cooperative_id)
    assert [(name, traceparent) for name, _, traceparent in events] == [
        ("offer_availability_changed", published.traceparent),
        ("order_promised", first.traceparent),
        ("order_promised", second.traceparent),
        ("offer_availability_changed", second.traceparent),
        ("order_promised", cancelled.traceparent),
        ("offer_availability_changed", cancelled.traceparent),
        ("order_shorted", lowered.traceparent),
        ("offer_availability_changed", lowered.traceparent),
        ("basket_assigned", closed.traceparent),
        ("basket_assigned", closed.traceparent),
    ]
    availability = await said(allocation, s, "offer_availability_changed")
    assert [(e["supply_steps"], e["available_steps"]) for e in availability] == [(8, 8), (8, 0), (8, 4), (2, 0)]
    assert (await said(allocation, s, "order_shorted"))[0]["lines"] == [
        {
            "line_no": 1,
            "offer_id": str(s.id_of(1)),
            "before_steps": 4,
            "after_steps": 2,
            "reason": "pledges_reduced",
        }
    ]


async def test_a_day_that_comes_in_one_batch_is_said_once_per_order_and_offer(allocation: Allocation) -> None:
    s = Stream()
    await allocation.take_in(
        *s.registered(),
        s.published(1, {0: 4, 1: 4}),
        s.placed(11, (1, 6)),
        *s.registered(),  # other events in between make it two runs of one transaction
        s.placed(12, (1, 4)),
        s.reordered(11, (1, 5)),
        s.closed(1),
    )
    names = [name for name, _, _ in await allocation.events(s.cooperative_id)]
    assert sorted(names) == ["basket_assigned"] * 2 + ["offer_availability_changed"] + ["order_promised"] * 3
    assert await said(allocation, s, "offer_availability_changed") == [
        {"offer_id": str(s.id_of(1)), "supply_steps": 8, "available_steps": 0, "open": False}
    ]


async def test_at_the_cut_off_of_a_fair_offer_every_order_is_answered_with_few_statements(
    allocation: Allocation,
) -> None:
    s = Stream()
    await allocation.take_in(*s.registered(promise_rule="fair", buffer_permille=100), s.published(1, {0: 50, 1: 61}))
    await allocation.take_in(*(s.placed(20 + n, (1, 3), minimum=1 + n % 3) for n in range(40)))
    await allocation.take_in(s.placed(11, (1, 20), tier=1))
    closed = s.closed(1)
    statements = await allocation.take_in(closed)
    assert statements <= 18
    lines = await promised(allocation, s)
    assert sum(net for _, net, *_ in lines) == 99
    assert lines[-1] == (11, 20, 0, 0, 0)
    answers = [
        (body, trace) for name, body, trace in await allocation.events(s.cooperative_id) if name == "order_promised"
    ]
    assert {trace for _, trace in answers[-41:]} == {closed.traceparent}
    assert len(answers) == 82
    availability = await said(allocation, s, "offer_availability_changed")
    assert [(e["supply_steps"], e["available_steps"]) for e in availability] == [(99, 99), (99, 0)]


async def test_an_order_that_overtakes_its_offer_waits_for_it(allocation: Allocation) -> None:
    s = Stream()
    await allocation.take_in(*s.registered(), s.placed(11, (1, 3)))
    assert (await said(allocation, s, "order_promised"))[0]["lines"][0]["reason"] == "no_offer"
    await allocation.take_in(s.published(1, {0: 5}))
    assert (await said(allocation, s, "order_promised"))[1]["lines"][0]["promised_steps"] == 3


async def test_a_withdrawn_offer_shorts_its_orders_and_makes_no_basket(allocation: Allocation) -> None:
    s = Stream()
    await allocation.take_in(*s.registered(), s.published(1, {0: 5}), s.published(2, {1: 5}, SU_SU))
    await allocation.take_in(s.placed(11, (1, 3), (2, 2)), s.withdrawn(1), s.closed(1, closes_day=False), s.closed(2))
    assert await promised(allocation, s) == [(11, 3, 0, 3, 0), (11, 2, 0, 0, 0)]
    assert await baskets(allocation, s) == {1: {2: 2}}
    assert [e["household_id"] for e in await said(allocation, s, "basket_assigned")] == [str(s.households[1])]


async def test_an_offer_whose_withdrawal_was_lost_is_not_shared_out(allocation: Allocation) -> None:
    """As when catalog was set back to a time before it: what was withdrawn is known from orders."""
    s = Stream()
    await allocation.take_in(*s.registered(), s.published(1, {0: 5}))
    await allocation.take_in(s.placed(11, (1, 5)))
    closed = s.closed(1, withdrawn=True)
    await allocation.take_in(closed)
    (shorted,) = await said(allocation, s, "order_shorted")
    (line,) = shorted["lines"]
    assert (line["before_steps"], line["after_steps"], line["reason"]) == (5, 0, "offer_withdrawn")
    available = (await said(allocation, s, "offer_availability_changed"))[-1]
    assert (available["supply_steps"], available["available_steps"]) == (0, 0)
    assert {trace for name, _, trace in await allocation.events(s.cooperative_id) if name == "order_shorted"} == {
        closed.traceparent
    }
    await allocation.take_in(s.changed(1, {0: 5}), s.withdrawn(1))
    assert await baskets(allocation, s) == {}
    assert len(await said(allocation, s, "order_shorted")) == 1


async def test_a_shortage_has_the_trace_of_what_took_from_its_own_offer(allocation: Allocation) -> None:
    s = Stream()
    await allocation.take_in(*s.registered(), s.published(1, {0: 5}), s.published(2, {1: 5}, SU_SU))
    await allocation.take_in(s.placed(11, (1, 5)), s.placed(12, (2, 5)))
    lowered, withdrawn = s.changed(1, {0: 3}), s.withdrawn(2)
    await allocation.take_in(lowered, withdrawn, s.closed(2, closes_day=False))
    events = await allocation.events(s.cooperative_id)
    traces = {body["order_id"]: trace for name, body, trace in events if name == "order_shorted"}
    assert traces == {str(s.id_of(11)): lowered.traceparent, str(s.id_of(12)): withdrawn.traceparent}


async def test_a_household_that_pledged_in_vain_is_told_so_once(allocation: Allocation) -> None:
    s = Stream()
    await allocation.take_in(*s.registered(), s.published(1, {0: 5, 1: 5}), s.published(2, {0: 5}, SU_SU), s.closed(1))
    assert [e["items"] for e in await said(allocation, s, "basket_assigned")] == [[], []]
    await allocation.take_in(s.closed(2))
    assert len(await said(allocation, s, "basket_assigned", "basket_changed")) == 2


async def test_who_is_not_asked_because_it_is_not_worth_the_way_is_told_so(allocation: Allocation) -> None:
    s = Stream()
    await allocation.take_in(*s.registered(minimum_delivery_vnd=60_000), s.published(1, {0: 9, 1: 9}))
    await allocation.take_in(s.published(2, {2: 9}, SU_SU), s.placed(11, (1, 4)), s.closed(1, closes_day=False))
    await allocation.take_in(s.closed(2))
    told = await said(allocation, s, "basket_assigned")
    assert sorted((len(e["items"]), e["empty_reason"]) for e in told[:2]) == [(0, "not_worthwhile"), (1, None)]
    assert [(e["household_id"], e["items"], e["empty_reason"]) for e in told[2:]] == [(str(s.households[2]), [], None)]


async def test_a_late_offer_of_the_same_day_changes_only_the_baskets_that_it_touches(allocation: Allocation) -> None:
    s = Stream()
    await allocation.take_in(*s.registered(), s.published(1, {0: 5, 1: 5}), s.placed(11, (1, 6)), s.closed(1))
    await allocation.take_in(s.published(2, {1: 4, 2: 4}, SU_SU), s.placed(12, (2, 4)), s.closed(2))
    assert await baskets(allocation, s) == {0: {1: 3}, 1: {1: 3, 2: 2}, 2: {2: 2}}
    late = (await said(allocation, s, "basket_assigned", "basket_changed"))[2:]
    assert [(e["household_id"], e["version"], [i["quantity_steps"] for i in e["items"]]) for e in late] == [
        (str(s.households[1]), 2, [3, 2]),  # the whole basket
        (str(s.households[2]), 1, [2]),
    ]


async def test_a_day_that_closes_twice_within_one_batch_comes_out_as_in_two(allocation: Allocation) -> None:
    s, tomorrow = Stream(), DAY + timedelta(days=1)
    events = [
        *s.registered(), s.published(1, {0: 9, 1: 9, 2: 9}), s.placed(11, (1, 7)), s.closed(1),
        s.published(2, {0: 9, 1: 9}), s.placed(12, (2, 3)), s.closed(2), s.changed(2, {2: 9}),
        s.published(3, {0: 9, 1: 9, 2: 9}, day=tomorrow), s.placed(13, (3, 1)), s.closed(3, day=tomorrow),
        s.published(4, {0: 9}), s.published(5, {0: 9}), s.placed(14, (4, 1)), s.closed(4, closes_day=False),
    ]  # fmt: skip
    await allocation.take_in(*events)
    at_once = await allocation.state(), await said(allocation, s, "basket_assigned", "basket_changed")
    await allocation.forget()
    await allocation.take_in_cut(events, [1] * len(events))
    assert (await allocation.state(), await said(allocation, s, "basket_assigned", "basket_changed")) == at_once
    assert [event["version"] for event in at_once[1]] == [1, 1, 1, 2, 2, 1, 1, 1]
    waiting = await allocation.fetch("select offer_id from offer where not assigned order by 1")
    assert [row["offer_id"] for row in waiting] == [s.id_of(4), s.id_of(5)]


async def test_the_offers_of_a_day_wait_for_its_last_cut_off(allocation: Allocation) -> None:
    s = Stream()
    await allocation.take_in(*s.registered(), s.published(1, {0: 5}), s.published(2, {0: 5}, SU_SU))
    await allocation.take_in(s.placed(11, (1, 2), (2, 3)), s.closed(1, closes_day=False))
    assert await baskets(allocation, s) == {}
    await allocation.take_in(s.closed(2))
    assert await baskets(allocation, s) == {0: {1: 2, 2: 3}}


async def test_who_brought_less_yesterday_comes_first_today(allocation: Allocation) -> None:
    s, tomorrow = Stream(households=2), DAY + timedelta(days=1)
    await allocation.take_in(
        *s.registered(), s.published(1, {0: 9, 1: 9}), s.placed(11, (1, 1)), s.closed(1),
        s.published(2, {0: 9, 1: 9}, day=tomorrow), s.placed(12, (2, 1)), s.closed(2, day=tomorrow),
    )  # fmt: skip
    found = await baskets(allocation, s)
    assert sorted(found) == [0, 1]
    assert sum(len(items) for items in found.values()) == 2
    entries = await allocation.fetch(
        "select sum(assigned_vnd - fair_vnd) as balance from fairness_entry group by household_id"
    )
    assert [row["balance"] for row in entries] == [0, 0]


async def test_what_comes_after_the_cut_off_changes_nothing(allocation: Allocation) -> None:
    s = Stream()
    await allocation.take_in(*s.registered(), s.published(1, {0: 5, 1: 5}), s.placed(11, (1, 6)), s.closed(1))
    before = await allocation.state()
    await allocation.take_in(s.changed(1, {0: 1}), s.withdrawn(1), s.cancelled(11), s.reordered(11, (1, 1)))
    assert await allocation.state() == before


async def test_a_basket_is_told_when_its_channel_says_so(allocation: Allocation) -> None:
    s = Stream()
    await allocation.take_in(*s.registered(), s.published(1, {0: 2, 1: 2, 2: 2}), s.placed(11, (1, 6)), s.closed(1))

    def notice(number: int, household: int, reason: str | None = None, kind: str = "basket") -> Any:
        about: dict[str, Any] = {"household_id": s.households[household], "delivery_day": DAY, "version": 1}
        about |= {"notice_id": s.id_of(number), "kind": kind, "channel": "email"}
        if reason is None:
            return s.received(NoticeDelivered(**about, told_at=TOLD_AT + timedelta(minutes=number)))
        return s.received(NoticeUndeliverable(**about, reason=reason))

    await allocation.take_in(notice(1, 0), notice(2, 0), notice(3, 1, "bounced"), notice(4, 2, kind="order_promised"))
    await allocation.take_in(notice(5, 0, "late news"), notice(6, 1), notice(7, 2, "no address"))
    rows = await allocation.fetch("select told_at, untold_reason from basket_version order by household_id")
    assert [tuple(row) for row in rows] == [
        (TOLD_AT + timedelta(minutes=1), None),
        (TOLD_AT + timedelta(minutes=6), None),
        (None, "no address"),
    ]


async def test_keys_open_and_shut_and_cooperatives_move_to_their_lane(allocation: Allocation) -> None:
    s, key = Stream(), new_key()
    issued = AccessKeyIssued(
        key_id=key.key_id, secret_sha256=key.secret_sha256, role="staff", scope=s.cooperative_id, label="Vân Hồ"
    )
    registered = s.registered()
    await allocation.take_in(*registered, s.received(issued))
    path = f"/v1/cooperatives/{s.cooperative_id}/days/{DAY}/baskets"
    headers = {"Authorization": f"Bearer {key.token}"}
    assert (await allocation.running.client.get(path, headers=headers)).status_code == 200
    changed = CooperativeChanged(**asdict(registered[0].event) | {"lane": 9})
    await allocation.take_in(s.received(AccessKeyRevoked(key_id=key.key_id)), s.received(changed))
    assert (await allocation.running.client.get(path, headers=headers)).status_code == 401
    [head] = await allocation.fetch("select lane from stream_head where stream = $1", s.cooperative_id)
    assert head["lane"] == 9


async def test_what_cannot_be_right_is_refused_and_leaves_the_books_as_they_were(allocation: Allocation) -> None:
    s, other = Stream(1), Stream(2)
    await allocation.take_in(*s.registered(), *other.registered(), s.published(1, {0: 5}))
    before = await allocation.state()
    foreign = other.received(s.placed(11, (1, 1)).event)
    with pytest.raises(ValueError, match="another cooperative"):
        await allocation.take_in(other.published(1, {0: 5}), foreign)
    odd_price = replace(s.published(2, {0: 5}).event, price_vnd=30_001)
    with pytest.raises(ValueError, match="not whole per step"):
        await allocation.take_in(s.received(odd_price))
    stranger = replace(other.published(3, {0: 5}).event, product_id=s.id_of(999))
    with pytest.raises(ValueError, match="is not known"):
        await allocation.take_in(other.received(stranger))
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await allocation.take_in(s.published(4, {0: 5}), pledged_by_a_stranger(s))
    with pytest.raises(ValueError, match="unknown cooperative"):
        await allocation.take_in(Stream(9).placed(11, (1, 1)))
    assert await allocation.state() == before


def pledged_by_a_stranger(s: Stream) -> Any:
    event = s.published(5, {0: 5}).event
    pledges = tuple(replace(pledge, household_id=s.id_of(998)) for pledge in event.pledges)
    return s.received(replace(event, pledges=pledges))
