"""The composition root of `orders`: the only place where its parts are wired."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import httpx

from services.chassis.broker import Broker
from services.chassis.jobs import Job
from services.chassis.runtime import Parts, Runtime, Service
from services.contracts.orders import IntakeClosed, OrderCancelled, OrderChanged, OrderPlaced
from services.orders import closing, consumers, http, linking
from services.orders.amqp.command import accounts_command
from services.orders.amqp.content import Limits
from services.orders.amqp.door import AmqpDoor
from services.orders.amqp.receiving import Receiver
from services.orders.desk import Desk
from services.orders.limits import PushLimit
from services.orders.metrics import OrderMetrics, PullMetrics
from services.orders.partner_command import partner_command
from services.orders.platforms.base import Platform
from services.orders.platforms.calls import Caller, open_client
from services.orders.platforms.lazada import Lazada
from services.orders.platforms.shopee import Shopee
from services.orders.platforms.shops import GuardedFetch
from services.orders.platforms.tiktok import TikTok
from services.orders.platforms.woocommerce import WooCommerce
from services.orders.pulling import Puller
from services.orders.reconciling import Reconciler
from services.orders.settings import OrdersSettings
from services.orders.store import books, customers
from services.orders.told import ToldOrders
from services.orders.waiting import PromiseBoard

PARTNERS_AT_ONCE = 4
"""Partners that one process pulls for side by side, so that one platform that hangs holds up none of the others."""
SHOPS_AT_ONCE = 2
"""Shops that one process reads side by side."""


def _clock() -> datetime:
    return datetime.now(UTC)


def wire(runtime: Runtime[OrdersSettings]) -> Parts:
    """Puts the parts together for one process."""
    settings = runtime.settings
    board, metrics = PromiseBoard(runtime.pool, runtime.stopping), OrderMetrics(runtime.metrics.registry)
    desk = Desk(runtime, _clock)
    client, fetch = open_client(settings.pull_timeout_s), GuardedFetch(settings.shop_networks, settings.pull_timeout_s)
    return Parts(
        handlers=consumers.handlers(board, metrics, settings.shared_lanes, _clock),
        jobs=[*_keeping_books(runtime), *_pulling(runtime, desk, client, fetch)],
        doors=_doors(runtime, desk, metrics),
        state={
            "promise_board": board,
            "order_metrics": metrics,
            "desk": desk,
            "told": ToldOrders(runtime.ledger),
            "push_limit": PushLimit(settings),
        },
        close=[client.aclose, fetch.close],
    )


def _keeping_books(runtime: Runtime[OrdersSettings]) -> list[Job]:
    """What happens because a cut-off comes, or an order has come in."""

    async def is_intake_due(now: datetime) -> bool:
        async with runtime.pool.acquire(timeout=5) as conn:
            return await books.is_intake_due(conn, now)

    async def close_intake(now: datetime) -> bool:
        return await runtime.ledger.transact(lambda tx: closing.close_due(tx, now))

    async def is_any_customer_due(_: datetime) -> bool:
        async with runtime.pool.acquire(timeout=5) as conn:
            return await customers.is_any_due(conn)

    async def link_customers(_: datetime) -> bool:
        return await runtime.ledger.transact(linking.link_due)

    return [
        Job("close_intake", 0.5, close_intake, is_due=is_intake_due),
        Job("link_customers", 1.0, link_customers, is_due=is_any_customer_due),
    ]


def _pulling(runtime: Runtime[OrdersSettings], desk: Desk, client: httpx.AsyncClient, fetch: GuardedFetch) -> list[Job]:
    """What asks platforms and shops for orders."""
    settings, ledger = runtime.settings, runtime.ledger
    metrics, chance = PullMetrics(runtime.metrics.registry), Random()  # noqa: S311 - spreads retries, no secret
    platforms, calls_per_s = _platforms(settings, client), settings.pull_calls_per_s
    puller = Puller(ledger, desk, platforms, metrics, _clock, chance, calls_per_s, runtime.stopping)
    every = timedelta(seconds=settings.reconcile_every_s)
    reconciler = Reconciler(ledger, desk, WooCommerce(fetch), metrics, _clock, chance, every)
    return [
        Job("pull_orders", 0.5, puller.pull_due, is_due=puller.is_due),
        *[Job("pull_orders", 5.0, puller.pull_due, is_due=puller.is_due)] * (PARTNERS_AT_ONCE - 1),
        Job("count_pulls", 5.0, puller.count, only_counts=True),
        *[Job("reconcile_shops", 5.0, reconciler.reconcile_due)] * SHOPS_AT_ONCE,
        Job("count_shops", 15.0, reconciler.count, only_counts=True),
    ]


def _platforms(settings: OrdersSettings, client: httpx.AsyncClient) -> dict[str, Platform]:
    """By adapter."""
    caller = Caller(client, settings.pull_timeout_s)
    return {
        "tiktok": TikTok(caller, settings.tiktok_url, settings.tiktok_auth_url),
        "shopee": Shopee(caller, settings.shopee_url),
        "lazada": Lazada(caller, settings.lazada_url, settings.lazada_auth_url),
    }


def _doors(runtime: Runtime[OrdersSettings], desk: Desk, metrics: OrderMetrics) -> list[AmqpDoor]:
    settings = runtime.settings
    if settings.partners_amqp_url is None:
        return []
    limits = Limits(settings.max_order_bytes, settings.http_max_body_bytes)
    receiver = Receiver(runtime.ledger, desk, metrics, limits, _clock)
    broker = Broker(settings.partners_amqp_url, settings.amqp_heartbeat_s)
    return [AmqpDoor(broker, receiver, settings.drain_s, metrics)]


service = Service(
    name="orders",
    title="Chợ Phiên: orders",
    folder=Path(__file__).parent,
    settings=OrdersSettings,
    publishes=(OrderPlaced, OrderChanged, OrderCancelled, IntakeClosed),
    wire=wire,
    derived=("cooperative", "product"),
    routers=http.routers,
    cli={"accounts": accounts_command, "partner": partner_command},
)
