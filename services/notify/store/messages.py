"""Messages to partners as staff see them, and sending one of them again."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.chassis.ledger import Connection
from services.notify.domain.endpoints import Sent
from services.notify.domain.notices import WEBHOOK
from services.notify.store.endpoints import Reader
from services.notify.store.notices import OVERTAKEN_BY

_LIST = """
select n.notice_id, n.kind, n.order_id, n.state, d.attempts, n.happened_at, d.claimed_at as last_attempt_at,
    case when d.state = 'queued' then greatest(d.next_at, t.throttled_until) end as next_attempt_at,
    n.told_at, coalesce(d.receipt, d.reason) as last_status, n.reason
from notice n join delivery d using (notice_id)
left join partner_endpoint t on t.cooperative_id = n.cooperative_id and t.partner_id = n.partner_id
where n.cooperative_id = $1 and n.partner_id = $2 and d.channel = $3
    and ($4::text is null or n.state = $4) and ($5::uuid is null or n.notice_id < $5)
order by n.notice_id desc limit $6
"""

_LOCK = f"""
select n.cooperative_id, n.partner_id, d.state, ({OVERTAKEN_BY}) as overtaken_by
from delivery d join notice n using (notice_id)
where d.notice_id = $1 and d.channel = $2 for update of d
"""  # noqa: S608 - only fixed text

_AGAIN = """
with again as (
    update delivery set state = 'queued', next_at = $3,
        attempts = case when state = 'queued' then attempts else 0 end,
        queued_at = case when state = 'queued' then queued_at else $3 end
    where notice_id = $1 and channel = $2
)
update notice set state = 'queued', reason = null, told_at = null where notice_id = $1
"""


@dataclass(frozen=True, slots=True)
class Message:
    """One message to a partner: never its body, nor where it goes."""

    notice_id: UUID
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
    rows = await conn.fetch(_LIST, cooperative_id, partner_id, WEBHOOK, state, before, limit)
    return [Message(**dict(row)) for row in rows]


async def lock_message(conn: Connection, notice_id: UUID) -> tuple[UUID, UUID, Sent] | None:
    """A message with its cooperative and partner; nobody else takes it in hand until the transaction ends."""
    row = await conn.fetchrow(_LOCK, notice_id, WEBHOOK)
    if row is None:
        return None
    return row["cooperative_id"], row["partner_id"], Sent(row["state"], row["overtaken_by"])


async def send_again(conn: Connection, notice_id: UUID, now: datetime) -> None:
    """The message is due now under the id that it has; one that was settled has its whole schedule before it."""
    await conn.execute(_AGAIN, notice_id, WEBHOOK, now)
