"""What the receivers have against what was to be told: the law that is measured, from outside."""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from infra.local.providers import Arrived
from tests.perf.notices.market import Household

Change = tuple[UUID, int]
"""Household and version of its basket."""

_QUANTITY = re.compile(r"C[ảa]i m[èe]o:? (\d+) kg")


@dataclass
class Count:
    """What was found. Everything in `broken` must be 0.

    `may_know`: nobody could say whether it had arrived, so it arrived and is on the call list as well.
    """

    households: int
    changes: int
    told: Counter[str] = field(default_factory=Counter)
    on_call_list: Counter[str] = field(default_factory=Counter)
    overtaken: int = 0
    may_know: int = 0
    broken: Counter[str] = field(default_factory=Counter)
    waits_s: list[float] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Told exactly once per change or on the call list."""
        return not any(self.broken.values())


def change_of(one: Arrived, households: Mapping[str, Household]) -> Change:
    """Which change a message tells; Zalo knows numbers without their +. Raises LookupError for a stranger's."""
    found = _QUANTITY.search(one.text)
    if found is None:
        raise LookupError("a message that tells no basket")
    return households[one.to.removeprefix("+")].household_id, int(found[1])


def count(
    said_at: Mapping[Change, datetime],
    arrived: Iterable[tuple[str, Arrived]],
    calls: Collection[tuple[Change, str]],
    households: Collection[Household],
) -> Count:
    """`calls` are the changes on the call list with their state there."""
    by_address = {address: h for h in households for address in (h.phone.removeprefix("+"), h.email)}
    messages: defaultdict[Change, list[tuple[str, Arrived]]] = defaultdict(list)
    for channel, one in arrived:
        messages[change_of(one, by_address)].append((channel, one))
    latest: dict[UUID, int] = {}
    for household_id, version in said_at:
        latest[household_id] = max(version, latest.get(household_id, 0))
    state = dict(calls)
    made = Count(len(households), len(said_at))
    made.on_call_list.update(state.values())
    made.broken.update(
        duplicates=sum(len(found) - 1 for found in messages.values()),
        missing=sum(
            change not in messages and change not in state and latest[change[0]] == change[1] for change in said_at
        ),
        invented=sum(change not in said_at for change in messages),
        told_backwards=_told_backwards(messages),
        called_in_vain=sum(change in messages for change, how in state.items() if how != "unknown"),
    )
    made.overtaken = sum(
        change not in messages and change not in state and latest[change[0]] > change[1] for change in said_at
    )
    made.may_know = sum(change in messages for change in state)
    for change, found in messages.items():
        made.told[found[0][0]] += 1
        if change in said_at:
            made.waits_s.append((found[0][1].at - said_at[change]).total_seconds())
    return made


def _told_backwards(messages: Mapping[Change, list[tuple[str, Arrived]]]) -> int:
    """Households that got an older version after a newer one."""
    times: defaultdict[UUID, list[tuple[datetime, int]]] = defaultdict(list)
    for (household_id, version), found in messages.items():
        times[household_id] += [(one.at, version) for _, one in found]
    return sum(
        [version for _, version in sorted(own)] != sorted(version for _, version in own) for own in times.values()
    )
