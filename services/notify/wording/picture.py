"""A basket for those who read little: the crops, large quantities, a clock with its hands, and the place, as one SVG.

Drawings are ours, one file for each kind of crop. Widths are of 360; a text that would be wider gets smaller letters.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from services.notify.domain.facts import Load, Stop
from services.notify.wording.crops import crop_of
from services.notify.wording.speech import Speech, composed
from services.notify.wording.templates import environment

_ROW, _CLOCK, _LINE, _GAP = 112, 116, 28, 20
_ROOM = 228
"""What is left for words beside a drawing."""
_BOLD, _PLAIN = 66, 56
"""How wide a letter is at most, on the average, in hundredths of its size."""


@dataclass(frozen=True, slots=True)
class Line:
    """Words, how far down, and how large."""

    text: str
    y: int
    size: int


@dataclass(frozen=True, slots=True)
class Row:
    """One product."""

    y: int
    crop: str
    quantity: Line
    product: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """One place: what to bring there, the clock with its hands in degrees, and where it is."""

    rows: tuple[Row, ...]
    clock_y: int
    hour_hand: int
    minute_hand: int
    time: Line
    day: Line
    pin_y: int
    place: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """All that the template draws; `title` says the same to those who cannot see it."""

    height: int
    title: str
    crops: tuple[str, ...]
    sections: tuple[Section, ...]


def svg(stops: Sequence[Stop], speech: Speech) -> str:
    """The picture as a document of its own."""
    template = environment(speech.language).get_template("picture.svg")
    return composed(template.render(picture=draw(stops, speech)))


def draw(stops: Sequence[Stop], speech: Speech) -> Picture:
    """Where everything goes."""
    sections, y = [], 0
    for stop in stops:
        section, y = _section(stop, y, speech)
        sections.append(section)
    crops = sorted({row.crop for section in sections for row in section.rows})
    return Picture(y, " ".join(_told(stop, speech) for stop in stops), tuple(crops), tuple(sections))


def _section(stop: Stop, y: int, speech: Speech) -> tuple[Section, int]:
    rows = tuple(_row(load, y + number * _ROW, speech) for number, load in enumerate(stop.loads))
    clock_y = y + len(rows) * _ROW
    pin_y = clock_y + _CLOCK
    at = speech.local(stop.arrive_by_at)
    place = _wrapped(speech.name(stop.collection_point), pin_y + 40, 22, 16, 3)
    section = Section(
        rows,
        clock_y,
        at.hour % 12 * 30 + at.minute // 2,
        at.minute * 6,
        _fitting(speech.time(stop.arrive_by_at), clock_y + 52, 38),
        _fitting(speech.day(at.date()), clock_y + 84, 20, _PLAIN),
        pin_y,
        place,
    )
    return section, pin_y + max(76, 20 + len(place) * _LINE) + _GAP


def _row(load: Load, y: int, speech: Speech) -> Row:
    quantity = _fitting(speech.quantity(load.goods, load.quantity_steps), y + 52, 46)
    return Row(y, crop_of(load.goods.name), quantity, _wrapped(speech.name(load.goods.name), y + 82, 20, 18, 2))


def _wrapped(text: str, y: int, size: int, width: int, most: int) -> tuple[Line, ...]:
    """On at most so many lines of so many letters."""
    lines = textwrap.wrap(text, width, max_lines=most, placeholder="…")
    return tuple(_fitting(line, y + number * (size + 6), size) for number, line in enumerate(lines))


def _fitting(text: str, y: int, largest: int, letter: int = _BOLD) -> Line:
    """As large as the room allows."""
    return Line(text, y, max(6, min(largest, _ROOM * 100 // (letter * max(1, len(text))))))


def _told(stop: Stop, speech: Speech) -> str:
    loads = [
        f"{speech.name(load.goods.name)}: {speech.quantity(load.goods, load.quantity_steps)}" for load in stop.loads
    ]
    place = speech.gettext("Where: %(place)s", place=speech.name(stop.collection_point))
    until = speech.gettext("Be there before %(moment)s", moment=speech.moment(stop.arrive_by_at))
    return f"{'; '.join(loads)}. {place}. {until}."
