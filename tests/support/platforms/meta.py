"""One order of a customer from a shop's WhatsApp catalogue."""

from typing import Any

from tests.support.platforms.base import SECRET, Platform, Told, in_header, in_hex, who


def meta_message(**other: Any) -> dict[str, Any]:
    """An order that a customer has put together from the catalogue."""
    return {
        "from": "84912345678",
        "id": "wamid.HBgLODQ5MTIzNDU2NzgVAgASGCA3",
        "timestamp": "1795410000",
        "type": "order",
        "order": {
            "catalog_id": "538971028364699",
            "product_items": [
                {"product_retailer_id": "CAI", "quantity": 2, "item_price": 15000, "currency": "VND"},
                {"product_retailer_id": "SU-SU", "quantity": 1, "item_price": 0.5, "currency": "USD"},
            ],
        },
    } | other


def meta_push(*messages: Any) -> dict[str, Any]:
    """An entry with messages to the shop's number."""
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "842123", "phone_number_id": "108578266683441"},
        "contacts": [{"profile": {"name": "Lò Thị Mai"}, "wa_id": "84912345678"}],
        "messages": list(messages),
    }
    entry = {"id": "108103872212677", "changes": [{"field": "messages", "value": value}]}
    return {"object": "whatsapp_business_account", "entry": [entry]}


META = Platform(
    "meta",
    who(SECRET, verify_token="mã của chúng tôi", phone_number_id="108578266683441"),
    (Told(meta_push(meta_message())), Told(meta_push({"id": "wamid.2", "type": "text"}, meta_message()))),
    in_header("x-hub-signature-256", lambda raw: "sha256=" + in_hex(raw)),
)
