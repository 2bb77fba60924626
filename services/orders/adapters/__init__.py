"""The platforms that can push orders, by the name under which a partner is registered."""

from services.orders.adapters import (
    canonical,
    dfc,
    haravan,
    kiotviet,
    lazada,
    meta,
    nhanh,
    open_food_network,
    sapo,
    sendo,
    shopee,
    shopify,
    tiktok,
    woocommerce,
)
from services.orders.adapters.base import Adapter

ADAPTERS: dict[str, Adapter] = {
    "canonical": canonical,
    "woocommerce": woocommerce,
    "shopify": shopify,
    "haravan": haravan,
    "sapo": sapo,
    "kiotviet": kiotviet,
    "nhanh": nhanh,
    "sendo": sendo,
    "meta": meta,
    "open_food_network": open_food_network,
    "dfc": dfc,
    "tiktok": tiktok,
    "shopee": shopee,
    "lazada": lazada,
}
