"""Changes of the contact book, each in one transaction: who is written down, who agrees, who withdraws, who is erased.

The recipient is locked first, so that no notice is made meanwhile by what was true before.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from services.chassis.ids import uuid7
from services.chassis.ledger import Transaction
from services.notify.climbing import Ladder
from services.notify.domain.contacts import PURPOSES, WEB_PUSH, WORK, Address, Consent, Contact
from services.notify.places import where
from services.notify.store import consents, contacts, persons

MOST_BROWSERS = 5
"""Of one household: whoever has the link of a notice can add one."""
BY_ITSELF = "in the browser itself, by the link of a notice"
"""The source of a consent that nobody of ours has recorded."""
NAMELESS, FIRST_LANGUAGE = "gia đình", "vi"

REMOVED = "address removed"
"""The source of a withdrawal that follows because staff took the address out of the book."""


@dataclass(frozen=True, slots=True)
class Given:
    """Consent for several purposes by one channel, as it was recorded."""

    channel: str
    purposes: Collection[str]
    given_at: datetime
    source: str

    def consents(self, by: UUID | None, now: datetime) -> list[Consent]:
        """One for each purpose, in their usual order."""
        wanted = [purpose for purpose in PURPOSES if purpose in self.purposes]
        return [Consent(self.channel, purpose, self.given_at, self.source, now, by) for purpose in wanted]


async def lock(tx: Transaction, cooperative_id: UUID | None, household_id: UUID | None) -> bool:
    """Holds off notices to this recipient, and other changes of its contacts; False where there is no such one."""
    if household_id is not None:
        return await contacts.lock_household(tx.conn, household_id) is not None
    if cooperative_id is not None:
        return await contacts.lock_staff(tx.conn, cooperative_id)
    await contacts.lock_union(tx.conn)
    return True


async def save(
    tx: Transaction,
    ladder: Ladder,
    contact: Contact,
    before: Contact | None,
    given: Sequence[Given],
    by: UUID | None,
    now: datetime,
) -> None:
    """Writes a person down as it is now, and what it has agreed to; `before` is what the book says, if anything.

    `by` is the key that records it; None: the person itself.

    Consent for a channel ends with its address; to reach the person there again, it must agree again.
    """
    known = before.places if before else {}
    removed = known.keys() - contact.places.keys()
    await consents.withdraw_consents(tx.conn, contact.contact_id, removed, None, now, REMOVED, by)
    await contacts.save_contact(tx.conn, contact, now)
    agreed = await _agree(tx, contact.contact_id, given, by, now)
    moved = {channel for channel, _ in contact.places.items() - known.items()}
    await _try_again(tx, ladder, contact, agreed | moved, moved, now)


async def agree(
    tx: Transaction, ladder: Ladder, contact: Contact, given: Given, by: UUID | None, now: datetime
) -> None:
    """Writes down what the person has agreed to; `by` is the key that records it, None: the person itself."""
    await _try_again(tx, ladder, contact, await _agree(tx, contact.contact_id, [given], by, now), (), now)


async def _agree(tx: Transaction, contact_id: UUID, given: Sequence[Given], by: UUID | None, now: datetime) -> set[str]:
    """The channels by which this opens a way that was not open."""
    rows = [consent for one in given for consent in one.consents(by, now)]
    if not rows:
        return set()
    made = await consents.insert_consents(tx.conn, contact_id, rows)
    revived = await consents.revive_addresses(tx.conn, contact_id, rows)
    return {channel for channel, _ in made} | revived


async def add_browser(tx: Transaction, ladder: Ladder, household_id: UUID, kept: str, now: datetime) -> bool:
    """A household lets one more browser be told, before all else; False where it has enough of them.

    It is addressed as the one that is told first so far. One that has a new subscription or key, or agrees again, takes
    its own place, and else that of one that is gone.
    """
    cooperative_id = await contacts.lock_household(tx.conn, household_id)
    known = await contacts.list_contacts(tx.conn, household_id)
    browsers = [one for one in known if WEB_PUSH in one.places]
    before = next((one for one in browsers if where(WEB_PUSH, one.places[WEB_PUSH]) == where(WEB_PUSH, kept)), None)
    before = before or next((one for one in browsers if _is_gone(one)), None)
    if before is None and len(browsers) >= MOST_BROWSERS:
        return False
    if before is not None:
        addresses = [Address(WEB_PUSH, kept) if one.channel == WEB_PUSH else one for one in before.addresses]
        contact = replace(before, addresses=addresses)
    else:
        name, language = (known[0].display_name, known[0].language) if known else (NAMELESS, FIRST_LANGUAGE)
        contact = Contact(
            uuid7(), cooperative_id, household_id, name, language, None, rank=0, addresses=(Address(WEB_PUSH, kept),)
        )
    await save(tx, ladder, contact, before, [Given(WEB_PUSH, (WORK,), now, BY_ITSELF)], None, now)
    return True


def _is_gone(contact: Contact) -> bool:
    """A browser that nothing else of the person stands beside, and that was given up."""
    return all(one.channel == WEB_PUSH and one.gone_at is not None for one in contact.addresses)


async def withdraw(
    tx: Transaction,
    contact_id: UUID,
    channel: str | None,
    purpose: str | None,
    source: str,
    by: UUID | None,
    now: datetime,
) -> None:
    """Ends consent for the channel and the purpose, None: for all of them. What waits is not sent any more."""
    channels, purposes = [channel] if channel else None, [purpose] if purpose else None
    await consents.withdraw_consents(tx.conn, contact_id, channels, purposes, now, source, by)


async def erase(tx: Transaction, contact: Contact, reason: str, by: UUID, now: datetime) -> None:
    """Forgets the person. The notices and deliveries stay, and name it by nothing but its id, which nobody gets again.

    What waits for it is not sent any more.
    """
    await persons.delete_contact(tx.conn, contact.contact_id)
    await persons.insert_erasure(tx.conn, contact.contact_id, contact.cooperative_id, reason, by, now)


async def _try_again(
    tx: Transaction,
    ladder: Ladder,
    contact: Contact,
    channels: Collection[str],
    moved: Collection[str],
    now: datetime,
) -> None:
    """Where new ways to reach somebody have come: what reached nobody, and still is of use, is sent now."""
    if channels:
        await ladder.reopen(tx, contact.recipient, contact.contact_id, channels, moved, now)
