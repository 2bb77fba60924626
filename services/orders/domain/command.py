"""The canonical command: what every platform's push is turned into, and which of two pushes wins.

Pushes come late, twice and in any order. Each carries a revision, and the greatest revision wins for ever, so
every order of arrival ends in the same state.
"""

import hashlib
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Self

from msgspec import Struct

_encode = json.JSONEncoder(separators=(",", ":")).encode
"""In ASCII, the same for ever: digests that are stored are compared with those of later pushes."""

UNTIMED = datetime(9999, 12, 31, tzinfo=UTC)
"""When a platform does not say when it deleted an order: after everything else but an explicit restoration."""


class Kind(StrEnum):
    """What the partner wants: the order as it says, or no order."""

    UPSERT = "upsert"
    CANCEL = "cancel"


class Revision(Struct, frozen=True, order=True):
    """Compared by the source's time of update, then how far its status is, then content, which breaks any tie."""

    updated_at: datetime
    status_rank: int
    digest: str


class CommandLine(Struct, frozen=True):
    """One line as sold: `quantity` counts what the SKU names (bags, boxes, kilograms).

    `minimum` is the least of it that is useful to the customer, at most the quantity; None: any part is.
    """

    line_no: int
    sku: str
    quantity: Decimal
    price_vnd: int | None = None
    minimum: Decimal | None = None

    def content(self) -> tuple[object, ...]:
        """As it is digested and stored: numbers that are equal are written alike, and no minimum is not written."""
        said = (self.line_no, self.sku, decimal_text(self.quantity), self.price_vnd)
        return said if self.minimum is None else (*said, decimal_text(self.minimum))


class Contact(Struct, frozen=True):
    """The customer as the partner gave it; never leaves this service, and no repr puts it into a log.

    `platform_id`: the partner's own name for the customer's account.
    """

    name: str | None = None
    phone: str | None = None
    address: str | None = None
    email: str | None = None
    platform_id: str | None = None

    def __repr__(self) -> str:
        return "Contact(…)"

    @property
    def content(self) -> tuple[str | None, ...]:
        """What goes into a digest: the last two only where one is given, so that older digests stay what they are."""
        told = (self.name, self.phone, self.address)
        return told if self.email is None and self.platform_id is None else (*told, self.email, self.platform_id)


class OrderCommand(Struct, frozen=True):
    """One push. `delivery_day` None asks for the earliest day that takes orders; `restores` undoes a deletion."""

    partner_ref: str
    revision: Revision
    kind: Kind
    delivery_day: date | None = None
    lines: tuple[CommandLine, ...] = ()
    contact: Contact | None = None
    restores: bool = False

    @classmethod
    def make(
        cls,
        partner_ref: str,
        updated_at: datetime,
        status_rank: int,
        kind: Kind,
        delivery_day: date | None = None,
        lines: tuple[CommandLine, ...] = (),
        contact: Contact | None = None,
        restores: bool = False,
    ) -> Self:
        """The command with the digest of its content. Quantities that are equal are written alike."""
        content = (
            kind.value,
            delivery_day and delivery_day.isoformat(),
            [line.content() for line in lines],
            contact and contact.content,
        )
        digest = hashlib.sha256(_encode(content).encode()).hexdigest()
        revision = Revision(updated_at, status_rank, digest)
        return cls(partner_ref, revision, kind, delivery_day, lines, contact, restores)

    def without_contact(self) -> Self:
        """The same push as if it had not named the customer; equal pushes stay equal, and older ones older."""
        told = self.revision
        return self.make(
            self.partner_ref, told.updated_at, told.status_rank, self.kind, self.delivery_day, self.lines,
            restores=self.restores,
        )  # fmt: skip

    def follows(self, stored: "OrderCommand") -> bool:
        """Whether this push takes the place of the stored one. A deletion has no time, so a restoration follows it."""
        undeleted = self.restores and stored.revision.updated_at == UNTIMED
        return undeleted or self.revision > stored.revision


def decimal_text(number: Decimal) -> str:
    """The number without trailing zeros or exponent: `1.50` and `1.5` are `1.5`."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
