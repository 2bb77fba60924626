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
    load_grams: Mapping[UUID, int] = {},
) -> dict[UUID, list[Raise]]:
    """Share what is freed among the households that have room: what each is asked for more, by household.

    `offers` come in the order of sharing. `weights` holds at least the households that have room; one that is absent
    from `memory_vnd` stands at 0, one absent from `load_grams` carries as much as it likes. Each round draws its own
    lots. Raises ValueError for a household without a weight.
    """
    free = freed_steps(offers, baskets)
    value_vnd = {offer.offer_id: offer.step_value_vnd for offer in offers}
    grams = {offer.offer_id: offer.step_grams or 0 for offer in offers}
    room: defaultdict[UUID, list[tuple[UUID, AskedItem]]] = defaultdict(list)
    today_vnd: dict[UUID, int] = {}
    load_left = dict(load_grams)
    for basket in baskets:
        today_vnd[basket.household_id] = sum(x.quantity_steps * value_vnd[x.offer_id] for x in basket.items)
        if basket.household_id in load_left:
            load_left[basket.household_id] -= sum(x.quantity_steps * grams[x.offer_id] for x in basket.items)
        for item in basket.items:
            if free[item.offer_id] and item.room_steps:
                room[item.offer_id].append((basket.household_id, item))

    raised: defaultdict[UUID, list[Raise]] = defaultdict(list)
    for offer in offers:
        seed = RULE.encode() + offer.offer_id.bytes + round_no.to_bytes(4, "big")
        able = [(h, item, _carried(item, offer, load_left.get(h))) for h, item in room[offer.offer_id]]
        able = [(h, item, room_steps) for h, item, room_steps in able if room_steps]
        for household, more in _share_one(offer, free[offer.offer_id], able, seed, weights, memory_vnd, today_vnd):
            raised[household].append(more)
            today_vnd[household] += more.more_steps * offer.step_value_vnd
            if household in load_left:
                load_left[household] -= more.more_steps * grams[offer.offer_id]
    return dict(raised)


def _carried(item: AskedItem, offer: AskedOffer, load_left: int | None) -> int:
    """How many more steps there is room for, with what the household can still carry."""
    if load_left is None or offer.step_grams is None:
        return item.room_steps
    return min(item.room_steps, max(0, load_left) // offer.step_grams)


def _share_one(
    offer: AskedOffer,
    freed: int,
    room: Collection[tuple[UUID, AskedItem, int]],
    seed: bytes,
    weights: Mapping[UUID, int],
    memory_vnd: Mapping[UUID, int],
    today_vnd: Mapping[UUID, int],
) -> list[tuple[UUID, Raise]]:
    if unknown := {household for household, _, _ in room} - weights.keys():
        raise ValueError(f"offer {offer.offer_id}: no share weight for {', '.join(sorted(map(str, unknown)))}")
    past = {household: memory_vnd.get(household, 0) for household, _, _ in room}
    level = find_level(
        freed,
        [Claim(h, room_steps, weights[h], past[h] + today_vnd[h]) for h, _, room_steps in room],
        offer.step_value_vnd,
    )
    by_lot = set(draw_lots(level, seed))
    raised: list[tuple[UUID, Raise]] = []
    for household, item, room_steps in room:
        more_steps = level.steps_below[household] + (household in by_lot)
        if more_steps:
            why = WhyRaised(
                rule=RULE,
                floor_steps=item.quantity_steps,
                room_steps=room_steps,
                freed_steps=freed,
                households=len(room),
                weight=weights[household],
                memory_vnd=past[household],
                today_vnd=today_vnd[household],
                by_lot=household in by_lot,
            )
            raised.append((household, Raise(offer.offer_id, more_steps, why)))
    return raised
