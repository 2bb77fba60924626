"""The day told in README under "How quantities are shared", counted anew: its tables must say the same."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from services.allocation.domain.baskets import DayOffer, DayPlan, assign_day
from services.allocation.domain.books import (
    Change,
    Command,
    Line,
    OfferBook,
    Place,
    SetSupply,
    Wanted,
    line_promises,
)
from services.allocation.domain.explain import Goods, Language, explain_item
from services.allocation.domain.promise import decide
from services.allocation.domain.sharing import FairnessEntry, debt_cap, memory
from services.allocation.domain.terms import step_value_vnd

README = Path(__file__).resolve().parents[3] / "README.md"

HOUSEHOLDS = {name: UUID(int=number) for number, name in enumerate(("Mỷ", "Lử", "Dợ", "Chá"), 1)}
STEP_MILLIUNITS = 500
PUMPKINS, GREENS = UUID(int=1), UUID(int=2)
ORDERS = {name: UUID(int=number) for number, name in enumerate("ABC", 101)}

MEMORY_VND = {"Mỷ": -45_000, "Lử": 0, "Dợ": 0, "Chá": 45_000}
PUMPKINS_PLEDGED_KG = {"Mỷ": 6, "Lử": 8, "Dợ": 8}  # at the cut-off
GREENS_PLEDGED_KG = {"Mỷ": 4, "Lử": 20, "Dợ": 20, "Chá": 20}
GREENS_PROMISED_KG = 30


# -- The README ----------------------------------------------------------------------------------------------


def tables(heading: str) -> list[list[list[str]]]:
    """The cells of the Markdown tables under a heading of the README, without their head rows."""
    _, _, below = README.read_text(encoding="utf-8").partition(f"\n## {heading}\n")
    found: list[list[list[str]]] = []
    inside = False
    for line in below.partition("\n## ")[0].splitlines():
        if line.startswith("|"):
            if not inside:
                found.append([])
            found[-1].append([cell.strip() for cell in line.strip("|").split("|")])
        inside = line.startswith("|")
    return [rows[2:] for rows in found]


PROMISES, SHARES, SENTENCES = tables("How quantities are shared")


# -- The day, counted ----------------------------------------------------------------------------------------


def steps(kg: float) -> int:
    return round(kg * 1000) // STEP_MILLIUNITS


def kg(of_steps: int) -> str:
    return f"{of_steps * STEP_MILLIUNITS / 1000:g} kg"


def vnd(amount: int) -> str:
    return f"{amount:,} đ"


def ordered(quantity_kg: int) -> tuple[Wanted, ...]:
    return (Wanted(1, PUMPKINS, steps(quantity_kg)),)


EVENTS: dict[str, Command] = {
    "Mỷ pledges 6 kg, Lử 10 kg, Dợ 8 kg": SetSupply(PUMPKINS, steps(6 + 10 + 8)),
    "A orders 10 kg": Place(ORDERS["A"], ordered(10)),
    "B orders 9 kg": Place(ORDERS["B"], ordered(9)),
    "C orders 8 kg": Place(ORDERS["C"], ordered(8)),
    "B lowers its order to 8 kg": Change(ORDERS["B"], ordered(8)),
    "Lử lowers its pledge to 8 kg": SetSupply(PUMPKINS, steps(6 + 8 + 8)),
}


def promises() -> Iterator[tuple[list[str], int]]:
    """Each event with what is coming of the orders, and the sum of that in steps."""
    books: dict[UUID, OfferBook] = {}
    lines: dict[int, Line] = {}
    for event, command in EVENTS.items():
        decision = decide([command], books.values(), lines.values())
        books |= {book.offer_id: book for book in decision.books}
        lines |= {line.position: line for line in decision.lines}
        cells = [coming([x for x in lines.values() if x.order_id == order]) for order in ORDERS.values()]
        yield [event, *cells], books[PUMPKINS].promised_net_steps


def coming(places: list[Line]) -> str:
    if not places:
        return ""
    (line,) = line_promises(places)
    if line.reason is None:
        return kg(line.net_steps)
    return f"{kg(line.net_steps)} of {kg(line.ordered_steps - line.cancelled_steps)}: `{line.reason}`"


def day_offer(offer_id: UUID, code: str, price_vnd: int, promised_steps: int, pledged: dict[str, int]) -> DayOffer:
    return DayOffer(
        offer_id=offer_id,
        product_id=offer_id,
        product_code=code,
        step_value_vnd=step_value_vnd(price_vnd, STEP_MILLIUNITS),
        collection_point_id=UUID(int=3),
        arrive_by_at=datetime(2026, 11, 23, 21, 30, tzinfo=UTC),
        promised_net_steps=promised_steps,
        pledges=tuple((HOUSEHOLDS[name], steps(quantity)) for name, quantity in pledged.items()),
    )


PAST = [FairnessEntry(HOUSEHOLDS[name], 200_000 + balance, 200_000) for name, balance in MEMORY_VND.items()]


def plan() -> DayPlan:
    *_, (_, pumpkins_promised_steps) = promises()
    offers = [
        day_offer(PUMPKINS, "bi-do", 15_000, pumpkins_promised_steps, PUMPKINS_PLEDGED_KG),
        day_offer(GREENS, "cai-meo", 18_000, steps(GREENS_PROMISED_KG), GREENS_PLEDGED_KG),
    ]
    return assign_day(offers, dict.fromkeys(HOUSEHOLDS.values(), 1), memory(PAST, debt_cap(PAST)))


# -- Both say the same ---------------------------------------------------------------------------------------


def test_the_promises_told_in_the_readme_are_those_of_the_books() -> None:
    assert [cells for cells, _ in promises()] == PROMISES


def test_the_shares_told_in_the_readme_are_those_of_the_plan() -> None:
    day = plan()
    window = [*PAST, *day.entries]
    after = memory(window, debt_cap(window))
    expected = []
    for (name, household), basket, entry in zip(HOUSEHOLDS.items(), day.baskets, day.entries, strict=True):
        brought = {item.offer_id: f"{kg(item.quantity_steps)} of {kg(item.pledged_steps)}" for item in basket.items}
        expected.append(
            [
                name,
                vnd(MEMORY_VND[name]),
                brought.get(PUMPKINS, ""),
                brought[GREENS],
                vnd(entry.assigned_vnd),
                vnd(entry.fair_vnd),
                vnd(after[household]),
            ]
        )
    assert expected == SHARES


def test_the_sentences_told_in_the_readme_are_those_that_the_households_read() -> None:
    goods = Goods("Cải mèo", "kg", STEP_MILLIUNITS)
    greens = [item for basket in plan().baskets for item in basket.items if item.offer_id == GREENS]
    in_english = [[name, explain_item(item, goods, Language.EN)] for name, item in zip(HOUSEHOLDS, greens, strict=True)]
    in_vietnamese = [["Chá", explain_item(greens[-1], goods, Language.VI)]]
    assert in_english + in_vietnamese == SENTENCES
