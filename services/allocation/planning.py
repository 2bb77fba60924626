"""What if the day closed now: the baskets that would result, and why. Reads everything, changes nothing."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from services.allocation.domain.baskets import DayOffer
from services.allocation.domain.books import CloseIntake
from services.allocation.domain.cut_off import Closing, close_days, first_day_of_memory
from services.allocation.domain.explain import Language, explain_item
from services.allocation.domain.promise import decide
from services.allocation.settings import AllocationSettings
from services.allocation.store.books import load_books
from services.allocation.store.days import list_entries, list_told_items
from services.allocation.store.members import get_policies, list_codes, list_means
from services.allocation.store.offers import list_closed_offers, list_goods
from services.chassis.database import open_pool
from services.chassis.ledger import Connection


@dataclass(frozen=True, slots=True)
class PlannedItem:
    """What a household would be asked for of one product, and why, by language."""

    product_code: str
    quantity_steps: int
    why: dict[Language, str]


@dataclass(frozen=True, slots=True)
class PlannedBasket:
    """What would be added to a household's basket. Without items nothing would be asked of it.

    `not_worthwhile`: because what it would have had to bring is not worth the way.
    """

    household_code: str
    items: tuple[PlannedItem, ...]
    not_worthwhile: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """The baskets by household code; and, by product code, what was promised and nobody could carry."""

    baskets: tuple[PlannedBasket, ...]
    missing_steps: dict[str, int]


async def plan_day(conn: Connection, cooperative_id: UUID, delivery_day: date) -> Plan | None:
    """The plan of what is not shared out yet, offers that are open included; None for an unknown cooperative.

    Within a transaction that sees one moment, so that what is read fits together.
    """
    policies = await get_policies(conn, cooperative_id)
    if policies is None:
        return None
    day = (cooperative_id, delivery_day)
    offers = (await list_closed_offers(conn, [day], open_too=True)).get(day, [])
    closing = Closing(
        cooperative_id, delivery_day, await _as_closed(conn, offers), policies.memory_days, policies.least_vnd
    )
    memory_from = first_day_of_memory(delivery_day, policies.memory_days)
    (closed,) = close_days(
        [closing],
        await list_means(conn, [cooperative_id]),
        await list_entries(conn, [cooperative_id], memory_from, delivery_day),
        await list_told_items(conn, [day]),
    )
    goods = await list_goods(conn, [offer.offer_id for offer in offers])
    codes = await list_codes(conn, cooperative_id)
    baskets = [
        PlannedBasket(
            codes[assigned.household_id],
            tuple(
                PlannedItem(
                    goods[item.offer_id].product_code,
                    item.quantity_steps,
                    {language: explain_item(item, goods[item.offer_id].goods, language) for language in Language},
                )
                for item in assigned.added
            ),
            assigned.not_worthwhile,
        )
        for assigned in closed.baskets
    ]
    missing = {goods[offer_id].product_code: steps for offer_id, steps in closed.missing}
    return Plan(tuple(sorted(baskets, key=lambda basket: basket.household_code)), missing)


async def _as_closed(conn: Connection, offers: Sequence[DayOffer]) -> tuple[DayOffer, ...]:
    """The offers with what would be promised if intake closed now: where the cut-off decides, more than is yet."""
    commands = [CloseIntake(offer.offer_id) for offer in offers]
    loaded = await load_books(conn, commands)
    decision = decide(commands, loaded.books.values(), loaded.lines)
    books = {**loaded.books, **{book.offer_id: book for book in decision.books}}
    return tuple(replace(offer, promised_net_steps=books[offer.offer_id].promised_net_steps) for offer in offers)


# -- On the command line -------------------------------------------------------------------------------------


def plan_command(settings: AllocationSettings, words: Sequence[str]) -> int:
    """`plan`: prints the baskets that would result now. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m services.allocation plan", description=__doc__)
    parser.add_argument("--cooperative", type=UUID, required=True, metavar="ID")
    parser.add_argument("--day", type=date.fromisoformat, required=True, metavar="YYYY-MM-DD", help="the delivery day")
    parser.add_argument("--language", choices=[*Language], default=Language.EN, help="of the explanations")
    options = parser.parse_args(words)
    plan = asyncio.run(_plan_alone(settings, options.cooperative, options.day))
    if plan is None:
        print(f"there is no cooperative {options.cooperative}", file=sys.stderr)
        return 1
    print("\n".join(_lines(plan, Language(options.language))))
    return 0


async def _plan_alone(settings: AllocationSettings, cooperative_id: UUID, delivery_day: date) -> Plan | None:
    async with (
        await open_pool(settings.database_url, 1, "allocation plan") as pool,
        pool.acquire() as conn,
        conn.transaction(isolation="repeatable_read", readonly=True),
    ):
        return await plan_day(conn, cooperative_id, delivery_day)


def _lines(plan: Plan, language: Language) -> list[str]:
    if not plan.baskets:
        return ["nothing waits to be shared out"]
    lines = []
    for basket in plan.baskets:
        nothing = "nothing: it would not be worth the way" if basket.not_worthwhile else "nothing"
        lines.append(basket.household_code + ("" if basket.items else f"  {nothing}"))
        lines += [f"  {item.why[language]}" for item in basket.items]
    return [*lines, *(f"nobody can carry {steps} steps of {code}" for code, steps in plan.missing_steps.items())]
