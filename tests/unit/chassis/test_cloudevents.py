"""The wire format against what CloudEvents 1.0 asks for, and against damage."""

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest

from services.chassis import cloudevents
from services.chassis.cloudevents import Unreadable

ROW = {
    "stream": UUID(int=7),
    "sequence": 12,
    "id": UUID(int=99),
    "type": "orders.order_placed.v1",
    "occurred_at": datetime(2026, 11, 23, 1, 2, 3, 456789, tzinfo=UTC),
    "after": "allocation=3;catalog=12",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "data": '{"name":"Cải mèo \\"ngon\\""}',
}


def test_an_event_reads_back_as_it_was_written() -> None:
    content = cloudevents.read(f"[{cloudevents.envelope('orders', ROW)}]".encode())
    (arrival,) = content.arrivals
    assert content.senders == {"orders"}
    assert (arrival.stream, arrival.sequence, arrival.id) == (ROW["stream"], 12, ROW["id"])
    assert arrival.after == {"allocation": 3, "catalog": 12}
    assert arrival.time == ROW["occurred_at"]
    assert json.loads(arrival.body) == {"name": 'Cải mèo "ngon"'}
    assert cloudevents.read_one(cloudevents.parked_json(arrival)) == arrival


def test_the_envelope_has_what_cloudevents_requires_and_sequences_order_as_text() -> None:
    envelope = json.loads(cloudevents.envelope("orders", ROW))
    assert envelope["specversion"] == "1.0"
    assert {"id", "source", "type"} <= envelope.keys()
    assert envelope["cooperative"] == envelope["partitionkey"]
    assert envelope["sequence"] < json.loads(cloudevents.envelope("orders", ROW | {"sequence": 100}))["sequence"]


def test_heads_and_resend_requests_stand_outside_of_the_streams() -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    heads = cloudevents.control("catalog", cloudevents.HEADS, UUID(int=1), now, {str(UUID(int=7)): 12})
    content = cloudevents.read(heads)
    assert (content.arrivals, content.heads) == ([], [("catalog", {UUID(int=7): 12})])
    asked = {"stream": str(UUID(int=7)), "sequence": 4}
    (found,) = cloudevents.read(cloudevents.control("orders", cloudevents.RESEND, UUID(int=1), now, asked)).resends
    assert found == ("orders", cloudevents.Resend(UUID(int=7), 4))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"not json",
        b'[{"specversion":"1.0"}]',
        json.dumps([json.loads(cloudevents.envelope("orders", ROW)) | {"sequence": "x"}]).encode(),
        json.dumps([json.loads(cloudevents.envelope("orders", ROW)) | {"specversion": "0.3"}]).encode(),
        json.dumps([json.loads(cloudevents.envelope("orders", ROW)) | {"partitionkey": None}]).encode(),
        json.dumps([json.loads(cloudevents.envelope("orders", ROW)) | {"after": "catalog"}]).encode(),
        json.dumps([json.loads(cloudevents.envelope("orders", ROW)) | {"time": "2026-11-23T01:02:03"}]).encode(),
    ],
)
def test_what_is_no_batch_of_ours_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        cloudevents.read(body)
