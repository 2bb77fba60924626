"""What changes when delivery days close: what is added to baskets, and what the households' memory keeps of it.

A day may close several times, since an offer can come late. Each closing shares out only what was closed since the
one before; what was asked already stays as it is, and counts as memory.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypeAlias
from uuid import UUID

from services.allocation.domain.baskets import DayLimits, DayOffer, Item, assign_day
from services.allocation.domain.sharing import FairnessEntry, debt_cap, memory
from services.allocation.domain.told import ToldItem, as_planned

BasketKey: TypeAlias = tuple[UUID, date]  # household_id, delivery_day
EntryKey: TypeAlias = tuple[date, UUID]  # delivery_day, household_id


@dataclass(frozen=True, slots=True)
class Closing:
    """One cut-off that closed a cooperative's delivery day, with the offers that wait to be shared out.

    `memory_days` is how far back the memory of the cooperative's households reaches, the closing day included;
    `least_vnd` its least worthwhile delivery per household and day (see `worthwhile`).
    """

    cooperative_id: UUID
    delivery_day: date
    offers: tuple[DayOffer, ...]
    memory_days: int = 30
    least_vnd: int = 0


@dataclass(frozen=True, slots=True)
class Means:
    """What a household takes part with: its share weight, and what it can carry in all on one day (None: no limit)."""

    weight: int
    load_grams: int | None = None


@dataclass(frozen=True, slots=True)
class Assigned:
    """A basket as it is from now on; `added` is the part that is new. Nothing at all: there is nothing to bring.

    `not_worthwhile`: because what it would have had to bring was not worth the way.
    """

    household_id: UUID
    items: tuple[ToldItem, ...]
    added: tuple[Item, ...]
    not_worthwhile: bool = False


@dataclass(frozen=True, slots=True)
class ClosedDay:
    """What one closing did: only baskets that changed, and the day's whole entries of all who offered.

    `memory_vnd` is with what memory the households came to the day; `missing` names what was promised and nobody can
    carry: (offer_id, steps above 0).
    """

    baskets: tuple[Assigned, ...]
    entries: tuple[FairnessEntry, ...]
    memory_vnd: Mapping[UUID, int]
    missing: tuple[tuple[UUID, int], ...] = ()


def first_day_of_memory(delivery_day: date, memory_days: int) -> date:
    """The earliest day that counts when this one closes."""
    return delivery_day - timedelta(days=memory_days - 1)


def close_days(
    closings: Sequence[Closing],
    means: Mapping[UUID, Means],
    entries: Mapping[UUID, Mapping[EntryKey, FairnessEntry]],
    baskets: Mapping[BasketKey, tuple[ToldItem, ...]],
) -> list[ClosedDay]:
    """Close the days one after the other; each sees what those before it did.

    `means` holds every household that pledged; `entries`, by cooperative, at least what lies within the memory of the
    days; `baskets` what was asked on those days already, also of whom nothing is. Raises ValueError as `assign_day`
    does.
    """
    books = {cooperative_id: dict(own) for cooperative_id, own in entries.items()}
    current = dict(baskets)
    closed = []
    for closing in closings:
        own = books.setdefault(closing.cooperative_id, {})
        day = _close_day(closing, means, own, current)
        current |= {(basket.household_id, closing.delivery_day): basket.items for basket in day.baskets}
        own |= {(closing.delivery_day, entry.household_id): entry for entry in day.entries}
        closed.append(day)
    return closed


def _close_day(
    closing: Closing,
    means: Mapping[UUID, Means],
    entries: Mapping[EntryKey, FairnessEntry],
    baskets: Mapping[BasketKey, tuple[ToldItem, ...]],
) -> ClosedDay:
    day, first_day = closing.delivery_day, first_day_of_memory(closing.delivery_day, closing.memory_days)
    window = [entry for (of_day, _), entry in entries.items() if first_day <= of_day <= day]
    asked = {household: items for (household, of_day), items in baskets.items() if of_day == day and items}
    loads = {household: own.load_grams for household, own in means.items() if own.load_grams is not None}
    limits = DayLimits(
        {h: max(0, grams - sum(item.grams for item in asked.get(h, ()))) for h, grams in loads.items()},
        closing.least_vnd,
        frozenset(asked),
    )
    memory_vnd = memory(window, debt_cap(window))
    plan = assign_day(closing.offers, {h: own.weight for h, own in means.items()}, memory_vnd, limits)
    changed = []
    for basket in plan.baskets:
        told = tuple(map(as_planned, basket.items))
        before = baskets.get((basket.household_id, day))
        if before is None:
            changed.append(Assigned(basket.household_id, told, basket.items, basket.not_worthwhile))
        elif basket.items:
            changed.append(Assigned(basket.household_id, (*before, *told), basket.items))
    added = (_added(entries.get((day, entry.household_id)), entry) for entry in plan.entries)
    return ClosedDay(tuple(changed), tuple(added), memory_vnd, plan.missing)


def _added(before: FairnessEntry | None, entry: FairnessEntry) -> FairnessEntry:
    if before is None:
        return entry
    return FairnessEntry(entry.household_id, before.assigned_vnd + entry.assigned_vnd, before.fair_vnd + entry.fair_vnd)
