"""Zalo, by telephone number: a template that Zalo has approved, with the notice's facts in its places.

Each place has a type, and each type a length. Only who is greeted and who speaks may be cut to it, between words: half
a list of goods would be wrong and still count as told, so such a notice goes another way. `tracking_id` is ours: Zalo's
receipt, the event `user_received_message`, names it, also where the answer to the request was lost. That Zalo would
recognise a repetition by it is documented nowhere, so none is made.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.notify.channels import Batch
from services.notify.channels.zalo_api import Request, ZaloApi
from services.notify.domain.contacts import ZALO
from services.notify.domain.delivery import Refused
from services.notify.domain.messages import Message

LENGTHS: dict[str, int] = {
    "name": 30,
    "phone": 15,
    "address": 200,
    "code": 30,
    "label": 30,
    "status": 30,
    "contact": 50,
    "title": 5,
    "product": 200,
    "amount": 20,
    "time": 20,
    "url": 200,
    "currency": 12,
}
"""The types of places in a template, and the most characters of each."""
_MAY_BE_CUT = frozenset({"name", "cooperative"})
_OF_ANY_LENGTH = frozenset({"goods", "product", "place", "rejected", "reason", "lot"})
"""Facts that are too long now and then, through no fault of whoever chose the template."""
_NEVER_LEFT_OUT = (
    frozenset({"goods", "product", "quantity", "place", "arrive_by"}),
    frozenset({"rejected"}),
    frozenset({"reply_by"}),
)
"""What a notice has of these goes only into a template that names any of the same, if the kind has such a template:
that for an empty basket would say that there is nothing to bring."""

_PHONE = re.compile(r"\+([1-9][0-9]{6,14})")
_DONG = re.compile(r"[\s.,]|₫|đ|VND")


@dataclass(frozen=True, slots=True)
class Template:
    """An approved template: its number at Zalo, and the type of each of its places, which are named as our facts."""

    template_id: str
    places: Mapping[str, str]

    def __post_init__(self) -> None:
        if unknown := sorted(set(self.places.values()) - LENGTHS.keys()):
            raise ValueError(f"no type of Zalo's: {', '.join(unknown)}; there are {', '.join(LENGTHS)}")


@dataclass(frozen=True, slots=True)
class ZaloChannel:
    """`templates` by kind of notice; `development` sends to the account's administrators only, free of charge.

    A kind may have several, since not every notice of it has all facts: a basket may ask for no answer, one that goes
    to several collection points has no one `place`. The one with the most places is taken of those for all of whose
    places there is a fact.
    """

    api: ZaloApi
    templates: Mapping[str, Sequence[Template]]
    development: bool = False
    name: str = ZALO
    resend_is_safe: bool = False
    tells_later: bool = True

    async def send(self, messages: Sequence[Message], batch: Batch) -> None:
        """Each by itself; the receipts come later."""
        await self.api.send(messages, batch, self.compose)

    def compose(self, message: Message) -> Request | Refused:
        """The request, or why there is none."""
        templates = self.templates.get(message.kind)
        if not templates:
            return Refused("zalo_no_template", ours=True)
        phone = _PHONE.fullmatch(message.to)
        if phone is None:
            return Refused("zalo_bad_phone")
        found = filled(templates, message.text.fields)
        if isinstance(found, Refused):
            return found
        template, values = found
        body = {
            "phone": phone[1],
            "template_id": template.template_id,
            "template_data": values,
            "tracking_id": message.message_id.hex,
        }
        return Request("/message/template", body | ({"mode": "development"} if self.development else {}))


def filled(templates: Sequence[Template], facts: Mapping[str, str]) -> tuple[Template, dict[str, str]] | Refused:
    """The template of these that says most of the facts, and what stands in its places; or why none can say them."""
    present = {name for name, fact in facts.items() if fact}
    due = [
        group
        for group in _NEVER_LEFT_OUT
        if group & present and any(group & template.places.keys() for template in templates)
    ]
    whole = [
        template
        for template in templates
        if template.places.keys() <= present and all(group & template.places.keys() for group in due)
    ]
    if not whole:
        return Refused("zalo_fact_does_not_fit", ours=True)
    template = max(whole, key=lambda one: len(one.places))
    values: dict[str, str] = {}
    for name, kind in template.places.items():
        value = fitted(name, kind, facts[name])
        if value is None:
            return Refused("zalo_fact_does_not_fit", ours=name not in _OF_ANY_LENGTH)
        values[name] = value
    return template, values


def fitted(name: str, kind: str, text: str) -> str | None:
    """The fact as a place of this type takes it: one line, NFC, no longer than allowed. None where that cannot be."""
    line = unicodedata.normalize("NFC", " ".join(text.split()))
    if kind == "currency":
        line = _DONG.sub("", line)
        if not re.fullmatch(r"[1-9][0-9]*", line):
            return None
    most = LENGTHS[kind]
    if not line:
        return None
    if len(line) <= most:
        return line
    return _cut(line, most) if name in _MAY_BE_CUT else None


def _cut(text: str, most: int) -> str:
    """The beginning of the text with … for the rest, ending with a whole word where that costs no more than a third."""
    end = most - 1
    while unicodedata.combining(text[end]):  # a mark stays with its letter
        end -= 1
    blank = text.rfind(" ", 0, end + 1)
    return text[: blank if blank >= most * 2 // 3 else end].rstrip(" ,;:-") + "…"
