"""Days on which households are asked: small ones, and random ones with whatever may happen to them."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import TypeVar
from uuid import UUID

from hypothesis import strategies as st

from services.allocation.domain.asked import (
    Answer,
    AskedBasket,
    AskedDay,
    AskedItem,
    AskedOffer,
    Outcome,
    Reply,
    ReplyPolicy,
    Silence,
)
from services.allocation.domain.replies import answer, ask, close_round

T = TypeVar("T")

HOUSEHOLDS = [UUID(int=number) for number in range(1, 6)]
STRANGER = UUID(int=99)
ONE, TWO, THREE = HOUSEHOLDS[:3]
EQUAL = dict.fromkeys(HOUSEHOLDS, 1)
YES, RE_OFFER = Silence.YES, Silence.RE_OFFER


@dataclass(frozen=True)
class Parts:
    """One offer shared out: by household, what is asked of it and the most that it can be asked for."""

    code: str
    value_vnd: int
    of: dict[UUID, tuple[int, int]]


def asked(day: AskedDay, *parts: Parts) -> AskedDay:
    """Offers are numbered on from those of the day, from 100."""
    offers, items = [], defaultdict[UUID, list[AskedItem]](list)
    for number, part in enumerate(parts, 100 + len(day.offers)):
        offer_id = UUID(int=number)
        offers.append(AskedOffer(offer_id, part.code, part.value_vnd, sum(steps for steps, _ in part.of.values())))
        for household, (steps, most) in part.of.items():
            items[household].append(AskedItem(offer_id, steps, most))
    return ask(day, offers, items)


def new_day(*parts: Parts, silence: Silence = RE_OFFER, rounds: int = 3) -> AskedDay:
    return asked(AskedDay(ReplyPolicy(silence, rounds)), *parts)


def beans(**of: tuple[int, int]) -> Parts:
    households = {"one": ONE, "two": TWO, "three": THREE}
    return Parts("beans", 10_000, {households[name]: steps for name, steps in of.items()})


policies = st.builds(ReplyPolicy, st.sampled_from(Silence), st.integers(1, 3))


def some(draw: Callable[[Random], T]) -> st.SearchStrategy[T]:
    """Drawn as one number: thousands of stories in seconds, that still shrink to their few moves that matter."""
    return st.integers(0, 2**32).map(lambda seed: draw(Random(seed)))


def draw_parts(random: Random) -> Parts:
    """Of few and round values, so that households often stand exactly level."""
    households = random.sample(HOUSEHOLDS, random.choice([0, 2, 3, 4, 5, 5]))
    steps = {household: random.randint(0, 6) for household in households}
    most = {household: steps[household] + random.randint(0, 6) for household in households}
    code = random.choice(["beans", "chayote", "plums"])
    return Parts(code, random.choice([500, 500, 1000]), {h: (steps[h], most[h]) for h in households})


parts = some(draw_parts)
all_weights = some(lambda random: {household: random.choice([1, 1, 1, 1, 2, 3]) for household in HOUSEHOLDS})
memories = some(lambda random: {h: random.randint(-3, 3) * 500 for h in HOUSEHOLDS if random.random() < 0.3})
days = st.builds(
    lambda policy, offers: asked(AskedDay(policy), *offers), policies, st.lists(parts, min_size=1, max_size=3)
)


@dataclass(frozen=True)
class Said:
    """A reply before it is known what is asked: quantities are parts of what is asked, or too much."""

    household: UUID
    answer: Answer
    tenths: tuple[int, int, int]
    names: tuple[bool, bool, bool]
    versions_ahead: int

    def reply(self, day: AskedDay) -> Reply:
        basket = basket_of(day, self.household) or AskedBasket(self.household, 1, 0, ())
        less = [
            (item.offer_id, item.quantity_steps * tenths // 10)
            for item, tenths, named in zip(basket.items, self.tenths, self.names, strict=False)
            if named
        ]
        return Reply(
            self.household,
            basket.version + self.versions_ahead,
            self.answer,
            tuple(less) if self.answer is Answer.LESS else (),
            "sick" if self.answer is Answer.CANNOT else None,
        )


def draw_truth(random: Random) -> Said:
    """What a household may say to the basket that it has."""
    return Said(
        random.choice(HOUSEHOLDS),
        random.choice(list(Answer)),
        (random.randint(0, 10), random.randint(0, 10), random.randint(0, 10)),
        (random.random() < 0.5, random.random() < 0.5, random.random() < 0.5),
        0,
    )


def draw_anything(random: Random) -> Said:
    """With strangers, other versions, and more than is asked, now and then."""
    said = draw_truth(random)
    match random.randint(0, 5):
        case 0:
            return replace(said, household=STRANGER)
        case 1:
            return replace(said, tenths=(20, 20, 20))
        case 2:
            return replace(said, versions_ahead=random.choice([-1, 1]))
        case _:
            return said


truths, anything_said = some(draw_truth), some(draw_anything)
deadlines = st.sampled_from([0, 0, 0, 0, -1, 1])
moves = st.lists(truths | truths | anything_said | deadlines, max_size=14)
moves_and_late_offers = st.lists(truths | truths | anything_said | deadlines | parts, max_size=14)


@dataclass(frozen=True)
class Step:
    before: AskedDay
    after: AskedDay
    outcome: Outcome | None  # None: offers were added
    replied: UUID | None

    @property
    def closed_a_round(self) -> bool:
        return self.before.open and (not self.after.open or self.after.round_no > self.before.round_no)


def play(
    day: AskedDay,
    moves: Sequence[Said | int | Parts],
    weights: dict[UUID, int] = EQUAL,
    memory_vnd: dict[UUID, int] | None = None,
) -> Iterator[Step]:
    """One move after the other; a number is the deadline of the round so many after the current one."""
    for move in moves:
        outcome, replied = None, None
        match move:
            case Parts():
                after = asked(day, move)
            case Said():
                outcome, replied = answer(day, [move.reply(day)], weights, memory_vnd or {}), move.household
                after = outcome.day
            case _:
                outcome = close_round(day, day.round_no + move, weights, memory_vnd or {})
                after = outcome.day
        yield Step(day, after, outcome, replied)
        day = after


def basket_of(day: AskedDay, household: UUID) -> AskedBasket | None:
    return next((basket for basket in day.baskets if basket.household_id == household), None)


def the_basket(day: AskedDay, household: UUID) -> AskedBasket:
    basket = basket_of(day, household)
    assert basket is not None
    return basket


def told(day: AskedDay) -> dict[tuple[UUID, UUID], int]:
    return {(x.household_id, item.offer_id): item.quantity_steps for x in day.baskets for item in x.items}


def standing(day: AskedDay) -> dict[tuple[UUID, UUID], int]:
    return {(x.household_id, offer): steps for x in day.baskets for offer, steps in x.standing_steps().items()}


def sum_of(day: AskedDay, offer_id: UUID) -> int:
    return sum(steps for (_, offer), steps in told(day).items() if offer == offer_id)


def net_steps(offer: AskedOffer) -> int:
    return offer.promised_net_steps - offer.missing_steps


def is_asked(day: AskedDay, basket: AskedBasket) -> bool:
    return day.open and basket.round_no == day.round_no


def confirm(household: UUID, version: int = 1) -> Reply:
    return Reply(household, version, Answer.CONFIRM)


def cannot(household: UUID, version: int = 1) -> Reply:
    return Reply(household, version, Answer.CANNOT, reason="sick")


def less(household: UUID, steps: int, version: int = 1) -> Reply:
    """Of the first offer."""
    return Reply(household, version, Answer.LESS, ((UUID(int=100), steps),))


def answered(day: AskedDay, *replies: Reply) -> Outcome:
    return answer(day, replies, EQUAL, {})


def steps_of(day: AskedDay) -> list[tuple[int, int]]:
    """Version and quantity of the first offer, by household."""
    return [(basket.version, basket.items[0].quantity_steps) for basket in day.baskets]
