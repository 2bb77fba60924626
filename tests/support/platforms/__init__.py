"""One shop on each platform, by the platform's name, with the story of one order there."""

from tests.support.platforms.canonical import CANONICAL
from tests.support.platforms.dfc import DFC
from tests.support.platforms.kiotviet import KIOTVIET
from tests.support.platforms.meta import META
from tests.support.platforms.nhanh import NHANH
from tests.support.platforms.open_food_network import OPEN_FOOD_NETWORK
from tests.support.platforms.sendo import SENDO
from tests.support.platforms.shopify_family import HARAVAN, SAPO, SHOPIFY
from tests.support.platforms.thin import LAZADA, SHOPEE, TIKTOK
from tests.support.platforms.woocommerce import WOOCOMMERCE

PLATFORMS = {
    one.name: one
    for one in (
        CANONICAL,
        WOOCOMMERCE,
        SHOPIFY,
        HARAVAN,
        SAPO,
        KIOTVIET,
        NHANH,
        SENDO,
        META,
        OPEN_FOOD_NETWORK,
        DFC,
        TIKTOK,
        SHOPEE,
        LAZADA,
    )
}
THIN = ("tiktok", "shopee", "lazada")
"""Those whose stories say only which order has changed."""
