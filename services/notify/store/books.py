"""What notify has learned from the other services' events; each save carries the whole new state of its rows."""

from collections.abc import Collection, Mapping
from datetime import date
from uuid import UUID

import msgspec
from msgspec import Struct

from services.chassis.ledger import Connection
from services.notify.domain.facts import Goods, RefusedLine

_REFUSED = msgspec.json.Decoder(tuple[RefusedLine, ...])
_LINES = msgspec.json.Decoder(dict[str, tuple[str, UUID]])


class Cooperative(Struct, frozen=True):
    """`timezone` is an IANA name."""

    name: str
    timezone: str


class OrderLine(Struct, frozen=True):
    """What stands behind a line: the partner's article number and our product."""

    sku: str
    goods: Goods


class PlacedOrder(Struct, frozen=True):
    """An order as `orders` tells of it; by (line number, offer) the article number and the product."""

    partner_id: UUID
    partner_ref: str
    refused_lines: tuple[RefusedLine, ...]
    lines: Mapping[tuple[int, UUID], tuple[str, UUID]]


class Order(Struct, frozen=True):
    """A partner's order; `lines` by line number and offer. `told`: there is a message about it already."""

    partner_id: UUID
    partner_ref: str
    lines: Mapping[tuple[int, UUID], OrderLine]
    refused_lines: tuple[RefusedLine, ...]
    cancelled: bool
    told: bool


async def save_cooperatives(conn: Connection, cooperatives: Mapping[UUID, Cooperative]) -> None:
    """Inserts or replaces, in the order in which they are locked."""
    await conn.execute(
        "insert into cooperative (cooperative_id, name, timezone) "
        "select * from unnest($1::uuid[], $2::text[], $3::text[]) "
        "on conflict (cooperative_id) do update set name = excluded.name, timezone = excluded.timezone",
        order := sorted(cooperatives),
        [cooperatives[id].name for id in order],
        [cooperatives[id].timezone for id in order],
    )


async def save_collection_points(conn: Connection, names: Mapping[UUID, str]) -> None:
    """Inserts or replaces; a point that a cooperative gave up keeps its name for the baskets that speak of it."""
    await conn.execute(
        "insert into collection_point (collection_point_id, name) select * from unnest($1::uuid[], $2::text[]) "
        "on conflict (collection_point_id) do update set name = excluded.name",
        list(names),
        list(names.values()),
    )


async def save_households(conn: Connection, households: Mapping[UUID, tuple[UUID, str]]) -> None:
    """Inserts or replaces, in the order in which they are locked; each household with its cooperative and code."""
    await conn.execute(
        "insert into household (household_id, cooperative_id, code) "
        "select * from unnest($1::uuid[], $2::uuid[], $3::text[]) "
        "on conflict (household_id) do update set code = excluded.code",
        order := sorted(households),
        [households[id][0] for id in order],
        [households[id][1] for id in order],
    )


async def save_products(conn: Connection, products: Mapping[UUID, Goods]) -> None:
    """Inserts or replaces."""
    await conn.execute(
        "insert into product (product_id, name, unit, step_milliunits) "
        "select * from unnest($1::uuid[], $2::text[], $3::text[], $4::int[]) "
        "on conflict (product_id) do update "
        "set name = excluded.name, unit = excluded.unit, step_milliunits = excluded.step_milliunits",
        list(products),
        [g.name for g in products.values()],
        [g.unit for g in products.values()],
        [g.step_milliunits for g in products.values()],
    )


async def save_orders(conn: Connection, orders: Mapping[UUID, PlacedOrder]) -> None:
    """Inserts or replaces; lines that an order had before keep their names."""
    await conn.execute(
        "insert into partner_order as o (order_id, partner_id, partner_ref, refused_lines, lines) "
        "select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::jsonb[], $5::jsonb[]) "
        "on conflict (order_id) do update set partner_ref = excluded.partner_ref, "
        "refused_lines = excluded.refused_lines, lines = o.lines || excluded.lines, cancelled = false",
        list(orders),
        [order.partner_id for order in orders.values()],
        [order.partner_ref for order in orders.values()],
        [msgspec.json.encode(order.refused_lines).decode() for order in orders.values()],
        [
            msgspec.json.encode(
                {f"{line_no}/{offer}": names for (line_no, offer), names in order.lines.items()}
            ).decode()
            for order in orders.values()
        ],
    )


async def save_cancelled(conn: Connection, order_ids: Collection[UUID]) -> set[UUID]:
    """A cancelled order's refused lines wait for nothing any more. Returns the orders that were not cancelled yet."""
    rows = await conn.fetch(
        "update partner_order set refused_lines = '[]', cancelled = true where order_id = any($1) and not cancelled "
        "returning order_id",
        list(order_ids),
    )
    return {r["order_id"] for r in rows}


async def list_cooperatives(conn: Connection, ids: Collection[UUID]) -> dict[UUID, Cooperative]:
    """Those that are known."""
    rows = await conn.fetch(
        "select cooperative_id, name, timezone from cooperative where cooperative_id = any($1)", list(ids)
    )
    return {r["cooperative_id"]: Cooperative(r["name"], r["timezone"]) for r in rows}


async def list_collection_points(conn: Connection, ids: Collection[UUID]) -> dict[UUID, str]:
    """Names of those that are known."""
    rows = await conn.fetch(
        "select collection_point_id, name from collection_point where collection_point_id = any($1)", list(ids)
    )
    return {r["collection_point_id"]: r["name"] for r in rows}


async def list_products(conn: Connection, ids: Collection[UUID]) -> dict[UUID, Goods]:
    """Those that are known."""
    rows = await conn.fetch(
        "select product_id, name, unit, step_milliunits from product where product_id = any($1)", list(ids)
    )
    return {r["product_id"]: Goods(r["name"], r["unit"], r["step_milliunits"]) for r in rows}


async def list_orders(conn: Connection, ids: Collection[UUID]) -> dict[UUID, Order]:
    """Those that are known, with all lines of which the product is known."""
    rows = await conn.fetch(
        "select order_id, partner_id, partner_ref, refused_lines, lines, cancelled, "
        "exists (select from partner_message m where m.order_id = o.order_id) as told "
        "from partner_order o where order_id = any($1)",
        list(ids),
    )
    lines = {row["order_id"]: _LINES.decode(row["lines"]) for row in rows}
    goods = await list_products(conn, {product_id for own in lines.values() for _, product_id in own.values()})
    return {
        row["order_id"]: Order(
            row["partner_id"],
            row["partner_ref"],
            {
                _place(name): OrderLine(sku, goods[product_id])
                for name, (sku, product_id) in lines[row["order_id"]].items()
                if product_id in goods
            },
            _REFUSED.decode(row["refused_lines"]),
            row["cancelled"],
            row["told"],
        )
        for row in rows
    }


def _place(name: str) -> tuple[int, UUID]:
    line_no, _, offer_id = name.partition("/")
    return int(line_no), UUID(offer_id)


class Offer(Struct, frozen=True):
    """What is offered, and for which day."""

    goods: Goods
    delivery_day: date


async def save_offers(conn: Connection, offers: Mapping[UUID, tuple[UUID, date]]) -> None:
    """Inserts or replaces; each with its product and delivery day."""
    await conn.execute(
        "insert into offer (offer_id, product_id, delivery_day) "
        "select * from unnest($1::uuid[], $2::uuid[], $3::date[]) "
        "on conflict (offer_id) do update set product_id = excluded.product_id, delivery_day = excluded.delivery_day",
        list(offers),
        [product_id for product_id, _ in offers.values()],
        [day for _, day in offers.values()],
    )


async def list_offers(conn: Connection, ids: Collection[UUID]) -> dict[UUID, Offer]:
    """Those of them that are known."""
    if not ids:
        return {}
    rows = await conn.fetch(
        "select o.offer_id, o.delivery_day, p.name, p.unit, p.step_milliunits "
        "from offer o join product p using (product_id) where o.offer_id = any($1)",
        list(ids),
    )
    return {r["offer_id"]: Offer(Goods(r["name"], r["unit"], r["step_milliunits"]), r["delivery_day"]) for r in rows}
