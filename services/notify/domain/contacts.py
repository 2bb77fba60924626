"""Persons of the contact book: how each is reached, when it wants quiet, and what it has consented to.

Nothing here prints a name or an address.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Literal, get_args
from uuid import UUID
from zoneinfo import ZoneInfo

WORK, MONEY, ALERTS, SUMMARY = PURPOSES = ("work", "money", "alerts", "summary")
"""What a consent is for: baskets and their changes; settlements; what staff must see to; the day in a few lines."""

ChannelName = Literal["zalo", "zalo_oa", "sms", "email", "telegram", "web_push", "webhook"]
"""By what a person is reached; partners are told by `webhook` too. Who carries an SMS is a matter of set-up."""

ZALO, ZALO_OA, SMS, EMAIL, TELEGRAM, WEB_PUSH, WEBHOOK = CHANNELS = get_args(ChannelName)

UNION = UUID(int=0)
"""Stands for the union where recipients are households, and cooperatives for their staff."""


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From when until when nothing may ring, in local time; mostly over midnight."""

    start: time
    end: time

    def over_at(self, now: datetime, timezone: str) -> datetime | None:
        """When the quiet that reigns `now` ends; None where none does."""
        local = now.astimezone(ZoneInfo(timezone))
        clock = local.time()
        over_midnight = self.start > self.end
        quiet = (clock >= self.start or clock < self.end) if over_midnight else self.start <= clock < self.end
        if not quiet:
            return None
        day = local.date() + timedelta(days=over_midnight and clock >= self.start)
        end = self.end.replace(fold=local.fold)  # not the hour before, where a clock was set back
        return datetime.combine(day, end, local.tzinfo).astimezone(now.tzinfo)


@dataclass(frozen=True, slots=True)
class Step:
    """One way to tell a recipient something, as far as consent allows."""

    contact_id: UUID
    display_name: str = field(repr=False)
    language: str
    quiet: QuietHours | None
    channel: str
    address: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sender:
    """Somebody who may have written: a household's member, one of a cooperative's staff, or one of the union."""

    contact_id: UUID
    cooperative_id: UUID | None
    household_id: UUID | None


@dataclass(frozen=True, slots=True)
class Address:
    """Where a channel reaches somebody. `gone_at`: since when it is known that nothing should ever be sent there."""

    channel: str
    address: str = field(repr=False)
    gone_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Contact:
    """A person; its addresses in the order of its preference."""

    contact_id: UUID
    cooperative_id: UUID | None
    household_id: UUID | None
    display_name: str = field(repr=False)
    language: str
    quiet: QuietHours | None
    rank: int
    addresses: Sequence[Address] = ()
    changed_at: datetime | None = None

    @property
    def recipient(self) -> UUID:
        """The household, the cooperative whose staff it is, or the union."""
        return self.household_id or self.cooperative_id or UNION

    @property
    def places(self) -> dict[str, str]:
        """From channel to address."""
        return {one.channel: one.address for one in self.addresses}


@dataclass(frozen=True, slots=True)
class Consent:
    """For one channel and purpose: when and how it was given, who wrote it down, and whether it was withdrawn."""

    channel: str
    purpose: str
    given_at: datetime
    source: str = field(repr=False)
    recorded_at: datetime
    recorded_by: UUID | None
    withdrawn_at: datetime | None = None
    withdrawn_source: str | None = field(default=None, repr=False)
    withdrawn_by: UUID | None = None
