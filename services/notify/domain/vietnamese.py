"""How Vietnamese writes quantities, days and times. Every language has a module of its own with these names."""

from datetime import date, datetime

from services.notify.domain.quantities import exact

_WEEKDAYS = ("thứ Hai", "thứ Ba", "thứ Tư", "thứ Năm", "thứ Sáu", "thứ Bảy", "Chủ nhật")
_PARTS_OF_DAY = ((11, "sáng"), (13, "trưa"), (18, "chiều"), (22, "tối"), (24, "đêm"))


def quantity(steps: int, step_milliunits: int, unit: str) -> str:
    """Such as "12,5 kg" or "3 bó"."""
    return f"{exact(steps, step_milliunits, mark=',')} {unit}"


def day(of: date) -> str:
    """Such as "thứ Ba, 24/11/2026"."""
    return f"{_WEEKDAYS[of.weekday()]}, {of:%d/%m/%Y}"


def moment(local: datetime) -> str:
    """Such as "05:30 sáng thứ Ba, 24/11/2026"; `local` is in the zone of the reader."""
    part = next(name for until_hour, name in _PARTS_OF_DAY if local.hour < until_hour)
    return f"{local:%H:%M} {part} {day(local.date())}"
