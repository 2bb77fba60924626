"""What each channel takes for an address, in the one form in which it is kept; what is kept is never printed.

Web push and webhook have an address with a secret part; they are kept as JSON. Where only the open part of one that is
known is given, as it is shown, the secret part stays as it is.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable, Mapping

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

from services.notify.domain import addresses
from services.notify.domain.contacts import EMAIL, SMS, TELEGRAM, WEB_PUSH, WEBHOOK, ZALO, ZALO_OA, Contact

REGION = "VN"
"""Where a number without a country is at home."""

MOST_DIGITS = 40
"""Of a number as it is written, with blanks."""

_PHONE = re.compile(r"\+?[0-9 ().\-\u00a0]+")
_CHAT = re.compile(r"-?[1-9][0-9]{0,18}")
_ZALO_USER = re.compile(r"[1-9][0-9]{4,29}")
_MOBILE = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)
_MOST_CHAT = 2**63 - 1
_POINT_BYTES, _AUTH_BYTES = 65, 16


def mobile(text: str) -> str:
    """A mobile number in E.164, such as +84912345678. Raises ValueError."""
    if not _PHONE.fullmatch(text) or len(text) > MOST_DIGITS:
        raise ValueError("must be a telephone number such as 0912 345 678 or +84912345678")
    try:
        number = phonenumbers.parse(text, REGION)
    except NumberParseException:
        raise ValueError("must be a telephone number such as 0912 345 678 or +84912345678") from None
    if not phonenumbers.is_possible_number(number):
        raise ValueError("has too few or too many digits for a telephone number")
    if not phonenumbers.is_valid_number(number):
        raise ValueError("is no number that anybody has: no network has such numbers")
    if phonenumbers.number_type(number) not in _MOBILE:
        raise ValueError("must be a mobile number: this one gets no messages")
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def chat(text: str) -> str:
    """A chat of Telegram: a whole number, below zero for groups. Raises ValueError."""
    if not _CHAT.fullmatch(text) or abs(int(text)) > _MOST_CHAT:
        raise ValueError("must be the id of a chat: a whole number, with a minus for a group")
    return text


def zalo_user(text: str) -> str:
    """A user's id for one official account. Raises ValueError."""
    if not _ZALO_USER.fullmatch(text):
        raise ValueError("must be the user's id at Zalo: 5 to 30 digits")
    return text


def subscription(given: Mapping[str, object]) -> str:
    """A push subscription as a browser gives it, as JSON; with its endpoint alone where the keys are left out.

    Raises ValueError.
    """
    _only(given, ("endpoint", "keys", "expirationTime"))
    endpoint = given.get("endpoint")
    if not isinstance(endpoint, str) or not endpoint.startswith("https://"):
        raise ValueError("endpoint must be an https URL")
    kept: dict[str, object] = {"endpoint": addresses.webhook_url(endpoint)}
    keys = given.get("keys")
    if keys is not None:
        if not isinstance(keys, Mapping):
            raise ValueError("keys must have p256dh and auth")
        _only(keys, ("p256dh", "auth"))
        p256dh, auth = _bytes("p256dh", keys, _POINT_BYTES), _bytes("auth", keys, _AUTH_BYTES)
        if p256dh[0] != 4:
            raise ValueError("p256dh must be a point of P-256, uncompressed")
        kept["keys"] = {"p256dh": _text(p256dh), "auth": _text(auth)}
    return _json(kept)


def hook(given: Mapping[str, object]) -> str:
    """A URL, and the secret that signs, as JSON; the URL alone where the secret is left out. Raises ValueError."""
    _only(given, ("url", "secret"))
    url, secret = given.get("url"), given.get("secret")
    if not isinstance(url, str):
        raise ValueError("url must be an http or https URL")
    kept = {"url": addresses.webhook_url(url)}
    if secret is not None:
        if not isinstance(secret, str):
            raise ValueError("secret must be text")
        kept["secret"] = secret
    return _json(kept)


_TEXT: dict[str, Callable[[str], str]] = {
    ZALO: mobile, ZALO_OA: zalo_user, SMS: mobile, EMAIL: addresses.email, TELEGRAM: chat,
}  # fmt: skip
_OBJECT: dict[str, Callable[[Mapping[str, object]], str]] = {WEB_PUSH: subscription, WEBHOOK: hook}
_OPEN_PART = {WEB_PUSH: "endpoint", WEBHOOK: "url"}
_SECRET_PART = {WEB_PUSH: "keys", WEBHOOK: "secret"}


def address(channel: str, given: object) -> str:
    """What is given for a channel of `CHANNELS`, in the form in which it is kept. Raises ValueError."""
    if channel in _OBJECT:
        if not isinstance(given, Mapping):
            raise ValueError(f"must be an object with {_OPEN_PART[channel]} and {_SECRET_PART[channel]}")
        return _OBJECT[channel](given)
    if channel == TELEGRAM and isinstance(given, int) and not isinstance(given, bool):
        given = str(given)
    if not isinstance(given, str):
        raise ValueError("must be text")
    return _TEXT[channel](given)


def url(channel: str, kept: str) -> str | None:
    """Where requests would go, for channels whose address says that."""
    return str(json.loads(kept)[_OPEN_PART[channel]]) if channel in _OBJECT else None


def where(channel: str, kept: str) -> str:
    """An address without its secret part: what tells whether two are the same."""
    return url(channel, kept) or kept


def shown(channel: str, kept: str) -> str | dict[str, str]:
    """An address as it is shown to staff, without its secret part."""
    return {_OPEN_PART[channel]: where(channel, kept)} if channel in _OBJECT else kept


def secret(kept: str) -> str | None:
    """The secret of a webhook, where it has one."""
    found = json.loads(kept).get(_SECRET_PART[WEBHOOK])
    return None if found is None else str(found)


def completed(channel: str, kept: str, known: str | None) -> str | None:
    """With the secret part of the address that is known, where the same was given without it; None: it lacks one."""
    if channel not in _OBJECT or _SECRET_PART[channel] in json.loads(kept):
        return kept
    same = known is not None and where(channel, known) == where(channel, kept)
    return known if same else None


def find_same(known: Iterable[Contact], display_name: str, places: Mapping[str, str]) -> Contact | None:
    """Who has this name and just these addresses."""
    wanted = {channel: where(channel, kept) for channel, kept in places.items()}
    for contact in known:
        theirs = {channel: where(channel, kept) for channel, kept in contact.places.items()}
        if contact.display_name == display_name and theirs == wanted:
            return contact
    return None


def _only(given: Mapping[str, object], names: tuple[str, ...]) -> None:
    if not set(given) <= set(names):
        raise ValueError(f"must have nothing but {', '.join(names)}")


def _bytes(name: str, keys: Mapping[str, object], length: int) -> bytes:
    fault = f"{name} must be {length} bytes in base64url"
    text = keys.get(name)
    if not isinstance(text, str) or not text.isascii():
        raise ValueError(fault)
    try:
        raw = base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise ValueError(fault) from None
    if len(raw) != length:
        raise ValueError(fault)
    return raw


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _json(kept: Mapping[str, object]) -> str:
    return json.dumps(kept, sort_keys=True, separators=(",", ":"))
