"""How English writes quantities, days and times; the names are those of `vietnamese`."""

from datetime import date, datetime

from services.notify.domain.quantities import exact

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


def quantity(steps: int, step_milliunits: int, unit: str) -> str:
    """Such as "12.5 kg" or "3 bó": units are the product's own words."""
    return f"{exact(steps, step_milliunits)} {unit}"


def day(of: date) -> str:
    """Such as "Tuesday, 24 November 2026"."""
    return f"{_WEEKDAYS[of.weekday()]}, {of.day} {_MONTHS[of.month - 1]} {of.year}"


def moment(local: datetime) -> str:
    """Such as "05:30 on Tuesday, 24 November 2026"; `local` is in the zone of the reader."""
    return f"{local:%H:%M} on {day(local.date())}"
