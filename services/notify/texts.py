"""Wording: facts and a language become text, when a notice is sent. One template folder per language in `pages/`.

Text is NFC throughout, and a name that came with line breaks becomes one line.
"""

import unicodedata
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from services.notify.domain import english, vietnamese
from services.notify.domain.endpoints import GONE
from services.notify.domain.facts import BasketFacts, BasketItem, EndpointFacts, Load, Stop, stops
from services.notify.domain.messages import Text
from services.notify.domain.notices import Facts

LANGUAGES: dict[str, Any] = {"vi": vietnamese, "en": english}
"""Each language with the module that writes its quantities, days and times."""

pages = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "pages"),
    autoescape=select_autoescape(("html",)),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def one_line(text: str) -> str:
    """Without line breaks and control characters, in NFC."""
    visible = "".join(" " if unicodedata.category(letter)[0] in "CZ" else letter for letter in text)
    return unicodedata.normalize("NFC", " ".join(visible.split()))


def composed(text: str) -> str:
    """In NFC, the form that every phone shows."""
    return unicodedata.normalize("NFC", text)


def why(item: BasketItem, language: str) -> str:
    """The sentence that says why so much; empty where there is none."""
    return one_line({"vi": item.why_vi, "en": item.why_en}[language])


def basket(facts: BasketFacts, display_name: str, language: str, replaces: bool, link: str | None) -> Text:
    """What a household is told to bring, and by which link it may answer.

    `replaces` says that an earlier notice may have reached it.
    """
    speech, zone = LANGUAGES[language], ZoneInfo(facts.timezone)

    def quantity(load: Load) -> str:
        return one_line(speech.quantity(load.quantity_steps, load.goods.step_milliunits, load.goods.unit))

    def moment(at: datetime) -> str:
        return str(speech.moment(at.astimezone(zone)))

    found: list[Stop] = stops(facts.items)
    content = {
        "name": one_line(display_name),
        "cooperative": one_line(facts.cooperative),
        "day": speech.day(facts.delivery_day),
        "stops": found,
        "replaces": replaces,
        "quantity": quantity,
        "moment": moment,
        "one_line": one_line,
        "why": lambda load: [reason for item in load.items if (reason := why(item, language))],
        "link": link,
        "reply_by_at": facts.reply_by_at,
        "empty_reason": facts.empty_reason,
    }
    subject = pages.get_template(f"{language}/basket.subject.txt").render(content)
    body = pages.get_template(f"{language}/basket.body.txt").render(content)
    return Text(one_line(subject), composed(body))


def endpoint_disabled(facts: EndpointFacts, display_name: str, language: str) -> Text:
    """What a cooperative's staff are told about a partner's server that is sent nothing any more."""
    speech, zone = LANGUAGES[language], ZoneInfo(facts.timezone)
    content = {
        "name": one_line(display_name),
        "cooperative": one_line(facts.cooperative),
        "host": one_line(facts.host),
        "partner_id": facts.partner_id,
        "gone": facts.reason == GONE,
        "failures": facts.failures,
        "last_failure": one_line(facts.last_failure),
        "failing_since": facts.failing_since,
        "disabled_at": facts.disabled_at,
        "moment": lambda at: speech.moment(at.astimezone(zone)),
    }
    subject = pages.get_template(f"{language}/endpoint_disabled.subject.txt").render(content)
    body = pages.get_template(f"{language}/endpoint_disabled.body.txt").render(content)
    return Text(one_line(subject), composed(body))


def word(kind: str, facts: Facts, to_name: str, language: str, replaces: bool, link: str | None) -> Text:
    """Any notice in words."""
    if isinstance(facts, EndpointFacts):
        return endpoint_disabled(facts, to_name, language)
    assert isinstance(facts, BasketFacts)
    return basket(facts, to_name, language, replaces, link)
