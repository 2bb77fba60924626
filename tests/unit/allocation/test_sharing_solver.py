"""Sharing against an exact solver: each product of a day comes out leximin, given what was shared out before it.

The solver knows nothing of water levels. Leximin in integers by the ordered outcomes of Ogryczak and Śliwiński (2006):
maximise the sum of the k lowest standings for k = 1, 2, ... one after the other, each with the earlier sums held.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import lcm
from random import Random
from uuid import UUID

import highspy
import pytest

from services.allocation.domain.baskets import DayLimits, DayOffer, assign_day
from tests.unit.allocation.days import day_offer, items_of

HOUSEHOLDS = [UUID(int=number) for number in range(1, 13)]
PRODUCTS = ["beans", "chayote", "ginger", "plums", "tea"]
SCALE = lcm(1, 2, 3)  # makes standings whole for the weights that are drawn


@dataclass(frozen=True)
class Share:
    """A household's standing is start + rise * steps, in sixths of 1000 VND per weight."""

    start: int
    rise: int
    cap_steps: int


def leximin(total_steps: int, shares: Sequence[Share]) -> list[int]:
    """The best standings that can be reached with so many steps, sorted."""
    solver = highspy.Highs()
    solver.silent()
    solver.setOptionValue("threads", 1)
    solver.setOptionValue("mip_rel_gap", 0.0)
    solver.setOptionValue("mip_abs_gap", 0.4)  # sums are whole
    steps = [solver.addIntegral(lb=0, ub=share.cap_steps) for share in shares]
    solver.addConstr(sum(steps) == total_steps)
    sums: list[int] = []
    for lowest in range(1, len(shares) + 1):
        line = solver.addVariable(lb=-highspy.kHighsInf)
        below = [solver.addVariable(lb=0) for _ in shares]
        for share, own, under in zip(shares, steps, below, strict=True):
            solver.addConstr(under >= line - share.rise * own - share.start)
        sum_of_lowest = lowest * line - sum(below)
        solver.maximize(sum_of_lowest)
        assert solver.getModelStatus() == highspy.HighsModelStatus.kOptimal
        sums.append(round(solver.getObjectiveValue()))
        solver.addConstr(sum_of_lowest >= sums[-1] - 0.5)
    return [now - before for before, now in zip([0, *sums], sums, strict=False)]


def draw_day(random: Random, weights: dict[UUID, int]) -> list[DayOffer]:
    """Five products; memories and values in thousands."""
    offers = []
    for number, code in enumerate(PRODUCTS):
        pledges = {household: random.randint(0, 12) for household in weights if random.random() < 0.85}
        promised_steps = int(sum(pledges.values()) * random.random())
        value_vnd = random.randint(3, 40) * 1000
        offers.append(day_offer(number, code, value_vnd, promised_steps, pledges, random.choice([None, 500, 1_000])))
    return offers


def up_to(level: int | None, standings: Sequence[int]) -> list[int]:
    """All standings sorted, or those up to the level at which a lot was drawn.

    A lot does not ask who rises by more with the step, which leximin does where weights differ.
    """
    return sorted(standing for standing in standings if level is None or standing <= level)


@pytest.mark.parametrize("seed", range(6))
def test_every_product_of_a_day_comes_out_leximin_given_the_balance_and_the_loads(seed: int) -> None:
    random = Random(seed)
    weights = {household: 1 + (seed % 2) * random.randint(0, 2) for household in HOUSEHOLDS}
    memory_vnd = {household: random.randint(-60, 60) * 1000 for household in HOUSEHOLDS}
    load_grams = {household: random.randint(4, 30) * 500 for household in HOUSEHOLDS if random.random() < 0.4}
    offers = draw_day(random, weights)
    plan = assign_day(offers, weights, memory_vnd, DayLimits(load_grams))

    had_vnd, room = dict(memory_vnd), dict(load_grams)
    for offer in offers:
        pledges, items = dict(offer.pledges), items_of(plan, offer)
        shares, standings, level = [], [], None
        for household, pledged in pledges.items():
            fits = room[household] // offer.step_grams if offer.step_grams and household in room else pledged
            unit = SCALE // weights[household]
            share = Share(
                had_vnd[household] // 1000 * unit, offer.step_value_vnd // 1000 * unit, max(0, min(pledged, fits))
            )
            got = items[household].quantity_steps if household in items else 0
            shares.append(share)
            standings.append(share.start + share.rise * got)
            if seed % 2 and got and items[household].why.by_lot:
                level = standings[-1] - share.rise
            had_vnd[household] += got * offer.step_value_vnd
            if household in room:
                room[household] -= got * (offer.step_grams or 0)
        shared_steps = offer.promised_net_steps - dict(plan.missing).get(offer.offer_id, 0)
        best = leximin(shared_steps, shares)
        assert up_to(level, standings) == up_to(level, best)
