"""The composition root of `orders`: the only place where its parts are wired."""

from datetime import UTC, datetime
from pathlib import Path

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
from services.orders.metrics import OrderMetrics
from services.orders.partner_command import partner_command
from services.orders.settings import OrdersSettings
from services.orders.waiting import PromiseBoard


def _clock() -> datetime:
    return datetime.now(UTC)


def wire(runtime: Runtime[OrdersSettings]) -> Parts:
    """Puts the parts together for one process."""
    settings = runtime.settings
    board, metrics = PromiseBoard(runtime.pool, runtime.stopping), OrderMetrics(runtime.metrics.registry)
    desk = Desk(runtime, _clock)

    async def close_intake(now: datetime) -> bool:
        return await runtime.ledger.transact(lambda tx: closing.close_due(tx, now))

    async def link_customers(_: datetime) -> bool:
        return await runtime.ledger.transact(linking.link_due)

    jobs = [Job("close_intake", 0.5, close_intake), Job("link_customers", 1.0, link_customers)]
    return Parts(
        handlers=consumers.handlers(board, metrics, settings.shared_lanes, _clock),
        jobs=jobs,
        doors=_doors(runtime, desk, metrics),
        state={
            "promise_board": board,
            "order_metrics": metrics,
            "desk": desk,
            "push_limit": PushLimit(settings),
        },
    )


def _doors(runtime: Runtime[OrdersSettings], desk: Desk, metrics: OrderMetrics) -> list[AmqpDoor]:
    settings = runtime.settings
    if settings.partners_amqp_url is None:
        return []
    limits = Limits(settings.max_order_bytes, settings.http_max_body_bytes)
    receiver = Receiver(runtime.ledger, desk, metrics, limits, _clock)
    return [AmqpDoor(Broker(settings.partners_amqp_url, settings.amqp_heartbeat_s), receiver, settings.drain_s)]


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
