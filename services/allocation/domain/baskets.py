"""What each household brings on one delivery day of one cooperative, and why: the plan made at the cut-off.

The products are shared out one after the other, in the order of their codes, by the rule in `sharing`. The
one idea is the running balance: what a household got of an earlier product that day counts as memory for the
next, so several products together come out fair although each is shared out alone.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from services.allocation.domain.sharing import Claim, FairnessEntry, day_entries, draw_lots, find_level

RULE = "capped_equal_share.v1"


@dataclass(frozen=True, slots=True)
class DayOffer:
    """A closed offer that waits to be assigned: what was promised of it, and who pledged how much."""

    offer_id: UUID
    product_id: UUID
    product_code: str
    step_value_vnd: int
    collection_point_id: UUID
    arrive_by_at: datetime
    promised_net_steps: int
    pledges: tuple[tuple[UUID, int], ...]  # (household_id, quantity_steps)


class ShareLevel(StrEnum):
    """How a household's part compares with its even share (by weight, up to its pledge, memory left out)."""

    ALL_PLEDGED = "all_pledged"  # all that it pledged
    EQUAL_SHARE = "equal_share"
    ONE_STEP_MORE = "one_step_more"  # it has had the least so far, or won the lot among the least
    CATCHING_UP = "catching_up"  # several steps more: it has had less than others so far
    AHEAD = "ahead"  # less than the even share: it has had more than others so far


@dataclass(frozen=True, slots=True)
class Why:
    """What decided one item, as numbers from which a sentence can be made."""

    rule: str
    level: ShareLevel
    even_steps: int  # the household's even share: full rounds by weight, up to its pledge, memory left out
    shared_steps: int  # of this offer, among
    households: int  # so many who pledged
    weight: int
    memory_vnd: int  # past days: beyond (+) or behind (-) its fair part
    today_vnd: int  # of earlier products of the same day
    by_lot: bool  # the last step was drawn among households that stood exactly level


@dataclass(frozen=True, slots=True)
class Item:
    """So much of one offer, to be brought to the collection point by the given time."""

    offer_id: UUID
    product_id: UUID
    quantity_steps: int
    pledged_steps: int
    collection_point_id: UUID
    arrive_by_at: datetime
    why: Why


@dataclass(frozen=True, slots=True)
class Basket:
    """All that one household brings on the day. No items: it pledged, but nothing is asked of it today."""

    household_id: UUID
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class DayPlan:
    """A basket and a fairness entry for every household that pledged, both in the order of household ids."""

    baskets: tuple[Basket, ...]
    entries: tuple[FairnessEntry, ...]


def assign_day(offers: Iterable[DayOffer], weights: Mapping[UUID, int], memory_vnd: Mapping[UUID, int]) -> DayPlan:
    """Share out the day's closed offers, each to the last step of its net promise, nobody above its pledge.

    `weights` holds the share weight of every household that pledged; a household absent from `memory_vnd`
    stands at 0. A pledge of 0 steps is no offer. The order of offers and pledges does not matter. Raises
    ValueError for an offer that comes twice, a net promise above the pledges, a household that pledges twice
    or has no weight, and the bad numbers that `sharing` refuses.
    """
    in_order = sorted(offers, key=lambda offer: (offer.product_code, offer.offer_id.int))
    if len({offer.offer_id for offer in in_order}) < len(in_order):
        raise ValueError("an offer comes twice in one day")

    items: dict[UUID, list[Item]] = {}
    today_vnd: defaultdict[UUID, int] = defaultdict(int)
    pledged_vnd: defaultdict[UUID, int] = defaultdict(int)
    for offer in in_order:
        pledges = _pledges(offer, weights)
        for household_id, steps in pledges:
            pledged_vnd[household_id] += steps * offer.step_value_vnd
        for household_id, item in _assign_offer(offer, pledges, weights, memory_vnd, today_vnd):
            own = items.setdefault(household_id, [])
            if item is not None:
                own.append(item)
                today_vnd[household_id] += item.quantity_steps * offer.step_value_vnd

    baskets = (Basket(household, tuple(items[household])) for household in sorted(items, key=lambda h: h.int))
    entries = day_entries(today_vnd, pledged_vnd, weights)
    return DayPlan(tuple(baskets), tuple(entries))


def _assign_offer(
    offer: DayOffer,
    pledges: Sequence[tuple[UUID, int]],
    weights: Mapping[UUID, int],
    memory_vnd: Mapping[UUID, int],
    today_vnd: Mapping[UUID, int],
) -> list[tuple[UUID, Item | None]]:
    """Share out one offer: every household that pledged, with its item or None."""
    past = {household: memory_vnd.get(household, 0) for household, _ in pledges}
    today = {household: today_vnd.get(household, 0) for household, _ in pledges}
    level = find_level(
        offer.promised_net_steps,
        [
            Claim(household, steps, weights[household], past[household] + today[household])
            for household, steps in pledges
        ],
        offer.step_value_vnd,
    )
    # The lot differs from offer to offer, because its seed does.
    by_lot = set(draw_lots(level, RULE.encode() + offer.offer_id.bytes))
    # Without memory the value of a step cancels out, so the even share is found in steps.
    even = find_level(
        offer.promised_net_steps,
        [Claim(household, steps, weights[household]) for household, steps in pledges],
        1,
    )

    assigned: list[tuple[UUID, Item | None]] = []
    for household, pledged_steps in pledges:
        steps = level.steps_below[household] + (household in by_lot)
        even_steps = even.steps_below[household]
        why = Why(
            rule=RULE,
            level=_share_level(steps, pledged_steps, even_steps),
            even_steps=even_steps,
            shared_steps=offer.promised_net_steps,
            households=len(pledges),
            weight=weights[household],
            memory_vnd=past[household],
            today_vnd=today[household],
            by_lot=household in by_lot,
        )
        item = Item(
            offer.offer_id,
            offer.product_id,
            steps,
            pledged_steps,
            offer.collection_point_id,
            offer.arrive_by_at,
            why,
        )
        assigned.append((household, item if steps else None))
    return assigned


def _pledges(offer: DayOffer, weights: Mapping[UUID, int]) -> list[tuple[UUID, int]]:
    """The pledges that offer anything, checked against the net promise and the known households."""
    for household_id, steps in offer.pledges:
        if steps < 0:
            raise ValueError(f"offer {offer.offer_id}: household {household_id} pledges {steps} steps")
    pledges = [(household, steps) for household, steps in offer.pledges if steps > 0]
    if unknown := {household for household, _ in pledges} - weights.keys():
        raise ValueError(f"offer {offer.offer_id}: no share weight for {', '.join(sorted(map(str, unknown)))}")
    pledged_steps = sum(steps for _, steps in pledges)
    if offer.promised_net_steps > pledged_steps:
        raise ValueError(
            f"offer {offer.offer_id}: {offer.promised_net_steps} steps promised, only {pledged_steps} pledged"
        )
    return pledges


def _share_level(steps: int, pledged_steps: int, even_steps: int) -> ShareLevel:
    if steps == pledged_steps:
        return ShareLevel.ALL_PLEDGED
    if steps < even_steps:
        return ShareLevel.AHEAD
    if steps == even_steps:
        return ShareLevel.EQUAL_SHARE
    return ShareLevel.ONE_STEP_MORE if steps == even_steps + 1 else ShareLevel.CATCHING_UP
