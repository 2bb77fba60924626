"""Baskets as they stand now, and what households last answered to them."""

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from uuid import UUID

import asyncpg
import msgspec

from services.chassis.ledger import Connection
from services.notify.domain.facts import BasketFacts
from services.notify.domain.replies import CurrentBasket, Reply, ReplyLine, Standing, Telling

_FACTS = msgspec.json.Decoder(BasketFacts)
_LINES = msgspec.json.Decoder(tuple[ReplyLine, ...])

_SAVE = """
insert into basket (household_id, delivery_day, cooperative_id, version, sequence, facts, confirmed_by, arrive_by_at)
select * from unnest(
    $1::uuid[], $2::date[], $3::uuid[], $4::int[], $5::bigint[], $6::jsonb[], $7::text[], $8::timestamptz[])
on conflict (household_id, delivery_day) do update
set version = excluded.version, sequence = excluded.sequence, facts = excluded.facts,
    confirmed_by = excluded.confirmed_by, arrive_by_at = excluded.arrive_by_at
where basket.version <= excluded.version
"""

_GET = """
select b.household_id, b.cooperative_id, b.version, b.sequence, b.facts, b.confirmed_by, c.language,
    r.version as reply_version, r.answer, r.reason, r.lines, r.seen_sequence, r.replied_at,
    coalesce(n.told_at, (select max(d.claimed_at) from delivery d where d.notice_id = n.notice_id)) as told_at
from basket b
left join notice n on (n.recipient_id, n.delivery_day, n.version) = (b.household_id, b.delivery_day, b.version)
    and n.kind = 'basket'
left join basket_reply r on (r.household_id, r.delivery_day) = (b.household_id, b.delivery_day)
left join lateral (
    select language from contact where recipient_id = b.household_id order by rank, contact_id limit 1) c on true
where b.household_id = $1 and b.delivery_day = $2
"""

_TELLINGS = """
select n.version, n.told_at, n.told_at is not null or max(d.claimed_at) is not null as is_tried,
    min(d.claimed_at) filter (where d.state in ('sent', 'told', 'unknown')
        or d.state = 'lapsed' and d.provider_id is not null) as sent_at
from notice n left join delivery d using (notice_id)
where n.recipient_id = $1 and n.delivery_day = $2 and n.kind = 'basket' group by n.notice_id
"""

_SAVE_REPLY = """
insert into basket_reply (household_id, delivery_day, version, answer, reason, lines, channel, seen_sequence,
    replied_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (household_id, delivery_day) do update set version = excluded.version, answer = excluded.answer,
    reason = excluded.reason, lines = excluded.lines, channel = excluded.channel,
    seen_sequence = excluded.seen_sequence, replied_at = excluded.replied_at
"""


async def save_baskets(conn: Connection, baskets: Iterable[CurrentBasket]) -> None:
    """Inserts or replaces; of several versions, and of what is there, the newest stays, and of equals the later one."""
    newest: dict[tuple[UUID, date], CurrentBasket] = {}
    for basket in baskets:
        key = (basket.household_id, basket.facts.delivery_day)
        if key not in newest or newest[key].version <= basket.version:
            newest[key] = basket
    await conn.execute(_SAVE, *zip(*map(_row, _in_order(newest)), strict=True))


async def lock_basket(conn: Connection, household_id: UUID, delivery_day: date) -> Standing | None:
    """As `get_basket`; holds off other answers and changes of the basket until the transaction ends."""
    key = (household_id, delivery_day)
    await conn.execute("select from basket where household_id = $1 and delivery_day = $2 for update", *key)
    row = await conn.fetchrow(_GET, *key)  # a statement of its own, so that it sees the answer that it waited for
    return _standing(row) if row else None


async def get_basket(pool: "asyncpg.Pool[asyncpg.Record]", household_id: UUID, delivery_day: date) -> Standing | None:
    """What the household brings on the day, as it stands now."""
    row = await pool.fetchrow(_GET, household_id, delivery_day)
    return _standing(row) if row else None


async def list_days(conn: Connection, household_id: UUID, since: date) -> list[date]:
    """The days from then on of which the household has a basket."""
    rows = await conn.fetch(
        "select delivery_day from basket where household_id = $1 and delivery_day >= $2 order by delivery_day",
        household_id,
        since,
    )
    return [r["delivery_day"] for r in rows]


async def list_tellings(conn: Connection, household_id: UUID, delivery_day: date) -> list[Telling]:
    """How far the household was told of each version of its basket of the day."""
    rows = await conn.fetch(_TELLINGS, household_id, delivery_day)
    return [Telling(r["version"], r["is_tried"], r["sent_at"], r["told_at"]) for r in rows]


async def list_reply_channels(conn: Connection, keys: Collection[tuple[UUID, date]]) -> dict[tuple[UUID, date], str]:
    """By which way each of these (household, day) answered last, if it has."""
    rows = await conn.fetch(
        "select r.household_id, r.delivery_day, r.channel from basket_reply r "
        "join unnest($1::uuid[], $2::date[]) as x (household_id, delivery_day) using (household_id, delivery_day)",
        [household_id for household_id, _ in keys],
        [day for _, day in keys],
    )
    return {(r["household_id"], r["delivery_day"]): r["channel"] for r in rows}


async def save_reply(conn: Connection, basket: CurrentBasket, reply: Reply, channel: str, now: datetime) -> None:
    """Takes the place of the answer before it."""
    await conn.execute(
        _SAVE_REPLY,
        basket.household_id,
        basket.facts.delivery_day,
        reply.version,
        reply.answer,
        reply.reason,
        msgspec.json.encode(reply.lines).decode(),
        channel,
        basket.sequence,
        now,
    )


def _in_order(baskets: Mapping[tuple[UUID, date], CurrentBasket]) -> list[CurrentBasket]:
    """One order everywhere, so that two transactions cannot lock crosswise."""
    return [baskets[key] for key in sorted(baskets)]


def _row(basket: CurrentBasket) -> tuple[object, ...]:
    return (
        basket.household_id,
        basket.facts.delivery_day,
        basket.cooperative_id,
        basket.version,
        basket.sequence,
        msgspec.json.encode(basket.facts).decode(),
        basket.confirmed_by,
        min((item.arrive_by_at for item in basket.brought), default=None),
    )


def _standing(r: asyncpg.Record) -> Standing:
    basket = CurrentBasket(
        r["household_id"],
        r["cooperative_id"],
        r["version"],
        r["sequence"],
        _FACTS.decode(r["facts"]),
        r["confirmed_by"],
        r["told_at"],
    )
    reply = None
    if r["answer"] is not None:
        reply = Reply(r["reply_version"], r["answer"], r["reason"], _LINES.decode(r["lines"]))
    return Standing(basket, reply, r["replied_at"], r["seen_sequence"], r["language"])
