"""Meta: an order from the catalogue in WhatsApp."""

from services.orders.adapters.signatures import mac_hex
from services.orders.samples.base import JSON, Request, SampleOrder, Shop, encoded, seconds


def meta(shop: Shop, order: SampleOrder) -> Request:
    """WhatsApp has no cancellation: the same message, of a later second, with nothing of the item."""
    ref = f"wamid.TEST{order.number}"
    item = {"product_retailer_id": order.sku, "quantity": 0 if order.cancelled else order.quantity, "currency": "VND"}
    message = {
        "id": ref,
        "timestamp": str(seconds(shop.now) + order.cancelled),
        "type": "order",
        "order": {"catalog_id": "1", "product_items": [item]},
    }
    number = {"display_phone_number": "", "phone_number_id": shop.setting("phone_number_id", "1")}
    value = {"messaging_product": "whatsapp", "metadata": number, "messages": [message]}
    entry = {"id": "1", "changes": [{"field": "messages", "value": value}]}
    raw = encoded({"object": "whatsapp_business_account", "entry": [entry]})
    headers = JSON | {"x-hub-signature-256": "sha256=" + mac_hex(shop.secret, raw)}
    return Request(ref, headers, raw, can_cancel=False)
