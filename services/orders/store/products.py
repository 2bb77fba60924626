"""Products as `orders` knows them from `catalog`: of one cooperative, or of those that share a campaign."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from services.chassis.ledger import Connection
from services.orders.domain.order import Product
from services.orders.domain.suggestions import Known


async def list_product_ids(conn: Connection, cooperative_id: UUID, codes: Sequence[str]) -> dict[str, UUID]:
    """Products by the cooperative's own codes."""
    rows = await conn.fetch(
        "select code, product_id from product where cooperative_id = $1 and code = any($2)", cooperative_id, codes
    )
    return {row["code"]: row["product_id"] for row in rows}


async def list_products(conn: "Connection | asyncpg.Pool[asyncpg.Record]", cooperative_id: UUID) -> list[Known]:
    """All products of a cooperative."""
    rows = await conn.fetch(
        "select code, name, unit, step_milliunits from product where cooperative_id = $1 order by code", cooperative_id
    )
    return [Known(**row) for row in rows]


async def list_products_of_many(
    conn: Connection, wanted: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], tuple[UUID, Product]]:
    """(cooperative's slug, product code) → the cooperative and the product, for those that there are."""
    rows = await conn.fetch(
        "select c.slug, p.code, c.cooperative_id, p.product_id, p.unit, p.step_milliunits "
        "from cooperative c join product p using (cooperative_id) "
        "where (c.slug, p.code) in (select * from unnest($1::text[], $2::text[]))",
        [slug for slug, _ in wanted],
        [code for _, code in wanted],
    )
    return {
        (row["slug"], row["code"]): (
            row["cooperative_id"],
            Product(row["product_id"], row["unit"], row["step_milliunits"]),
        )
        for row in rows
    }
