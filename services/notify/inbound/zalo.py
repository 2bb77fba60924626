"""What Zalo reports about an Official Account: who has a message on the device, who opened it, who wrote something.

`X-ZEvent-Signature: mac=…` is the SHA-256 (no HMAC) of the application's id, the raw body, the body's own `timestamp`
and the account's secret key, one after the other. Some accounts sign with the account's id in the first place, so that
term is a setting.

What somebody sends without a text - a voice message, a picture - is taken as its kind in brackets, so that somebody
looks at it.

`user_received_message` names two things: with Zalo's server `ZNS`, or a `tracking_id` or `delivery_time`, it is the
receipt of a template message; without them that of a message in the conversation.
https://developers.zalo.me/docs/official-account/webhook/tong-quan
"""

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from services.notify.domain.contacts import ZALO, ZALO_OA
from services.notify.domain.messages import Receipt, Said
from services.notify.foreign import object_of
from services.notify.inbound import Forged, Malformed, is_id, tidy

SIGNATURE, SERVER = "x-zevent-signature", "x-zevent-server"

KINDS = ("audio", "image", "gif", "video", "sticker", "location", "file", "link", "business_card")
_SENT = {f"user_send_{kind}": kind for kind in KINDS}


@dataclass(frozen=True, slots=True)
class ZaloReader:
    """`first_term` is the application's id, or what else the account signs with."""

    first_term: str
    oa_secret_key: str = field(repr=False)

    def read(self, body: bytes, signature: str | None, server: str | None = None) -> list[Receipt | Said]:
        """What the event says; nothing for events that are not for us. Raises Forged and Malformed.

        The console tests an address by requests without a signature: they are to be answered well and say nothing.
        """
        if signature is None:
            return []
        event = object_of(body)
        timestamp = event.get("timestamp", "") if event is not None else None
        if event is None or isinstance(timestamp, list | dict):
            raise Forged  # only an object with its timestamp can be verified at all
        self._verify(body, str(timestamp), signature)
        match name := event.get("event_name"):
            case "user_received_message":
                return [_received(event, server)]
            case "user_seen_message":
                return _seen(event)
            case "user_send_text":
                return [_said(event)]
            case str() if name in _SENT:
                return [_said(event, _SENT[name])]
            case _:
                return []

    def _verify(self, body: bytes, timestamp: str, signature: str) -> None:
        """Raises Forged."""
        signed = self.first_term.encode() + body + timestamp.encode() + self.oa_secret_key.encode()
        due = f"mac={hashlib.sha256(signed).hexdigest()}"
        if not hmac.compare_digest(due.encode(), signature.strip().lower().encode()):
            raise Forged


def _received(event: dict[str, Any], server: str | None) -> Receipt:
    message = _object(event, "message")
    is_template = (server or "").upper() == "ZNS" or "tracking_id" in message or "delivery_time" in message
    if not is_template:
        return Receipt(ZALO_OA, _moment(event, "timestamp"), arrived=True, provider_id=_text(message, "msg_id"))
    at = _moment(message, "delivery_time") if "delivery_time" in message else _moment(event, "timestamp")
    ours = _uuid(message.get("tracking_id"))
    return Receipt(ZALO, at, arrived=True, message_id=ours, provider_id=_text(message, "msg_id"))


def _seen(event: dict[str, Any]) -> list[Receipt | Said]:
    """Who opened the conversation has the messages in it, whether or not that was reported before."""
    message, at = _object(event, "message"), _moment(event, "timestamp")
    ids = message.get("msg_ids", [message.get("msg_id")])
    if not isinstance(ids, list) or not all(isinstance(one, str) and is_id(one) for one in ids):
        raise Malformed("message.msg_ids")
    return [Receipt(ZALO_OA, at, arrived=True, provider_id=one) for one in ids]


def _said(event: dict[str, Any], kind: str | None = None) -> Said:
    message = _object(event, "message")
    text = message.get("text")
    if kind is not None and (not isinstance(text, str) or not text):
        text = f"[{kind}]"
    if not isinstance(text, str):
        raise Malformed("message.text")
    sender = _text(_object(event, "sender"), "id")
    return Said(ZALO_OA, sender, tidy(text), _text(message, "msg_id"), _moment(event, "timestamp"))


def _object(owner: dict[str, Any], name: str) -> dict[str, Any]:
    found = owner.get(name)
    if not isinstance(found, dict):
        raise Malformed(name)
    return found


def _text(owner: dict[str, Any], name: str) -> str:
    found = owner.get(name)
    if not isinstance(found, str) or not is_id(found):
        raise Malformed(name)
    return found


def _moment(owner: dict[str, Any], name: str) -> datetime:
    """Milliseconds since 1970, as a string or a number."""
    found = str(owner.get(name))
    if not (found.isascii() and found.isdigit() and len(found) <= 14):
        raise Malformed(name)
    seconds, milliseconds = divmod(int(found), 1000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=milliseconds * 1000)


def _uuid(tracking_id: object) -> UUID | None:
    """Ours, where it is one of ours."""
    try:
        return UUID(hex=str(tracking_id))
    except ValueError:
        return None
