"""Who is asked at all on a day: nobody should walk down the mountain for two kilograms.

The rule, for a least delivery of so many VND per household and day:

1. Households stand in a queue by memory per weight, the least first; ties by lot. Those that come anyway (they were
   asked earlier that day) stand before it and are always asked. Those that could not bring the least even if all that
   they pledged were asked, as far as their load allows, stand after it.
2. From the end of the queue, whoever is not needed is set aside: the promises can be met by the others' pledges. Those
   that remain are needed, and asked.
3. Of those set aside, the first n of the queue are asked too, with n as large as possible while a delivery of each
   household asked is worthwhile: it brings nothing, or the least at least, or all that it can. Excused are those that
   come anyway, and those needed whose delivery is too small already when nobody but the needed is asked.
4. Those who could not bring the least are asked only if they are needed. The promise comes first: n is never so small
   that anything is missing that would not be if all were asked. Small deliveries happen rather than a shortfall.

n is found by bisection, so a day is shared out O(log(households)) times. The more are asked, the less each of them
brings, so that n is nearly always the largest; but what one product does to the balance of the next can turn this
round for a few steps. What holds in any case: with n every delivery is worthwhile but those of the excused, and with
n + 1 one more would not be (or n is all there are). Without loads, whoever brings too little is needed: the pledges of
the others who are needed would not cover the promises without it. With loads, pledges do not tell for sure who is
needed: where something is missing with n = 0, the least n with which it is not is found by bisection first, and those
whose delivery is too small with it are excused.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from services.allocation.domain.day_sharing import Member, Portion, SharedDay, most_vnd, share_day
from services.allocation.domain.sharing import by_lot


@dataclass(frozen=True, slots=True)
class Worthwhile:
    """The day as it is shared out, who is asked, and who was spared: who would have brought something otherwise."""

    day: SharedDay
    asked: list[bool]
    spared: frozenset[int]


def share_worthwhile(
    portions: Sequence[Portion],
    members: Sequence[Member],
    least_vnd: int,
    coming: Collection[int],
    tie_seed: bytes,
) -> Worthwhile:
    """Share out the day by the rule above; `coming` are the members that come anyway.

    Without a least (0) all are asked, and nothing is bisected. Raises ValueError for a least below 0, and as `fill`.
    """
    if least_vnd < 0:
        raise ValueError(f"least_vnd is {least_vnd}, must be 0 or more")
    everyone = [True] * len(members)
    all_asked = share_day(portions, members, everyone)
    too_little = {n for n, vnd in enumerate(all_asked.brought_vnd) if 0 < vnd < least_vnd}
    if too_little <= set(coming):
        return Worthwhile(all_asked, everyone, frozenset())

    search = _Search(portions, members, least_vnd, coming, tie_seed, all_asked.missing_steps(portions))
    day, asked = search.best()
    spared = (n for n, vnd in enumerate(all_asked.brought_vnd) if vnd and not asked[n])
    return Worthwhile(day, asked, frozenset(spared))


class _Search:
    """The search for n; `_queue` are those set aside, who may be asked in this order."""

    def __init__(
        self,
        portions: Sequence[Portion],
        members: Sequence[Member],
        least_vnd: int,
        coming: Collection[int],
        tie_seed: bytes,
        missing_steps: Sequence[int],
    ) -> None:
        self._portions, self._members, self._least_vnd = portions, members, least_vnd
        self._missing_steps = missing_steps
        could_vnd = most_vnd(portions, members)
        by_standing = [n for n in _by_standing(members, tie_seed) if n not in coming]
        able = [n for n in by_standing if could_vnd[n] >= least_vnd]
        small = [n for n in by_standing if could_vnd[n] < least_vnd]
        aside = _not_needed(portions, members, [*able, *small])
        self._queue = [n for n in [*able, *small] if n in aside]
        self._able = sum(n in aside for n in able)
        self._excused: set[int] = set(coming)
        self._shared: dict[int, SharedDay] = {}

    def best(self) -> tuple[SharedDay, list[bool]]:
        """The day with the n of the rule, and who is asked."""
        fewest = 0 if self._meets(0) else _last(lambda n: not self._meets(n), 0, len(self._queue)) + 1
        self._excused |= self._too_little(fewest)
        most = max(fewest, self._able)
        if self._fits(most):
            return self._day(most), self._asked(most)
        number = _last(self._fits, fewest, most)
        return self._day(number), self._asked(number)

    def _asked(self, number: int) -> list[bool]:
        asked = [True] * len(self._members)
        for member in self._queue[number:]:
            asked[member] = False
        return asked

    def _day(self, number: int) -> SharedDay:
        if number not in self._shared:
            self._shared = {number: share_day(self._portions, self._members, self._asked(number))}
        return self._shared[number]

    def _meets(self, number: int) -> bool:
        missing = self._day(number).missing_steps(self._portions)
        return all(now <= before for now, before in zip(missing, self._missing_steps, strict=True))

    def _fits(self, number: int) -> bool:
        return self._too_little(number) <= self._excused and self._meets(number)

    def _too_little(self, number: int) -> set[int]:
        """Whose delivery is not worthwhile."""
        day = self._day(number)
        small = {n for n, vnd in enumerate(day.brought_vnd) if 0 < vnd < self._least_vnd}
        return {
            n
            for shared in day.portions
            for n, (_, _, cap_steps), steps in zip(shared.members, shared.rows, shared.steps, strict=True)
            if steps < cap_steps and n in small
        }


def _last(holds: Callable[[int], bool], low: int, high: int) -> int:
    """A number from `low`, for which it holds, to below `high`, for which it does not, with one more it does not."""
    while high - low > 1:
        middle = (low + high) // 2
        if holds(middle):
            low = middle
        else:
            high = middle
    return low


def _by_standing(members: Sequence[Member], tie_seed: bytes) -> list[int]:
    """Positions by memory per weight, on a grid on which whole numbers are exact (see `sharing.fill`)."""
    grid = max((member.weight for member in members), default=1) ** 2
    lots = {household: lot for lot, household in enumerate(by_lot((m.household_id for m in members), tie_seed))}
    return sorted(
        range(len(members)),
        key=lambda n: (members[n].memory_vnd * grid // members[n].weight, lots[members[n].household_id]),
    )


def _not_needed(portions: Sequence[Portion], members: Sequence[Member], queue: Sequence[int]) -> set[int]:
    """Who can be left out, from the end of the queue on, so that the pledges of the others cover every promise.

    No pledge counts for more than what the household could carry of it alone.
    """
    surplus = [-portion.total_steps for portion in portions]
    pledges: list[list[tuple[int, int]]] = [[] for _ in members]
    for number, portion in enumerate(portions):
        for member, pledged_steps in portion.pledges:
            cap_steps = portion.cap_steps(pledged_steps, members[member].load_grams)
            pledges[member].append((number, cap_steps))
            surplus[number] += cap_steps
    aside: set[int] = set()
    for member in reversed(queue):
        if all(cap_steps <= surplus[number] for number, cap_steps in pledges[member]):
            aside.add(member)
            for number, cap_steps in pledges[member]:
                surplus[number] -= cap_steps
    return aside
