"""The partners' virtual host: names, and what `orders` declares in it, again after every loss.

    partner.<id>    ──▶  orders.intake          what partners publish; the exchange proves whose it is
    orders.rejects  ──▶  partner.<id>.rejects   what could not be taken, with the reason in its headers

A partner's user may write to its exchange and read its queue of rejects; nothing else is its to touch.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from aio_pika import ExchangeType
from aio_pika.abc import AbstractConnection
from pamqp.common import FieldTable

INTAKE = "orders.intake"
REJECTS = "orders.rejects"
PREFIX = "partner-"
"""With which the broker's users of partners begin, and no other's."""

MOST_WAITING = 20_000
MOST_WAITING_BYTES = 256 * 1024 * 1024
"""Of messages in the intake queue; the publisher of one more is told so (its confirm is negative)."""
MOST_REJECTS = 1000
MOST_REJECTS_BYTES = 64 * 1024 * 1024
REJECTS_KEPT_MS = 14 * 24 * 3600 * 1000

_INTAKE: FieldTable = {
    "x-queue-type": "quorum",
    "x-max-length": MOST_WAITING,
    "x-max-length-bytes": MOST_WAITING_BYTES,
    "x-overflow": "reject-publish",
    # RabbitMQ 4 would drop what came back twenty times, as when connections break while the database is away.
    "x-delivery-limit": 1_000_000_000,
}
_REJECTS: FieldTable = {
    "x-queue-type": "quorum",
    "x-max-length": MOST_REJECTS,
    "x-max-length-bytes": MOST_REJECTS_BYTES,
    "x-overflow": "drop-head",
    "x-message-ttl": REJECTS_KEPT_MS,
}


def user(partner_id: UUID) -> str:
    """The broker's user of a partner."""
    return f"{PREFIX}{partner_id}"


def exchange(partner_id: UUID) -> str:
    """The exchange to which a partner publishes, and nobody else."""
    return f"partner.{partner_id}"


def reject_queue(partner_id: UUID) -> str:
    """Where a partner finds what could not be taken."""
    return f"partner.{partner_id}.rejects"


@lru_cache(maxsize=20_000)
def owner(exchange_name: str) -> UUID | None:
    """The partner whose exchange this is; None where it is no partner's."""
    try:
        partner_id = UUID(exchange_name.removeprefix("partner."))
    except ValueError:
        return None
    return partner_id if exchange(partner_id) == exchange_name else None


class IntakeNow(NamedTuple):
    """How many consume the intake, and how many messages wait in it that nobody has in hand."""

    consumers: int
    waiting: int


async def declare(connection: AbstractConnection, partner_ids: Iterable[UUID]) -> IntakeNow:
    """Declares the intake and what these partners need; safe to repeat. Returns how the intake stands."""
    async with connection.channel() as channel:
        intake = await channel.declare_queue(INTAKE, durable=True, arguments=dict(_INTAKE))
        await channel.declare_exchange(REJECTS, ExchangeType.DIRECT, durable=True)
        for partner_id in partner_ids:
            await channel.declare_exchange(exchange(partner_id), ExchangeType.FANOUT, durable=True)
            await intake.bind(exchange(partner_id))
            rejects = await channel.declare_queue(reject_queue(partner_id), durable=True, arguments=dict(_REJECTS))
            await rejects.bind(REJECTS, str(partner_id))
    found = intake.declaration_result
    return IntakeNow(found.consumer_count or 0, found.message_count or 0)
