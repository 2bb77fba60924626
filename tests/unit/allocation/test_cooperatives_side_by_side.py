"""Cooperatives have nothing to do with each other: each comes out as it would alone, however events come mixed."""

from collections.abc import Sequence
from random import Random
from typing import Any

from hypothesis import given, settings

from services.chassis.inbox import Received
from tests.integration.allocation.market import Stream
from tests.unit.allocation.kept_market import Market
from tests.unit.allocation.played_days import HOUSEHOLDS, Act, play, seeds

law = settings(max_examples=2000, deadline=None, derandomize=True)


def kept(market: Market) -> dict[str, Any]:
    """All that is kept, and what households were told; promises may be said together where events come together."""
    return {
        "books": market.promises.books,
        "lines": market.promises.lines,
        "terms": market.terms,
        "assigned": market.assigned,
        "settled": market.settled,
        "days": market.days,
        "told": market.told,
        "entries": {key: own for key, own in market.entries.items() if own},
        "arrivals": market.arrivals,
        "booked": market.booked,
        "parts": market.parts,
        "baskets": {words for words in market.said if words[0] == "basket"},
    }


def interleaved(random: Random, streams: Sequence[Sequence[Act]]) -> list[Act]:
    """Each stream in its own order, and nothing else is certain."""
    left = [list(acts) for acts in streams]
    merged = []
    while any(left):
        acts = random.choices(left, [len(own) for own in left])[0]
        merged.append(acts.pop(0))
    return merged


def play_again(acts: Sequence[Act], random: Random) -> Market:
    """Events that come one after the other are cut into runs; a command stands alone."""
    market, run = Market(load_all=False), list[Received[Any]]()
    for key, received in acts:
        if key is not None or len(run) >= random.randint(1, 12):
            market.take_in(*run)
            run.clear()
        if key is None:
            run.append(received)
        else:
            assert market.command(key, received)
    market.take_in(*run)
    return market


@law
@given(seeds, seeds, seeds)
def test_cooperatives_come_out_the_same_however_their_events_come_mixed_and_cut(
    first: int, second: int, mixing: int
) -> None:
    alone, acts = [], []
    for number, seed in ((1, first), (2, second)):
        market = Market()
        *_, played = play(Stream(number, HOUSEHOLDS), market, seed, most=7)
        alone.append(kept(market))
        acts.append(played.acts)
    random = Random(mixing)
    together = kept(play_again(interleaved(random, acts), random))
    for name, found in together.items():
        assert found == alone[0][name] | alone[1][name], name
