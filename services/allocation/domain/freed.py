"""Where freed quantity goes: what some households cannot bring is shared among those that can bring more.

The one idea: what a household is asked for already is its floor. It counts as memory, so the freed steps go on where
the plan of the cut-off stopped filling, and nobody's quantity goes down. The products come one after the other in the
order of their codes, each with what the earlier ones added to the day.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from uuid import UUID

from services.allocation.domain.asked import AskedBasket, AskedItem, AskedOffer, Raise, WhyRaised
from services.allocation.domain.sharing import Claim, draw_lots, find_level

RULE = "freed_share.v1"


def freed_steps(offers: Collection[AskedOffer], baskets: Collection[AskedBasket]) -> dict[UUID, int]:
    """Of each offer, what is promised and neither asked of anybody nor known to be missing."""
    free = {offer.offer_id: offer.promised_net_steps - offer.missing_steps for offer in offers}
    for basket in baskets:
        for item in basket.items:
            free[item.offer_id] -= item.quantity_steps
    return free


def share_freed(
    offers: Collection[AskedOffer],
    baskets: Collection[AskedBasket],
    round_no: int,
    weights: Mapping[UUID, int],
    memory_vnd: Mapping[UUID, int],
) -> dict[UUID, list[Raise]]:
    """Share what is freed among the households that have room: what each is asked for more, by household.

    `offers` come in the order of sharing. `weights` holds at least the households that have room; one that is absent
    from `memory_vnd` stands at 0. Each round draws its own lots. Raises ValueError for a household without a weight.
    """
    free = freed_steps(offers, baskets)
    value_vnd = {offer.offer_id: offer.step_value_vnd for offer in offers}
    room: defaultdict[UUID, list[tuple[UUID, AskedItem]]] = defaultdict(list)
    today_vnd: dict[UUID, int] = {}
    for basket in baskets:
        today_vnd[basket.household_id] = sum(x.quantity_steps * value_vnd[x.offer_id] for x in basket.items)
        for item in basket.items:
            if free[item.offer_id] and item.room_steps:
                room[item.offer_id].append((basket.household_id, item))

    raised: defaultdict[UUID, list[Raise]] = defaultdict(list)
    for offer in offers:
        seed = RULE.encode() + offer.offer_id.bytes + round_no.to_bytes(4, "big")
        for household, more in _share_one(
            offer, free[offer.offer_id], room[offer.offer_id], seed, weights, memory_vnd, today_vnd
        ):
            raised[household].append(more)
            today_vnd[household] += more.more_steps * offer.step_value_vnd
    return dict(raised)


def _share_one(
    offer: AskedOffer,
    freed: int,
    room: Collection[tuple[UUID, AskedItem]],
    seed: bytes,
    weights: Mapping[UUID, int],
    memory_vnd: Mapping[UUID, int],
    today_vnd: Mapping[UUID, int],
) -> list[tuple[UUID, Raise]]:
    if unknown := {household for household, _ in room} - weights.keys():
        raise ValueError(f"offer {offer.offer_id}: no share weight for {', '.join(sorted(map(str, unknown)))}")
    past = {household: memory_vnd.get(household, 0) for household, _ in room}
    level = find_level(
        freed,
        [Claim(h, item.room_steps, weights[h], past[h] + today_vnd[h]) for h, item in room],
        offer.step_value_vnd,
    )
    by_lot = set(draw_lots(level, seed))
    raised: list[tuple[UUID, Raise]] = []
    for household, item in room:
        more_steps = level.steps_below[household] + (household in by_lot)
        if more_steps:
            why = WhyRaised(
                rule=RULE,
                floor_steps=item.quantity_steps,
                room_steps=item.room_steps,
                freed_steps=freed,
                households=len(room),
                weight=weights[household],
                memory_vnd=past[household],
                today_vnd=today_vnd[household],
                by_lot=household in by_lot,
            )
            raised.append((household, Raise(offer.offer_id, more_steps, why)))
    return raised
