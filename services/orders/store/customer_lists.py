"""Customers as staff see them, with what they ordered."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from services.chassis.ledger import Connection

_ALL = "select * from customer "
_SEEN = """
select c.customer_id, c.cooperative_id, c.name, c.address, c.first_order_at, c.last_order_at, c.erased_at,
    phone.value as phone, email.value as email, bought.orders, bought.channels, bought.promised_vnd
from ({found}) c
left join customer_identity phone on phone.customer_id = c.customer_id and phone.kind = 'phone'
left join customer_identity email on email.customer_id = c.customer_id and email.kind = 'email'
cross join lateral (
    select count(*) as orders, coalesce(array_agg(distinct p.adapter), '{{}}') as channels,
        coalesce(sum(line.vnd), 0)::bigint as promised_vnd
    from order_customer own
    join customer_order o using (order_id)
    join partner p using (partner_id)
    cross join lateral (
        select sum(div(l.promised_steps::numeric * f.price_vnd * product.step_milliunits, 1000)) as vnd
        from order_line l join offer f using (offer_id) join product on product.product_id = l.product_id
        where l.order_id = o.order_id and l.state = 'ordered'
    ) line
    where own.customer_id = c.customer_id and o.state <> 'cancelled'
) bought
order by c.customer_id desc
"""
_REPEATED = (
    "orders > 1 and 2 = (select count(*) from (select from order_customer own join customer_order o using (order_id) "
    "where own.customer_id = customer.customer_id and o.state <> 'cancelled' limit 2) two)"
)
_CHANNEL = (
    "exists (select from order_customer own join customer_order o using (order_id) join partner p using (partner_id) "
    "where own.customer_id = customer.customer_id and o.state <> 'cancelled' and p.adapter = {})"
)


@dataclass(frozen=True, slots=True)
class SeenCustomer:
    """A customer with what it ordered. Orders that were cancelled do not count, except for the times.

    `promised_vnd`: what is promised, at the price of its offer. `channels`: adapters. Who was erased has no name.
    """

    customer_id: UUID
    cooperative_id: UUID
    name: str | None
    address: str | None
    first_order_at: datetime
    last_order_at: datetime
    erased_at: datetime | None
    phone: str | None
    email: str | None
    orders: int
    channels: list[str]
    promised_vnd: int


async def list_customers(
    conn: "Connection | asyncpg.Pool[asyncpg.Record]",
    cooperative_id: UUID,
    *,
    repeated: bool,
    channel: str | None,
    before: UUID | None,
    limit: int,
) -> list[SeenCustomer]:
    """Customers of a cooperative, the newest first, older than `before`; `repeated`: with more than one order."""
    conditions = ["cooperative_id = $2"]
    values: list[object] = [limit, cooperative_id]
    if repeated:
        conditions.append(_REPEATED)
    for value, condition in ((before, "customer_id < {}"), (channel, _CHANNEL)):
        if value is not None:
            values.append(value)
            conditions.append(condition.format(f"${len(values)}"))
    where = f"where {' and '.join(conditions)} order by customer_id desc limit $1"
    rows = await conn.fetch(_SEEN.format(found=_ALL + where), *values)
    return [SeenCustomer(**row) for row in rows]


async def get_customer(conn: "Connection | asyncpg.Pool[asyncpg.Record]", customer_id: UUID) -> SeenCustomer | None:
    """One customer."""
    row = await conn.fetchrow(_SEEN.format(found=_ALL + "where customer_id = $1"), customer_id)
    return SeenCustomer(**row) if row else None
