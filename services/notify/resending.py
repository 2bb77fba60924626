"""Sending a message to a partner again, from wherever it is asked for."""

from datetime import datetime
from uuid import UUID

from services.chassis.ledger import Transaction
from services.notify.domain.endpoints import resend_fault
from services.notify.store import endpoints, messages


class Unknown(Exception):
    """There is no such message here."""


class Impossible(Exception):
    """The message cannot be sent again now; the text says why and what to do."""


async def resend(
    tx: Transaction, message_id: UUID, now: datetime, cooperative_id: UUID | None = None, partner_id: UUID | None = None
) -> None:
    """Makes the message due now; where they are named, it must be of this cooperative and partner.

    Raises Unknown and Impossible, and changes nothing then.
    """
    found = await messages.lock_message(tx.conn, message_id)
    if found is None:
        raise Unknown
    of, to, sent = found
    if cooperative_id not in (None, of) or partner_id not in (None, to):
        raise Unknown
    if fault := resend_fault(sent, await endpoints.get_endpoint(tx.conn, of, to)):
        raise Impossible(fault)
    await messages.send_again(tx.conn, message_id, now)
