"""The SQL of cursors: how far each stream is applied here, where it is behind, and what was asked for.

Called inside the transaction that applies.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from msgspec import Struct

from services.chassis.gate import Place
from services.chassis.ledger import Connection
from services.chassis.turns import Turn

_ADVANCE = """
with turned as (
    insert into applied_turn (stream, turn, producer, first_sequence)
    select * from unnest($6::uuid[], $7::bigint[], $8::text[], $9::bigint[])
)
update consumer_cursor c set sequence = x.sequence, head = x.head, turn = x.turn,
    behind_since = case when x.head <= x.sequence then null
        when x.sequence > c.sequence or c.behind_since is null then now() else c.behind_since end,
    asked_at = case when x.head > x.sequence then c.asked_at end
from unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[])
    as x (stream, producer, sequence, head, turn) where c.stream = x.stream and c.producer = x.producer
"""


class Cursor(Struct, frozen=True):
    """How far a stream is applied here, and how far it is known to reach."""

    sequence: int
    head: int
    turn: int = 0


async def lock_cursors(conn: Connection, producers: Sequence[str], streams: Sequence[UUID]) -> dict[Place, Cursor]:
    """The cursors of these streams for every producer read, locked; makes those that are missing."""
    query = (
        "select stream, producer, sequence, head, turn from consumer_cursor "
        "where stream = any($1) and producer = any($2) order by stream, producer for update"
    )
    rows = await conn.fetch(query, streams, producers)
    if len(rows) < len(streams) * len(producers):
        await conn.execute(
            "insert into consumer_cursor (stream, producer) "
            "select s, p from unnest($1::uuid[]) s cross join unnest($2::text[]) p order by s, p "
            "on conflict do nothing",
            streams,
            producers,
        )
        rows = await conn.fetch(query, streams, producers)
    return {(r["stream"], r["producer"]): Cursor(r["sequence"], r["head"], r["turn"]) for r in rows}


async def advance(
    conn: Connection,
    before: Mapping[Place, Cursor],
    to: Mapping[Place, int],
    heads: Mapping[Place, int],
    begun: Sequence[Turn] = (),
) -> None:
    """Moves cursors, raises known heads, and keeps since when a stream is behind without progress.

    Writes down the turns that have `begun` with it.
    """
    turned = {(turn.stream, turn.producer): turn.number for turn in begun}
    places = sorted(
        place
        for place in {*to, *heads}
        if to.get(place, 0) > before[place].sequence or heads.get(place, 0) > before[place].head
    )
    if not places:
        return
    await conn.execute(
        _ADVANCE,
        [stream for stream, _ in places],
        [producer for _, producer in places],
        [to.get(place, before[place].sequence) for place in places],
        [max(to.get(place, 0), heads.get(place, 0), before[place].head) for place in places],
        [turned.get(place, before[place].turn) for place in places],
        [turn.stream for turn in begun],
        [turn.number for turn in begun],
        [turn.producer for turn in begun],
        [turn.first_sequence for turn in begun],
    )


async def note_heads(conn: Connection, producer: str, heads: Mapping[UUID, int]) -> None:
    """Remembers how far a producer says its streams reach; those that are not applied so far are now behind.

    A producer that says less than was applied here has been set back, or its relay died before it noted a confirm;
    since when it says so is kept.
    """
    streams = sorted(heads)
    await conn.execute(
        "insert into consumer_cursor as c (stream, producer, head, behind_since) "
        "select s, $1, h, now() from unnest($2::uuid[], $3::bigint[]) as x (s, h) where h > 0 "
        "on conflict (stream, producer) do update set head = excluded.head, "
        "behind_since = coalesce(c.behind_since, now()) "
        "where excluded.head > c.head",
        producer,
        streams,
        [heads[stream] for stream in streams],
    )
    await conn.execute(
        "update consumer_cursor c set ahead_since = case when c.sequence > x.h then coalesce(c.ahead_since, now()) end "
        "from unnest($2::uuid[], $3::bigint[]) as x (s, h) where (c.stream, c.producer) = (x.s, $1) "
        "and (c.sequence > x.h) <> (c.ahead_since is not null)",
        producer,
        streams,
        [heads[stream] for stream in streams],
    )


async def is_any_behind(conn: Connection) -> bool:
    """Whether some stream is behind what its producer says."""
    found: bool = await conn.fetchval("select exists (select from consumer_cursor where behind_since is not null)")
    return found


async def claim_gaps(conn: Connection, patience: timedelta, limit: int) -> list[tuple[str, UUID, int]]:
    """(producer, stream, first missing sequence) of gaps that stayed for `patience`.

    While an answer is on its way, it may be far back in the queue: nobody asks again before it has come, or before
    ten times the patience. A stream that is still behind after its answer asks for the next part at once.
    """
    rows = await conn.fetch(
        "update consumer_cursor c set asked_at = now() from ("
        "  select stream, producer from consumer_cursor b where behind_since is not null and (asked_at = '-infinity' "
        "    or behind_since < now() - $1::interval and (asked_at is null or asked_at < now() - 10 * $1::interval)) "
        "  and not exists (select from parked_event p where p.stream = b.stream and p.producer = b.producer "
        "    and p.sequence = b.sequence + 1) "
        "  order by behind_since limit $2 for update skip locked"
        ") due where c.stream = due.stream and c.producer = due.producer "
        "returning c.producer, c.stream, c.sequence + 1 as missing",
        patience,
        limit,
    )
    return [(r["producer"], r["stream"], r["missing"]) for r in rows]


async def note_resent(conn: Connection, producer: str, streams: Sequence[UUID]) -> None:
    """The answers to requests for these streams have come in whole; where they helped, more may be asked for."""
    await conn.execute(
        "update consumer_cursor set asked_at = '-infinity' "
        "where producer = $1 and stream = any($2) and behind_since > asked_at",
        producer,
        streams,
    )


async def forget_requests(conn: Connection) -> None:
    """The broker was away: answers that were on their way may be lost, and may be asked for anew."""
    await conn.execute("update consumer_cursor set asked_at = null where behind_since is not null")
