"""What people write to the bot.

Telegram proves itself by `X-Telegram-Bot-Api-Secret-Token`, which was given to it with the address (`setWebhook`). It
comes again until it has a 2xx. A text is taken as it is, also `/start` with the code that a link to the bot carries,
by which a conversation can be linked to a contact. A message without text - a voice message, a picture - is taken as
its kind in brackets, so that somebody looks at it. A correction is a text of its own. Only conversations with one
person count: in a group nobody knows whose answer it is.
https://core.telegram.org/bots/api#update
"""

import hmac
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from services.notify.domain.contacts import TELEGRAM
from services.notify.domain.messages import Receipt, Said
from services.notify.foreign import object_of
from services.notify.inbound import Forged, Malformed, tidy

SECRET_TOKEN: Final = "x-telegram-bot-api-secret-token"  # noqa: S105 - the name of a header

KINDS = ("voice", "audio", "photo", "video", "video_note", "animation", "document", "sticker", "location", "contact")


@dataclass(frozen=True, slots=True)
class TelegramReader:
    """`secret_token` is the one that was given to Telegram."""

    secret_token: str = field(repr=False)

    def read(self, secret_token: str, body: bytes) -> list[Receipt | Said]:
        """What somebody wrote; nothing for updates that are not for us. Raises Forged and Malformed."""
        if not hmac.compare_digest(self.secret_token.encode(), secret_token.encode()):
            raise Forged
        update = object_of(body)
        if update is None:
            raise Malformed("body")
        update_id = update.get("update_id")
        if not isinstance(update_id, int):
            raise Malformed("update_id")
        message = update.get("message", update.get("edited_message"))
        if message is None:
            return []
        if not isinstance(message, dict):
            raise Malformed("message")
        return _said(str(update_id), message, is_edited="message" not in update)


def _said(said_id: str, message: dict[str, Any], is_edited: bool) -> list[Receipt | Said]:
    chat, sender = message.get("chat"), message.get("from")
    if not isinstance(chat, dict) or not isinstance(chat.get("id"), int):
        raise Malformed("message.chat")
    if chat.get("type") != "private" or (isinstance(sender, dict) and sender.get("is_bot") is True):
        return []
    at = message.get("edit_date" if is_edited else "date")
    if not isinstance(at, int) or not 0 <= at < 2**34:
        raise Malformed("message.date")
    text = message.get("text", message.get("caption"))
    if not isinstance(text, str):
        kind = next((kind for kind in KINDS if kind in message), None)
        if kind is None:
            return []
        text = f"[{kind}]"
    return [Said(TELEGRAM, str(chat["id"]), tidy(text), said_id, datetime.fromtimestamp(at, UTC))]
