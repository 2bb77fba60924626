"""Telegram, by a bot, to people who have opened a conversation with it.

`ok` with a `message_id` is the receipt. Telegram gives bots no other one: the message then stands in the conversation,
which is kept on Telegram's servers and not on the phone, and every device of the person shows it from there. That is
as much as the 250 of a mail server says, and more certain, since a bot that was blocked or a closed account is refused.
That somebody read it, it does not say.

Telegram recognises no repetition, and nothing settles a message whose answer was lost.
https://core.telegram.org/bots/api#sendmessage
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from services.notify.channels import Batch
from services.notify.channels.http_api import NOT_UNDERSTOOD, HttpApi, Lost, content, judge_status
from services.notify.clock import Clock
from services.notify.domain.contacts import TELEGRAM
from services.notify.domain.delivery import Accepted, Outcome, Refused, Throttled, Unknown
from services.notify.domain.endpoints import pause
from services.notify.domain.messages import Message, fitting

URL = "https://api.telegram.org"
MOST_TEXT = 4096


class TelegramChannel:
    """The token is a part of the path, so addresses are never written down anywhere."""

    name = TELEGRAM
    resend_is_safe = False
    tells_later = False

    def __init__(self, api: HttpApi, token: str, clock: Clock) -> None:
        self._api, self._clock = api, clock
        self._path = f"/bot{token}/sendMessage"

    async def send(self, messages: Sequence[Message], batch: Batch) -> None:
        """Each by itself."""
        await self._api.send(messages, batch, self._compose, self._ask)

    def _compose(self, message: Message) -> dict[str, Any] | Refused:
        text = fitting(message.text, MOST_TEXT)
        if text is None:
            return Refused("cannot_be_composed")
        return {"chat_id": message.to, "text": text, "link_preview_options": {"is_disabled": True}}

    async def _ask(self, body: dict[str, Any]) -> Outcome:
        response = await self._api.post(self._path, json=body)
        if isinstance(response, Lost):
            return response
        answer = content(response)
        if answer is None:
            return judge_status(response, self._clock())
        return judge(response.status_code, answer, self._clock())


def judge(status: int, answer: dict[str, Any], now: datetime) -> Outcome:
    """What an answer means. Of Telegram's descriptions one is looked for, and none is passed on."""
    if answer.get("ok") is True:
        result = answer.get("result")
        message_id = result.get("message_id") if isinstance(result, dict) else None
        return Accepted(now, str(message_id)) if isinstance(message_id, int) else NOT_UNDERSTOOD
    given = answer.get("parameters")
    parameters = given if isinstance(given, dict) else {}
    match answer.get("error_code", status):
        case 429:
            seconds = parameters.get("retry_after")
            asked = timedelta(seconds=min(seconds, 86_400)) if isinstance(seconds, int) else timedelta(minutes=1)
            return Throttled("telegram_too_fast", pause(asked), asked=True)
        case 403:
            return Refused("telegram_blocked", gone=True)
        case 400 if "migrate_to_chat_id" in parameters:
            return Refused("telegram_chat_moved", gone=True)
        case 400 if "chat not found" in str(answer.get("description")).lower():
            return Refused("telegram_chat_not_found")
        case 401 | 404:
            return Refused("telegram_token", ours=True)
        case int(code) if 400 <= code <= 499:
            return Refused(f"telegram_{code}", ours=True)
        case int(code) if code >= 500:
            return Unknown(f"telegram_{code}")
    return NOT_UNDERSTOOD
