"""How long message bodies travel: compressed by Zstandard (RFC 8878), which the content encoding `zstd` says.

The events of a batch are much alike, so a full message shrinks to a tenth. The broker keeps and sends a copy for every
reader and, in a cluster, for every node.
"""

import sys

from services.chassis.cloudevents import MOST_MESSAGE_BYTES, Unreadable

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ENCODING = "zstd"
LEAST_BYTES = 2048
"""A shorter body, such as a single event, travels as it is: little would be saved, and people can read it."""

_LEVEL = 1
_WINDOW: dict[int, int] = {zstd.DecompressionParameter.window_log_max: MOST_MESSAGE_BYTES.bit_length()}
"""What a sender can make a reader set aside."""


def compress(body: bytes) -> tuple[bytes, str | None]:
    """The body as it travels, and its content encoding."""
    return (body, None) if len(body) < LEAST_BYTES else (zstd.compress(body, _LEVEL), ENCODING)


def decompress(body: bytes, encoding: str | None) -> bytes:
    """The body as it was. Raises Unreadable, also where it would be longer than any message of ours."""
    if encoding is None:
        return body
    if encoding != ENCODING:
        raise Unreadable(f"the content encoding {encoding!r} is not known")
    frame = zstd.ZstdDecompressor(options=_WINDOW)
    try:
        found = frame.decompress(body, MOST_MESSAGE_BYTES + 1)
    except zstd.ZstdError as error:
        raise Unreadable(f"not what Zstandard makes: {error}") from None
    if len(found) > MOST_MESSAGE_BYTES:
        raise Unreadable(f"more than {MOST_MESSAGE_BYTES} bytes are more than any message of ours")
    if not frame.eof or frame.unused_data:
        raise Unreadable("not one whole frame of Zstandard")
    return found
