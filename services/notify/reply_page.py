"""The page on which a household sees its basket and answers: HTML alone, since old phones and weak networks are many.

All that it says follows from the basket as it stands, the last answer and the time; nothing of it is stored.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from services.notify.domain.facts import BasketFacts, stops
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
    Reply,
    Standing,
)
from services.notify.wording import catalogues, picture
from services.notify.wording.speech import Speech, composed
from services.notify.wording.templates import environment

_CSS = (Path(__file__).parent / "pages" / "page.css").read_text()
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

PUSH_POLICY = HEADERS["Content-Security-Policy"] + "; script-src 'self'; connect-src 'self'; worker-src 'self'"
"""The one page with a script: browsers subscribe by nothing else."""


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


def choose_language(wanted: str | None, of_contact: str | None = None) -> str:
    """The one that was asked for, else the contact's, else Vietnamese."""
    return catalogues.choose(wanted, of_contact)


def basket(
    standing: Standing, language: str, now: datetime, attempt: Attempt | None = None, push_url: str | None = None
) -> str:
    """The page of a basket, with what became of an attempt to answer it; and the way to notices in this browser."""
    facts = standing.basket.facts
    speech = Speech(language, facts.timezone)
    day = speech.day(facts.delivery_day)
    found = stops(facts.items)
    content = {
        "speech": speech,
        "day": day,
        "cooperative": facts.cooperative,
        "refusal": _refusal(attempt, speech),
        "notes": _notes(standing, speech, now) if facts.items else _nothing(facts, speech, day),
        "replied_lines": _replied_lines(standing, speech),
        "stops": found,
        "picture": picture.draw(found, speech),
        "is_open": standing.basket.is_open(now),
        "version": standing.basket.version,
        "fields": [_field(asked, standing, speech, attempt) for asked in standing.basket.asked],
        "reasons": [(reason, _reason(reason, speech)) for reason in REASONS],
        "chosen": attempt.typed.get("reason") if attempt else None,
        "push_url": push_url,
        "reason_fault": speech.gettext("Choose a reason.") if attempt and "reason" in attempt.faults else "",
    }
    return render("reply.html", language, content)


def push(standing: Standing, language: str, key: str, token: str) -> str:
    """The page on which a person lets its browser be told; `key` is what it subscribes with."""
    return render("push.html", language, {"cooperative": standing.basket.facts.cooperative, "key": key, "token": token})


def problem(status: int, language: str) -> str:
    """The page of a refusal that shows no basket."""
    gettext = catalogues.spoken(language).gettext
    match status:
        case 404:
            text = gettext(
                "This link does not open, perhaps because a part of it was cut off. Open the link in the newest "
                "message of the cooperative again, or call the cooperative."
            )
        case 410:
            text = gettext("The time of this link is over. If you have something to say, please call the cooperative.")
        case 503:
            text = gettext(
                "The system is busy. Please try again in a few minutes; the same answer sent again counts once."
            )
        case _:
            text = gettext(
                "This cannot be done. Open the link in the message of the cooperative and try again, "
                "or call the cooperative."
            )
    return render("problem.html", language, {"text": text})


def render(template: str, language: str, content: Mapping[str, object]) -> str:
    """A page. Only languages that have texts are offered, and only those are what it says that it is written in."""
    offered = [code for code in catalogues.LANGUAGES if catalogues.has_texts(code)]
    others = [(code, catalogues.name(code)) for code in offered if code != language]
    written_in = language if language in offered else catalogues.FIRST
    page = environment(language).get_template(template).render(content, css=_CSS, language=written_in, others=others)
    return composed(page)


def _nothing(facts: BasketFacts, speech: Speech, day: str) -> list[str]:
    """That there is nothing to bring, and why, as far as there is a sentence for it."""
    notes = [
        speech.gettext("On %(day)s there is nothing to bring. You need not come to the collection point.", day=day)
    ]
    if facts.empty_reason == "not_worthwhile":
        notes.append(speech.gettext("Your part would have been too small to be worth the way, so others bring it."))
    return notes


def _notes(standing: Standing, speech: Speech, now: datetime) -> list[str]:
    """What was answered, whether it counts, and what may still be answered."""
    basket, reply = standing.basket, standing.reply
    notes = []
    if reply is not None and standing.replied_at is not None:
        notes.append(_replied(reply, speech.moment(standing.replied_at), speech))
    answers_this = reply is not None and reply.version == basket.version
    if standing.is_confirmed:
        notes.append(_confirmed(basket.confirmed_by, speech))
    elif answers_this:
        notes.append(speech.gettext("The cooperative has not confirmed it yet. Please look at this page again later."))
    if basket.reply_by_at is None:
        return notes
    moment = speech.moment(basket.reply_by_at)
    if not basket.is_open(now):
        notes.append(
            speech.gettext(
                "The time to answer is over (%(moment)s). If anything changes, please call the cooperative.",
                moment=moment,
            )
        )
    elif answers_this or standing.is_confirmed:
        notes.append(speech.gettext("You may change your answer before %(moment)s.", moment=moment))
    elif reply is None:
        notes.append(speech.gettext("Please answer before %(moment)s.", moment=moment))
    else:
        notes.append(
            speech.gettext(
                "What to bring has changed since this answer. Please answer again before %(moment)s.", moment=moment
            )
        )
    return notes


def _replied(reply: Reply, moment: str, speech: Speech) -> str:
    match reply.answer:
        case "confirm":
            return speech.gettext("Your answer came at %(moment)s: you bring all of it.", moment=moment)
        case "less":
            return speech.gettext("Your answer came at %(moment)s: you bring less.", moment=moment)
    return speech.gettext(
        "Your answer came at %(moment)s: you cannot bring it. Reason: %(reason)s.",
        moment=moment,
        reason=_reason(reply.reason, speech),
    )


def _reason(reason: str | None, speech: Speech) -> str:
    match reason:
        case "sold_out":
            return speech.pgettext("reason", "Sold already")
        case "damaged":
            return speech.pgettext("reason", "The goods are damaged")
        case "cannot_come":
            return speech.pgettext("reason", "Cannot come")
    return speech.pgettext("reason", "Another reason")


def _confirmed(by: str | None, speech: Speech) -> str:
    match by:
        case "reply":
            return speech.gettext("The cooperative has confirmed it as you answered.")
        case "silence":
            return speech.gettext("No answer came in time. The cooperative has settled it as below.")
        case "staff":
            return speech.gettext("The cooperative's staff have confirmed it with you.")
    return speech.gettext("The cooperative has confirmed it.")


def _replied_lines(standing: Standing, speech: Speech) -> list[str]:
    if standing.reply is None or standing.reply.answer != LESS:
        return []
    return [
        speech.gettext(
            "%(product)s: %(quantity)s (asked for: %(asked)s)",
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
            return speech.gettext(
                "Your answer was not taken, because no answer is taken here any more. Please call the cooperative."
            )
        case Outdated():
            return speech.gettext(
                "Your answer was not taken, because what to bring has changed. Please look at it and answer again."
            )
    return speech.gettext("Your answer was not taken. Please correct it and send it again.")


def _field(asked: Asked, standing: Standing, speech: Speech, attempt: Attempt | None) -> Field:
    goods, name = asked.goods, f"{QUANTITY}{asked.offer_id}"
    most = speech.quantity(goods, asked.quantity_steps)
    return Field(
        name,
        speech.gettext("%(product)s, at most %(most)s", product=goods.name, most=most),
        exact(asked.quantity_steps, goods.step_milliunits),
        exact(1, goods.step_milliunits),
        attempt.typed[name] if attempt and name in attempt.typed else _before(asked, standing),
        _fault(attempt.faults.get(name) if attempt else None, most, speech.quantity(goods, 1), speech),
    )


def _fault(code: str | None, most: str, step: str, speech: Speech) -> str:
    """What is wrong with a quantity; what no household can type wrongly has no sentence."""
    match code:
        case "missing":
            return speech.gettext("The quantity is missing.")
        case "not_a_quantity":
            return speech.gettext("Write a number, such as %(most)s.", most=most)
        case "not_whole_steps":
            return speech.gettext("Write whole multiples of %(step)s.", step=step)
        case "more_than_asked":
            return speech.gettext("At most %(most)s.", most=most)
    return ""


def _before(asked: Asked, standing: Standing) -> str:
    """As the household answered it already, else all of it."""
    reply, steps = standing.reply, asked.quantity_steps
    if reply is not None and reply.version == standing.basket.version and reply.answer != CANNOT:
        steps = next((line.quantity_steps for line in reply.lines if line.offer_id == asked.offer_id), steps)
    return exact(min(steps, asked.quantity_steps), asked.goods.step_milliunits)
