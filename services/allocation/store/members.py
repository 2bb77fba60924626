"""Cooperatives, their households and their products, as far as catalog has told."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from services.allocation.domain.asked import ReplyPolicy, Silence
from services.allocation.domain.cut_off import Means
from services.allocation.domain.policies import DayPolicies, Policies, PromisePolicy, PromiseRule
from services.allocation.domain.shortfall import SharingRule
from services.allocation.store import Reader
from services.chassis.ledger import Connection


async def save_cooperatives(conn: Connection, cooperatives: Mapping[UUID, Policies]) -> None:
    """Stores cooperatives with the policies that they state."""
    await conn.execute(
        "insert into cooperative (cooperative_id, promise_rule, buffer_permille, memory_days, minimum_delivery_vnd, "
        "reply_minutes, silence, reply_rounds, shortfall_rule, fee_permille) select * from unnest($1::uuid[], "
        "$2::text[], $3::int[], $4::int[], $5::bigint[], $6::int[], $7::text[], $8::int[], $9::text[], $10::int[]) "
        "on conflict (cooperative_id) do update set promise_rule = excluded.promise_rule, "
        "buffer_permille = excluded.buffer_permille, memory_days = excluded.memory_days, "
        "minimum_delivery_vnd = excluded.minimum_delivery_vnd, reply_minutes = excluded.reply_minutes, "
        "silence = excluded.silence, reply_rounds = excluded.reply_rounds, "
        "shortfall_rule = excluded.shortfall_rule, fee_permille = excluded.fee_permille",
        list(cooperatives),
        [policies.promise.rule for policies in cooperatives.values()],
        [policies.promise.buffer_permille for policies in cooperatives.values()],
        [policies.memory_days for policies in cooperatives.values()],
        [policies.least_vnd for policies in cooperatives.values()],
        [policies.day.reply_minutes for policies in cooperatives.values()],
        [policies.reply.silence for policies in cooperatives.values()],
        [policies.reply.rounds for policies in cooperatives.values()],
        [policies.day.shortfall_rule for policies in cooperatives.values()],
        [policies.day.fee_permille for policies in cooperatives.values()],
    )


async def lock_cooperatives(conn: Connection, cooperative_ids: Collection[UUID]) -> dict[UUID, Policies]:
    """Makes this transaction the only one that changes their books, and says which policies they state.

    Raises ValueError for a cooperative that is not known.
    """
    rows = await conn.fetch(
        "select * from cooperative where cooperative_id = any($1::uuid[]) order by cooperative_id for no key update",
        list(cooperative_ids),
    )
    if unknown := set(cooperative_ids) - {row["cooperative_id"] for row in rows}:
        raise ValueError(f"unknown cooperative {', '.join(sorted(map(str, unknown)))}")
    return {row["cooperative_id"]: _policies(row) for row in rows}


async def get_policies(reader: Reader, cooperative_id: UUID) -> Policies | None:
    """What a cooperative states; None for one that is not known."""
    row = await reader.fetchrow("select * from cooperative where cooperative_id = $1", cooperative_id)
    return _policies(row) if row else None


def _policies(row: asyncpg.Record) -> Policies:
    return Policies(
        PromisePolicy(row["buffer_permille"], PromiseRule(row["promise_rule"])),
        row["memory_days"],
        row["minimum_delivery_vnd"],
        ReplyPolicy(Silence(row["silence"]), row["reply_rounds"]),
        DayPolicies(row["reply_minutes"], SharingRule(row["shortfall_rule"]), row["fee_permille"]),
    )


async def is_cooperative(reader: Reader, cooperative_id: UUID) -> bool:
    """Whether the cooperative is known."""
    found: bool = await reader.fetchval(
        "select exists (select from cooperative where cooperative_id = $1)", cooperative_id
    )
    return found


async def list_codes(reader: Reader, cooperative_id: UUID) -> dict[UUID, str]:
    """The code of every household of a cooperative."""
    rows = await reader.fetch("select household_id, code from household where cooperative_id = $1", cooperative_id)
    return {row["household_id"]: row["code"] for row in rows}


async def get_household(reader: Reader, cooperative_id: UUID, code: str) -> UUID | None:
    """The household of this code."""
    found: UUID | None = await reader.fetchval(
        "select household_id from household where cooperative_id = $1 and code = $2", cooperative_id, code
    )
    return found


@dataclass(frozen=True, slots=True)
class Household:
    """A household of a cooperative; `load_grams` is the most that it can carry on a day, None: no limit."""

    cooperative_id: UUID
    code: str
    share_weight: int
    load_grams: int | None


@dataclass(frozen=True, slots=True)
class Product:
    """A product of a cooperative. One step is `step_milliunits` thousandths of `unit` and weighs `step_grams`."""

    cooperative_id: UUID
    code: str
    name: str
    unit: str
    step_milliunits: int
    step_grams: int | None


async def save_households(conn: Connection, households: Mapping[UUID, Household]) -> None:
    """Stores households by their ids."""
    await conn.execute(
        "insert into household (household_id, cooperative_id, code, share_weight, load_grams) "
        "select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::bigint[]) "
        "on conflict (household_id) do update set code = excluded.code, share_weight = excluded.share_weight, "
        "load_grams = excluded.load_grams",
        list(households),
        [household.cooperative_id for household in households.values()],
        [household.code for household in households.values()],
        [household.share_weight for household in households.values()],
        [household.load_grams for household in households.values()],
    )


async def save_products(conn: Connection, products: Mapping[UUID, Product]) -> None:
    """Stores products by their ids."""
    await conn.execute(
        "insert into product (product_id, cooperative_id, code, name, unit, step_milliunits, step_grams) "
        "select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[]) "
        "on conflict (product_id) do update set code = excluded.code, name = excluded.name, unit = excluded.unit, "
        "step_milliunits = excluded.step_milliunits, step_grams = excluded.step_grams",
        list(products),
        [product.cooperative_id for product in products.values()],
        [product.code for product in products.values()],
        [product.name for product in products.values()],
        [product.unit for product in products.values()],
        [product.step_milliunits for product in products.values()],
        [product.step_grams for product in products.values()],
    )


async def list_steps(conn: Connection, product_ids: Collection[UUID]) -> dict[UUID, tuple[int, int | None]]:
    """The step of each known product: in thousandths of its unit, and in grams where its weight is known."""
    rows = await conn.fetch(
        "select product_id, step_milliunits, step_grams from product where product_id = any($1::uuid[])",
        list(product_ids),
    )
    return {row["product_id"]: (row["step_milliunits"], row["step_grams"]) for row in rows}


async def list_means(conn: Connection, cooperative_ids: Collection[UUID]) -> dict[UUID, Means]:
    """With what every household of these cooperatives takes part."""
    rows = await conn.fetch(
        "select household_id, share_weight, load_grams from household where cooperative_id = any($1::uuid[])",
        list(cooperative_ids),
    )
    return {row["household_id"]: Means(row["share_weight"], row["load_grams"]) for row in rows}
