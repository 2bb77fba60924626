"""Laws over random market days, checked by SQL: nothing is lost, nothing is oversold, and neither the cut into batches
nor another transaction makes a difference.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from services.chassis.inbox import Received
from tests.integration.allocation.conftest import Allocation
from tests.integration.allocation.market import CAI_MEO, DAY, SU_SU, Stream

LAWS = {
    "every place adds up": """
        select offer_id from order_line where ordered_steps <> promised_steps + short_steps + cancelled_steps
        or shorted_steps not between 0 and promised_steps""",
    "a book is the sum of its lines": """
        select b.offer_id from offer_book b left join order_line l using (offer_id)
        group by b.offer_id having b.promised_net_steps <> coalesce(sum(l.promised_steps - l.shorted_steps), 0)
        or b.short_steps <> coalesce(sum(l.short_steps), 0) or b.largest_minimum < max(l.minimum_steps)
        or b.last_position <> coalesce(max(l.position), 0) or b.promised_net_steps > b.supply_steps""",
    "of a line comes its minimum or nothing": """
        select offer_id from order_line group by offer_id, order_id, line_no
        having sum(promised_steps - shorted_steps) between 1 and max(minimum_steps) - 1
        or min(minimum_steps) <> max(minimum_steps)""",
    "the supply of a listed offer is what is pledged": """
        select b.offer_id from offer_book b join pledge g using (offer_id)
        where b.listed group by b.offer_id having b.supply_steps <> sum(g.quantity_steps)""",
    "the items of an offer are what is promised and coming": """
        select o.offer_id from offer o join offer_book b using (offer_id)
        left join (select offer_id, sum(quantity_steps) as steps from basket_item group by offer_id) i using (offer_id)
        where coalesce(i.steps, 0) <> case when o.assigned then b.promised_net_steps else 0 end""",
    "no household is above its pledge": """
        select i.offer_id from basket_item i left join pledge g using (offer_id, household_id)
        where i.quantity_steps > coalesce(g.quantity_steps, 0)""",
    "the fair parts of a day add up to what was assigned": """
        select cooperative_id from fairness_entry
        group by cooperative_id, delivery_day having sum(assigned_vnd) <> sum(fair_vnd)""",
    "what was assigned is worth the items": """
        select f.household_id from fairness_entry f left join (
            select o.cooperative_id, o.delivery_day, i.household_id, sum(i.quantity_steps * o.step_value_vnd) as vnd
            from basket_item i join offer o using (offer_id) group by 1, 2, 3
        ) i using (cooperative_id, delivery_day, household_id) where f.assigned_vnd <> coalesce(i.vnd, 0)""",
    "every item belongs to a version of a basket": """
        select i.offer_id from basket_item i join offer o using (offer_id) left join basket_version v
        on (v.cooperative_id, v.delivery_day, v.household_id, v.version)
        = (o.cooperative_id, o.delivery_day, i.household_id, i.since_version) where v.version is null""",
    "no line waits that could be served": """
        select b.offer_id from offer_book b where b.open and b.rule = 'first_come' and exists (
            select from order_line l where l.offer_id = b.offer_id and l.short_steps > 0
            and l.needed_steps between 1 and b.supply_steps - b.promised_net_steps)""",
}


async def assert_laws(allocation: Allocation) -> None:
    for law, query in LAWS.items():
        assert await allocation.fetch(query) == [], law


# -- Random days ---------------------------------------------------------------------------------------------

_kinds = [*["publish", "close"] * 3, "change", "withdraw", *["order"] * 6, "reorder", "cancel"]
_amounts = st.lists(st.integers(0, 6), min_size=4, max_size=4)
_action = st.tuples(st.sampled_from(_kinds), st.integers(0, 1), st.integers(0, 5), _amounts)
Action = tuple[str, int, int, list[int]]


@dataclass
class Day:
    """Plays actions as catalog and orders would tell of them: cut-offs know which offers are still open."""

    stream: Stream
    events: list[Received[Any]]
    offers: dict[int, tuple[str, date]] = field(default_factory=dict)
    open: set[int] = field(default_factory=set)

    def act(self, action: str, number: int, amounts: list[int]) -> None:
        s = self.stream
        lines = [(1 + amounts[3] % 6, 1 + amounts[0]), (1 + number, 1 + amounts[1])]
        policies = {"tier": (5, 5, 5, 5, 1, 3, 9)[amounts[2]], "minimum": (1, 1, 1, 1, 2, 3, 5)[amounts[1]]}
        if action == "publish" and number not in self.offers:
            self.offers[number] = (SU_SU if number % 2 else CAI_MEO, DAY + timedelta(days=number // 5))
            self.open.add(number)
            self.events.append(s.published(number + 1, self._pledges(amounts), *self.offers[number]))
        elif action == "change" and number in self.offers:  # closed or withdrawn ones, too
            self.events.append(s.changed(number + 1, self._pledges(amounts), *self.offers[number]))
        elif action == "withdraw" and number in self.offers and amounts[0] > 3:
            self.events.append(s.withdrawn(number + 1))
        elif action == "close" and number in self.open:
            self.close(number, withdrawn=amounts[0] == 0)
        elif action == "order":
            self.events.append(s.placed(50 + len(self.events), *lines, **policies))
        elif action in ("reorder", "cancel") and self.events:
            order = 50 + amounts[2] * len(self.events) // 7
            reordered = s.reordered(order, *lines, **policies)
            self.events.append(reordered if action == "reorder" else s.cancelled(order))

    def _pledges(self, amounts: list[int]) -> dict[int, int]:
        return dict(enumerate(amounts[1:]))

    def close(self, number: int, withdrawn: bool = False) -> None:
        """By the cut-off, or because of a withdrawal that is heard of only so."""
        self.open.discard(number)
        day = self.offers[number][1]
        closes_day = not any(self.offers[other][1] == day for other in self.open)
        self.events.append(self.stream.closed(number + 1, closes_day, day, withdrawn))


def played(actions: list[Action]) -> list[Received[Any]]:
    """The events of two cooperatives; each starts with an offer of everything, and nearly all closes at the end."""
    streams = Stream(1), Stream(2)
    events = [*streams[0].registered((1, 2, 3)), *streams[1].registered(promise_rule="fair")]
    days = [Day(stream, events) for stream in streams]
    for day in days:
        day.act("publish", 0, [0, 6, 3, 1])
    for action, cooperative, number, amounts in actions:
        days[cooperative].act(action, number, amounts)
    for day in days:
        for number in sorted(day.open)[day is days[1] :]:  # of the second cooperative one stays open
            day.close(number)
    return events


real_database = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    phases=[
        Phase.explicit,
        Phase.generate,
    ],  # a failing day is not made smaller: each try costs three days on a database
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@real_database
@given(
    st.lists(_action, min_size=20, max_size=60), st.lists(st.integers(1, 25), max_size=6), st.lists(st.integers(1, 5))
)
async def test_whatever_happens_everything_adds_up_and_batches_make_no_difference(
    allocation: Allocation,
    actions: list[Action],
    sizes: list[int],
    other_sizes: list[int],
) -> None:
    """The second cooperative promises nothing before the cut-off."""
    events = played(actions)
    await allocation.forget()
    await allocation.take_in_cut(events, sizes)
    await assert_laws(allocation)
    state = await allocation.state()

    await allocation.forget()
    await allocation.take_in_cut(events, other_sizes)
    assert await allocation.state() == state

    by_stream = sorted(events, key=lambda received: received.stream)
    await allocation.forget()
    await allocation.take_in(*by_stream)
    assert await allocation.state() == state


# -- Concurrency ---------------------------------------------------------------------------------------------


async def test_transactions_at_the_same_time_do_not_oversell(allocation: Allocation) -> None:
    s = Stream()
    await allocation.take_in(*s.registered(), s.published(1, {0: 30, 1: 20}), s.published(2, {0: 5, 2: 5}, SU_SU))
    batches = [[s.placed(100 * n + i, (1 + i % 2, 1), (2 - i % 2, 2)) for i in range(10)] for n in range(1, 9)]
    batches.append([s.changed(1, {0: 20, 1: 20})])
    batches.append([s.changed(2, {0: 9, 2: 5}, SU_SU)])
    await asyncio.gather(*(allocation.take_in(*batch) for batch in batches))
    await assert_laws(allocation)
    rows = await allocation.fetch("select supply_steps, promised_net_steps from offer_book order by offer_id")
    assert [tuple(row) for row in rows] == [(40, 40), (14, 14)]


async def test_cooperatives_do_not_wait_for_each_other(allocation: Allocation) -> None:
    one, two = Stream(1), Stream(2)
    await allocation.take_in(*one.registered(), *two.registered())
    async with allocation.running.runtime.pool.acquire() as conn, conn.transaction():
        await conn.execute("select from cooperative where cooperative_id = $1 for update", one.cooperative_id)
        await asyncio.wait_for(allocation.take_in(two.published(1, {0: 5}), two.placed(11, (1, 2))), 10)


# -- Cost ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("households", [3, 60])
async def test_a_batch_costs_a_handful_of_statements_whatever_its_size(allocation: Allocation, households: int) -> None:
    pledges = dict.fromkeys(range(households), 4)
    for size in (1, 5, 40):
        await allocation.forget()
        streams = [Stream(number, households) for number in range(1, size + 1)]
        await allocation.take_in(*(event for s in streams for event in s.registered()))
        offered = await allocation.take_in(
            *(s.published(n, pledges) for s in streams for n in range(1, 2 + size // 10))
        )
        placed = await allocation.take_in(*(s.placed(50 + n, (1, 1 + n)) for s in streams for n in range(size)))
        raised = await allocation.take_in(*(s.reordered(50 + n, (1, 9)) for s in streams for n in range(0, size, 2)))
        lowered = await allocation.take_in(*(s.changed(1, {0: 1, 1: 1}) for s in streams))
        restored = await allocation.take_in(*(s.changed(1, pledges) for s in streams))
        cancelled = await allocation.take_in(*(s.cancelled(50 + n) for s in streams for n in range(0, size, 3)))
        closed = await allocation.take_in(*(s.closed(1) for s in streams))
        await assert_laws(allocation)
        assert max(offered, placed, raised, lowered, restored, cancelled) <= 9
        assert closed == 16
