"""Small days for the tests of baskets: offers, weights, memories and limits; ties and full caps are frequent."""

from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import UUID

from hypothesis import strategies as st

from services.allocation.domain.baskets import DayLimits, DayOffer, DayPlan, Item

HOUSEHOLDS = [UUID(int=number) for number in range(1, 9)]
ARRIVE_BY_AT = datetime(2025, 11, 20, 21, 30, tzinfo=UTC)


def day_offer(
    number: int,
    code: str,
    value_vnd: int,
    promised_steps: int,
    pledges: dict[UUID, int],
    step_grams: int | None = None,
) -> DayOffer:
    return DayOffer(
        offer_id=UUID(int=1000 + number),
        product_id=UUID(int=2000 + number),
        product_code=code,
        step_value_vnd=value_vnd,
        collection_point_id=UUID(int=3000),
        arrive_by_at=ARRIVE_BY_AT,
        promised_net_steps=promised_steps,
        pledges=tuple(pledges.items()),
        step_grams=step_grams,
    )


@st.composite
def day_offers(draw: st.DrawFn, *, most: int = 4, weighed: bool = False) -> list[DayOffer]:
    """Up to `most` offers; if `weighed`, most of them of products whose weight is known."""
    offers = []
    grams = st.sampled_from([None, 250, 500, 1000]) if weighed else st.none()
    for number in range(draw(st.integers(0, most))):
        pledges = draw(st.dictionaries(st.sampled_from(HOUSEHOLDS), st.integers(0, 20)))
        promised_steps = draw(st.integers(0, sum(pledges.values())))
        code = draw(st.sampled_from(["beans", "chayote", "plums"]))
        value_vnd = draw(st.integers(1, 30)) * 500
        offers.append(day_offer(number, code, value_vnd, promised_steps, pledges, draw(grams)))
    return offers


all_weights = st.fixed_dictionaries({household: st.integers(1, 4) for household in HOUSEHOLDS})
memories = st.dictionaries(st.sampled_from(HOUSEHOLDS), st.integers(-200_000, 200_000))
loads = st.dictionaries(st.sampled_from(HOUSEHOLDS), st.integers(0, 20_000))
day_limits = st.builds(
    DayLimits,
    loads | st.just({}),
    st.integers(0, 30) | st.integers(0, 300_000),
    st.frozensets(st.sampled_from(HOUSEHOLDS), max_size=2),
)


def items_of(plan: DayPlan, offer: DayOffer) -> dict[UUID, Item]:
    return {
        basket.household_id: item for basket in plan.baskets for item in basket.items if item.offer_id == offer.offer_id
    }


def steps_of(plan: DayPlan) -> dict[tuple[UUID, UUID], int]:
    """By (offer_id, household_id), of what is asked."""
    return {(x.offer_id, basket.household_id): x.quantity_steps for basket in plan.baskets for x in basket.items}


def brought_vnd(plan: DayPlan, offers: Iterable[DayOffer]) -> dict[UUID, int]:
    value_vnd = {offer.offer_id: offer.step_value_vnd for offer in offers}
    return {
        basket.household_id: sum(x.quantity_steps * value_vnd[x.offer_id] for x in basket.items)
        for basket in plan.baskets
    }
