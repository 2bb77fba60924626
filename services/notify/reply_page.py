"""The page on which a household sees its basket and answers: HTML alone, since old phones and weak networks are many.

All that it says follows from the basket as it stands, the last answer and the time; nothing of it is stored.
"""

import base64
import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from services.notify import texts
from services.notify.domain.facts import BasketFacts, BasketItem, Goods, stops
from services.notify.domain.quantities import exact
from services.notify.domain.replies import (
    CANNOT,
    LESS,
    QUANTITY,
    REASONS,
    Asked,
    Closed,
    Faulty,
    Outdated,
    Refused,
    Standing,
)

FIRST_LANGUAGE = "vi"

_FOLDER = Path(__file__).parent / "pages"
_CSS = (_FOLDER / "page.css").read_text()
_WORDS: dict[str, dict[str, str]] = {
    language: tomllib.loads((_FOLDER / language / "words.toml").read_text()) for language in texts.LANGUAGES
}
_CSS_HASH = base64.b64encode(hashlib.sha256(_CSS.encode()).digest()).decode()

HEADERS = {
    # Browsers that do not know hashes go by 'unsafe-inline', which all others then ignore.
    "Content-Security-Policy": f"default-src 'none'; style-src 'unsafe-inline' 'sha256-{_CSS_HASH}'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex, nofollow",
    "X-Content-Type-Options": "nosniff",
}
"""Whoever has the address may answer, so it must get into no cache, index or other site's log."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A form that was not taken, why, and what was typed into it."""

    refusal: Refused
    typed: Mapping[str, str] = field(default_factory=dict)

    @property
    def faults(self) -> dict[str, str]:
        """The code by field."""
        return dict(self.refusal.faults) if isinstance(self.refusal, Faulty) else {}


@dataclass(frozen=True, slots=True)
class Field:
    """The field for the quantity of one offer, with what is wrong in it."""

    name: str
    label: str
    most: str
    step: str
    value: str
    fault: str


class Speech:
    """One language, and the zone of one cooperative."""

    def __init__(self, language: str, timezone: str) -> None:
        self._words, self._grammar, self._zone = _WORDS[language], texts.LANGUAGES[language], ZoneInfo(timezone)

    def say(self, name: str, **values: str) -> str:
        """A sentence of words.toml."""
        return self._words[name].format_map(values)

    def has(self, name: str) -> bool:
        """Whether there is such a sentence: what no household can type wrongly has none."""
        return name in self._words

    def quantity(self, goods: Goods, steps: int) -> str:
        """In the unit of the goods."""
        return str(self._grammar.quantity(steps, goods.step_milliunits, goods.unit))

    def moment(self, at: datetime) -> str:
        """In the cooperative's zone."""
        return str(self._grammar.moment(at.astimezone(self._zone)))

    def day(self, standing: Standing) -> str:
        """The delivery day."""
        return str(self._grammar.day(standing.basket.facts.delivery_day))


def choose_language(wanted: str | None, of_contact: str | None = None) -> str:
    """The one that was asked for, else the contact's, else Vietnamese."""
    return next((code for code in (wanted, of_contact) if code in texts.LANGUAGES), None) or FIRST_LANGUAGE


def basket(standing: Standing, language: str, now: datetime, attempt: Attempt | None = None) -> str:
    """The page of a basket, with what became of an attempt to answer it."""
    facts = standing.basket.facts
    speech = Speech(language, facts.timezone)
    day = speech.day(standing)

    def why(item: BasketItem) -> str:
        return texts.why(item, language)

    content = {
        "say": speech.say,
        "quantity": speech.quantity,
        "moment": speech.moment,
        "why": why,
        "day": day,
        "cooperative": facts.cooperative,
        "refusal": _refusal(attempt, speech),
        "notes": _notes(standing, speech, now) if facts.items else _nothing(facts, speech, day),
        "replied_lines": _replied_lines(standing, speech),
        "stops": stops(facts.items),
        "is_open": standing.basket.is_open(now),
        "version": standing.basket.version,
        "fields": [_field(asked, standing, speech, attempt) for asked in standing.basket.asked],
        "reasons": REASONS,
        "chosen": attempt.typed.get("reason") if attempt else None,
        "reason_fault": speech.say("fault_reason") if attempt and "reason" in attempt.faults else "",
    }
    return _render("reply.html", language, content)


def problem(status: int, language: str) -> str:
    """The page of a refusal that shows no basket."""
    words = _WORDS[language]
    return _render("problem.html", language, {"text": words.get(f"problem_{status}", words["problem_other"])})


def _render(template: str, language: str, content: Mapping[str, object]) -> str:
    others = [(code, words["name"]) for code, words in _WORDS.items() if code != language]
    page = texts.pages.get_template(template).render(content, css=_CSS, language=language, others=others)
    return texts.composed(page)


def _nothing(facts: BasketFacts, speech: Speech, day: str) -> list[str]:
    """That there is nothing to bring, and why, as far as there is a sentence for it."""
    why = f"nothing_{facts.empty_reason}"
    return [speech.say("nothing", day=day), *([speech.say(why)] if speech.has(why) else [])]


def _notes(standing: Standing, speech: Speech, now: datetime) -> list[str]:
    """What was answered, whether it counts, and what may still be answered."""
    basket, reply = standing.basket, standing.reply
    notes, reply_by_at = [], basket.reply_by_at
    if reply is not None and standing.replied_at is not None:
        reason = speech.say(f"reason_{reply.reason}") if reply.reason else ""
        notes.append(speech.say(f"replied_{reply.answer}", moment=speech.moment(standing.replied_at), reason=reason))
    answers_this = reply is not None and reply.version == basket.version
    if standing.is_confirmed:
        known = basket.confirmed_by in ("reply", "silence", "staff")
        notes.append(speech.say(f"confirmed_{basket.confirmed_by if known else 'other'}"))
    elif answers_this:
        notes.append(speech.say("waiting"))
    if reply_by_at is not None:
        if not basket.is_open(now):
            name = "too_late"
        elif answers_this or standing.is_confirmed:
            name = "may_change"
        else:
            name = "please_answer" if reply is None else "changed_since"
        notes.append(speech.say(name, moment=speech.moment(reply_by_at)))
    return notes


def _replied_lines(standing: Standing, speech: Speech) -> list[str]:
    if standing.reply is None or standing.reply.answer != LESS:
        return []
    return [
        speech.say(
            "replied_line",
            product=line.goods.name,
            quantity=speech.quantity(line.goods, line.quantity_steps),
            asked=speech.quantity(line.goods, line.asked_steps),
        )
        for line in standing.reply.lines
    ]


def _refusal(attempt: Attempt | None, speech: Speech) -> str:
    match attempt and attempt.refusal:
        case None:
            return ""
        case Closed():
            return speech.say("refused_closed")
        case Outdated():
            return speech.say("refused_outdated")
    return speech.say("refused_faulty")


def _field(asked: Asked, standing: Standing, speech: Speech, attempt: Attempt | None) -> Field:
    goods, name = asked.goods, f"{QUANTITY}{asked.offer_id}"
    most, step = speech.quantity(goods, asked.quantity_steps), speech.quantity(goods, 1)
    fault = f"fault_{attempt.faults.get(name)}" if attempt else ""
    return Field(
        name,
        speech.say("quantity_of", product=goods.name, unit=goods.unit, most=most),
        exact(asked.quantity_steps, goods.step_milliunits),
        exact(1, goods.step_milliunits),
        attempt.typed[name] if attempt and name in attempt.typed else _before(asked, standing),
        speech.say(fault, most=most, step=step) if speech.has(fault) else "",
    )


def _before(asked: Asked, standing: Standing) -> str:
    """As the household answered it already, else all of it."""
    reply, steps = standing.reply, asked.quantity_steps
    if reply is not None and reply.version == standing.basket.version and reply.answer != CANNOT:
        steps = next((line.quantity_steps for line in reply.lines if line.offer_id == asked.offer_id), steps)
    return exact(min(steps, asked.quantity_steps), asked.goods.step_milliunits)
