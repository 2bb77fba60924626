"""How one language writes names, quantities, days, times and money, for readers in one zone.

Sentences come from the catalogue; the form of dates and numbers comes from CLDR. What a language has no form for there
is written as in Vietnamese.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from babel.dates import format_date
from babel.numbers import format_currency, format_decimal

from services.notify.domain.facts import BasketItem, Goods, Load, Stop
from services.notify.domain.gsm7 import sendable
from services.notify.domain.quantities import exact
from services.notify.wording.catalogues import spoken
from services.notify.wording.units import UNITS


@dataclass(frozen=True, slots=True)
class Form:
    """How dates and numbers look: a locale of CLDR, its decimal mark, and patterns of dates."""

    locale: str
    mark: str
    date: str
    short_date: str
    month: str


_VIETNAMESE = Form("vi", ",", "dd/MM/y", "dd/MM", "MM/y")
_FORMS = {"en": Form("en", ".", "d MMMM y", "d MMM", "MMMM y")}


def one_line(text: str) -> str:
    """Without line breaks, control characters and marks of direction, in NFC."""
    visible = "".join(" " if unicodedata.category(letter)[0] in "CZ" else letter for letter in text)
    return unicodedata.normalize("NFC", " ".join(visible.split()))


def composed(text: str) -> str:
    """In NFC, the form that every phone shows."""
    return unicodedata.normalize("NFC", text)


class Speech:
    """One language, one zone, and how long a name may be where room is scarce; a longer one is cut."""

    def __init__(self, language: str, timezone: str, longest_name: int | None = None) -> None:
        self.language, self._zone, self._longest = language, ZoneInfo(timezone), longest_name
        self._said, self._form = spoken(language), _FORMS.get(language, _VIETNAMESE)
        self._named: set[str] = set()

    def gettext(self, message: str, **values: str) -> str:
        """The message in this language, with its places filled."""
        return self._said.gettext(message) % values

    def pgettext(self, context: str, message: str, **values: str) -> str:
        """The message that has this context."""
        return self._said.pgettext(context, message) % values

    def name(self, text: str) -> str:
        """A name that somebody else chose, on one line."""
        name = one_line(text)
        self._named.add(name)
        return self._cut(name)

    def tells_apart(self) -> bool:
        """Whether the different names that it has written are different still, without their diacritics too."""
        return len({sendable(self._cut(name)) for name in self._named}) == len(self._named)

    def names(self, texts: Iterable[str]) -> str:
        """Several of them, with commas."""
        return ", ".join(self.name(text) for text in texts)

    def cooperative(self, text: str) -> str:
        """A cooperative's name, short as people write it where room is scarce; it is alone of its sort in a notice."""
        name = one_line(text)
        begun = "hợp tác xã "
        short = f"HTX {name[len(begun) :]}" if name.lower().startswith(begun) else name
        return self._cut(short)

    def _cut(self, name: str) -> str:
        if self._longest is not None and len(name) > self._longest:
            return name[: self._longest - 1].rstrip() + "."
        return name

    def quantity(self, goods: Goods, steps: int) -> str:
        """Such as "12,5 kg" or "3 bó", "1 bunch" or "3 bunches"; always exactly what the books have."""
        number = exact(steps, goods.step_milliunits, self._form.mark)
        forms = UNITS.get(one_line(goods.unit).lower())
        if forms is None:
            return f"{number} {self.name(goods.unit)}"
        context, one, many = forms
        # Catalogues count in whole numbers; a broken one takes the form of "more than one".
        count = int(number) if number.isdigit() else 2
        return self._said.npgettext(context, one, many, count) % {"number": number}

    def count(self, number: int) -> str:
        """Such as "1.250"."""
        return format_decimal(number, locale=self._form.locale)

    def money(self, vnd: int) -> str:
        """Such as "125.000 ₫"."""
        return one_line(format_currency(vnd, "VND", locale=self._form.locale))

    def short_money(self, vnd: int) -> str:
        """Such as "125.000đ": phones without ₫ are many."""
        return self.pgettext("SMS: money", "VND %(amount)s", amount=self.count(vnd))

    def weekday(self, of: date) -> str:
        """Such as "thứ Ba"."""
        return (
            self.pgettext("weekday", "Monday"),
            self.pgettext("weekday", "Tuesday"),
            self.pgettext("weekday", "Wednesday"),
            self.pgettext("weekday", "Thursday"),
            self.pgettext("weekday", "Friday"),
            self.pgettext("weekday", "Saturday"),
            self.pgettext("weekday", "Sunday"),
        )[of.weekday()]

    def day(self, of: date) -> str:
        """Such as "thứ Ba, 24/11/2026"."""
        written = format_date(of, self._form.date, locale=self._form.locale)
        return self.pgettext("day", "%(weekday)s, %(date)s", weekday=self.weekday(of), date=written)

    def short_day(self, of: date) -> str:
        """Such as "T3 24/11"."""
        weekday = (
            self.pgettext("weekday, short", "Mon"),
            self.pgettext("weekday, short", "Tue"),
            self.pgettext("weekday, short", "Wed"),
            self.pgettext("weekday, short", "Thu"),
            self.pgettext("weekday, short", "Fri"),
            self.pgettext("weekday, short", "Sat"),
            self.pgettext("weekday, short", "Sun"),
        )[of.weekday()]
        return f"{weekday} {format_date(of, self._form.short_date, locale=self._form.locale)}"

    def month(self, of: date) -> str:
        """Such as "tháng 11/2026"."""
        return self.pgettext("month", "%(month)s", month=format_date(of, self._form.month, locale=self._form.locale))

    def local(self, at: datetime) -> datetime:
        """In the reader's zone."""
        return at.astimezone(self._zone)

    def clock(self, at: datetime) -> str:
        """Such as "05:30"."""
        return f"{self.local(at):%H:%M}"

    def time(self, at: datetime) -> str:
        """Such as "05:30 sáng"."""
        hour, written = self.local(at).hour, self.clock(at)
        if hour < 11:
            return self.pgettext("time in the morning, until 11:00", "%(time)s", time=written)
        if hour < 13:
            return self.pgettext("time at noon, until 13:00", "%(time)s", time=written)
        if hour < 18:
            return self.pgettext("time in the afternoon, until 18:00", "%(time)s", time=written)
        if hour < 22:
            return self.pgettext("time in the evening, until 22:00", "%(time)s", time=written)
        return self.pgettext("time at night, until midnight", "%(time)s", time=written)

    def moment(self, at: datetime) -> str:
        """Such as "05:30 sáng thứ Ba, 24/11/2026"."""
        return self.gettext("%(time)s on %(day)s", time=self.time(at), day=self.day(self.local(at).date()))

    def short_moment(self, at: datetime, known_day: date | None = None) -> str:
        """Such as "05:30 T3 24/11"; without the day where the reader knows it already."""
        day = self.local(at).date()
        return self.clock(at) if day == known_day else f"{self.clock(at)} {self.short_day(day)}"

    def why(self, item: BasketItem) -> str:
        """The sentence of `allocation` that says why so much; empty where there is none."""
        return one_line(item.why_en if self.language == "en" else item.why_vi)

    def reasons(self, load: Load) -> list[str]:
        """Those of all its items."""
        return [reason for item in load.items if (reason := self.why(item))]

    def loads(self, stops: Iterable[Stop], known_day: date | None = None) -> str:
        """Everything to bring, where and by when, in as few letters as possible."""
        return "; ".join(
            self.pgettext(
                "SMS: what to bring where and by when",
                "%(goods)s to %(place)s before %(moment)s",
                goods=", ".join(
                    f"{self.name(load.goods.name)} {self.quantity(load.goods, load.quantity_steps)}"
                    for load in stop.loads
                ),
                place=self.name(stop.collection_point),
                moment=self.short_moment(stop.arrive_by_at, known_day),
            )
            for stop in stops
        )

    def first_stop(self, stops: Sequence[Stop], known_day: date | None = None) -> str:
        """Where to be first and by when; it says so where that is not the only place."""
        told = {
            "place": self.name(stops[0].collection_point),
            "moment": self.short_moment(stops[0].arrive_by_at, known_day),
        }
        if len(stops) > 1:
            return self.pgettext("SMS: of several places", "first to %(place)s before %(moment)s", **told)
        return self.pgettext("SMS: the only place", "to %(place)s before %(moment)s", **told)
