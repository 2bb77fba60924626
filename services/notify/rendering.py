"""`python -m services.notify render`: any notice in any language, as each channel would carry it, with sample facts."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from uuid import UUID

from services.notify import reply_page
from services.notify.channels import person_webhook, telegram, web_push, zalo_oa
from services.notify.domain import samples
from services.notify.domain.contacts import EMAIL, SMS, TELEGRAM, WEB_PUSH, WEBHOOK, ZALO, ZALO_OA
from services.notify.domain.facts import BasketFacts, ConfirmedFacts, EndpointFacts, ReminderFacts, stops
from services.notify.domain.gsm7 import segments
from services.notify.domain.messages import Message, fitting
from services.notify.domain.notices import CALL, KINDS, Facts
from services.notify.domain.replies import CurrentBasket, Standing
from services.notify.domain.staff_facts import (
    CallListFacts,
    NotUnderstoodFacts,
    QuarantinedFacts,
    ShortfallFacts,
    SoldOutFacts,
    SummaryFacts,
)
from services.notify.wording import LANGUAGES, picture, to_say, word
from services.notify.wording.fields import sender
from services.notify.wording.speech import Speech

DRAWN = ("page", "picture")

_TO_STAFF = (
    EndpointFacts, SoldOutFacts, ShortfallFacts, CallListFacts, QuarantinedFacts, NotUnderstoodFacts, SummaryFacts,
)  # fmt: skip

_DELIVERY, _NOTICE = UUID(int=1), UUID(int=2)
_RECEIPT = "https://chophien.example/receipt"


class Impossible(Exception):
    """This channel does not carry this kind of notice."""


def render_command(words: Sequence[str]) -> int:
    """The command line; 0 shown, 1 there is nothing to show, 2 wrong words."""
    options = _parser().parse_args(words)
    try:
        if options.channel:
            print(show(options.kind, options.language, options.channel, options.changed))
        else:
            print(*_every(options.kind, options.language, options.changed), sep="\n\n")
    except Impossible as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def show(kind: str, language: str, channel: str, changed: bool) -> str:
    """A notice as its reader would see it. Raises Impossible."""
    facts = samples.PERSONAL[kind]
    if channel == "page":
        return _page(facts, language)
    if channel == "picture":
        return _picture(facts, language)
    to_name = samples.TO_STAFF if isinstance(facts, _TO_STAFF) else samples.TO_HOUSEHOLD
    if channel == CALL:
        return _call(kind, to_name, language)
    link = samples.LINK if isinstance(facts, BasketFacts) else None
    text = word(kind, facts, to_name, language, changed, link)
    return _AS[channel](Message(_DELIVERY, _NOTICE, kind, "", to_name, sender(facts), language, text, kind))


def _every(kind: str, language: str, changed: bool) -> list[str]:
    """Every text that there is of it, each under the name of its channel."""
    channels = [*TEXTS, CALL] if KINDS[kind].is_called else TEXTS
    return [f"== {channel}\n{show(kind, language, channel, changed)}" for channel in channels]


def _call(kind: str, to_name: str, language: str) -> str:
    if not KINDS[kind].is_called:
        raise Impossible("nobody calls about this")
    return to_say(kind, samples.PERSONAL[kind], to_name, language).rstrip()


def _page(facts: Facts, language: str) -> str:
    if not isinstance(facts, BasketFacts):
        raise Impossible("only a basket has a page")
    nobody = UUID(int=0)
    standing = Standing(CurrentBasket(nobody, nobody, 1, 1, facts), None, None, None, language)
    return reply_page.basket(standing, language, samples.NOW)


def _picture(facts: Facts, language: str) -> str:
    if not isinstance(facts, BasketFacts | ConfirmedFacts | ReminderFacts):
        raise Impossible("only what is to be brought has a picture")
    return picture.svg(stops(facts.items), Speech(language, facts.timezone))


def _email(message: Message) -> str:
    return f"Subject: {message.text.subject}\n\n{message.text.body.rstrip()}"


def _sms(message: Message) -> str:
    text = message.text.short
    count = segments(text)
    return f"{text}\n({len(text)} characters, {count} {'segment' if count == 1 else 'segments'})"


def _fields(message: Message) -> str:
    return "\n".join(f"{name}: {value}" for name, value in message.text.fields.items())


def _conversation(most: int) -> Callable[[Message], str]:
    def shown(message: Message) -> str:
        text = fitting(message.text, most)
        if text is None:
            raise Impossible("this does not fit")
        return text

    return shown


def _pushed(message: Message) -> str:
    return _json(web_push.shown(message, _RECEIPT))


def _webhook(message: Message) -> str:
    return _json(person_webhook.content(message))


def _json(content: bytes) -> str:
    return json.dumps(json.loads(content), ensure_ascii=False, indent=2)


_AS: dict[str, Callable[[Message], str]] = {
    EMAIL: _email,
    SMS: _sms,
    ZALO: _fields,
    ZALO_OA: _conversation(zalo_oa.MOST_TEXT),
    TELEGRAM: _conversation(telegram.MOST_TEXT),
    WEB_PUSH: _pushed,
    WEBHOOK: _webhook,
}
TEXTS = tuple(_AS)
"""The channels whose texts are shown; a template at Zalo takes from the facts what it names."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m services.notify render", description=__doc__)
    parser.add_argument("kind", choices=sorted(samples.PERSONAL))
    parser.add_argument("--language", choices=LANGUAGES, default=LANGUAGES[0])
    parser.add_argument("--channel", choices=(*TEXTS, CALL, *DRAWN), help="without it, every text")
    parser.add_argument("--changed", action="store_true", help="as it reads when it replaces an earlier one")
    return parser
