"""The platforms that can push orders, by the name under which a partner is registered."""

from services.orders.adapters import canonical, lazada, shopee, tiktok, woocommerce
from services.orders.adapters.base import Adapter

ADAPTERS: dict[str, Adapter] = {
    "canonical": canonical,
    "woocommerce": woocommerce,
    "tiktok": tiktok,
    "shopee": shopee,
    "lazada": lazada,
}
