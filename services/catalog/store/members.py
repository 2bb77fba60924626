"""Households and products of a cooperative, found by the codes that staff use."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from services.catalog.domain.values import Books, Cooperative, Household, Product
from services.catalog.store import Reader
from services.chassis.ledger import Connection

_HOUSEHOLD = (
    "select household_id, code, name, share_weight, crops, grades, certificates, maximum_load_grams from household"
)
_PRODUCT = (
    "select product_id, code, name, crop, grade, unit, step_milliunits, ocop_stars, certificates, step_grams "
    "from product"
)


def _household(row: asyncpg.Record) -> Household:
    return Household(
        row["household_id"],
        row["code"],
        row["name"],
        row["share_weight"],
        tuple(row["crops"]),
        tuple(row["grades"]),
        tuple(row["certificates"]),
        row["maximum_load_grams"],
    )


def _product(row: asyncpg.Record) -> Product:
    return Product(
        row["product_id"],
        row["code"],
        row["name"],
        row["crop"],
        row["grade"],
        row["unit"],
        row["step_milliunits"],
        row["ocop_stars"],
        tuple(row["certificates"]),
        row["step_grams"],
    )


async def insert_household(conn: Connection, cooperative_id: UUID, household: Household) -> bool:
    """Stores a new household; False if the code is taken."""
    done = await conn.execute(
        "insert into household (household_id, cooperative_id, code, name, share_weight, crops, grades, certificates, "
        "maximum_load_grams) values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing",
        household.household_id,
        cooperative_id,
        household.code,
        household.name,
        household.share_weight,
        household.crops,
        household.grades,
        household.certificates,
        household.maximum_load_grams,
    )
    return bool(done != "INSERT 0 0")


async def get_household(reader: Reader, cooperative_id: UUID, code: str) -> Household | None:
    """The household of this code."""
    row = await reader.fetchrow(f"{_HOUSEHOLD} where cooperative_id = $1 and code = $2", cooperative_id, code)
    return _household(row) if row else None


async def save_household(conn: Connection, household: Household) -> None:
    """Stores all of a household but its code, under the lock of its cooperative."""
    await conn.execute(
        "update household set name = $2, share_weight = $3, crops = $4, grades = $5, certificates = $6, "
        "maximum_load_grams = $7 where household_id = $1",
        household.household_id,
        household.name,
        household.share_weight,
        household.crops,
        household.grades,
        household.certificates,
        household.maximum_load_grams,
    )


async def list_households(reader: Reader, cooperative_id: UUID, after: str, limit: int) -> list[Household]:
    """At most `limit` households by code, from the first one behind `after` on."""
    rows = await reader.fetch(
        f"{_HOUSEHOLD} where cooperative_id = $1 and code > $2 order by code limit $3", cooperative_id, after, limit
    )
    return [_household(row) for row in rows]


async def insert_product(conn: Connection, cooperative_id: UUID, product: Product) -> bool:
    """Stores a new product; False if the code is taken."""
    done = await conn.execute(
        "insert into product (product_id, cooperative_id, code, name, crop, grade, unit, step_milliunits, "
        "ocop_stars, certificates, step_grams) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) "
        "on conflict do nothing",
        product.product_id,
        cooperative_id,
        product.code,
        product.name,
        product.crop,
        product.grade,
        product.unit,
        product.step_milliunits,
        product.ocop_stars,
        list(product.certificates),
        product.step_grams,
    )
    return bool(done != "INSERT 0 0")


async def get_product(reader: Reader, cooperative_id: UUID, code: str) -> Product | None:
    """The product of this code."""
    row = await reader.fetchrow(f"{_PRODUCT} where cooperative_id = $1 and code = $2", cooperative_id, code)
    return _product(row) if row else None


async def list_products(reader: Reader, cooperative_id: UUID, after: str, limit: int) -> list[Product]:
    """At most `limit` products by code, from the first one behind `after` on."""
    rows = await reader.fetch(
        f"{_PRODUCT} where cooperative_id = $1 and code > $2 order by code limit $3", cooperative_id, after, limit
    )
    return [_product(row) for row in rows]


async def get_books(
    reader: Reader, cooperative: Cooperative, product_codes: Sequence[str], household_codes: Sequence[str]
) -> Books:
    """What these codes stand for in the cooperative; unknown codes are left out."""
    products = await reader.fetch(
        f"{_PRODUCT} where cooperative_id = $1 and code = any($2)", cooperative.cooperative_id, product_codes
    )
    households = await reader.fetch(
        f"{_HOUSEHOLD} where cooperative_id = $1 and code = any($2)", cooperative.cooperative_id, household_codes
    )
    return Books(
        zone=cooperative.zone,
        collection_points=tuple(point.collection_point_id for point in cooperative.collection_points),
        products={row["code"]: _product(row) for row in products},
        households={row["code"]: _household(row) for row in households},
    )
