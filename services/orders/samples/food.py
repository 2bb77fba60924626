"""The Open Food Network's webhooks of payments, and orders of the Data Food Consortium."""

from datetime import UTC
from email.utils import format_datetime

from services.orders.samples.base import JSON, Request, SampleOrder, Shop, encoded


def open_food_network(shop: Shop, order: SampleOrder) -> Request:
    """A payment that is pending, or one that was voided with no item left. The SKU is the product's name."""
    ref, now = f"TEST-{order.number}", shop.now.isoformat()
    line = {"product_name": order.sku, "quantity": order.quantity, "name_to_display": None, "unit_to_display": None}
    payment = {"updated_at": now, "amount": "0.0", "state": "void" if order.cancelled else "pending"}
    placed = {"number": ref, "total": "0.0", "currency": "VND", "line_items": [] if order.cancelled else [line]}
    event = "payment.void" if order.cancelled else "payment.pending"
    raw = encoded(
        {"id": f"test-{order.number}", "event": event, "at": now, "data": {"payment": payment, "order": placed}}
    )
    return Request(ref, JSON, raw, {"key": shop.secret})


def dfc(shop: Shop, order: SampleOrder) -> Request:
    """A graph of the order, its line, offer and product."""
    base = f"https://test.example/{order.number}"
    ref = f"{base}/order"
    product = {"@id": f"{base}/product", "@type": "dfc-b:SuppliedProduct", "dfc-b:sku": order.sku}
    offer = {"@id": f"{base}/offer", "@type": "dfc-b:Offer", "dfc-b:offeredItem": product["@id"]}
    line = {
        "@id": f"{base}/line",
        "@type": "dfc-b:OrderLine",
        "dfc-b:quantity": order.quantity,
        "dfc-b:concerns": offer["@id"],
    }
    placed = {
        "@id": ref,
        "@type": "dfc-b:Order",
        "dfc-b:hasOrderStatus": "dfc-v:Cancelled" if order.cancelled else "dfc-v:Held",
        "dfc-b:hasPart": [] if order.cancelled else [line["@id"]],
    }
    graph = [placed] if order.cancelled else [placed, line, offer, product]
    headers = {
        "content-type": "application/ld+json",
        "authorization": f"Bearer {shop.secret}",
        "date": format_datetime(shop.now.astimezone(UTC), usegmt=True),
    }
    return Request(ref, headers, encoded({"@context": "https://www.datafoodconsortium.org", "@graph": graph}))
