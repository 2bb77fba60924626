"""Cooperatives, their households and their products, as far as catalog has told."""

from collections.abc import Collection, Mapping
from uuid import UUID

from services.allocation.store import Reader
from services.chassis.ledger import Connection


async def insert_cooperatives(conn: Connection, cooperative_ids: Collection[UUID]) -> None:
    """Makes cooperatives known; one that is known stays as it is."""
    await conn.execute(
        "insert into cooperative (cooperative_id) select unnest($1::uuid[]) on conflict do nothing",
        sorted(cooperative_ids),
    )


async def lock_cooperatives(conn: Connection, cooperative_ids: Collection[UUID]) -> None:
    """Makes this transaction the only one that changes their books. Raises ValueError for one that is not known."""
    rows = await conn.fetch(
        "select cooperative_id from cooperative where cooperative_id = any($1::uuid[]) "
        "order by cooperative_id for no key update",
        list(cooperative_ids),
    )
    if unknown := set(cooperative_ids) - {row["cooperative_id"] for row in rows}:
        raise ValueError(f"unknown cooperative {', '.join(sorted(map(str, unknown)))}")


async def is_cooperative(reader: Reader, cooperative_id: UUID) -> bool:
    """Whether the cooperative is known."""
    found: bool = await reader.fetchval(
        "select exists (select from cooperative where cooperative_id = $1)", cooperative_id
    )
    return found


async def save_households(conn: Connection, households: Mapping[UUID, tuple[UUID, str, int]]) -> None:
    """Stores (cooperative_id, code, share_weight) by household."""
    await conn.execute(
        "insert into household (household_id, cooperative_id, code, share_weight) "
        "select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[]) on conflict (household_id) do update "
        "set code = excluded.code, share_weight = excluded.share_weight",
        list(households),
        [cooperative_id for cooperative_id, _, _ in households.values()],
        [code for _, code, _ in households.values()],
        [share_weight for _, _, share_weight in households.values()],
    )


async def save_products(conn: Connection, products: Mapping[UUID, tuple[UUID, str, int]]) -> None:
    """Stores (cooperative_id, code, step_milliunits) by product."""
    await conn.execute(
        "insert into product (product_id, cooperative_id, code, step_milliunits) "
        "select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[]) on conflict (product_id) do update "
        "set code = excluded.code, step_milliunits = excluded.step_milliunits",
        list(products),
        [cooperative_id for cooperative_id, _, _ in products.values()],
        [code for _, code, _ in products.values()],
        [step_milliunits for _, _, step_milliunits in products.values()],
    )


async def list_steps(conn: Connection, product_ids: Collection[UUID]) -> dict[UUID, int]:
    """The step of each known product, in thousandths of its unit."""
    rows = await conn.fetch(
        "select product_id, step_milliunits from product where product_id = any($1::uuid[])", list(product_ids)
    )
    return {row["product_id"]: row["step_milliunits"] for row in rows}


async def list_weights(conn: Connection, cooperative_ids: Collection[UUID]) -> dict[UUID, int]:
    """The share weight of every household of these cooperatives."""
    rows = await conn.fetch(
        "select household_id, share_weight from household where cooperative_id = any($1::uuid[])",
        list(cooperative_ids),
    )
    return {row["household_id"]: row["share_weight"] for row in rows}
