"""Wording: facts and a language become text, when a notice is sent."""

from typing import Any

from jinja2 import Template

from services.notify.domain.facts import (
    ArrivalFacts,
    BasketFacts,
    ConfirmedFacts,
    DaySettlementFacts,
    MonthSettlementFacts,
    ReminderFacts,
    stops,
)
from services.notify.domain.messages import Text
from services.notify.domain.notices import KINDS, Facts
from services.notify.domain.staff_facts import QuarantinedFacts, ShortfallFacts, SoldOutFacts, SummaryFacts
from services.notify.wording import short
from services.notify.wording.fields import command, fields, sender
from services.notify.wording.speech import Speech, composed, one_line
from services.notify.wording.templates import environment


def word(kind: str, facts: Facts, to_name: str, language: str, replaces: bool = False, link: str | None = None) -> Text:
    """The notice in every form that some channel needs.

    `replaces` says that an earlier notice about the same may have reached the reader; `link` is where more is to be
    seen or an answer given. Raises ValueError where the facts are not those of the kind.
    """
    if kind not in KINDS or KINDS[kind].facts is not type(facts):
        raise ValueError(f"{type(facts).__name__} is not what a notice of the kind {kind} says")
    template = environment(language).get_template(f"{kind}.txt")
    told = {"to_name": one_line(to_name), "facts": facts, "replaces": replaces, "link": link}

    def block(name: str, speech: Speech) -> str:
        return _block(template, name, told | _seen(facts, speech))

    def wordings(longest_name: int | None) -> str:
        speech = Speech(language, facts.timezone, longest_name)
        found = block("short", speech)
        return found if speech.tells_apart() else short.partial(found)

    speech = Speech(language, facts.timezone)

    return Text(
        one_line(block("subject", speech)),
        composed(block("body", speech)),
        short.choose(wordings, link),
        fields(facts, to_name, speech, link),
        link,
    )


def to_say(kind: str, facts: Facts, to_name: str, language: str) -> str:
    """What a person says who calls: all of it and no link, which nobody can hear."""
    return word(kind, facts, to_name, language).body


def _block(template: Template, name: str, content: dict[str, Any]) -> str:
    return "".join(template.blocks[name](template.new_context(content)))


def _seen(facts: Facts, speech: Speech) -> dict[str, Any]:
    """What templates need beside the facts themselves."""
    seen: dict[str, Any] = {"speech": speech, "cooperative": speech.cooperative(sender(facts))}
    match facts:
        case BasketFacts() | ConfirmedFacts() | ReminderFacts():
            found = stops(facts.items)
            seen |= _day(facts.delivery_day, speech) | {"stops": found, "count": sum(len(stop.loads) for stop in found)}
            if found:
                seen["first"] = speech.first_stop(found, facts.delivery_day)
                seen["loads"] = speech.loads(found, facts.delivery_day)
        case ArrivalFacts():
            seen |= _day(facts.delivery_day, speech) | {"count": len(facts.lines)}
        case DaySettlementFacts():
            seen |= _day(facts.settled.delivery_day, speech)
        case MonthSettlementFacts():
            seen |= {"count": facts.day_count}
        case SoldOutFacts():
            seen |= _day(facts.delivery_day, speech) | {"count": len(facts.products)}
        case ShortfallFacts():
            seen |= _day(facts.delivery_day, speech) | {"count": len(facts.offers)}
        case QuarantinedFacts():
            seen |= {"command": command(facts)}
        case SummaryFacts():
            seen |= _day(facts.day, speech) | {"count": len(facts.cooperatives)}
    return seen


def _day(of: Any, speech: Speech) -> dict[str, str]:
    return {"day": speech.day(of), "short_day": speech.short_day(of)}
