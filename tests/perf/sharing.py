"""`python -m tests.perf.sharing`: what promises and baskets of one day cost, from a thousand to a million order lines.

The pure rules alone, without database or broker. Prints one JSON line per size; each size runs in a process of its
own, so that the peak of memory is its own. The promise is decided in batches of 500 orders, with the books and no
more lines than `store/books.py` would load for them; the baskets are made by closing the day.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from random import Random
from time import process_time
from uuid import UUID

from services.allocation.domain.baskets import DayOffer
from services.allocation.domain.books import CloseIntake, Command, OfferBook, Place, SetSupply, Wanted
from services.allocation.domain.cut_off import Closing, Means, close_days
from services.allocation.domain.promise import decide
from services.allocation.domain.reach import queue_ends
from services.allocation.domain.sharing import FairnessEntry
from tests.perf.memory import peak_mib

SIZES = ((1_000, 10), (10_000, 100), (100_000, 1_000), (1_000_000, 10_000))  # order lines, households
BATCH = 500  # orders
LINES_PER_ORDER = 2
PRODUCTS = 10
PAST_DAYS = 7  # that the households remember
DAY = date(2025, 11, 20)


def _id(kind: int, number: int) -> UUID:
    return UUID(int=Random(kind * 10**9 + number).getrandbits(128))


OFFERS = [_id(1, number) for number in range(PRODUCTS)]


def _batches(lines: int, random: Random) -> Iterator[list[Command]]:
    """Orders as they come, each over different products."""
    orders = lines // LINES_PER_ORDER
    for first in range(0, orders, BATCH):
        yield [
            Place(
                _id(2, number),
                tuple(
                    Wanted(line_no, offer_id, random.randint(1, 4))
                    for line_no, offer_id in enumerate(random.sample(OFFERS, LINES_PER_ORDER), 1)
                ),
            )
            for number in range(first, min(first + BATCH, orders))
        ]


def _promise(lines: int, supply_steps: list[int], random: Random) -> tuple[float, dict[UUID, OfferBook]]:
    """CPU seconds of deciding, and the books at the cut-off.

    A new order is in no book yet and gives nothing back, so that a batch of them reaches no line: asserted.
    """
    spent_s = 0.0
    books: dict[UUID, OfferBook] = {}
    opening: list[Command] = [SetSupply(*pair) for pair in zip(OFFERS, supply_steps, strict=True)]
    closing: list[Command] = [CloseIntake(offer_id) for offer_id in OFFERS]
    for commands in (opening, *_batches(lines, random), closing):
        began_s = process_time()
        ends = queue_ends(commands, books.values(), ())
        decision = decide(commands, books.values(), ())
        spent_s += process_time() - began_s
        assert not ends.waiting
        assert not ends.newest
        books |= {book.offer_id: book for book in decision.books}
    return spent_s, books


def _entries(households: list[UUID], random: Random) -> dict[tuple[date, UUID], FairnessEntry]:
    return {
        (DAY - timedelta(days=ago), household): FairnessEntry(household, random.randint(0, 40) * 5_000, 100_000)
        for ago in range(1, PAST_DAYS + 1)
        for household in households
    }


def measure(lines: int, households: int) -> dict[str, float]:
    """One day of this size: about nine tenths of the supply are ordered; every household pledges every product."""
    random = Random(lines)
    members = [_id(3, number) for number in range(households)]
    mean_steps = lines * 2.5 / PRODUCTS / households / 0.9
    pledges = [[(member, random.randint(1, round(2 * mean_steps))) for member in members] for _ in OFFERS]
    promise_s, books = _promise(lines, [sum(steps for _, steps in own) for own in pledges], random)

    offers = tuple(
        DayOffer(
            offer_id=offer_id,
            product_id=_id(4, number),
            product_code=f"product-{number}",
            step_value_vnd=5_000 + 1_500 * number,
            collection_point_id=_id(5, 0),
            arrive_by_at=datetime(2025, 11, 19, 22, tzinfo=UTC),
            promised_net_steps=books[offer_id].promised_net_steps,
            pledges=tuple(own),
            step_grams=500,
        )
        for number, (offer_id, own) in enumerate(zip(OFFERS, pledges, strict=True))
    )
    means = {member: Means(random.choice([1, 1, 1, 2, 3])) for member in members}
    cooperative_id = _id(6, 0)
    entries = {cooperative_id: _entries(members, random)}
    began_s = process_time()
    [closed] = close_days([Closing(cooperative_id, DAY, offers)], means, entries, {})
    baskets_s = process_time() - began_s
    assert sum(item.quantity_steps for basket in closed.baskets for item in basket.items) == sum(
        book.promised_net_steps for book in books.values()
    )
    return {
        "lines": lines,
        "households": households,
        "promise_cpu_s": round(promise_s, 3),
        "baskets_cpu_s": round(baskets_s, 3),
        "peak_mib": round(peak_mib(os.getpid()), 1),
    }


def main() -> None:
    """Measures every size in a process of its own, or the one that is named."""
    parser = argparse.ArgumentParser(prog="python -m tests.perf.sharing", description=__doc__)
    parser.add_argument("--size", nargs=2, type=int, metavar=("LINES", "HOUSEHOLDS"), help="only this, in this process")
    size = parser.parse_args().size
    if size:
        print(json.dumps(measure(*size)), flush=True)
        return
    for lines, households in SIZES:
        subprocess.run([sys.executable, "-m", "tests.perf.sharing", "--size", str(lines), str(households)], check=True)


if __name__ == "__main__":
    main()
