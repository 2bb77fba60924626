"""The page for the person who calls: whom, under which number, by when, and what to say. HTML alone."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from services.notify.reply_page import render
from services.notify.store.calls import Call
from services.notify.store.words import Words
from services.notify.wording import to_say
from services.notify.wording.speech import Speech


def page(
    cooperative: str, timezone: str, calls: Sequence[Call], unread: Sequence[Words], language: str, now: datetime
) -> str:
    """The most pressing first, and below what nobody has understood yet."""
    speech = Speech(language, timezone)
    content = {
        "cooperative": cooperative,
        "speech": speech,
        "now": speech.moment(now.astimezone(ZoneInfo(timezone))),
        "calls": [(call, _to_say(call, language)) for call in calls],
        "unread": unread,
    }
    return render("calls.html", language, content)


def _to_say(call: Call, language: str) -> str:
    name = call.people[0].name if call.people else call.household_code or ""
    return to_say(call.notice.kind, call.notice.facts, name, language)
