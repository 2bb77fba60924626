"""A seeded world of many small cooperatives, made through the public interfaces as the demo's two are.

Every third product is scarce, so that orders compete for it and the order in which they came shows.
"""

import asyncio
import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from infra.demo.client import Client
from infra.demo.peers import WebhookReceiver
from infra.demo.reach import reaches
from infra.demo.seed import Seed, SeededCooperative, caught_up_with_catalog, seed, until
from infra.demo.world import ZONE, Cooperative, Product, Shop

_GOODS = (("cai-meo", "Cải mèo", "kg", 500), ("hanh-la", "Hành lá", "bó", 1000), ("bi-do", "Bí đỏ", "kg", 250))
_HOUSEHOLDS = ("Giàng A Sùng", "Lò Thị Mai", "Vàng A Lử")
CUT_OFF = timedelta(minutes=10)


@dataclass
class LiveOffer:
    """An offer that takes orders, as staff know it."""

    offer_id: str
    product: Product
    pledges: list[dict[str, Any]]
    """As they were last acknowledged."""
    stated: list[dict[str, int]] = field(default_factory=list)
    """Each statement of pledges that was acknowledged, by household code."""

    def __post_init__(self) -> None:
        self.state(self.pledges)

    def state(self, pledges: list[dict[str, Any]]) -> None:
        """These pledges are acknowledged."""
        self.pledges = pledges
        self.stated.append({it["household_code"]: it["quantity_steps"] for it in pledges})


@dataclass
class Member:
    """A cooperative, what was seeded of it, its offers by product code, and those that it has withdrawn."""

    cooperative: Cooperative
    seeded: SeededCooperative
    offers: dict[str, LiveOffer] = field(default_factory=dict)
    withdrawn: list[LiveOffer] = field(default_factory=list)

    @property
    def addresses(self) -> dict[str, str]:
        """By household_id the mailbox."""
        found = {one.code: one.email for one in reaches(self.cooperative, with_providers=False)}
        return {household_id: found[code] for code, household_id in self.seeded.households.items()}


@dataclass
class World:
    """All cooperatives of one scenario and the day on which they sell."""

    operator_key: str
    members: list[Member]
    delivery_day: date

    def offer_body(self, member: Member, product: Product, pledges: list[dict[str, Any]]) -> dict[str, Any]:
        """One offer of the day, as staff post it."""
        arrive_by = datetime.combine(
            self.delivery_day, time.fromisoformat(member.cooperative.arrive_by_time), ZoneInfo(ZONE)
        )
        return {
            "product_code": product.code,
            "delivery_day": self.delivery_day.isoformat(),
            "price_vnd": product.price_vnd,
            "cut_off_at": (datetime.now(UTC) + CUT_OFF).isoformat(),
            "arrive_by_at": arrive_by.isoformat(),
            "pledges": pledges,
        }


def _cooperative(number: int, rng: random.Random) -> Cooperative:
    goods = rng.sample(_GOODS, k=rng.choice((2, 3)))
    products = tuple(
        Product(code, name, name.lower(), unit, step, 1000 * rng.randint(5, 30), rng.choice((12, 90, 150)))
        for code, name, unit, step in goods
    )
    canonical = {f"{p.code.upper()}-1": (p.code, "1") for p in products}
    shops = [Shop(f"Cửa hàng {number}", "canonical", canonical)]
    if number % 2:
        shops.append(Shop(f"Rau bản {number}", "woocommerce", {f"{p.code}-1kg": (p.code, "1") for p in products}))
    return Cooperative(
        slug=f"xa-{number:03d}",
        name=f"Hợp tác xã {number}",
        collection_point="Nhà văn hóa bản",
        cut_off_time="16:00",
        arrive_by_time="05:00",
        households=_HOUSEHOLDS,
        products=products,
        shops=tuple(shops),
    )


async def make(client: Client, key: str, receiver: WebhookReceiver, rng: random.Random, cooperatives: int = 8) -> World:
    """Registers the cooperatives with partners, endpoints and contacts, and publishes tomorrow's offers."""
    planned = [_cooperative(number, rng) for number in range(cooperatives)]
    seeded: Seed = await seed(client, key, planned)
    members = [Member(*pair) for pair in zip(planned, seeded.cooperatives, strict=True)]
    world = World(key, members, datetime.now(ZoneInfo(ZONE)).date() + timedelta(days=1))
    addresses = [address for member in members for address in member.addresses.values()]
    assert len(set(addresses)) == len(addresses), "two households have one mailbox"
    plans = [
        (member, [_pledges(member, product, rng) for product in member.cooperative.products]) for member in members
    ]
    await asyncio.gather(*(_open(client, receiver, world, member, pledges) for member, pledges in plans))
    await until(lambda: caught_up_with_catalog(client))
    return world


def _pledges(member: Member, product: Product, rng: random.Random) -> list[dict[str, Any]]:
    return [
        {"household_code": code, "quantity_steps": rng.randint(product.pledged_steps // 2, product.pledged_steps)}
        for code in member.seeded.households
    ]


async def _open(
    client: Client, receiver: WebhookReceiver, world: World, member: Member, pledges: list[list[dict[str, Any]]]
) -> None:
    """Where partners are told, then what can be ordered."""
    staff, seeded = client.speaking_as(member.seeded.staff_key), member.seeded
    for partner in seeded.partners:
        body = {"cooperative": seeded.cooperative_id, "url": receiver.url(partner.partner_id), "secret": None}
        answer = await staff.ask("notify", "PUT", f"/v1/partners/{partner.partner_id}/webhook", body)
        partner.webhook_secret = receiver.secrets[partner.partner_id] = answer["secret"]
    products = member.cooperative.products
    bodies = [world.offer_body(member, product, its) for product, its in zip(products, pledges, strict=True)]
    answer = await staff.ask("catalog", "POST", f"/v1/cooperatives/{seeded.slug}/offers", {"offers": bodies})
    for product, its, offer in zip(products, pledges, answer["offers"], strict=True):
        member.offers[product.code] = LiveOffer(offer["offer_id"], product, its)
