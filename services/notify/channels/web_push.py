"""Web push to a browser that a person has subscribed with (RFC 8030, 8188, 8291, 8292), encrypted for it alone.

The push service's 201 means that it will try. The receipt is our own: the worker in the browser that shows the message
reports that it did, to an address that only this message names. So an unknown outcome may still be settled. A
repetition would ring again where the first has been shown, and is not made. A newer message takes the place of an older
one about the same, where a telephone was away as well as on its screen.
"""

import json
import os
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

import http_ece
from cryptography.hazmat.primitives.asymmetric import ec
from py_vapid import Vapid02, VapidException

from services.chassis import faultpoints
from services.chassis.outbound import Failure, OutboundClient
from services.notify.channels import Batch
from services.notify.channels.side_by_side import Post, send_side_by_side
from services.notify.channels.webhook import retry_after
from services.notify.clock import Clock
from services.notify.domain.contacts import WEB_PUSH
from services.notify.domain.delivery import Failed, Outcome, Refused, Sent, Throttled, Unknown
from services.notify.domain.endpoints import USUAL_PAUSE, pause
from services.notify.domain.messages import Message

AT_ONCE: Final = 20
LONGEST_TTL: Final = timedelta(hours=12)
"""How long a push service tries while the telephone is away, and less where the message is of no use so long."""
MOST_BYTES: Final = 3000
"""Of what is shown; push services take 4,096 with all that goes around it."""
_TOKEN_FOR_S = 12 * 3600
_ANY_TIME = datetime(2026, 1, 1, tzinfo=UTC)
_URGENT = frozenset({"basket", "reminder"})


class WebPushChannel:
    """`vapid` is our own key, `subject` how push services reach us; `receipt_url` is where a message is reported."""

    name = WEB_PUSH
    resend_is_safe = False
    tells_later = True

    def __init__(
        self, client: OutboundClient, vapid: Vapid02, subject: str, receipt_url: Callable[[UUID], str], clock: Clock
    ) -> None:
        self._client, self._vapid, self._subject = client, vapid, subject
        self._receipt_url, self._clock = receipt_url, clock

    async def send(self, messages: Sequence[Message], batch: Batch) -> None:
        """Side by side; the receipts come later."""
        await send_side_by_side(messages, batch, self._compose, self._ask, AT_ONCE)

    def _compose(self, message: Message) -> Post | Refused:
        subscription = json.loads(message.to)
        endpoint = str(subscription["endpoint"])
        try:
            body = encrypted(subscription, shown(message, self._receipt_url(message.message_id)))
        except ValueError:
            return Refused("push_bad_subscription")
        try:
            signed = signature(self._vapid, self._subject, endpoint, self._clock())
        except VapidException:
            return Refused("push_not_signed", ours=True)
        headers = {
            "content-type": "application/octet-stream",
            "content-encoding": "aes128gcm",
            "ttl": str(ttl_s(message.expires_at, self._clock())),
            "urgency": "high" if message.kind in _URGENT else "normal",
            "topic": topic(message.about),
            **signed,
        }
        return Post(endpoint, body, headers)

    async def _ask(self, post: Post) -> Outcome:
        try:
            answer = await self._client.post(post.url, post.body, post.headers)
        except Failure as failure:
            return Failed(failure.reason) if failure.unasked else Unknown()
        faultpoints.reach("mid_send", "person")
        return self._judge(answer.status, answer.headers.get("retry-after", ""))

    def _judge(self, status: int, asked: str) -> Outcome:
        reason = f"push_{status}"
        if 200 <= status <= 299:
            return Sent(reason)
        if status in (404, 410):
            return Refused(reason, gone=True)
        if status in (400, 401, 403):
            return Refused(reason, ours=True)
        if status in (429, 503):
            wait = retry_after(asked, self._clock())
            return Throttled(reason, pause(wait) if wait else USUAL_PAUSE, asked=wait is not None)
        return Unknown(reason) if status >= 500 else Refused(reason)


def signature(vapid: Vapid02, subject: str, endpoint: str, now: datetime) -> dict[str, str]:
    """The headers that say who sends (RFC 8292). Raises VapidException where it takes one of them for none."""
    place = urlsplit(endpoint)
    claims = {
        "aud": f"{place.scheme}://{place.netloc}",
        "exp": int(now.timestamp()) + _TOKEN_FOR_S,
        "sub": subject,
    }
    return {name.lower(): value for name, value in vapid.sign(claims).items()}


def own_subject(text: str) -> str:
    """How push services reach us, as what signs takes it. Raises ValueError."""
    try:
        signature(Vapid02(ec.generate_private_key(ec.SECP256R1())), text, "https://push.example", _ANY_TIME)
    except VapidException:
        raise ValueError("must be such as mailto:quan-tri@example.vn, or https://example.vn without a path") from None
    return text


def shown(message: Message, receipt_url: str) -> bytes:
    """What the worker shows, as JSON; where it is too long its text ends earlier, and never its links."""
    text = message.text.short or message.text.body
    while True:
        content = {
            "title": message.text.subject,
            "body": text,
            "url": message.text.link,
            "tag": topic(message.about),
            "receipt": receipt_url,
        }
        found = json.dumps(content, ensure_ascii=False).encode()
        if len(found) <= MOST_BYTES or not text:
            return found
        text = text[: len(text) - max(1, (len(found) - MOST_BYTES) // 4)]


def encrypted(subscription: dict[str, dict[str, str]], content: bytes) -> bytes:
    """For this subscription alone (RFC 8291). Raises ValueError where its keys are none."""
    keys = subscription.get("keys", {})
    made: bytes = http_ece.encrypt(
        content,
        salt=os.urandom(16),
        private_key=ec.generate_private_key(ec.SECP256R1()),
        dh=_bytes(keys.get("p256dh", "")),
        auth_secret=_bytes(keys.get("auth", "")),
        version="aes128gcm",
    )
    return made


def topic(about: str) -> str:
    """By what a push service and a browser know what a newer message replaces: 32 letters of base64url (RFC 8030, 5.4),
    from which nobody learns what they stand for.
    """
    return urlsafe_b64encode(sha256(about.encode()).digest()).decode()[:32]


def ttl_s(expires_at: datetime | None, now: datetime) -> int:
    """How long a push service may try from now on; 0: at once or never."""
    left = LONGEST_TTL if expires_at is None else min(LONGEST_TTL, expires_at - now)
    return max(int(left.total_seconds()), 0)


def public_key(vapid: Vapid02) -> str:
    """What a browser subscribes with."""
    numbers = vapid.public_key.public_numbers()
    point = b"\x04" + numbers.x.to_bytes(32) + numbers.y.to_bytes(32)
    return urlsafe_b64encode(point).rstrip(b"=").decode()


def own_key(text: str) -> Vapid02:
    """The private key of the settings: 32 bytes in base64url. Raises ValueError."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{43}", text):
        raise ValueError("must be a private key of P-256, 32 bytes in base64url")
    made: Vapid02 = Vapid02.from_raw(text.encode())
    return made


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
