"""Seeds a running stack through its public interfaces, and keeps what a later command needs to go on.

A second run finds what is there and changes nothing. Keys and secrets stand in `seed.json` below the stack's
root, readable by its owner only.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
from prometheus_client.parser import text_string_to_metric_families

from infra.demo.client import Client
from infra.demo.reach import reaches
from infra.demo.world import COOPERATIVES, ZONE, Cooperative, Shop
from infra.local.stack import Stack
from services.contracts.flow import SERVICES, read_by


@dataclass
class SeededPartner:
    """A partner with its secrets: `secret` signs what it pushes, `webhook_secret` what it is told."""

    partner_id: str
    name: str
    adapter: str
    push_path: str
    secret: str
    webhook_secret: str = ""


@dataclass
class SeededCooperative:
    """Identifiers and keys of one cooperative."""

    cooperative_id: str
    slug: str
    staff_key: str
    collection_point_id: str
    households: dict[str, str] = field(default_factory=dict)
    """code → household_id"""
    products: dict[str, str] = field(default_factory=dict)
    """code → product_id"""
    partners: list[SeededPartner] = field(default_factory=list)


@dataclass
class Seed:
    """Everything that was seeded."""

    operator_key: str
    cooperatives: list[SeededCooperative] = field(default_factory=list)

    def save(self, path: Path) -> None:
        """Writes the seed, for its owner's eyes only."""
        write_private(path, json.dumps(asdict(self), ensure_ascii=False, indent=1))

    @classmethod
    def load(cls, path: Path) -> "Seed":
        """Reads what `save` wrote."""
        content = json.loads(path.read_text("utf-8"))
        cooperatives = [
            SeededCooperative(**it | {"partners": [SeededPartner(**p) for p in it["partners"]]})
            for it in content["cooperatives"]
        ]
        return cls(content["operator_key"], cooperatives)


def write_private(path: Path, text: str) -> None:
    """Writes a file that only its owner can read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def first_operator_key(stack: Stack, extra_environment: Mapping[str, str] | None = None) -> str:
    """Issues a key on the command line, as the union's operator does once after installing."""
    command = [sys.executable, "-m", "services.catalog", "key", "issue", "--role", "operator", "--label", "demo"]
    environment = {**os.environ, **stack.environment("catalog"), **(extra_environment or {})}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"no operator key: {done.stderr[-2000:]}")
    return done.stdout.strip()


async def seed(client: Client, key: str, cooperatives: Sequence[Cooperative] = COOPERATIVES) -> Seed:
    """Registers the cooperatives with households, products, staff keys, partners and contacts, all side by side."""
    operator = client.speaking_as(key)
    made = await asyncio.gather(*(_register(operator, cooperative) for cooperative in cooperatives))
    await until(lambda: caught_up_with_catalog(operator))
    await introduce_to_providers(client, cooperatives)
    await asyncio.gather(*(_introduce(client, *pair) for pair in zip(cooperatives, made, strict=True)))
    return Seed(key, made)


async def _register(operator: Client, cooperative: Cooperative) -> SeededCooperative:
    """What catalog has to know."""
    made = await operator.ask(
        "catalog",
        "POST",
        "/v1/cooperatives",
        {
            "slug": cooperative.slug,
            "name": cooperative.name,
            "timezone": ZONE,
            "collection_points": [{"name": cooperative.collection_point}],
        },
    )
    issued = await operator.ask(
        "catalog", "POST", "/v1/keys", {"role": "staff", "cooperative": cooperative.slug, "label": "ban quản trị"}
    )
    point = made["collection_points"][0]["collection_point_id"]
    seeded = SeededCooperative(made["cooperative_id"], cooperative.slug, issued["token"], point)
    staff = operator.speaking_as(issued["token"])
    base = f"/v1/cooperatives/{cooperative.slug}"
    for index, name in enumerate(cooperative.households):
        code = cooperative.household_code(index)
        body = {"code": code, "name": name, "certificates": list(cooperative.certificates)}
        answer = await staff.ask("catalog", "POST", f"{base}/households", body)
        seeded.households[code] = answer["household_id"]
    for product in cooperative.products:
        answer = await staff.ask(
            "catalog",
            "POST",
            f"{base}/products",
            {
                "code": product.code,
                "name": product.name,
                "crop": product.crop,
                "grade": product.grade,
                "unit": product.unit,
                "step_milliunits": product.step_milliunits,
                "ocop_stars": product.ocop_stars,
                "certificates": list(product.certificates),
            },
        )
        seeded.products[product.code] = answer["product_id"]
    return seeded


async def _introduce(client: Client, cooperative: Cooperative, seeded: SeededCooperative) -> None:
    """What the others have to know, once they know the cooperative: its shops and how households are reached."""
    staff = client.speaking_as(seeded.staff_key)
    for shop in cooperative.shops:
        seeded.partners.append(await _seed_partner(staff, cooperative, shop))
    for one in reaches(cooperative, client.stack.providers is not None):
        await staff.ask("notify", "POST", f"/v1/households/{seeded.households[one.code]}/contacts", one.contact())
    if client.stack.providers is not None:
        consent = {"purposes": ["alerts"], "source": "ban quản trị"}
        address = {"channel": "email", "address": f"van-phong@{cooperative.slug}.example", "consent": consent}
        body = {"display_name": "Văn phòng hợp tác xã", "language": "vi", "addresses": [address]}
        await staff.ask("notify", "POST", f"/v1/cooperatives/{seeded.cooperative_id}/contacts", body)


async def introduce_to_providers(client: Client, cooperatives: Sequence[Cooperative] = COOPERATIVES) -> None:
    """Where there are local providers: whose telephone is whose, and who has Zalo."""
    if client.stack.providers is not None:
        people = [one.person() for cooperative in cooperatives for one in reaches(cooperative, with_providers=True)]
        answer = await client.http.put(f"{client.stack.providers.url}/people", json=people)
        answer.raise_for_status()


async def _seed_partner(staff: Client, cooperative: Cooperative, shop: Shop) -> SeededPartner:
    answer = await staff.ask(
        "orders",
        "POST",
        "/v1/partners",
        {"cooperative": cooperative.slug, "name": shop.name, "adapter": shop.adapter},
    )
    partner = SeededPartner(answer["partner_id"], shop.name, shop.adapter, answer["push_url"], answer["secret"])
    skus = [{"sku": sku, "product_code": code, "factor": factor} for sku, (code, factor) in shop.skus.items()]
    await staff.ask("orders", "PUT", f"/v1/partners/{partner.partner_id}/skus", skus)
    return partner


async def caught_up_with_catalog(client: Client) -> bool:
    """Whether every reader has applied all that catalog has written, by their metrics."""
    produced = await _metric(client, "catalog", "event_log_produced_events")
    applied = [
        await _metric(client, reader, "consumer_cursor_events", producer="catalog") for reader in read_by("catalog")
    ]
    return min(applied) >= produced


async def until(holds: Callable[[], Awaitable[bool]], timeout_s: float = 30) -> None:
    """Asks again and again until it holds (news travels by event). Raises TimeoutError."""
    async with asyncio.timeout(timeout_s):
        while not await holds():  # noqa: ASYNC110 - other processes cannot set an event of this one
            await asyncio.sleep(0.05)


def seed_path(stack: Stack) -> Path:
    """Where the seed of a stack stands."""
    return stack.root / "seed.json"


async def set_standing_offers(client: Client, seeded: Seed) -> None:
    """Every product is offered every day by itself, so that a stack that is left running always takes orders."""
    for cooperative, known in zip(COOPERATIVES, seeded.cooperatives, strict=True):
        staff = client.speaking_as(known.staff_key)
        for product in cooperative.products:
            body = {
                "price_vnd": product.price_vnd,
                "cut_off_time": cooperative.cut_off_time,
                "cut_off_days_before": 1,
                "arrive_by_time": cooperative.arrive_by_time,
                "pledges": [{"household_code": c, "quantity_steps": product.pledged_steps} for c in known.households],
            }
            path = f"/v1/cooperatives/{known.slug}/standing-offers/{product.code}"
            await staff.ask("catalog", "PUT", path, body)
    await _until_offered(client, seeded)


async def _until_offered(client: Client, seeded: Seed) -> None:
    """Waits until the standing offers have renewed and every reader has applied all that catalog wrote."""
    days = [datetime.now(ZoneInfo(ZONE)).date() + timedelta(days=n) for n in (1, 2)]

    async def offered() -> bool:
        for known in seeded.cooperatives:
            staff = client.speaking_as(known.staff_key)
            pages = [f"/v1/cooperatives/{known.slug}/offers?delivery_day={day}" for day in days]
            if not any([(await staff.ask("catalog", "GET", page))["offers"] for page in pages]):
                return False
        return True

    await until(offered)
    await until(lambda: caught_up_with_catalog(client))


async def _metric(client: Client, service: str, name: str, **labels: str) -> float:
    """The sum of the metric's series that have these labels."""
    answer = await client.try_to(service, "GET", "/metrics")
    samples = [sample for family in text_string_to_metric_families(answer.text) for sample in family.samples]
    return sum(it.value for it in samples if it.name == name and labels.items() <= it.labels.items())


def write_shell_variables(stack: Stack, seeded: Seed) -> Path:
    """`first-order.env`: what the commands of README need, to be read by a shell; for its owner's eyes only."""
    cooperative = seeded.cooperatives[0]
    partner = cooperative.partners[0]
    variables = {f"{service.upper()}_URL": stack.base_url(service) for service in SERVICES} | {
        "OPERATOR_KEY": seeded.operator_key,
        "STAFF_KEY": cooperative.staff_key,
        "COOPERATIVE_ID": cooperative.cooperative_id,
        "PARTNER_ID": partner.partner_id,
        "PARTNER_SECRET": partner.secret,
        "AMQP_ADDRESS": f"127.0.0.1:{stack.rabbit.ports.amqp}",
    }
    path = stack.root / "first-order.env"
    write_private(path, "".join(f"{name}={value}\n" for name, value in variables.items()))
    return path


def seed_running_stack(stack: Stack) -> Seed:
    """Seeds the stack unless it was seeded before; returns what was seeded."""
    path = seed_path(stack)

    async def run() -> Seed:
        async with httpx.AsyncClient(timeout=30, trust_env=False) as http:
            client = Client(stack, http)
            if path.exists():
                await introduce_to_providers(client)
                return Seed.load(path)
            made = await seed(client, await asyncio.to_thread(first_operator_key, stack))
            await set_standing_offers(client, made)
            made.save(path)
            return made

    seeded = asyncio.run(run())
    write_shell_variables(stack, seeded)
    return seeded
