"""Times as platforms push them: seconds since 1970, or milliseconds where the number is too large for seconds."""

from datetime import UTC, datetime, timedelta

from services.orders.adapters.base import Malformed

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _LAST = 946_684_800, 7_258_118_400
"""The years 2000 to 2199."""
_MILLISECONDS_FROM = 10**12


def moment(number: int, field: str) -> datetime:
    """The time. Raises Malformed outside of the years that a platform can mean."""
    milliseconds = number if number >= _MILLISECONDS_FROM else number * 1000
    if not _FIRST * 1000 <= milliseconds < _LAST * 1000:
        raise Malformed([(field, "is outside of the years 2000 to 2199")])
    return _EPOCH + timedelta(milliseconds=milliseconds)
