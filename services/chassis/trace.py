"""W3C trace context: one id from a partner's push to the household's notice.

The current `traceparent` is kept in a context variable; the event log stores it, messages carry it, log
lines print its trace id.
"""

import os
import re
from contextvars import ContextVar
from functools import lru_cache

_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")

current: ContextVar[str | None] = ContextVar("traceparent", default=None)


@lru_cache(maxsize=1024)
def well_formed(header: str | None) -> str | None:
    """The header, or None where it is absent or malformed, as W3C asks."""
    return header if header is not None and _TRACEPARENT.fullmatch(header) else None


def continue_from(header: str | None) -> str:
    """A traceparent in the caller's trace, or in a new one where the header is absent or malformed."""
    span = os.urandom(8).hex()
    if header is not None and well_formed(header):
        return f"{header[:36]}{span}{header[52:]}"
    return f"00-{os.urandom(16).hex()}-{span}-01"


def trace_id() -> str | None:
    """The trace id of what is being done now, or None outside of any request or message."""
    value = current.get()
    return value[3:35] if value else None
