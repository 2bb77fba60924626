"""The wire format against what CloudEvents 1.0 asks for, and against damage."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
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


def damaged(**changes: Any) -> bytes:
    """A batch of one event of orders, with these fields instead of its own."""
    return json.dumps([json.loads(cloudevents.envelope("orders", ROW)) | changes]).encode()


def said(kind: str, data: Mapping[str, Any]) -> bytes:
    """A control message of orders."""
    return cloudevents.control("orders", kind, UUID(int=1), datetime(2026, 11, 23, tzinfo=UTC), data)


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
        damaged(sequence="x"),
        damaged(sequence="9" * 20),
        damaged(sequence="9" * 5000),
        damaged(sequence="٣"),
        damaged(specversion="0.3"),
        damaged(partitionkey=None),
        damaged(after="catalog"),
        damaged(after="catalog=" + "9" * 20),
        damaged(after='cata"log=1'),
        damaged(time="2026-11-23T01:02:03"),
        damaged(data="Cải mèo").replace(b"\\u00e8", b"\xff"),
        damaged(data=[]).replace(b'"data": []', b'"data": ' + b"[" * 100_000 + b"]" * 100_000),
        said(cloudevents.HEADS, {str(UUID(int=7)): 2**63}),
        said(cloudevents.HEADS, {str(UUID(int=7)): -1}),
        said(cloudevents.RESEND, {"stream": str(UUID(int=7)), "sequence": 2**63}),
        said(cloudevents.RESEND, {"stream": str(UUID(int=7)), "sequence": 1, "to": "q" * 256}),
        said(cloudevents.REACH_ASKED, {"identity": "1/0", "lane": 40_000}),
        said(cloudevents.REACH_ASKED, {"identity": "1\0", "lane": 0}),
        said(cloudevents.REACH_TOLD, {"identity": "1/0", "lane": 0, "reach": {}, "part": 0}),
        said(cloudevents.REACH_TOLD, {"identity": "1/0", "lane": 0, "reach": {str(UUID(int=7)): 2**63}}),
    ],
)
def test_what_is_no_batch_of_ours_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        cloudevents.read(body)


@pytest.mark.parametrize("kind", ["catalog.offer_published.v1", 'orders.order"placed.v1', "orders.", "orders.Đơn.v1"])
def test_a_type_that_is_none_of_the_sender_s_is_unreadable(kind: str) -> None:
    with pytest.raises(Unreadable):
        cloudevents.read_from("orders", ["orders"], damaged(type=kind))


def test_a_malformed_traceparent_is_passed_over() -> None:
    (arrival,) = cloudevents.read(damaged(traceparent='00-"')).arrivals
    assert arrival.traceparent is None
