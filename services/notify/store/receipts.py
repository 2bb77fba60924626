"""Receipts of providers, and the deliveries that they belong to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from services.chassis.ledger import Connection
from services.notify.domain.messages import Receipt

_FIND = """
with said as (
    select * from unnest($1::uuid[], $2::text[], $3::text[])
        with ordinality as x (message_id, channel, provider_id, place)
), known as (
    select place, d.delivery_id, d.notice_id from said join delivery d on d.delivery_id = said.message_id
    union all
    select place, d.delivery_id, d.notice_id from said join delivery d using (channel, provider_id)
    where said.message_id is null
)
select k.place, k.delivery_id, n.notice_id, n.recipient_id from known k join notice n using (notice_id)
"""

_SAVE = """
update delivery d set state = x.state, reason = coalesce(x.reason, d.reason),
    provider_id = coalesce(d.provider_id, x.provider_id)
from unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) as x (delivery_id, state, reason, provider_id)
where d.delivery_id = x.delivery_id
    and (d.state in ('sending', 'sent', 'unknown') or d.state in ('queued', 'lapsed', 'refused') and x.state = 'told')
returning d.delivery_id, d.notice_id
"""

_MATCHING = """
select s.channel, s.provider_id, s.at, s.arrived, s.reason from stray_receipt s
join delivery d using (channel, provider_id)
where s.kept_at > $1 order by s.kept_at limit $2
"""


@dataclass(frozen=True, slots=True)
class Named:
    """The delivery that a receipt speaks of, and whom it was for."""

    delivery_id: UUID
    notice_id: UUID
    recipient_id: UUID


async def find_deliveries(conn: Connection, receipts: Sequence[Receipt]) -> dict[int, Named]:
    """By the place of the receipt in the sequence; those that belong to nothing known are not there."""
    rows = await conn.fetch(
        _FIND,
        [one.message_id for one in receipts],
        [one.channel for one in receipts],
        [one.provider_id for one in receipts],
    )
    return {r["place"] - 1: Named(r["delivery_id"], r["notice_id"], r["recipient_id"]) for r in rows}


async def save_receipts(conn: Connection, named: Sequence[tuple[UUID, Receipt]]) -> list[tuple[UUID, Receipt]]:
    """Settles deliveries; returns (notice, receipt) of those that it changed. Word that it arrived outweighs the other.

    What is only just being sent is settled too: a provider may be faster than our own commit.
    """
    latest: dict[UUID, Receipt] = {}
    for delivery_id, receipt in named:
        if delivery_id not in latest or receipt.arrived or not latest[delivery_id].arrived:
            latest[delivery_id] = receipt
    rows = await conn.fetch(
        _SAVE,
        list(latest),
        ["told" if receipt.arrived else "refused" for receipt in latest.values()],
        [receipt.reason for receipt in latest.values()],
        [receipt.provider_id for receipt in latest.values()],
    )
    return [(r["notice_id"], latest[r["delivery_id"]]) for r in rows]


async def keep_strays(conn: Connection, receipts: Sequence[Receipt], now: datetime) -> None:
    """Receipts under a provider's id that we do not know, or do not know yet."""
    kept = [one for one in receipts if one.provider_id is not None]
    await conn.executemany(
        "insert into stray_receipt (channel, provider_id, at, arrived, reason, kept_at) "
        "values ($1, $2, $3, $4, $5, $6) "
        "on conflict (channel, provider_id) do update set arrived = excluded.arrived or stray_receipt.arrived",
        [(one.channel, one.provider_id, one.at, one.arrived, one.reason, now) for one in kept],
    )


async def list_matching(conn: Connection, since: datetime, limit: int) -> list[Receipt]:
    """Those kept since then that came before we knew the id."""
    rows = await conn.fetch(_MATCHING, since, limit)
    return [_stray(r) for r in rows]


async def delete_strays(conn: Connection, taken: Sequence[Receipt]) -> None:
    """These were strays, and are none any more."""
    await conn.execute(
        "delete from stray_receipt s using unnest($1::text[], $2::text[]) as x (channel, provider_id) "
        "where (s.channel, s.provider_id) = (x.channel, x.provider_id)",
        [one.channel for one in taken],
        [one.provider_id for one in taken],
    )


async def forget_strays(conn: Connection, before: datetime) -> None:
    """Nobody will ever ask for those any more."""
    await conn.execute("delete from stray_receipt where kept_at < $1", before)


def _stray(r: asyncpg.Record) -> Receipt:
    return Receipt(r["channel"], r["at"], r["arrived"], None, r["provider_id"], r["reason"])
