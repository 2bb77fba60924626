"""Reads the properties of messages as leniently as the broker, which checks little of what partners write into them.

pamqp raises on a time beyond the year 9999, on text that is not UTF-8, and on headers of unknown type or nested deeply.
That ends the connection before anybody has seen the message, and as the message comes again, no other would get in.
"""

from datetime import datetime

from pamqp import decode
from pamqp.common import FieldTable, Struct

_FAULTS = (ValueError, ArithmeticError, OSError, RecursionError)


def install() -> None:
    """For the whole process; what pamqp can read, it reads as before. Safe to repeat."""
    decode.METHODS.update({"shortstr": short_str, "timestamp": timestamp, "table": field_table})


def short_str(value: bytes) -> tuple[int, str]:
    """Every byte that is not UTF-8 becomes `?`, so that the text is no longer than before and can be sent back."""
    try:
        return decode.short_str(value)
    except UnicodeDecodeError:
        end = 1 + value[0]
        return end, value[1:end].decode(errors="replace").replace("\N{REPLACEMENT CHARACTER}", "?")


def timestamp(value: bytes) -> tuple[int, datetime | None]:
    """None where it is no time that Python knows."""
    try:
        return decode.timestamp(value)
    except _FAULTS:
        return Struct.timestamp.size, None


def field_table(value: bytes) -> tuple[int, FieldTable]:
    """Empty where one of its entries cannot be read."""
    try:
        return decode.field_table(value)
    except _FAULTS:
        (length,) = Struct.integer.unpack_from(value)
        return Struct.integer.size + length, {}
