"""`python -m services.notify render`: any notice in any language, as each channel would carry it, with sample facts."""

import argparse
import sys
from collections.abc import Callable, Sequence
from uuid import UUID

from services.notify import reply_page
from services.notify.domain import samples
from services.notify.domain.facts import BasketFacts, ConfirmedFacts, EndpointFacts, ReminderFacts, stops
from services.notify.domain.gsm7 import segments
from services.notify.domain.messages import Text
from services.notify.domain.notices import Facts
from services.notify.domain.replies import CurrentBasket, Standing
from services.notify.domain.staff_facts import (
    CallListFacts,
    NotUnderstoodFacts,
    QuarantinedFacts,
    ShortfallFacts,
    SoldOutFacts,
    SummaryFacts,
)
from services.notify.wording import LANGUAGES, picture, word
from services.notify.wording.speech import Speech

TEXTS = ("email", "sms", "zalo")
DRAWN = ("page", "picture")

_TO_STAFF = (
    EndpointFacts, SoldOutFacts, ShortfallFacts, CallListFacts, QuarantinedFacts, NotUnderstoodFacts, SummaryFacts,
)  # fmt: skip


class Impossible(Exception):
    """This channel does not carry this kind of notice."""


def render_command(words: Sequence[str]) -> int:
    """The command line; 0 shown, 1 there is nothing to show, 2 wrong words."""
    options = _parser().parse_args(words)
    channels = [options.channel] if options.channel else TEXTS
    try:
        shown = [show(options.kind, options.language, channel, options.changed) for channel in channels]
    except Impossible as error:
        print(error, file=sys.stderr)
        return 1
    print(*shown, sep="\n\n")
    return 0


def show(kind: str, language: str, channel: str, changed: bool) -> str:
    """A notice as its reader would see it. Raises Impossible."""
    facts = samples.PERSONAL[kind]
    if channel == "page":
        return _page(facts, language)
    if channel == "picture":
        return _picture(facts, language)
    to_name = samples.TO_STAFF if isinstance(facts, _TO_STAFF) else samples.TO_HOUSEHOLD
    link = samples.LINK if isinstance(facts, BasketFacts) else None
    return _AS[channel](word(kind, facts, to_name, language, changed, link))


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


def _email(text: Text) -> str:
    return f"Subject: {text.subject}\n\n{text.body.rstrip()}"


def _sms(text: Text) -> str:
    count = segments(text.short)
    return f"{text.short}\n({len(text.short)} characters, {count} {'segment' if count == 1 else 'segments'})"


def _fields(text: Text) -> str:
    return "\n".join(f"{name}: {value}" for name, value in text.fields.items())


_AS: dict[str, Callable[[Text], str]] = {"email": _email, "sms": _sms, "zalo": _fields}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m services.notify render", description=__doc__)
    parser.add_argument("kind", choices=sorted(samples.PERSONAL))
    parser.add_argument("--language", choices=LANGUAGES, default=LANGUAGES[0])
    parser.add_argument("--channel", choices=(*TEXTS, *DRAWN), help="without it, every text")
    parser.add_argument("--changed", action="store_true", help="as it reads when it replaces an earlier one")
    return parser
