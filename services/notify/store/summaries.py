"""A day over all cooperatives, in numbers."""

from datetime import date

from services.chassis.ledger import Connection
from services.notify.domain.contacts import UNION
from services.notify.domain.staff_facts import CooperativeDay

_LIST = """
select c.name, o.orders, o.shorted, h.told, h.households - h.told as to_call, s.settled_vnd
from cooperative c
cross join lateral (
    select count(*) as orders, count(*) filter (where shorted) as shorted
    from order_day where delivery_day = $1 and cooperative_id = c.cooperative_id) o
cross join lateral (
    select count(*) as households, count(*) filter (where state = 'told') as told from (
        select distinct on (household_id) state from notice
        where cooperative_id = c.cooperative_id and delivery_day = $1 and kind = 'basket'
        order by household_id, version desc) newest) h
cross join lateral (
    select count(*) as entries, coalesce(sum(vnd), 0)::bigint as settled_vnd from (
        select net_vnd as vnd from settled_day where cooperative_id = c.cooperative_id and delivery_day = $1
        union all
        select amount_vnd from settlement_correction
        where cooperative_id = c.cooperative_id and delivery_day = $1) entry) s
where o.orders > 0 or h.households > 0 or s.entries > 0
order by c.name, c.cooperative_id
"""


async def is_written_down(conn: Connection, day: date) -> bool:
    """Whether there is a summary of the day."""
    found = await conn.fetchval(
        "select exists (select from notice where recipient_id = $1 and delivery_day = $2 and kind = 'daily_summary')",
        UNION,
        day,
    )
    return found is True


async def list_days(conn: Connection, day: date) -> tuple[CooperativeDay, ...]:
    """Of every cooperative that had orders, baskets or settlements that day."""
    return tuple(
        CooperativeDay(
            r["name"], r["orders"], r["orders"] - r["shorted"], r["shorted"], r["told"], r["to_call"], r["settled_vnd"]
        )
        for r in await conn.fetch(_LIST, day)
    )
