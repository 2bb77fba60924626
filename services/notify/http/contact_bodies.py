"""Persons of the contact book as they are sent and shown."""

from collections.abc import Collection, Sequence
from datetime import datetime, time
from enum import StrEnum
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationInfo, WithJsonSchema
from pydantic import field_validator as check

from services.chassis import outbound, standard_webhooks
from services.notify import places
from services.notify.contact_book import Given
from services.notify.domain import addresses
from services.notify.domain.contacts import PURPOSES, WEBHOOK, Address, ChannelName, Contact, QuietHours

MOST_RANK = 1000
MOST_SOURCE = 200
FIRST_YEAR = 2000
"""Nobody has agreed to anything before."""

Purpose = Literal["work", "money", "alerts", "summary"]
Language = Literal["vi", "en", "mww", "blt", "twh"]
"""Those of wording.LANGUAGES; what a language does not say yet is said in Vietnamese."""

Name = Annotated[str, AfterValidator(addresses.name)]
Source = Annotated[
    str,
    AfterValidator(lambda text: addresses.line(text, MOST_SOURCE)),
    Field(description="How we know, such as “signed form”, “by phone to chị Hà”, “reply START”."),
]
Clock = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", examples=["21:00"])]

_TEXT = {"type": "string", "examples": ["0912 345 678", "ten@example.vn"]}
_SUBSCRIPTION = {
    "type": "object",
    "required": ["endpoint"],
    "properties": {
        "endpoint": {"type": "string", "format": "uri"},
        "keys": {"type": "object", "properties": {"p256dh": {"type": "string"}, "auth": {"type": "string"}}},
    },
    "description": "web_push: as the browser gives it",
}
_HOOK = {
    "type": "object",
    "required": ["url"],
    "properties": {
        "url": {"type": "string", "format": "uri"},
        "secret": {"type": "string", "description": "whsec_…; one is made where it is left out"},
    },
    "description": "webhook",
}
_GIVEN = {
    "oneOf": [_TEXT, {"type": "integer", "description": "telegram: the id of a chat"}, _SUBSCRIPTION, _HOOK],
    "description": "zalo, sms: a mobile number; zalo_oa: the user's id; email; telegram: the id of a chat; web_push: a "
    "subscription; webhook: url and secret. The secret part of one that is known may be left out.",
}
_SHOWN = {"oneOf": [_TEXT, _SUBSCRIPTION, _HOOK], "description": "without what is secret of it"}

_NOT_PUBLIC = {
    "address_not_public": "must be a public address",
    "https_needed": "must begin with https://",
    "port_not_allowed": "must be on port 443",
}


class Reason(StrEnum):
    """Why a person is erased; not in words of its own, which could name the person again."""

    OWN_REQUEST = "own_request"
    CONSENT_WITHDRAWN = "consent_withdrawn"
    NO_LONGER_NEEDED = "no_longer_needed"
    WRONGLY_COLLECTED = "wrongly_collected"


class Body(BaseModel):
    """What is sent here: nothing unknown in it, and values are not repeated in refusals."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, populate_by_name=True)


class QuietHoursBody(Body):
    """In the cooperative's local time; mostly over midnight."""

    start: Clock = Field(alias="from")
    until: Clock

    @check("until")
    @classmethod
    def _is_a_span(cls, until: str, others: ValidationInfo) -> str:
        if until == others.data.get("start"):
            raise ValueError("must differ from the beginning")
        return until

    @classmethod
    def of(cls, quiet: QuietHours | None) -> "QuietHoursBody | None":
        """As they are shown."""
        return cls(start=quiet.start.isoformat("minutes"), until=quiet.end.isoformat("minutes")) if quiet else None

    def value(self) -> QuietHours:
        """As they are kept."""
        return QuietHours(time.fromisoformat(self.start), time.fromisoformat(self.until))


class ConsentBody(Body):
    """What the person agrees to be told by one channel. What was agreed to before stays so; see `withdraw`."""

    purposes: Annotated[list[Purpose], Field(min_length=1)]
    source: Source
    given_at: AwareDatetime | None = Field(None, description="now, where it is left out")


class AddressBody(Body):
    """One way to reach the person. Without consent nothing is sent by it."""

    channel: ChannelName
    address: Annotated[Any, WithJsonSchema(_GIVEN)]
    consent: ConsentBody | None = None

    @check("address")
    @classmethod
    def _fits_the_channel(cls, given: object, others: ValidationInfo) -> object:
        channel = others.data.get("channel")
        if channel is None:
            return given
        kept = places.address(channel, given)
        if channel == WEBHOOK and (secret := places.secret(kept)) is not None:
            if not secret.startswith(standard_webhooks.PREFIX):
                raise ValueError("a Standard Webhooks secret is whsec_ and base64")
            standard_webhooks.key_of(secret)
        return kept


class ContactBody(Body):
    """A person, with its addresses in the order of its preference."""

    display_name: Name
    language: Language = "vi"
    quiet_hours: QuietHoursBody | None = Field(None, description="nothing rings then; mail may come")
    rank: Annotated[int, Field(ge=1, le=MOST_RANK)] | None = Field(
        None, description="the smallest is told first; where it is left out: as it is, or after all others"
    )
    addresses: list[AddressBody]

    @check("addresses")
    @classmethod
    def _one_for_each_channel(cls, given: list[AddressBody]) -> list[AddressBody]:
        if len({one.channel for one in given}) < len(given):
            raise ValueError("must have each channel once at most")
        return given


class AddressAnswer(BaseModel):
    """One way to reach the person, and what it may be used for."""

    channel: ChannelName
    address: Annotated[Any, WithJsonSchema(_SHOWN)]
    purposes: list[Purpose] = Field(description="for which there is consent")
    gone_at: datetime | None = Field(description="since when we know that nothing should be sent there any more")


class ContactAnswer(BaseModel):
    """A person as it stands in the book."""

    contact_id: UUID
    url: str
    cooperative_id: UUID | None
    household_id: UUID | None
    display_name: str
    language: Language
    quiet_hours: QuietHoursBody | None
    rank: int
    addresses: list[AddressAnswer]
    changed_at: datetime


class ContactSaved(ContactAnswer):
    """`webhook_secret` is the one that was made for a webhook, or null."""

    webhook_secret: str | None = Field(description="Keep it now; it is not shown again.")


class ContactList(BaseModel):
    """In the order in which they are told."""

    contacts: list[ContactAnswer]


class Wanted(NamedTuple):
    """What a body says, ready to be kept."""

    addresses: tuple[Address, ...]
    given: list[Given]
    made_secret: str | None


def read(
    body: ContactBody, known: dict[str, str], private: Sequence[outbound.Network], now: datetime
) -> tuple[Wanted, list[tuple[str, str]]]:
    """What the body says of addresses and consent, and what is wrong with it; `known` are the person's addresses."""
    faults: list[tuple[str, str]] = []
    found: list[Address] = []
    given: list[Given] = []
    made = None
    for number, one in enumerate(body.addresses):
        field, kept = f"addresses[{number}].address", str(one.address)
        complete = places.completed(one.channel, kept, known.get(one.channel))
        if complete is None and one.channel == WEBHOOK:
            made = standard_webhooks.new_secret()
            complete = places.hook({"url": places.where(one.channel, kept), "secret": made})
        url = places.url(one.channel, kept)
        if complete is None:
            faults.append((field, "keys are needed for an endpoint that is new"))
        elif url is not None and (fault := outbound.refusal_of_url(url, private)):
            faults.append((field, _NOT_PUBLIC[fault]))
        else:
            found.append(Address(one.channel, complete))
        if one.consent is not None:
            faults += given_faults(one.consent, f"addresses[{number}].consent.", now)
            given.append(given_of(one.channel, one.consent, now))
    return Wanted(tuple(found), given, made), faults


def given_faults(consent: ConsentBody, before: str, now: datetime) -> list[tuple[str, str]]:
    """What is wrong with a consent besides its form; `before` leads to its fields."""
    if consent.given_at is None:
        return []
    if consent.given_at.year < FIRST_YEAR:
        return [(f"{before}given_at", f"must not lie before the year {FIRST_YEAR}")]
    return [(f"{before}given_at", "must not be in the future")] if consent.given_at > now else []


def given_of(channel: str, consent: ConsentBody, now: datetime) -> Given:
    """The consent as it is kept."""
    return Given(channel, consent.purposes, consent.given_at or now, consent.source)


def shown(contact: Contact, agreed: Collection[tuple[str, str]]) -> dict[str, Any]:
    """A person, and for which channels and purposes it agrees to be told; for `ContactAnswer`."""
    return {
        "contact_id": contact.contact_id,
        "url": f"/v1/contacts/{contact.contact_id}",
        "cooperative_id": contact.cooperative_id,
        "household_id": contact.household_id,
        "display_name": contact.display_name,
        "language": contact.language,
        "quiet_hours": QuietHoursBody.of(contact.quiet),
        "rank": contact.rank,
        "addresses": [
            {
                "channel": one.channel,
                "address": places.shown(one.channel, one.address),
                "purposes": [purpose for purpose in PURPOSES if (one.channel, purpose) in agreed],
                "gone_at": one.gone_at,
            }
            for one in contact.addresses
        ],
        "changed_at": contact.changed_at,
    }
