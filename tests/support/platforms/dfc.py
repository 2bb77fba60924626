"""The story of one order in the Data Food Consortium's standard."""

from typing import Any

from tests.support.platforms.base import SECRET, Headers, Platform, Told, who


def dfc_order(status: str, *quantities: Any, **other: Any) -> dict[str, Any]:
    """A graph of an order, its lines, offers and products."""
    base = "https://ofn.example.org/api/dfc/Enterprises/10000"
    order = {
        "@id": f"{base}/Orders/10001",
        "@type": "dfc-b:Order",
        "dfc-b:hasOrderStatus": f"dfc-v:{status}",
        "dfc-b:orderedBy": "http://ofn.example.org/api/dfc/enterprises/1003",
        "dfc-b:belongsTo": f"{base}/SalesSession/#",
        "dfc-b:hasPart": [f"{base}/Orders/10001/OrderLines/{n}" for n, _ in enumerate(quantities)],
    } | other
    graph: list[dict[str, Any]] = [order]
    for n, quantity in enumerate(quantities):
        product = f"{base}/SuppliedProducts/4451{n}"
        graph += [
            {
                "@id": f"{base}/Orders/10001/OrderLines/{n}",
                "@type": "dfc-b:OrderLine",
                "dfc-b:quantity": quantity,
                "dfc-b:concerns": f"{product}/Offer",
            },
            {
                "@id": f"{product}/Offer",
                "@type": "dfc-b:Offer",
                "dfc-b:offeredItem": product,
                "dfc-b:hasPrice": {"dfc-b:value": "15000", "dfc-b:hasUnit": "dfc-m:VietnameseDong"},
            },
            {"@id": product, "@type": "dfc-b:SuppliedProduct", "dfc-b:name": "Cải mèo"},
        ]
    return {"@context": "https://www.datafoodconsortium.org", "@graph": graph}


def _dated(minute: int) -> Headers:
    return {"date": f"Mon, 23 Nov 2026 01:{minute:02d}:00 GMT"}


DFC = Platform(
    "dfc",
    who(SECRET),
    (
        Told(dfc_order("Held", 3), _dated(0)),
        Told(dfc_order("Held", 5, "2"), _dated(10)),
        Told(dfc_order("Complete", 5, "2"), _dated(20)),
        Told(dfc_order("Cancelled"), _dated(30)),
    ),
    lambda raw: ({"authorization": f"Bearer {SECRET}"}, {}),
)
