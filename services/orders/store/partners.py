"""Partners, their secrets and what their SKUs mean."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

import asyncpg

from services.chassis.ledger import Connection
from services.orders.domain.order import Product, SkuMapping

OPEN_SALE = 5
"""The tier of a partner with which nothing else is agreed."""


@dataclass(frozen=True, slots=True)
class Partner:
    """A platform's shop of one cooperative, or a campaign of the union, which belongs to itself.

    `secrets`: the current one, then the previous one while it is valid.
    `settings`: what else it registered, by the names that its adapter declares.
    `tier`: whose orders are served first when quantity comes free, and lose last: 1 before all others, 5 is open sale.
    `campaign_id`: the partner is the cooperative's seat in this campaign: nobody pushes to it but the campaign.
    """

    partner_id: UUID
    cooperative_id: UUID
    name: str
    adapter: str
    secrets: tuple[str, ...] = field(repr=False)
    tier: int = OPEN_SALE
    settings: Mapping[str, str] = field(default_factory=dict, hash=False)
    campaign_id: UUID | None = None

    @property
    def is_campaign(self) -> bool:
        """Whether its orders are split over the cooperatives that have a seat in it."""
        return self.cooperative_id == self.partner_id


_COLUMNS = "partner_id, cooperative_id, name, adapter, secret, previous_secret, tier, settings, campaign_id"


async def get_partner(conn: "Connection | asyncpg.Pool[asyncpg.Record]", partner_id: UUID) -> Partner | None:
    """The partner, if there is one."""
    row = await conn.fetchrow(f"select {_COLUMNS} from partner where partner_id = $1", partner_id)  # noqa: S608
    return partner_of(row) if row else None


async def list_partners(conn: Connection, partner_ids: Sequence[UUID]) -> dict[UUID, Partner]:
    """Those of the partners that there are."""
    rows = await conn.fetch(f"select {_COLUMNS} from partner where partner_id = any($1)", partner_ids)  # noqa: S608
    return {row["partner_id"]: partner_of(row) for row in rows}


def partner_of(row: asyncpg.Record) -> Partner:
    """A row of the table."""
    secrets = tuple(secret for secret in (row["secret"], row["previous_secret"]) if secret)
    written: str = row["settings"]
    return Partner(
        row["partner_id"],
        row["cooperative_id"],
        row["name"],
        row["adapter"],
        secrets,
        row["tier"],
        json.loads(written) if written != "{}" else {},
        row["campaign_id"],
    )


async def lock_partners(conn: Connection, partner_ids: Sequence[UUID]) -> dict[UUID, Partner]:
    """Those of the partners that there are; nobody else locks them until the transaction ends."""
    query = f"select {_COLUMNS} from partner where partner_id = any($1) order by partner_id for no key update"  # noqa: S608
    return {row["partner_id"]: partner_of(row) for row in await conn.fetch(query, partner_ids)}


async def list_seats(conn: Connection, campaign_id: UUID) -> list[Partner]:
    """The partners under which cooperatives get their parts, in the order of the cooperatives."""
    query = f"select {_COLUMNS} from partner where campaign_id = $1 order by cooperative_id"  # noqa: S608
    return [partner_of(row) for row in await conn.fetch(query, campaign_id)]


async def insert_partner(conn: Connection, partner: Partner) -> None:
    """A new partner with its first secret."""
    await conn.execute(
        "insert into partner (partner_id, cooperative_id, name, adapter, secret, tier, settings, campaign_id) "
        "values ($1, $2, $3, $4, $5, $6, $7, $8)",
        partner.partner_id,
        partner.cooperative_id,
        partner.name,
        partner.adapter,
        partner.secrets[0],
        partner.tier,
        json.dumps(dict(partner.settings)),
        partner.campaign_id,
    )


async def save_tier(conn: Connection, partner_id: UUID, tier: int) -> None:
    """The tier of what the partner orders from now on; of a campaign, in each of its seats."""
    await conn.execute("update partner set tier = $2 where partner_id = $1 or campaign_id = $1", partner_id, tier)


async def save_settings(conn: Connection, partner_id: UUID, settings: Mapping[str, str]) -> None:
    """These and no others, from now on."""
    await conn.execute("update partner set settings = $2 where partner_id = $1", partner_id, json.dumps(dict(settings)))


async def save_secret(conn: Connection, partner_id: UUID, secret: str) -> None:
    """The new secret is valid from now on, beside the one before it and no other."""
    await conn.execute(
        "update partner set previous_secret = secret, secret = $2 where partner_id = $1", partner_id, secret
    )


async def delete_previous_secret(conn: Connection, partner_id: UUID) -> None:
    """Only the newest secret is valid from now on."""
    await conn.execute("update partner set previous_secret = null where partner_id = $1", partner_id)


async def get_cooperative_id(conn: "Connection | asyncpg.Pool[asyncpg.Record]", slug: str) -> UUID | None:
    """The cooperative of a slug."""
    found: UUID | None = await conn.fetchval("select cooperative_id from cooperative where slug = $1", slug)
    return found


async def get_timezone(conn: "Connection | asyncpg.Pool[asyncpg.Record]", cooperative_id: UUID) -> str:
    """The zone of a cooperative that is there."""
    found: str = await conn.fetchval("select timezone from cooperative where cooperative_id = $1", cooperative_id)
    return found


async def list_partner_names(
    conn: "Connection | asyncpg.Pool[asyncpg.Record]", partner_ids: Iterable[UUID]
) -> dict[UUID, tuple[str, str]]:
    """(name, adapter) of each of the partners."""
    query = "select partner_id, name, adapter from partner where partner_id = any($1)"
    rows = await conn.fetch(query, list(partner_ids))
    return {row["partner_id"]: (row["name"], row["adapter"]) for row in rows}


async def list_mappings(conn: Connection, skus: Sequence[tuple[UUID, str]]) -> dict[UUID, dict[str, SkuMapping]]:
    """What those of the (partner, SKU) mean that are mapped, by partner."""
    rows = await conn.fetch(
        "select m.partner_id, m.sku, m.factor_numerator, m.factor_denominator, p.product_id, p.unit, "
        "p.step_milliunits from sku_map m join product p using (product_id) "
        "where (m.partner_id, m.sku) in (select * from unnest($1::uuid[], $2::text[]))",
        [partner_id for partner_id, _ in skus],
        [sku for _, sku in skus],
    )
    found: dict[UUID, dict[str, SkuMapping]] = {partner_id: {} for partner_id, _ in skus}
    for row in rows:
        found[row["partner_id"]][row["sku"]] = SkuMapping(
            Product(row["product_id"], row["unit"], row["step_milliunits"]),
            Fraction(row["factor_numerator"], row["factor_denominator"]),
        )
    return found


@dataclass(frozen=True, slots=True)
class Mapped:
    """What one SKU of a partner means: so many units of the product."""

    sku: str
    product_code: str
    unit: str
    factor: Fraction


async def list_mapped(
    conn: "Connection | asyncpg.Pool[asyncpg.Record]", partner_id: UUID, after: str, limit: int
) -> list[Mapped]:
    """What the SKUs of a partner mean that come after the one given, in their order."""
    rows = await conn.fetch(
        "select m.sku, p.code, p.unit, m.factor_numerator, m.factor_denominator "
        "from sku_map m join product p using (product_id) "
        "where m.partner_id = $1 and m.sku > $2 order by m.sku limit $3",
        partner_id,
        after,
        limit,
    )
    return [Mapped(sku, code, unit, Fraction(parts, whole)) for sku, code, unit, parts, whole in rows]


async def save_mappings(conn: Connection, mappings: Sequence[tuple[UUID, str, UUID, Fraction]]) -> None:
    """(partner, SKU, product, factor): adds or replaces; other SKUs stay as they are."""
    await conn.execute(
        "insert into sku_map (partner_id, sku, product_id, factor_numerator, factor_denominator) "
        "select * from unnest($1::uuid[], $2::text[], $3::uuid[], $4::bigint[], $5::bigint[]) "
        "on conflict (partner_id, sku) do update set product_id = excluded.product_id, "
        "factor_numerator = excluded.factor_numerator, factor_denominator = excluded.factor_denominator",
        [partner_id for partner_id, _, _, _ in mappings],
        [sku for _, sku, _, _ in mappings],
        [product_id for _, _, product_id, _ in mappings],
        [factor.numerator for _, _, _, factor in mappings],
        [factor.denominator for _, _, _, factor in mappings],
    )


@dataclass(frozen=True, slots=True)
class WaitingLine:
    """A line whose SKU nobody has mapped yet."""

    order_id: UUID
    partner_ref: str
    received_at: datetime
    delivery_day: date | None
    line_no: int
    sku: str
    sold_quantity: Decimal


async def list_waiting_lines(
    conn: "Connection | asyncpg.Pool[asyncpg.Record]", partner_id: UUID, limit: int
) -> list[WaitingLine]:
    """The review queue of a partner, oldest orders first."""
    rows = await conn.fetch(
        "select o.order_id, o.partner_ref, o.received_at, o.delivery_day, l.line_no, l.sku, l.sold_quantity "
        "from order_line l join customer_order o using (order_id) "
        "where o.partner_id = $1 and l.state = 'refused' and l.reason = 'unknown_sku' "
        "order by o.order_id, l.line_no limit $2",
        partner_id,
        limit,
    )
    return [WaitingLine(**row) for row in rows]


async def list_orders_waiting_for(conn: Connection, partner_id: UUID, skus: Sequence[str]) -> list[UUID]:
    """Orders with a line in the review queue for one of the SKUs."""
    rows = await conn.fetch(
        "select distinct o.order_id from order_line l join customer_order o using (order_id) "
        "where o.partner_id = $1 and l.sku = any($2) and l.state = 'refused' and l.reason = 'unknown_sku'",
        partner_id,
        skus,
    )
    return [row["order_id"] for row in rows]
