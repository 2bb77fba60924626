"""Who a customer is: phone, e-mail and platform id in one written form each, and which values tell nobody's identity.

Platforms mask what they do not want to give away: `******64`, `P******n`, `(+84)91*****57`, `09xxxxx678`, `n...n@x.vn`.
Two masked values that are equal are not the same person, so no masked value ever identifies anybody.
"""

import re
import unicodedata
from collections.abc import Sequence
from uuid import UUID

from msgspec import Struct

from services.orders.domain.command import Contact

PHONE, EMAIL = "phone", "email"

_MASK = re.compile(r"[*•●∗■█×]|··|\.\.|xxx")
"""After NFKC, which makes three dots of an ellipsis, and in lower case."""
_MASK_OF_SIGNS = "#"
"""Names and addresses have it as well, as before the number of a house."""
_BETWEEN = re.compile(r"[\s.()\-–—'’]+")  # an apostrophe marks a text in spreadsheets
_PHONE = re.compile(r"(?:(?:\+|00)?840?|0)?([35789][0-9]{8}|2[0-9]{9})")
_EMAIL = re.compile(r"[^@\s,;<>\"]{1,64}@[^@\s,;<>\"]+\.[^@\s.,;<>\"]{2,}")
_MOST_EMAIL = 254
_MOST_PLATFORM_ID = 200


class Identity(Struct, frozen=True, order=True):
    """One sign by which a customer of a cooperative is known; `kind` is phone, email, or the partner of an account."""

    kind: str
    value: str


def is_masked(text: str) -> bool:
    """Whether a part of the text is hidden."""
    return _MASK.search(unicodedata.normalize("NFKC", text).casefold()) is not None


def _is_masked_sign(text: str) -> bool:
    return is_masked(text) or _MASK_OF_SIGNS in unicodedata.normalize("NFKC", text)


def phone_of(text: str | None) -> str | None:
    """A Vietnamese number as `+84…`; None where the text is none, is masked, or has more than one.

    Mobiles are 03, 05, 07, 08 or 09 and 8 digits, landlines 02 and 9 digits, written with 0, 84, 0084 or +84 in front,
    or without the 0, which spreadsheets take away.
    """
    if not text or _is_masked_sign(text):
        return None
    found = _PHONE.fullmatch(_BETWEEN.sub("", unicodedata.normalize("NFKC", text)))
    return f"+84{found[1]}" if found else None


def email_of(text: str | None) -> str | None:
    """The address in lower case; None where the text is none or is masked."""
    if not text or _is_masked_sign(text):
        return None
    plain = unicodedata.normalize("NFKC", text).strip().lower()
    return plain if len(plain) <= _MOST_EMAIL and _EMAIL.fullmatch(plain) else None


def platform_id_of(text: str | None) -> str | None:
    """The id as the platform writes it; None where there is none, as for guests, or it is masked."""
    plain = unicodedata.normalize("NFC", text or "").strip()
    return None if plain in ("", "0") or len(plain) > _MOST_PLATFORM_ID or _is_masked_sign(plain) else plain


def plain_text(text: str | None) -> str | None:
    """A name or an address, if it is not masked."""
    return text if text and not is_masked(text) else None


def may_identify(contact: Contact | None) -> bool:
    """Whether it is worth to look closer; cheap, since every push is asked."""
    if contact is None:
        return False
    for value in (contact.phone, contact.email, contact.platform_id):  # noqa: SIM110 - a generator takes three times as long
        if value is not None and "*" not in value:
            return True
    return False


def identities_of(contact: Contact, partner_id: UUID) -> Sequence[Identity]:
    """The customer's signs, the strongest first: a phone is a person's, an account may be a household's or a shop's.

    An account is known within its partner only: two shops number their customers alike. Behind a masked phone could be
    anybody who shares the e-mail, so there it tells nothing, and only the account does.
    """
    hides_phone = contact.phone is not None and _is_masked_sign(contact.phone)
    signs = (
        (PHONE, phone_of(contact.phone)),
        (EMAIL, None if hides_phone else email_of(contact.email)),
        (str(partner_id), platform_id_of(contact.platform_id)),
    )
    return [Identity(kind, value) for kind, value in signs if value]
