"""Our four services as a subject, seeded as the events of `catalog` would have seeded them."""

import asyncpg

from infra.local.processes import ServiceProcess, ServiceProcesses
from infra.local.stack import Stack
from infra.rabbitmq.definitions import SERVICES
from tests.perf import our_books
from tests.perf.looks import Looks
from tests.perf.market import STEP_MILLIUNITS, SUPPLY_STEPS, Market
from tests.perf.peers.base import Progress

LANES = 1
"""As many shared lanes as workers of each service: more would only mean smaller batches."""


def environment(lanes: int = LANES) -> dict[str, dict[str, str]]:
    """By service. What is measured ends with the notice job; no peer sends it either."""
    found = {service: {f"{service.upper()}_SHARED_LANES": str(lanes)} for service in SERVICES}
    found["notify"] |= {"NOTIFY_SEND_WEBHOOKS": "false", "NOTIFY_SEND_NOTICES": "false"}
    found["orders"] |= {"ORDERS_PARTNER_ORDERS_PER_S": "1000000", "ORDERS_PARTNER_BURST": "10000000"}
    return found


class Ours:
    """All four services, one process each."""

    name: str = "ours"
    is_ours = True

    def __init__(self, stack: Stack, market: Market) -> None:
        self._stack, self._market = stack, market
        self._services = ServiceProcesses(stack, extra_environment=environment())

    @property
    def http_port(self) -> int:
        """That of `orders`."""
        return self._services["orders"].http_port

    @property
    def dsns(self) -> dict[str, str]:
        """By service."""
        return {service: self.dsn(service) for service in SERVICES}

    def process(self, service: str) -> ServiceProcess:
        """One of them, to be stopped and started alone."""
        return self._services[service]

    def dsn(self, service: str) -> str:
        """The service's address of its database."""
        return self._stack.dsn(service)

    async def prepare(self) -> None:
        """Migrates and seeds."""
        self._services.migrate()
        for service in _SEED:
            await seed(self.dsn(service), service, self._market)

    def start(self) -> None:
        """Starts all and waits."""
        self._services.start()

    def stop(self) -> None:
        """Drains all."""
        self._services.stop()

    def pids(self) -> dict[str, int]:
        """By service."""
        return {process.service: process.pid for process in self._services if process.pid}

    async def progress(self, looks: Looks) -> Progress:
        """Told from heads and cursors, which costs the same however much is stored.

        Every event of `orders` is an order here. An event of `allocation` that a reader has not taken in counts as a
        promise, so that `moved` and `noticed` are never too high.
        """
        promised, said = await looks.row("allocation", f"select {_APPLIED.format('orders')}, {_APPENDED}")
        stored, moved = await looks.row("orders", f"select {_APPENDED}, {_APPLIED.format('allocation')}")
        (noticed,) = await looks.row("notify", f"select {_APPLIED.format('allocation')}")
        return Progress(stored, promised, promised - max(0, said - moved), promised - max(0, said - noticed))

    async def is_settled(self, looks: Looks) -> bool:
        """Whether the customer of every order is found, and `catalog` knows what is still available."""
        (due,) = await looks.row("orders", "select (exists (select from contact_due))::int")
        (said,) = await looks.row("allocation", f"select {_APPENDED}")
        (known,) = await looks.row("catalog", f"select {_APPLIED.format('allocation')}")
        return not due and known == said

    async def check(self) -> list[str]:
        """What is wrong with the books, in words."""
        return await our_books.check(self.dsns)


async def seed(dsn: str, service: str, market: Market) -> None:
    """Tells the market to the migrated database of one service."""
    connection = await asyncpg.connect(dsn)
    try:
        for statement, columns in _SEED[service]:
            await connection.execute(statement, *_columns(market, columns))
    finally:
        await connection.close()


_APPENDED = "(select coalesce(sum(last_sequence), 0)::bigint from stream_head)"
_APPLIED = "(select coalesce(sum(sequence), 0)::bigint from consumer_cursor where producer = '{}')"

_SEED = {  # the numbers in the statements are ours
    "orders": (
        (
            "insert into cooperative (cooperative_id, slug, timezone) "
            "select id, 'xa-' || n, 'Asia/Ho_Chi_Minh' from unnest($1::uuid[]) with ordinality as x (id, n)",
            ("cooperative",),
        ),
        (
            "insert into partner (partner_id, cooperative_id, name, adapter, secret) "
            "select p, c, 'Sạp rau', 'canonical', s from unnest($1::uuid[], $2::uuid[], $3::text[]) as x (p, c, s)",
            ("partner", "cooperative", "secret"),
        ),
        (
            "insert into product (product_id, cooperative_id, code, unit, step_milliunits) "
            f"select p, c, s, 'kg', {STEP_MILLIUNITS} from unnest($1::uuid[], $2::uuid[], $3::text[]) as x (p, c, s)",
            ("product", "product's cooperative", "sku"),
        ),
        (
            "insert into offer (offer_id, cooperative_id, product_id, delivery_day, price_vnd, cut_off_at) "
            "select o, c, p, d, v, t from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::date[], $5::bigint[], "
            "$6::timestamptz[]) as x (o, c, p, d, v, t)",
            ("offer", "product's cooperative", "product", "day", "price", "cut-off"),
        ),
        (
            "insert into sku_map (partner_id, sku, product_id, factor_numerator, factor_denominator) "
            "select r, s, p, 1, 1 from unnest($1::uuid[], $2::text[], $3::uuid[]) as x (r, s, p)",
            ("product's partner", "sku", "product"),
        ),
    ),
    "allocation": (
        ("insert into cooperative (cooperative_id) select unnest($1::uuid[])", ("cooperative",)),
        (
            "insert into product (product_id, cooperative_id, code, step_milliunits) "
            f"select p, c, s, {STEP_MILLIUNITS} from unnest($1::uuid[], $2::uuid[], $3::text[]) as x (p, c, s)",
            ("product", "product's cooperative", "sku"),
        ),
        (
            "insert into offer (offer_id, cooperative_id, product_id, delivery_day, price_vnd, step_value_vnd, "
            "collection_point_id, arrive_by_at) select o, c, p, d, v, v, c, t + interval '6 h' "
            "from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::date[], $5::bigint[], $6::timestamptz[]) "
            "as x (o, c, p, d, v, t)",
            ("offer", "product's cooperative", "product", "day", "price", "cut-off"),
        ),
        (
            "insert into offer_book (offer_id, cooperative_id, supply_steps, promised_net_steps, open, listed, "
            f"last_position, rule) select o, c, {SUPPLY_STEPS}, 0, true, true, 0, 'first_come' "
            "from unnest($1::uuid[], $2::uuid[]) as x (o, c)",
            ("offer", "product's cooperative"),
        ),
    ),
    "notify": (
        (
            "insert into cooperative (cooperative_id, name, timezone) "
            "select id, 'Xã ' || n, 'Asia/Ho_Chi_Minh' from unnest($1::uuid[]) with ordinality as x (id, n)",
            ("cooperative",),
        ),
        (
            "insert into product (product_id, name, unit, step_milliunits) "
            f"select p, s, 'kg', {STEP_MILLIUNITS} from unnest($1::uuid[], $2::text[]) as x (p, s)",
            ("product", "sku"),
        ),
        (
            "insert into partner_endpoint (cooperative_id, partner_id, url, secret, changed_at) "
            "select c, p, 'http://127.0.0.1:9/', s, now() from unnest($1::uuid[], $2::uuid[], $3::text[]) "
            "as x (c, p, s)",
            ("cooperative", "partner", "secret"),
        ),
    ),
}
"""service → (statement, the columns of the market that it takes)"""


def _columns(market: Market, names: tuple[str, ...]) -> list[list[object]]:
    wares = [(shop, ware) for shop in market.shops for ware in shop.wares]
    found: dict[str, list[object]] = {
        "cooperative": [shop.cooperative_id for shop in market.shops],
        "partner": [shop.partner_id for shop in market.shops],
        "secret": [shop.secret for shop in market.shops],
        "product": [ware.product_id for _, ware in wares],
        "product's cooperative": [shop.cooperative_id for shop, _ in wares],
        "product's partner": [shop.partner_id for shop, _ in wares],
        "sku": [ware.sku for _, ware in wares],
        "offer": [ware.offer_id for _, ware in wares],
        "price": [ware.price_vnd for _, ware in wares],
        "day": [market.delivery_day for _ in wares],
        "cut-off": [market.cut_off_at for _ in wares],
    }
    return [found[name] for name in names]
