"""SMS by Twilio.

201 means that Twilio queued the message; whether it arrived it reports to `StatusCallback`, which holds our id, so that
it also settles a message whose answer was lost. Twilio recognises no repetition.
https://www.twilio.com/docs/messaging/api/message-resource
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from uuid import UUID

from services.notify.channels import Batch
from services.notify.channels.http_api import NOT_UNDERSTOOD, HttpApi, Lost, content, judge_status
from services.notify.clock import Clock
from services.notify.domain.contacts import SMS
from services.notify.domain.delivery import Outcome, Refused, Sent, Throttled
from services.notify.domain.gsm7 import sendable
from services.notify.domain.messages import Message

URL = "https://api.twilio.com"
MOST_TEXT = 1600

_A_MINUTE = timedelta(minutes=1)

CODES: dict[int, Outcome] = {
    20003: Refused("twilio_key", ours=True),
    20005: Refused("twilio_account_not_active", ours=True),
    20404: Refused("twilio_not_found", ours=True),
    20429: Throttled("twilio_too_fast", _A_MINUTE, asked=False),
    21211: Refused("twilio_bad_phone", gone=True),
    21212: Refused("twilio_bad_sender", ours=True),
    21214: Refused("twilio_unreachable"),
    21217: Refused("twilio_bad_phone", gone=True),
    21219: Refused("twilio_trial_account", ours=True),
    21408: Refused("twilio_region_not_allowed", ours=True),
    21602: Refused("twilio_no_text", ours=True),
    21603: Refused("twilio_bad_sender", ours=True),
    21604: Refused("twilio_no_phone", ours=True),
    21606: Refused("twilio_bad_sender", ours=True),
    21608: Refused("twilio_trial_account", ours=True),
    21609: Refused("twilio_bad_callback", ours=True),
    21610: Refused("twilio_unsubscribed", gone=True),
    21611: Throttled("twilio_queue_full", _A_MINUTE, asked=False),
    21612: Refused("twilio_unreachable"),
    21614: Refused("twilio_not_mobile", gone=True),
    21617: Refused("twilio_too_long", ours=True),
    21703: Refused("twilio_no_sender", ours=True),
}
"""Of what sending can meet. With any other code of a 4xx nothing was taken either, and the operator has to look."""


class TwilioChannel:
    """`api` has the account (or a key of it) and its secret. `sender` is a number, a name, or MG… for a service."""

    name = SMS
    resend_is_safe = False
    tells_later = True

    def __init__(
        self, api: HttpApi, account_sid: str, sender: str, receipt_url: Callable[[UUID], str], clock: Clock
    ) -> None:
        self._api, self._receipt_url, self._clock = api, receipt_url, clock
        self._path = f"/2010-04-01/Accounts/{account_sid}/Messages.json"
        self._sender = {"MessagingServiceSid" if sender.startswith("MG") and len(sender) == 34 else "From": sender}

    async def send(self, messages: Sequence[Message], batch: Batch) -> None:
        """Each by itself; the receipts come later."""
        await self._api.send(messages, batch, self._compose, self._ask)

    def _compose(self, message: Message) -> dict[str, str] | Refused:
        text = sendable(message.text.short)
        if not text.strip() or len(text) > MOST_TEXT:
            return Refused("cannot_be_composed")
        return {
            "To": message.to,
            **self._sender,
            "Body": text,
            "StatusCallback": self._receipt_url(message.message_id),
        }

    async def _ask(self, form: dict[str, str]) -> Outcome:
        response = await self._api.post(self._path, form=form)
        if isinstance(response, Lost):
            return response
        answer = content(response) or {}
        if 200 <= response.status_code <= 299:
            sid = answer.get("sid")
            return Sent(sid) if isinstance(sid, str) and sid else NOT_UNDERSTOOD
        code = answer.get("code")
        if 400 <= response.status_code <= 499 and isinstance(code, int):
            known = CODES.get(code, Refused(f"twilio_{code}", ours=True))
            return known if not isinstance(known, Throttled) else _pause(judge_status(response, self._clock()), known)
        return judge_status(response, self._clock())


def _pause(said: Outcome, known: Throttled) -> Outcome:
    """A header's word for the pause goes before ours."""
    return Throttled(known.reason, said.pause, asked=True) if isinstance(said, Throttled) and said.asked else known
