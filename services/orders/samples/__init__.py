"""Sample pushes in the formats of the platforms, signed as they sign: to try a partner's whole way with.

A new adapter has its function here as well. What is signed is written down a second time, away from what the adapters
verify: a mistake in one of them shows.
"""

from collections.abc import Callable, Mapping

from services.orders.samples import food, hints, own, social, vietnam, webshops
from services.orders.samples.base import NoSample, Request, SampleOrder, Shop

Make = Callable[[Shop, SampleOrder], Request]

SAMPLES: Mapping[str, Make] = {
    "canonical": own.canonical,
    "woocommerce": webshops.woocommerce,
    "shopify": webshops.shopify,
    "haravan": webshops.haravan,
    "sapo": webshops.sapo,
    "kiotviet": vietnam.kiotviet,
    "nhanh": vietnam.nhanh,
    "sendo": vietnam.sendo,
    "meta": social.meta,
    "open_food_network": food.open_food_network,
    "dfc": food.dfc,
    "tiktok": hints.tiktok,
    "shopee": hints.shopee,
    "lazada": hints.lazada,
}
EVENTS: Mapping[str, Make] = {"binary": own.binary, "structured": own.structured, "batch": own.batch}
"""The ways in which the own format goes as a CloudEvent."""


def sample_of(adapter: str, event: str | None = None) -> Make:
    """What makes the pushes of the adapter's platform; `event`: as which CloudEvent. Raises NoSample."""
    if event is None:
        return SAMPLES[adapter]
    if adapter != "canonical":
        raise NoSample(f"partners with the adapter {adapter} push no CloudEvents, only those with canonical do")
    return EVENTS[event]


__all__ = ["EVENTS", "SAMPLES", "Make", "NoSample", "Request", "SampleOrder", "Shop", "sample_of"]
