"""Which version of which basket its household has been told, or why not."""

from collections.abc import Sequence

from services.allocation.store.days import Told, save_told
from services.chassis.inbox import Received
from services.chassis.ledger import Transaction
from services.contracts.notify import NoticeDelivered, NoticeUndeliverable


async def take_in_notices(tx: Transaction, events: Sequence[Received[NoticeDelivered | NoticeUndeliverable]]) -> None:
    """Notes which version of which basket its household has been told, or why not."""
    told = [_told(received) for received in events if received.event.kind == "basket"]
    if told:
        await save_told(tx.conn, told)


def _told(received: Received[NoticeDelivered | NoticeUndeliverable]) -> Told:
    event = received.event
    if event.household_id is None or event.delivery_day is None or event.version is None:
        raise ValueError(f"notice {event.notice_id} of a basket does not name household, delivery day and version")
    basket = (received.stream, event.delivery_day, event.household_id, event.version)
    if isinstance(event, NoticeDelivered):
        return Told(*basket, event.told_at)
    return Told(*basket, None, event.reason, received.time)
