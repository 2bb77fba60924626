"""JSON from outside: whatever its bytes are, it is an object or it is none."""

from typing import Any, Final

import msgspec

NO_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises for bytes that are no JSON, or are nested deeper than anybody means."""


def object_of(body: bytes) -> dict[str, Any] | None:
    """The object; None where it is something else."""
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except NO_JSON:
        return None
