"""Messages to partners as staff see them, and sending one of them again."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.chassis.ledger import Connection
from services.notify.domain.endpoints import Sent
from services.notify.store.endpoints import Reader
from services.notify.store.partner_messages import OVERTAKEN_BY

_LIST = """
select m.message_id, m.kind, m.order_id, case when m.state = 'sending' then 'queued' else m.state end as state,
    m.attempts, m.happened_at, m.claimed_at as last_attempt_at,
    case when m.state = 'queued' then greatest(m.next_at, t.throttled_until) end as next_attempt_at,
    m.told_at, m.receipt as last_status, m.reason
from partner_message m left join partner_endpoint t using (cooperative_id, partner_id)
where m.cooperative_id = $1 and m.partner_id = $2 and ($3::text[] is null or m.state = any($3))
    and ($4::uuid is null or m.message_id < $4)
order by m.message_id desc limit $5
"""

_LOCK = f"""
select m.cooperative_id, m.partner_id, m.state, ({OVERTAKEN_BY}) as overtaken_by
from partner_message m where m.message_id = $1 for update of m
"""  # noqa: S608 - only fixed text

_AGAIN = """
update partner_message set state = 'queued', next_at = $2, reason = null, told_at = null,
    attempts = case when state = 'queued' then attempts else 0 end,
    queued_at = case when state = 'queued' then queued_at else $2 end
where message_id = $1
"""


@dataclass(frozen=True, slots=True)
class Message:
    """One message to a partner: never its body, nor where it goes."""

    message_id: UUID
    kind: str
    order_id: UUID
    state: str
    attempts: int
    happened_at: datetime
    last_attempt_at: datetime | None
    next_attempt_at: datetime | None
    told_at: datetime | None
    last_status: str | None
    reason: str | None


async def list_messages(
    conn: Reader, cooperative_id: UUID, partner_id: UUID, state: str | None, before: UUID | None, limit: int
) -> list[Message]:
    """Newest first, those made before `before`."""
    states = {None: None, "queued": ["queued", "sending"]}.get(state, [state])
    rows = await conn.fetch(_LIST, cooperative_id, partner_id, states, before, limit)
    return [Message(**dict(row)) for row in rows]


async def lock_message(conn: Connection, message_id: UUID) -> tuple[UUID, UUID, Sent] | None:
    """A message with its cooperative and partner; nobody else takes it in hand until the transaction ends."""
    row = await conn.fetchrow(_LOCK, message_id)
    if row is None:
        return None
    return row["cooperative_id"], row["partner_id"], Sent(row["state"], row["overtaken_by"])


async def send_again(conn: Connection, message_id: UUID, now: datetime) -> None:
    """The message is due now under the id that it has; one that was settled has its whole schedule before it."""
    await conn.execute(_AGAIN, message_id, now)
