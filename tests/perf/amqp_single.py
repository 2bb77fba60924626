"""`amqp_single`: partners publish one order per message, until each is promised, moved and noticed."""

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import cycle, islice
from statistics import median
from uuid import UUID

import asyncpg
import httpx

from infra.local.stack import Stack
from infra.rabbitmq.definitions import ADMIN, PARTNERS_VHOST
from services.orders.amqp import passwords, topology
from services.orders.amqp.accounts import BrokerUsers, changes
from services.orders.amqp.content import JSON
from services.orders.store.accounts import list_password_hashes, save_account
from tests.perf import amqp_hammer
from tests.perf.amqp_hammer import Sender
from tests.perf.figures import Figure
from tests.perf.generator import Generator
from tests.perf.market import Market, Pusher, Shop, make_market
from tests.perf.measuring import Run, measure_load, middle
from tests.perf.ours import Ours
from tests.perf.peer_subject import PeerSubject
from tests.perf.peers import PEERS
from tests.perf.peers.pipeline import PipelinePeer, intake_message
from tests.perf.subject import Servers, Subject, running

SHOPS = 8
WARES = 10
OUR_ORDERS = 15_000
"""Fewer than the intake queue holds."""
PEER_ORDERS = 2_000
WARM_ORDERS = 500
GOAL = ">= 10"
PLAIN = "faststream"

Orders = Sequence[tuple[Shop, Mapping[str, object]]]
"""Each with the shop that publishes it."""


class OpenToPartners(Ours):
    """Ours, where every shop has a user at the broker."""

    def __init__(self, stack: Stack, market: Market) -> None:
        super().__init__(stack, market)
        self._passwords = {shop.partner_id: passwords.new_password() for shop in market.shops}

    async def prepare(self) -> None:
        """Migrates, seeds, and lets the shops in."""
        await super().prepare()
        login = (ADMIN, self._stack.credentials.rabbit_admin)
        async with (
            asyncpg.create_pool(self.dsns["orders"], min_size=1, max_size=1) as pool,
            pool.acquire() as connection,
            httpx.AsyncClient(base_url=self._stack.rabbit.management.url, auth=login, trust_env=False) as client,
        ):
            for partner_id, password in self._passwords.items():
                await save_account(connection, partner_id, passwords.password_hash(password), datetime.now(UTC))
            users = BrokerUsers(client, PARTNERS_VHOST)
            for change in changes(await list_password_hashes(connection), await users.read(), PARTNERS_VHOST):
                await users.apply(change)

    def senders(self, orders: Orders) -> list[Sender]:
        """A connection for each shop, to the exchange that is its own."""
        return [
            Sender(
                topology.user(shop_id),
                self._passwords[shop_id],
                PARTNERS_VHOST,
                topology.exchange(shop_id),
                "",
                JSON,
                [json.dumps({"order": order}, ensure_ascii=False).encode() for order in own],
            )
            for shop_id, own in _by_shop(orders).items()
        ]


def peer_senders(stack: Stack, peer: PipelinePeer, vhost: str, orders: Orders) -> list[Sender]:
    """A connection for each shop, all of them to the peer's one queue."""
    shops = {shop.partner_id: shop for shop, _ in orders}
    return [
        Sender(
            ADMIN,
            stack.credentials.rabbit_admin,
            vhost,
            "",
            peer.intake_queue,
            JSON,
            [intake_message(shops[shop_id], order) for order in own],
        )
        for shop_id, own in _by_shop(orders).items()
    ]


async def run(servers: Servers, rounds: int) -> AsyncIterator[Figure]:
    """Ours against the plain pipeline, round by round; what the tuned one reaches stands beside it."""
    market = make_market(SHOPS, WARES, seed=4)
    ours = OpenToPartners(servers.stack, market)
    makers: dict[Subject, Callable[[Orders], list[Sender]]] = {ours: ours.senders}
    for name in (PLAIN, "tuned"):
        peer = PEERS[name]
        assert isinstance(peer, PipelinePeer)
        system = PeerSubject(peer, servers, market)
        makers[system] = partial(peer_senders, servers.stack, peer, system.vhost)
    runs: dict[str, list[Run]] = {subject.name: [] for subject in makers}
    for subject in makers:
        await subject.prepare()
    for number in range(rounds):
        for subject, senders in list(makers.items())[:: -1 if number % 2 else 1]:
            orders = OUR_ORDERS if subject is ours else PEER_ORDERS
            runs[subject.name].append(
                await _round(servers, subject, market, f"{subject.name}{number}", orders, senders)
            )
    rates = {name: median(run.orders_per_s for run in found) for name, found in runs.items()}
    other = {
        "cpu_us": {name: middle(found).cpu_us for name, found in runs.items()},
        "cpu_share": {name: round(middle(found).cpu_share, 2) for name, found in runs.items()},
        "peers": {f"peer_{name}": round(rate) for name, rate in rates.items() if name != ours.name},
    }
    own, plain = rates[ours.name], rates[PLAIN]
    yield Figure("amqp_single", "orders/s", round(own), round(plain), own / plain, GOAL, other)


async def _round(
    servers: Servers,
    subject: Subject,
    market: Market,
    run: str,
    orders: int,
    senders: Callable[[Orders], list[Sender]],
) -> Run:
    async with running(servers, subject) as there:
        for name, count in ((f"{run}w", WARM_ORDERS), (run, orders)):
            plan = amqp_hammer.plan(servers.stack.rabbit.ports.amqp, senders(_orders(market, name, count)))
            found = await measure_load(there, count, Generator("tests.perf.amqp_hammer", plan))
        wrong = await subject.check()
        assert not wrong, f"{subject.name}: {'; '.join(wrong)}"
    return found


def _orders(market: Market, run: str, count: int) -> Orders:
    pushers = [(shop, Pusher(market, shop, run)) for shop in market.shops]
    return [(shop, pusher.order()) for shop, pusher in islice(cycle(pushers), count)]


def _by_shop(orders: Orders) -> dict[UUID, list[Mapping[str, object]]]:
    found: dict[UUID, list[Mapping[str, object]]] = {}
    for shop, order in orders:
        found.setdefault(shop.partner_id, []).append(order)
    return found
