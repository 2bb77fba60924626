"""Bodies as they travel: whatever is compressed comes back as it was, and what is damaged is named as such."""

import json
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis import cloudevents, compression
from services.chassis.cloudevents import MOST_MESSAGE_BYTES, Unreadable


def frame(body: bytes) -> bytes:
    packed, encoding = compression.compress(body)
    assert encoding == "zstd"
    return packed


@given(st.binary(max_size=3000).flatmap(lambda part: st.integers(0, 40).map(lambda times: part * times)))
def test_every_body_comes_back_as_it_was(body: bytes) -> None:
    assert compression.decompress(*compression.compress(body)) == body


def test_a_single_event_travels_as_it_is_and_a_batch_in_a_quarter_of_its_length() -> None:
    def event(number: int) -> str:
        row = {
            "stream": uuid4(), "sequence": number, "id": uuid4(), "type": "orders.order_placed.v1",
            "after": "catalog=7", "occurred_at": datetime.now(UTC),
            "traceparent": f"00-{uuid4().hex}-b7ad6b7169203331-01",
            "data": json.dumps({"order_id": str(uuid4()), "lines": [{"offer_id": str(uuid4()), "quantity_steps": 3}]}),
        }  # fmt: skip
        return cloudevents.envelope("orders", row)

    alone = f"[{event(1)}]".encode()
    assert compression.compress(alone) == (alone, None)
    batch = f"[{','.join(map(event, range(500)))}]".encode()
    packed, encoding = compression.compress(batch)
    assert encoding == "zstd"
    assert len(packed) < len(batch) / 4, "here all is random that can be"


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (b"[]", "gzip"),
        (b"[]", "zstd"),
        (b"", "zstd"),
        (frame(b"x" * 5000)[:-1], "zstd"),
        (frame(b"x" * 5000) + b"[]", "zstd"),
        (frame(b"x" * 5000) * 2, "zstd"),
        (frame(b"x" * (MOST_MESSAGE_BYTES + 1)), "zstd"),
        (frame(b"x" * 10 * MOST_MESSAGE_BYTES), "zstd"),
    ],
)
def test_what_is_damaged_unknown_or_too_long_is_unreadable(body: bytes, encoding: str) -> None:
    with pytest.raises(Unreadable):
        compression.decompress(body, encoding)


def test_the_longest_message_can_be_read() -> None:
    body = b"x" * MOST_MESSAGE_BYTES
    assert compression.decompress(frame(body), "zstd") == body
