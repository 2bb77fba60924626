"""One notice in words for one person, as channels get it; and what comes back by them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Text:
    """A notice in words, in each form that some channel needs; all of it NFC.

    `subject` is one line, `body` several. `short` is for SMS: without diacritics, in one segment where that is
    possible. `fields` are the same facts piece by piece, for templates that a provider has approved. `link` is where
    the household answers; it also stands in `body` and `short`.
    """

    subject: str = field(repr=False)
    body: str = field(repr=False)
    short: str = field(default="", repr=False)
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)
    link: str | None = field(default=None, repr=False)


def fitting(text: Text, most: int) -> str | None:
    """The body, or the short text where the body has more UTF-16 units than `most`: half a basket would be a wrong one.

    None where neither can be sent.
    """
    for one in (text.body.strip(), text.short.strip()):
        if 1 <= len(one.encode("utf-16-le", "surrogatepass")) // 2 <= most:
            return one
    return None


@dataclass(frozen=True, slots=True)
class Message:
    """One notice to one person by one channel; whom it goes to and what it says is never printed.

    `message_id` is that of the delivery, the same on every attempt, so that a provider that knows ids recognises a
    repetition. `notice_id` is what a person's own program knows it by, also after a restore. `to` is the channel's kind
    of address: an E.164 number, an e-mail address, a chat, a subscription. Of messages with the same `about` only the
    newest need be read, and none after `expires_at`.
    """

    message_id: UUID
    notice_id: UUID
    kind: str
    to: str = field(repr=False)
    to_name: str = field(repr=False)
    from_name: str
    language: str
    text: Text = field(repr=False)
    about: str = field(repr=False)
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """A provider's word on a message that it took: `arrived`, or why it did not and never will.

    It names the message by our id, by the provider's, or by both.
    """

    channel: str
    at: datetime
    arrived: bool
    message_id: UUID | None = None
    provider_id: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody wrote back. `channel` and `sender` are as in the contact book; `said_id` is the provider's."""

    channel: str
    sender: str = field(repr=False)
    text: str = field(repr=False)
    said_id: str
    at: datetime
