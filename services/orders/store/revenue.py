"""What was sold, by delivery day: one statement for each day, which reads its lines, or those of one cooperative."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal
from uuid import UUID

import asyncpg

from services.chassis.ledger import Connection

By = Literal["channel", "partner", "product", "day", "cooperative"]

_ORDER = "join customer_order o on o.order_id = l.order_id"

_KEYS: dict[By, tuple[str, str, str, str]] = {
    "channel": ("p.adapter", f"{_ORDER} join partner p on p.partner_id = o.partner_id", "k", ""),
    "partner": ("o.partner_id", _ORDER, "named.name", "join partner named on named.partner_id = k"),
    "product": ("l.product_id", "", "named.code", "join product named on named.product_id = k"),
    "day": ("l.delivery_day", "", "k", ""),
    "cooperative": (
        "f.cooperative_id", "", "coalesce(named.slug, '')", "left join cooperative named on named.cooperative_id = k",
    ),
}  # fmt: skip
"""What lines are put together by, the tables in which it stands, its name, and the table in which that stands."""

_SOLD = """
with sold as (
    select {key} as k, l.order_id, count(*) as lines, sum(l.quantity_steps) as ordered_steps,
        sum(l.promised_steps) as promised_steps,
        sum(div(l.promised_steps::numeric * f.price_vnd * product.step_milliunits, 1000)) as promised_vnd
    from order_line l
    join offer f on f.offer_id = l.offer_id
    join product on product.product_id = l.product_id
    {tables}
    where l.delivery_day = $1 and l.state = 'ordered' {whose}
    group by 1, 2
), added as (
    select k, count(*) as orders, sum(lines)::bigint as lines, sum(ordered_steps)::bigint as ordered_steps,
        sum(promised_steps)::bigint as promised_steps, sum(promised_vnd)::bigint as promised_vnd
    from sold group by k
)
select k::text as key, ({name})::text as name, orders, lines, ordered_steps, promised_steps, promised_vnd
from added {names}
"""

_WHOSE = """
    and f.cooperative_id = $2 and l.order_id in (
        select order_id from customer_order where cooperative_id = $2
            and order_id >= (select order_id from order_line where delivery_day = $1 order by order_id limit 1)
            and order_id <= (select order_id from order_line where delivery_day = $1 order by order_id desc limit 1))
"""
"""Found by the cooperative's orders, so that no lines of others are read. Ids of orders grow with time: only orders are
looked at that came between the first and the last that anybody has for the day."""


@dataclass(frozen=True, slots=True)
class Sold:
    """What was sold of one day under one key. Steps of different products are added where the key has several."""

    key: str
    name: str
    orders: int
    lines: int
    ordered_steps: int
    promised_steps: int
    promised_vnd: int


async def list_sold(
    conn: "Connection | asyncpg.Pool[asyncpg.Record]", day: date, by: By, cooperative_id: UUID | None
) -> Sequence[Sold]:
    """What was sold for one delivery day, by the key; of one cooperative's offers, or of all."""
    values: list[Any] = [day]
    if cooperative_id is not None:
        values.append(cooperative_id)
    whose = _WHOSE if cooperative_id is not None else ""
    key, tables, name, names = _KEYS[by]
    query = _SOLD.format(key=key, tables=tables, name=name, names=names, whose=whose)
    return [Sold(**row) for row in await conn.fetch(query, *values)]
