"""Which baskets are so near that their households are reminded of them."""

from datetime import datetime, timedelta

import msgspec

from services.chassis.ledger import Connection
from services.notify.domain.facts import BasketFacts
from services.notify.domain.replies import CurrentBasket

_FACTS = msgspec.json.Decoder(BasketFacts)

_LIST = """
select b.household_id, b.cooperative_id, b.version, b.sequence, b.facts, b.confirmed_by, n.told_at
from cooperative c left join notice_policy p using (cooperative_id)
cross join lateral (select coalesce(make_interval(secs => p.remind_before_s), $2::interval) as span) before
join basket b on b.cooperative_id = c.cooperative_id and b.arrive_by_at > $1 and b.arrive_by_at <= $1 + before.span
join notice n on (n.recipient_id, n.delivery_day, n.kind, n.version) =
    (b.household_id, b.delivery_day, 'basket', b.version)
where n.told_at <= b.arrive_by_at - before.span - $3::interval
    and not exists (select from notice r where (r.recipient_id, r.delivery_day, r.kind, r.version) =
        (b.household_id, b.delivery_day, 'reminder', b.version))
    and not exists (select from basket_reply r where (r.household_id, r.delivery_day, r.version) =
        (b.household_id, b.delivery_day, b.version) and r.answer = 'cannot')
order by b.arrive_by_at, b.household_id limit $4
"""


async def list_due(
    conn: Connection, now: datetime, usual: timedelta, told_before: timedelta, limit: int
) -> list[CurrentBasket]:
    """Baskets with something to bring whose reminder is due and not written down, the nearest first.

    `usual` is the policy of cooperatives that set none. The household was told `told_before` the reminder or earlier.
    """
    rows = await conn.fetch(_LIST, now, usual, told_before, limit)
    return [
        CurrentBasket(
            r["household_id"], r["cooperative_id"], r["version"], r["sequence"], _FACTS.decode(r["facts"]),
            r["confirmed_by"], r["told_at"],
        )
        for r in rows
    ]  # fmt: skip
