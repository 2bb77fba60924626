"""Replies and rounds: sums, versions, rounds, silence, order, and the re-share against what it stands for."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from hashlib import sha256
from itertools import product
from random import Random
from typing import TypeVar
from uuid import UUID

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.allocation.domain.asked import (
    Answer,
    AskedBasket,
    AskedDay,
    AskedItem,
    AskedOffer,
    Changed,
    Confirmed,
    Missed,
    Outcome,
    Reply,
    ReplyPolicy,
    Silence,
    Verdict,
)
from services.allocation.domain.freed import RULE
from services.allocation.domain.replies import answer, ask, close_round

T = TypeVar("T")

law = settings(max_examples=2000, deadline=None, derandomize=True)

HOUSEHOLDS = [UUID(int=number) for number in range(1, 6)]
STRANGER = UUID(int=99)
ONE, TWO, THREE = HOUSEHOLDS[:3]
EQUAL = dict.fromkeys(HOUSEHOLDS, 1)
YES, RE_OFFER = Silence.YES, Silence.RE_OFFER


# -- Days, and what happens to them --------------------------------------------------------------------------


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


quantities = st.tuples(st.integers(0, 6), st.integers(0, 6)).map(lambda steps: (steps[0], sum(steps)))
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


# -- Laws over whatever may happen ---------------------------------------------------------------------------


@law
@given(days, moves_and_late_offers, all_weights, memories)
def test_what_is_asked_is_what_was_promised_but_for_what_is_missing_or_waits(
    day: AskedDay, moves: list[Said | int | Parts], weights: dict[UUID, int], memory_vnd: dict[UUID, int]
) -> None:
    told_in_round = told(day)
    for step in play(day, moves, weights, memory_vnd):
        if step.closed_a_round:
            told_in_round = told(step.after)
        told_in_round |= {key: steps for key, steps in told(step.after).items() if key not in told_in_round}
        stands = standing(step.after)
        for offer in step.after.offers:
            households = [key for key in stands if key[1] == offer.offer_id]
            waiting_steps = sum(told_in_round[key] - stands[key] for key in households)
            assert waiting_steps >= 0
            assert waiting_steps == 0 or not step.closed_a_round
            assert sum(stands[key] for key in households) == (
                offer.promised_net_steps - offer.missing_steps - waiting_steps
            )
        if not step.after.open:
            assert stands == told(step.after)


@law
@given(days, moves_and_late_offers, all_weights, memories)
def test_what_is_missing_is_said_once_and_stays_missing(
    day: AskedDay, moves: list[Said | int | Parts], weights: dict[UUID, int], memory_vnd: dict[UUID, int]
) -> None:
    said_steps: defaultdict[UUID, int] = defaultdict(int)
    for step in play(day, moves, weights, memory_vnd):
        for effect in step.outcome.effects if step.outcome else ():
            if isinstance(effect, Missed):
                assert effect.steps > 0
                said_steps[effect.offer_id] += effect.steps
        assert {x.offer_id: x.missing_steps for x in step.after.offers if x.missing_steps} == said_steps


@law
@given(days, moves_and_late_offers, all_weights, memories)
def test_nobody_is_asked_for_more_than_its_most_and_that_never_rises(
    day: AskedDay, moves: list[Said | int | Parts], weights: dict[UUID, int], memory_vnd: dict[UUID, int]
) -> None:
    for step in play(day, moves, weights, memory_vnd):
        before = {(x.household_id, item.offer_id): item for x in step.before.baskets for item in x.items}
        for basket in step.after.baskets:
            for item in basket.items:
                was = before.get((basket.household_id, item.offer_id), item)
                assert 0 <= item.confirmed_steps <= item.quantity_steps <= item.most_steps <= was.most_steps


@law
@given(days, moves_and_late_offers, all_weights, memories)
def test_what_a_household_confirmed_only_its_own_word_lowers(
    day: AskedDay, moves: list[Said | int | Parts], weights: dict[UUID, int], memory_vnd: dict[UUID, int]
) -> None:
    for step in play(day, moves, weights, memory_vnd):
        for was in step.before.baskets:
            now = the_basket(step.after, was.household_id)
            stands = {item.offer_id: item for item in now.items}
            for item in was.items if was.household_id != step.replied else ():
                assert stands[item.offer_id].confirmed_steps >= item.confirmed_steps
                silent = is_asked(step.before, was) and was.answer is None and day.policy.silence is RE_OFFER
                kept_steps = item.confirmed_steps if silent else was.standing_steps()[item.offer_id]
                assert now.standing_steps()[item.offer_id] >= kept_steps


@law
@given(days, moves_and_late_offers, all_weights, memories)
def test_every_change_of_a_basket_is_one_version_and_is_told_once(
    day: AskedDay, moves: list[Said | int | Parts], weights: dict[UUID, int], memory_vnd: dict[UUID, int]
) -> None:
    for step in play(day, moves, weights, memory_vnd):
        if step.outcome is None:
            continue
        before = told(step.before)
        changed = [effect for effect in step.outcome.effects if isinstance(effect, Changed)]
        assert [x.basket for x in changed] == [x for x in step.after.baskets if x not in versions(step.before, x)]
        for was, now in zip(step.before.baskets, step.after.baskets, strict=True):
            differs = any(before[now.household_id, x.offer_id] != x.quantity_steps for x in now.items)
            assert now.version == was.version + differs


def versions(day: AskedDay, basket: AskedBasket) -> list[AskedBasket]:
    """The basket itself, when the day holds the same version of it."""
    return [basket for x in day.baskets if (x.household_id, x.version) == (basket.household_id, basket.version)]


@law
@given(days, moves_and_late_offers, all_weights, memories)
def test_nothing_moves_before_the_round_closes_and_then_only_what_was_freed(
    day: AskedDay, moves: list[Said | int | Parts], weights: dict[UUID, int], memory_vnd: dict[UUID, int]
) -> None:
    for step in play(day, moves, weights, memory_vnd):
        if step.outcome is None:
            continue
        if not step.closed_a_round:
            others = [x for x in step.before.baskets if x.household_id != step.replied]
            assert others == [x for x in step.after.baskets if x.household_id != step.replied]
            assert told(step.after) == told(step.before)
            continue
        raised_steps: defaultdict[UUID, int] = defaultdict(int)
        freed_steps: defaultdict[UUID, int] = defaultdict(int)
        for effect in step.outcome.effects:
            for more in effect.raised if isinstance(effect, Changed) else ():
                raised_steps[more.offer_id] += more.more_steps
                freed_steps[more.offer_id] = more.why.freed_steps
        assert all(raised_steps[offer_id] <= freed_steps[offer_id] for offer_id in raised_steps)
        now = standing(step.after) if not step.after.open else told(step.after)
        lowered = {offer for (household, offer), steps in told(step.before).items() if now[household, offer] < steps}
        # Whoever is raised takes what somebody gave, in this round or before late offers were added to it.
        waited = {x.offer_id for x in step.before.offers if sum_of(step.before, x.offer_id) < net_steps(x)}
        assert raised_steps.keys() <= lowered | waited


def sum_of(day: AskedDay, offer_id: UUID) -> int:
    return sum(steps for (_, offer), steps in told(day).items() if offer == offer_id)


def net_steps(offer: AskedOffer) -> int:
    return offer.promised_net_steps - offer.missing_steps


@law
@given(days, moves, all_weights, memories)
def test_no_more_rounds_than_the_cooperative_chose_and_then_every_basket_is_final(
    day: AskedDay, moves: list[Said | int], weights: dict[UUID, int], memory_vnd: dict[UUID, int]
) -> None:
    for step in play(day, moves, weights, memory_vnd):
        day = step.after
        assert day.round_no <= day.policy.rounds
        assert day.open == any(x.answer is None and is_asked(day, x) for x in day.baskets)
    closings = 0
    while day.open:
        day = close_round(day, day.round_no, weights, memory_vnd).day
        closings += 1
    assert closings <= day.policy.rounds
    assert all(item.quantity_steps == item.confirmed_steps for x in day.baskets for item in x.items)
    for basket in day.baskets:
        outcome = answer(day, [cannot(basket.household_id, basket.version)], weights, memory_vnd)
        assert outcome.verdicts[0] in {Verdict.ROUND_CLOSED, Verdict.NOT_ASKED}
        assert (outcome.day, outcome.effects) == (day, ())


@law
@given(days, moves_and_late_offers, all_weights, memories)
def test_a_reply_that_is_not_accepted_and_a_deadline_that_is_over_change_nothing(
    day: AskedDay, moves: list[Said | int | Parts], weights: dict[UUID, int], memory_vnd: dict[UUID, int]
) -> None:
    for step, move in zip(play(day, moves, weights, memory_vnd), moves, strict=True):
        match move:
            case Said():
                assert step.outcome is not None
                basket = basket_of(step.before, move.household)
                refused = step.outcome.verdicts != (Verdict.ACCEPTED,)
                assert refused or (basket is not None and is_asked(step.before, basket) and not move.versions_ahead)
            case int():
                refused = not step.before.open or move != 0
            case Parts():
                refused = False
        if refused:
            assert step.outcome is not None
            assert (step.outcome.day, step.outcome.effects) == (step.before, ())


# -- Batches and order ---------------------------------------------------------------------------------------


@law
@given(days, st.lists(anything_said | truths, max_size=12), st.integers(0, 3), all_weights, memories, st.data())
def test_replies_in_batches_do_what_they_do_one_by_one(
    day: AskedDay,
    said: list[Said],
    ahead: int,
    weights: dict[UUID, int],
    memory_vnd: dict[UUID, int],
    data: st.DataObject,
) -> None:
    # Some replies name versions that exist only after others of the batch have closed a round.
    replies = [replace(x.reply(day), version=1 + data.draw(st.integers(0, ahead))) for x in said]
    whole = answer(day, replies, weights, memory_vnd)
    one_by_one = day
    verdicts: list[Verdict] = []
    effects: list[Changed | Confirmed | Missed] = []
    while replies:
        size = data.draw(st.integers(1, len(replies)))
        outcome = answer(one_by_one, replies[:size], weights, memory_vnd)
        one_by_one, replies = outcome.day, replies[size:]
        verdicts += outcome.verdicts
        effects += outcome.effects
    assert (whole.day, list(whole.verdicts), list(whole.effects)) == (one_by_one, verdicts, effects)


@law
@given(days, st.lists(truths, unique_by=lambda said: said.household), st.integers(0, 2**32), all_weights, memories)
def test_the_order_in_which_households_answer_does_not_matter(
    day: AskedDay, said: list[Said], seed: int, weights: dict[UUID, int], memory_vnd: dict[UUID, int]
) -> None:
    replies = [x.reply(day) for x in said]
    shuffled = Random(seed).sample(replies, len(replies))
    first, second = (answer(day, x, weights, memory_vnd).day for x in (replies, shuffled))
    assert first == second
    assert close_round(first, 1, weights, memory_vnd) == close_round(second, 1, weights, memory_vnd)


@law
@given(days, st.lists(truths, max_size=10), st.integers(0, 2**32), all_weights, memories)
def test_while_the_round_waits_only_the_last_word_of_each_household_counts(
    day: AskedDay, said: list[Said], seed: int, weights: dict[UUID, int], memory_vnd: dict[UUID, int]
) -> None:
    waits_for = [x.household_id for x in day.baskets if is_asked(day, x)]
    assume(waits_for)
    replies = [x.reply(day) for x in said if x.household != waits_for[0]]
    last = list({reply.household_id: reply for reply in replies}.values())
    Random(seed).shuffle(last)
    assert answer(day, replies, weights, memory_vnd).day == answer(day, last, weights, memory_vnd).day


# -- The re-share against what it stands for -----------------------------------------------------------------


def re_shared(day: AskedDay, weights: dict[UUID, int], memory_vnd: dict[UUID, int]) -> AskedDay:
    """Step by step: each freed step to the household with room that stands lowest, ties by lot."""
    baskets = {x.household_id: {item.offer_id: item for item in x.items} for x in day.baskets}
    value_vnd = {offer.offer_id: offer.step_value_vnd for offer in day.offers}
    had_vnd = {
        household: memory_vnd.get(household, 0) + sum(x.quantity_steps * value_vnd[x.offer_id] for x in items.values())
        for household, items in baskets.items()
    }
    for offer in sorted(day.offers, key=lambda offer: (offer.product_code, offer.offer_id)):
        seed = RULE.encode() + offer.offer_id.bytes + bytes([0, 0, 0, day.round_no])
        for _ in range(net_steps(offer) - sum_of(day, offer.offer_id)):
            standings = [
                (Fraction(had_vnd[h], weights[h]), sha256(seed + h.bytes).digest(), h)
                for h, items in baskets.items()
                if offer.offer_id in items and items[offer.offer_id].room_steps
            ]
            if standings:
                _, _, lowest = min(standings)
                item = baskets[lowest][offer.offer_id]
                baskets[lowest][offer.offer_id] = replace(item, quantity_steps=item.quantity_steps + 1)
                had_vnd[lowest] += offer.step_value_vnd
    return replace(day, baskets=tuple(replace(x, items=tuple(baskets[x.household_id].values())) for x in day.baskets))


words = st.lists(truths, max_size=6)


@law
@given(days, words, words, st.just(EQUAL) | all_weights, st.just({}) | memories)
def test_freed_steps_go_one_by_one_to_whoever_stands_lowest_with_all_that_it_has(
    day: AskedDay, first: list[Said], second: list[Said], weights: dict[UUID, int], memory_vnd: dict[UUID, int]
) -> None:
    moves: list[Said | int | Parts] = [*first, 0, *second, 0]
    for step, move in zip(play(day, moves, weights, memory_vnd), moves, strict=True):
        if step.closed_a_round and step.before.round_no < step.before.last_round_no:
            # As a last round it frees the same, and shares nothing.
            as_last = replace(step.before, last_round_no=step.before.round_no)
            [freed] = play(as_last, [move], weights, memory_vnd)
            freed_day = replace(freed.after, offers=step.before.offers)
            assert told(step.after) == told(re_shared(freed_day, weights, memory_vnd))


@law
@given(
    st.lists(quantities, min_size=2, max_size=4),
    st.integers(1, 7),
    st.lists(st.integers(-20, 20), min_size=4, max_size=4),
)
def test_one_freed_offer_is_shared_leximin_above_what_each_has(
    of: list[tuple[int, int]], value_vnd: int, memory: list[int]
) -> None:
    assume(of[0][0] > 0)
    households = HOUSEHOLDS[: len(of)]
    memory_vnd = dict(zip(households, memory, strict=False))
    day = new_day(Parts("beans", value_vnd, dict(zip(households, of, strict=True))), silence=YES)
    day = answer(day, [cannot(ONE)], EQUAL, memory_vnd).day
    after = close_round(day, 1, EQUAL, memory_vnd).day if day.open else day

    def standings_vnd(more: Sequence[int]) -> list[int]:
        return sorted(
            memory_vnd[household] + value_vnd * (steps + given_steps)
            for household, (steps, _), given_steps in zip(households[1:], of[1:], more, strict=True)
        )

    rooms = [most - steps for steps, most in of[1:]]
    freed = min(of[0][0], sum(rooms))
    splits = [split for split in product(*(range(room + 1) for room in rooms)) if sum(split) == freed]
    got = [told(after)[household, UUID(int=100)] - steps for household, (steps, _) in zip(households, of, strict=True)]
    assert standings_vnd(got[1:]) == max(standings_vnd(split) for split in splits)
    assert got[0] == -of[0][0]


@law
@given(days, moves_and_late_offers, all_weights, memories)
def test_the_explanation_says_what_the_numbers_say(
    day: AskedDay, moves: list[Said | int | Parts], weights: dict[UUID, int], memory_vnd: dict[UUID, int]
) -> None:
    for step in play(day, moves, weights, memory_vnd):
        changed = [x for x in step.outcome.effects if isinstance(x, Changed)] if step.outcome else []
        for basket, raised in ((x.basket, x.raised) for x in changed):
            for more in raised:
                household, why = basket.household_id, more.why
                item = next(x for x in basket.items if x.offer_id == more.offer_id)
                assert item.quantity_steps == why.floor_steps + more.more_steps
                assert item.most_steps == why.floor_steps + why.room_steps
                assert why.floor_steps == item.confirmed_steps
                assert 0 < more.more_steps <= min(why.room_steps, why.freed_steps)
                assert (why.rule, why.weight) == (RULE, weights[household])
                assert why.memory_vnd == memory_vnd.get(household, 0)
                assert why.households >= 1


# -- Worked examples -----------------------------------------------------------------------------------------


def test_freed_quantity_is_offered_to_those_who_have_room_and_they_are_asked_again() -> None:
    day = new_day(beans(one=(10, 10), two=(10, 12), three=(10, 30)))
    waiting = answered(day, confirm(ONE), less(TWO, 4))
    assert waiting.effects == (Confirmed(ONE, 1),)
    assert steps_of(waiting.day) == [(1, 10), (1, 10), (1, 10)]
    raised = answered(waiting.day, confirm(THREE))
    assert steps_of(raised.day) == [(1, 10), (2, 4), (2, 16)]
    assert [x.basket.household_id for x in raised.effects if isinstance(x, Changed)] == [TWO, THREE]
    assert Confirmed(TWO, 2) in raised.effects
    assert (raised.day.round_no, raised.day.open) == (2, True)
    final = answered(raised.day, confirm(THREE, 2))
    assert final.effects == (Confirmed(THREE, 2),)
    assert not final.day.open


@pytest.mark.parametrize(
    ("silence", "steps", "missing"), [(YES, [(1, 10), (2, 0), (2, 13)], 0), (RE_OFFER, [(1, 10), (2, 0), (3, 10)], 3)]
)
def test_a_household_that_confirmed_ten_is_asked_thirteen_and_says_nothing(
    silence: Silence, steps: list[tuple[int, int]], missing: int
) -> None:
    day = new_day(beans(one=(10, 10), two=(3, 3), three=(10, 30)), silence=silence)
    raised = answered(day, confirm(ONE), cannot(TWO), confirm(THREE)).day
    assert steps_of(raised) == [(1, 10), (2, 0), (2, 13)]
    outcome = close_round(raised, 2, EQUAL, {})
    assert steps_of(outcome.day) == steps
    assert outcome.day.offers[0].missing_steps == missing
    assert [x for x in outcome.effects if isinstance(x, Confirmed)] == [
        Confirmed(THREE, steps[2][0], silent=silence is YES)
    ]
    assert not outcome.day.open


def test_silence_means_yes_where_the_cooperative_chose_so() -> None:
    outcome = close_round(new_day(beans(one=(5, 9), two=(0, 9)), silence=YES), 1, EQUAL, {})
    assert steps_of(outcome.day) == [(1, 5), (1, 0)]
    assert outcome.effects == (Confirmed(ONE, 1, silent=True),)


def test_what_a_silent_household_had_is_offered_to_others_and_not_to_itself() -> None:
    outcome = close_round(new_day(beans(one=(5, 9), two=(0, 3)), silence=RE_OFFER), 1, EQUAL, {})
    assert steps_of(outcome.day) == [(2, 0), (2, 3)]
    assert outcome.effects[-1] == Missed(UUID(int=100), 2)


def test_a_household_that_cannot_come_is_not_asked_for_anything_else_that_day() -> None:
    other = Parts("chayote", 10_000, {ONE: (0, 9), TWO: (4, 4), THREE: (1, 9)})
    day = new_day(beans(one=(2, 2)), other)
    after = answered(day, cannot(ONE), cannot(TWO), confirm(THREE)).day
    assert [[x.quantity_steps for x in basket.items] for basket in after.baskets] == [[0, 0], [0], [5]]


def test_with_one_round_nothing_is_offered_again() -> None:
    outcome = answered(new_day(beans(one=(5, 5), two=(0, 9)), rounds=1), less(ONE, 2))
    assert steps_of(outcome.day) == [(2, 2), (1, 0)]
    assert outcome.effects[1:] == (Confirmed(ONE, 2), Missed(UUID(int=100), 3))


def test_a_household_may_correct_what_it_said_up_to_what_it_is_asked_for() -> None:
    day = new_day(beans(one=(10, 10), two=(1, 9)))
    for reply, steps in [
        (less(ONE, 1), 1),
        (less(ONE, 8), 8),
        (cannot(ONE), 0),
        (less(ONE, 11), 0),
        (confirm(ONE), 10),
    ]:
        day = answered(day, reply).day
        assert the_basket(day, ONE).standing_steps() == {UUID(int=100): steps}
    assert the_basket(day, ONE).reason is None


def test_an_answer_that_lowers_nothing_is_a_confirmation() -> None:
    for reply in (less(ONE, 5), Reply(ONE, 1, Answer.LESS), Reply(ONE, 1, Answer.LESS, ((UUID(int=7), 0),))):
        outcome = answered(new_day(beans(one=(5, 5))), reply)
        assert the_basket(outcome.day, ONE).answer is Answer.CONFIRM
        assert outcome.effects == (Confirmed(ONE, 1),)


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        (confirm(STRANGER), Verdict.NOT_ASKED),
        (confirm(THREE), Verdict.NOT_ASKED),
        (confirm(TWO, 2), Verdict.OTHER_VERSION),
        (confirm(TWO, 0), Verdict.OTHER_VERSION),
        (less(TWO, 6), Verdict.MORE_THAN_ASKED),
        (Reply(TWO, 1, Answer.LESS, ((UUID(int=7), 1),)), Verdict.MORE_THAN_ASKED),
    ],
)
def test_a_reply_that_does_not_fit_is_told_why(reply: Reply, verdict: Verdict) -> None:
    day = new_day(beans(one=(5, 5), two=(5, 5), three=(0, 5)))
    outcome = answered(day, reply)
    assert outcome == Outcome(day, (verdict,), ())


def test_a_reply_after_its_round_is_too_late_also_while_others_are_asked_again() -> None:
    outcome = answered(new_day(beans(one=(5, 5), two=(5, 9), three=(5, 5))), confirm(ONE), cannot(THREE), confirm(TWO))
    assert outcome.day.open
    late = answered(outcome.day, cannot(ONE), confirm(TWO), confirm(THREE), confirm(THREE, 2))
    assert late.verdicts == (
        Verdict.ROUND_CLOSED,
        Verdict.OTHER_VERSION,
        Verdict.OTHER_VERSION,
        Verdict.NOT_ASKED,
    )
    assert late.day == outcome.day


def test_offers_that_come_late_are_asked_for_with_the_whole_basket_in_the_open_round() -> None:
    day = answered(new_day(beans(one=(10, 10), two=(3, 3), three=(1, 6)), rounds=1), less(ONE, 4), confirm(TWO)).day
    late = asked(day, Parts("plums", 20_000, {ONE: (2, 2), TWO: (0, 5)}))
    assert (late.round_no, late.open) == (1, True)
    assert steps_of(late) == [(2, 4), (1, 3), (1, 1)]
    assert [x.answer for x in late.baskets] == [None, Answer.CONFIRM, None]
    outcome = close_round(late, 1, EQUAL, {})
    assert [[x.quantity_steps for x in basket.items] for basket in outcome.day.baskets] == [[4, 0], [3, 0], [0]]
    assert [x.missing_steps for x in outcome.day.offers] == [7, 2]


def test_offers_that_come_after_the_last_round_open_a_new_one_for_those_who_get_something() -> None:
    final = answered(new_day(beans(one=(5, 5), two=(5, 5)), rounds=1), confirm(ONE), confirm(TWO)).day
    assert not final.open
    again = asked(final, Parts("plums", 20_000, {TWO: (2, 2), THREE: (0, 2)}))
    assert (again.open, again.round_no, again.last_round_no) == (True, 2, 2)
    assert [(x.version, x.round_no) for x in again.baskets] == [(1, 1), (2, 2), (1, 0)]
    outcome = close_round(again, 2, EQUAL, {})
    assert [[x.quantity_steps for x in basket.items] for basket in outcome.day.baskets] == [[5], [5, 0], [0]]


def test_a_day_on_which_nothing_is_asked_is_final_at_once() -> None:
    day = new_day(beans(one=(0, 5)))
    assert (day.open, day.round_no) == (False, 0)


def test_a_thousand_households_and_twenty_products_are_asked_in_a_moment() -> None:
    households = [UUID(int=number) for number in range(1, 1001)]
    of = {household: (20, 20 + number % 30) for number, household in enumerate(households)}
    day = new_day(*(Parts(f"product {number}", 10_000, of) for number in range(20)), silence=YES)
    weights = dict.fromkeys(households, 1)
    replies = [cannot(x) if x.int % 3 == 0 else confirm(x) for x in households]
    outcome = answer(day, replies, weights, {})
    assert set(outcome.verdicts) == {Verdict.ACCEPTED}
    assert (outcome.day.round_no, outcome.day.open) == (2, True)


OFFER = AskedOffer(UUID(int=100), "beans", 10_000, 5)


@pytest.mark.parametrize(
    ("offers", "items", "why"),
    [
        ([OFFER, OFFER], {ONE: [AskedItem(OFFER.offer_id, 5, 5)]}, "an offer comes twice"),
        ([OFFER], {ONE: [AskedItem(OFFER.offer_id, 4, 5)]}, "5 steps promised, 0 missing, 4 asked"),
        ([OFFER], {ONE: [AskedItem(OFFER.offer_id, 5, 5)] * 2}, "an item comes twice"),
        ([], {ONE: [AskedItem(OFFER.offer_id, 5, 5)]}, "of an offer that is not asked now"),
    ],
)
def test_parts_that_do_not_add_up_are_refused_with_what_is_wrong(
    offers: list[AskedOffer], items: dict[UUID, list[AskedItem]], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        ask(AskedDay(ReplyPolicy(YES, 1)), offers, items)


def test_bad_values_are_refused_with_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="rounds is 0"):
        ReplyPolicy(YES, 0)
    with pytest.raises(ValueError, match="3 steps confirmed of 2 asked of 5 at most"):
        AskedItem(OFFER.offer_id, 2, 5, 3)
    with pytest.raises(ValueError, match="quantities with the answer confirm"):
        Reply(ONE, 1, Answer.CONFIRM, ((OFFER.offer_id, 1),))
    with pytest.raises(ValueError, match="the answer cannot with the reason None"):
        Reply(ONE, 1, Answer.CANNOT)
    with pytest.raises(ValueError, match="the answer less with the reason 'sick'"):
        Reply(ONE, 1, Answer.LESS, reason="sick")
    with pytest.raises(ValueError, match="an offer is named twice"):
        Reply(ONE, 1, Answer.LESS, ((OFFER.offer_id, 1),) * 2)
    with pytest.raises(ValueError, match="-1 steps of offer"):
        less(ONE, -1)


def test_a_household_with_room_and_without_a_weight_is_refused() -> None:
    day = new_day(beans(one=(5, 5), two=(0, 5)))
    with pytest.raises(ValueError, match=f"no share weight for {TWO}"):
        answer(day, [cannot(ONE)], {ONE: 1}, {})
