"""What each household brings on one delivery day of one cooperative, and why: the plan made at the cut-off.

The products are shared out one after the other, in the order of their codes, by the rule in `sharing`. The
one idea is the running balance: what a household got of an earlier product that day counts as memory for the
next, so several products together come out fair although each is shared out alone. `day_sharing` keeps it, and
what a household can still carry; `worthwhile` says who is asked where a delivery shall be worth the way.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from services.allocation.domain.day_sharing import Member, Portion, Shared, most_vnd
from services.allocation.domain.sharing import FairnessEntry, day_entries, fill
from services.allocation.domain.worthwhile import share_worthwhile

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
    step_grams: int | None = None  # the weight of a step; None: not known, and does not count


@dataclass(frozen=True, slots=True)
class DayLimits:
    """What a household can carry on the day, and what is worth the way. Without any of it there are no limits."""

    load_grams: Mapping[UUID, int] = field(default_factory=dict)  # that it can still carry; absent: no limit
    least_vnd: int = 0  # the least worthwhile delivery per household and day, by the rule in `worthwhile`
    coming: frozenset[UUID] = frozenset()  # asked for something that day already, so that no way is too long for more


class ShareLevel(StrEnum):
    """How a household's part compares with its even share (by weight, up to its pledge, memory left out)."""

    ALL_PLEDGED = "all_pledged"  # all that it pledged
    FULL_LOAD = "full_load"  # all that it could still carry
    EQUAL_SHARE = "equal_share"
    ONE_STEP_MORE = "one_step_more"  # it has had the least so far, or won the lot among the least
    CATCHING_UP = "catching_up"  # several steps more: it has had less than others so far
    AHEAD = "ahead"  # less than the even share: it has had more than others so far


@dataclass(frozen=True, slots=True)
class Why:
    """What decided one item, as numbers from which a sentence can be made."""

    rule: str
    level: ShareLevel
    even_steps: int  # the household's even share: full rounds by weight, up to pledge and load, memory left out
    shared_steps: int  # of this offer, among
    households: int  # so many who pledged and were asked
    weight: int
    memory_vnd: int  # past days: beyond (+) or behind (-) its fair part
    today_vnd: int  # of earlier products of the same day
    by_lot: bool  # the last step was drawn among households that stood exactly level
    load_steps: int | None = None  # the most that it could still carry of this offer; None: no limit
    not_asked: int = 0  # so many more pledged, but were not asked: their delivery would not have been worth the way


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
    step_grams: int | None = None  # the weight of a step; None: not known, and does not count

    @property
    def grams(self) -> int:
        """The weight that counts."""
        return self.quantity_steps * (self.step_grams or 0)


@dataclass(frozen=True, slots=True)
class Basket:
    """All that one household brings on the day. No items: it pledged, but nothing is asked of it today.

    `not_worthwhile`: it would have had to bring something, but too little to be worth the way, so it was not asked.
    """

    household_id: UUID
    items: tuple[Item, ...]
    not_worthwhile: bool = False


@dataclass(frozen=True, slots=True)
class DayPlan:
    """A basket and a fairness entry for every household that pledged, both in the order of household ids.

    `missing` names what was promised and nobody can carry: (offer_id, steps above 0), in the order of sharing.
    """

    baskets: tuple[Basket, ...]
    entries: tuple[FairnessEntry, ...]
    missing: tuple[tuple[UUID, int], ...] = ()


def assign_day(
    offers: Iterable[DayOffer],
    weights: Mapping[UUID, int],
    memory_vnd: Mapping[UUID, int],
    limits: DayLimits = DayLimits(),
) -> DayPlan:
    """Share out the day's closed offers, each to the last step of its net promise, nobody above its pledge or load.

    What loads leave over is missing, and asked of nobody. `weights` holds the share weight of every household that
    pledged; a household absent from `memory_vnd` stands at 0. A pledge of 0 steps is no offer. A load bounds the fair
    part of a household as a pledge does: at the value of what it could have carried at most. The order of offers and
    pledges does not matter. Raises ValueError for an offer that comes twice, a net promise above the pledges, a
    household that pledges twice or has no weight, a negative limit, and the bad numbers that `sharing` refuses.
    """
    in_order = sorted(offers, key=lambda offer: (offer.product_code, offer.offer_id.int))
    if len({offer.offer_id for offer in in_order}) < len(in_order):
        raise ValueError("an offer comes twice in one day")

    pledges = [_pledges(offer, weights) for offer in in_order]
    households = sorted({household for own in pledges for household in own}, key=lambda household: household.int)
    members = [Member(h, weights[h], memory_vnd.get(h, 0), limits.load_grams.get(h)) for h in households]
    position = {household: number for number, household in enumerate(households)}
    portions = [_portion(offer, own, position) for offer, own in zip(in_order, pledges, strict=True)]

    coming = {position[household] for household in limits.coming if household in position}
    tie_seed = RULE.encode() + b"".join(offer.offer_id.bytes for offer in in_order)
    found = share_worthwhile(portions, members, limits.least_vnd, coming, tie_seed)

    items: list[list[Item]] = [[] for _ in members]
    for offer, portion, shared in zip(in_order, portions, found.day.portions, strict=True):
        for number, item in _items(offer, portion, shared, members):
            items[number].append(item)
    baskets = (Basket(h, tuple(items[number]), number in found.spared) for number, h in enumerate(households))
    entries = day_entries(
        dict(zip(households, found.day.brought_vnd, strict=True)),
        dict(zip(households, most_vnd(portions, members), strict=True)),
        weights,
    )
    missing = zip(in_order, found.day.missing_steps(portions), strict=True)
    return DayPlan(tuple(baskets), tuple(entries), tuple((offer.offer_id, steps) for offer, steps in missing if steps))


def _pledges(offer: DayOffer, weights: Mapping[UUID, int]) -> dict[UUID, int]:
    """The pledges that offer anything, checked against the net promise and the known households."""
    pledges: dict[UUID, int] = {}
    for household_id, steps in offer.pledges:
        if steps < 0:
            raise ValueError(f"offer {offer.offer_id}: household {household_id} pledges {steps} steps")
        if steps and household_id in pledges:
            raise ValueError(f"offer {offer.offer_id}: household {household_id} pledges twice")
        if steps:
            pledges[household_id] = steps
    if unknown := pledges.keys() - weights.keys():
        raise ValueError(f"offer {offer.offer_id}: no share weight for {', '.join(sorted(map(str, unknown)))}")
    pledged_steps = sum(pledges.values())
    if offer.promised_net_steps > pledged_steps:
        raise ValueError(
            f"offer {offer.offer_id}: {offer.promised_net_steps} steps promised, only {pledged_steps} pledged"
        )
    if offer.step_grams is not None and offer.step_grams < 1:
        raise ValueError(f"offer {offer.offer_id}: step_grams is {offer.step_grams}, must be 1 or more")
    return pledges


def _portion(offer: DayOffer, pledges: Mapping[UUID, int], position: Mapping[UUID, int]) -> Portion:
    return Portion(
        offer.promised_net_steps,
        offer.step_value_vnd,
        offer.step_grams,
        RULE.encode() + offer.offer_id.bytes,  # the lot differs from offer to offer, because its seed does
        tuple(sorted((position[household], steps) for household, steps in pledges.items())),
    )


def _items(offer: DayOffer, portion: Portion, shared: Shared, members: Sequence[Member]) -> Iterator[tuple[int, Item]]:
    """What each of the members brings of one offer, if anything, and why."""
    # Without memory the value of a step cancels out, so the even share is found in steps.
    even = fill(portion.total_steps, [(0, weight, cap_steps) for _, weight, cap_steps in shared.rows], 1)
    shared_steps = sum(shared.steps)
    rows = zip(shared.members, shared.pledged_steps, shared.rows, shared.steps, even.steps_below, strict=True)
    for number, pledged_steps, (memory_vnd, weight, cap_steps), steps, even_steps in rows:
        if not steps:
            continue
        member = members[number]
        has_limit = member.load_grams is not None and portion.step_grams is not None
        why = Why(
            rule=RULE,
            level=_share_level(steps, pledged_steps, cap_steps, even_steps),
            even_steps=even_steps,
            shared_steps=shared_steps,
            households=len(shared.members),
            weight=weight,
            memory_vnd=member.memory_vnd,
            today_vnd=memory_vnd - member.memory_vnd,
            by_lot=number in shared.drawn,
            load_steps=cap_steps if has_limit else None,
            not_asked=len(portion.pledges) - len(shared.members),
        )
        yield (
            number,
            Item(
                offer.offer_id,
                offer.product_id,
                steps,
                pledged_steps,
                offer.collection_point_id,
                offer.arrive_by_at,
                why,
                offer.step_grams,
            ),
        )


def _share_level(steps: int, pledged_steps: int, cap_steps: int, even_steps: int) -> ShareLevel:
    if steps == pledged_steps:
        return ShareLevel.ALL_PLEDGED
    if steps == cap_steps:
        return ShareLevel.FULL_LOAD
    if steps < even_steps:
        return ShareLevel.AHEAD
    if steps == even_steps:
        return ShareLevel.EQUAL_SHARE
    return ShareLevel.ONE_STEP_MORE if steps == even_steps + 1 else ShareLevel.CATCHING_UP
