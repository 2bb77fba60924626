"""Data Food Consortium: the bearer token, and JSON-LD in the shapes in which it is really sent."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from services.orders.adapters import dfc
from services.orders.adapters.base import Ignored, Malformed
from services.orders.domain.command import UNTIMED, CommandLine, Kind, OrderCommand
from tests.support.platforms.base import NOW, SECRET, URL
from tests.support.platforms.dfc import DFC, dfc_order
from tests.unit.orders.adapters import contract

DATE = {"date": "Mon, 23 Nov 2026 01:00:00 GMT"}
LATER = {"date": "Mon, 23 Nov 2026 01:00:01 GMT"}


def command(body: Any, headers: dict[str, str] = DATE) -> OrderCommand:
    return contract.command(DFC, body, headers)


def faulty(body: Any, headers: dict[str, str] = DATE) -> list[str]:
    return contract.faulty(DFC, body, headers)


def test_the_secret_is_the_bearer_token() -> None:
    contract.believes(DFC, b"{}", {"authorization": f"bearer  {SECRET}"})
    for header in (f"Basic {SECRET}", SECRET, f"Bearer {SECRET}x", "Bearer "):
        contract.refuses(DFC, b"{}", {"authorization": header})


def test_an_order_becomes_a_command() -> None:
    found = command(dfc_order("Held", 3, "2.5"))
    assert found.partner_ref == "https://ofn.example.org/api/dfc/Enterprises/10000/Orders/10001"
    assert (found.kind, found.contact) == (Kind.UPSERT, None)
    assert found.lines == (CommandLine(1, "44510", Decimal(3), 15000), CommandLine(2, "44511", Decimal("2.5"), 15000))
    assert found.revision.updated_at == datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


def test_one_object_says_the_same_as_a_graph_and_lists_may_be_left_out() -> None:
    order = {
        "@context": "https://www.datafoodconsortium.org",
        "@id": "https://ofn.example.org/Orders/7",
        "@type": ["dfc-b:Order"],
        "dfc-b:orderNumber": "R-7",
        "dfc-b:hasOrderStatus": {"@id": "dfc-v:Held"},
        "dfc-b:hasPart": {
            "@type": "dfc-b:OrderLine",
            "dfc-b:hasQuantity": {"@type": "dfc-b:QuantitativeValue", "dfc-b:value": 5.0},
            "dfc-b:concerns": {"@id": "https://ofn.example.org/SuppliedProducts/9", "dfc-b:sku": "CAI"},
        },
    }
    found = command(order)
    assert (found.partner_ref, found.lines) == ("R-7", (CommandLine(1, "CAI", Decimal(5), None),))


def test_a_later_request_follows_and_a_duplicate_does_not() -> None:
    assert command(dfc_order("Held", 5), LATER).follows(command(dfc_order("Held", 3)))
    assert not command(dfc_order("Held", 3)).follows(command(dfc_order("Held", 3)))
    assert command(dfc_order("Complete", 3)).follows(command(dfc_order("Held", 3)))


def test_without_a_date_the_time_of_arrival_counts() -> None:
    assert command(dfc_order("Held", 3), {}).revision.updated_at == NOW


def test_a_cancelled_order_stays_cancelled_and_needs_no_lines() -> None:
    found = command(dfc_order("Cancelled"))
    assert (found.kind, found.revision.updated_at) == (Kind.CANCEL, UNTIMED)


def test_an_order_that_is_posted_to_the_collection_goes_by_buyer_and_session() -> None:
    posted = {"@id": "https://ofn.example.org/api/dfc/Enterprises/10000/Orders"}
    first, again = command(dfc_order("Held", 3, **posted)), command(dfc_order("Held", 5, **posted), LATER)
    assert first.partner_ref.startswith("session:")
    assert again.partner_ref == first.partner_ref
    elsewhere = posted | {"dfc-b:orderedBy": "http://ofn.example.org/api/dfc/enterprises/1004"}
    assert command(dfc_order("Held", 3, **elsewhere)).partner_ref != first.partner_ref
    assert faulty(dfc_order("Held", 3, **posted | {"dfc-b:orderedBy": None})) == ["@id"]


def test_a_long_id_is_kept_apart_by_its_digest() -> None:
    refs = {command(dfc_order("Held", 3, **{"@id": f"https://x/{'a' * 200}{n}"})).partner_ref for n in range(3)}
    assert len(refs) == 3
    assert all(len(ref) <= 100 for ref in refs)


def test_what_holds_no_order_is_ignored() -> None:
    assert contract.read(DFC, {"@graph": [{"@type": "dfc-b:Catalog"}]}, DATE) == Ignored("no dfc-b:Order")
    assert contract.read(DFC, [], DATE) == Ignored("no dfc-b:Order")


def test_values_that_are_no_objects_may_be_many() -> None:
    assert command(dfc_order("Held", 3, **{"dfc-b:note": list(range(6000))})).lines[0].quantity == Decimal(3)


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (dfc_order("Held"), ["dfc-b:hasPart"]),
        (dfc_order("Held", 0.1234567, None), ["dfc-b:hasPart[0].quantity", "dfc-b:hasPart[1].quantity"]),
        (
            {"@type": "dfc-b:Order", "@id": "x", "dfc-b:hasPart": [5]},
            ["dfc-b:hasPart[0].quantity", "dfc-b:hasPart[0].sku"],
        ),
        (dfc_order("Held", *[1] * 201), ["dfc-b:hasPart"]),
        ([[]] * 6000, ["@graph"]),
        ([[[]] * 300_000, {}], ["@graph"]),
        (b"{", ["body"]),
    ],
)
def test_a_malformed_body_names_its_faults(body: Any, fields: list[str]) -> None:
    assert faulty(body) == fields


def test_a_date_that_is_none_is_malformed() -> None:
    assert faulty(dfc_order("Held", 3), {"date": "hôm qua"}) == ["date"]
    with pytest.raises(Malformed):
        dfc.read(DFC.credentials, type(DFC.push(DFC.story[0]))("POST", URL, {}, {}, DFC.push(DFC.story[0]).raw))
