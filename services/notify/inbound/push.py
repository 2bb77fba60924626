"""What the worker in a subscribed browser reports: that it has shown a message."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from services.notify.domain.contacts import WEB_PUSH
from services.notify.domain.hooks import Hooks
from services.notify.domain.messages import Receipt
from services.notify.inbound import Forged

PUSH: Final = "push"


@dataclass(frozen=True, slots=True)
class PushReader:
    """Only who got the message knows where to report it."""

    hooks: Hooks

    def shown(self, message_id: UUID, mac: str, now: datetime) -> list[Receipt]:
        """The receipt. Raises Forged."""
        if not self.hooks.is_good(mac, PUSH, message_id):
            raise Forged
        return [Receipt(WEB_PUSH, now, arrived=True, message_id=message_id)]
