"""notify: contact book, notices, their delivery and the answers to them. The only place where its parts are wired."""

from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from services.chassis.jobs import Job
from services.chassis.ledger import Transaction
from services.chassis.outbound import OutboundClient
from services.chassis.runtime import Parts, Runtime, Service
from services.contracts.notify import HouseholdReplied, NoticeDelivered, NoticeUndeliverable
from services.notify import sending
from services.notify.channels.email import EmailChannel
from services.notify.channels.webhook import AT_ONCE, KEPT_OPEN_S, WebhookChannel
from services.notify.clock import wall_clock
from services.notify.command import webhooks_command
from services.notify.consumers import Consumers
from services.notify.domain.delivery import WEBHOOK_PLAN, email_plan
from services.notify.domain.links import Links
from services.notify.http import contacts, endpoints, messages, notices, replies
from services.notify.metrics import NoticeMetrics
from services.notify.rendering import render_command
from services.notify.sending import Sender
from services.notify.settings import NotifySettings
from services.notify.store.endpoints import count_endpoints, forget_old_secrets
from services.notify.store.shown import count_open

PARTNERS_AT_ONCE = 4
"""Partners that one process sends to side by side, so that one that hangs holds up none of the others."""


def wire(runtime: Runtime[NotifySettings]) -> Parts:
    """Handlers and jobs of one process."""
    settings, metrics = runtime.settings, NoticeMetrics(runtime.metrics.registry)
    links = Links(settings.public_url, settings.link_keys)
    password = settings.smtp_password
    email = EmailChannel(
        settings.smtp_host,
        settings.smtp_port,
        settings.smtp_tls,
        settings.smtp_sender,
        wall_clock,
        settings.smtp_timeout_s,
        settings.smtp_username,
        password.get_secret_value() if password else None,
    )
    letters = Sender(
        runtime.ledger,
        email,
        email_plan(timedelta(hours=settings.email_give_up_h)),
        partial(sending.letter, links),
        wall_clock,
        metrics,
        settings.unknown_after_s,
        longest_attempt_s=3 * settings.smtp_timeout_s,
    )
    client = OutboundClient(settings.private_networks, settings.webhook_timeout_s, AT_ONCE, KEPT_OPEN_S)
    pushes = Sender(
        runtime.ledger,
        WebhookChannel(wall_clock, client),
        WEBHOOK_PLAN,
        sending.push,
        wall_clock,
        metrics,
        settings.unknown_after_s,
        longest_attempt_s=settings.webhook_timeout_s,
    )

    async def count(now: datetime) -> bool:
        async with runtime.pool.acquire(timeout=5) as conn:
            metrics.show(await count_open(conn), await count_endpoints(conn), now)
        return False

    async def forget(now: datetime) -> bool:
        async def work(tx: Transaction) -> None:
            await forget_old_secrets(tx.conn, now)

        await runtime.ledger.transact(work)
        return False

    by_email = [
        Job("send_email", 0.5, letters.send_due),
        Job("supersede_baskets", 2.0, letters.supersede),
        Job("settle_interrupted_email", 10.0, letters.settle_interrupted),
    ]
    by_webhook = [
        *[Job("send_webhooks", 0.5, pushes.send_due)] * PARTNERS_AT_ONCE,
        Job("settle_interrupted_webhooks", 10.0, pushes.settle_interrupted),
        Job("forget_old_secrets", 60.0, forget),
    ]
    return Parts(
        handlers=Consumers(settings.shared_lanes, wall_clock, metrics).handlers(),
        jobs=[
            *(by_email if settings.send_email else ()),
            *(by_webhook if settings.send_webhooks else ()),
            Job("count_deliveries", 5.0, count),
        ],
        state={"links": links, "clock": wall_clock, "metrics": metrics},
        close=[client.close],
    )


service = Service(
    name="notify",
    title="Chợ Phiên: notify",
    folder=Path(__file__).parent,
    settings=NotifySettings,
    publishes=(NoticeDelivered, NoticeUndeliverable, HouseholdReplied),
    wire=wire,
    derived=("cooperative", "collection_point", "household", "product", "partner_order", "basket"),
    routers=[
        contacts.router,
        contacts.staff_router,
        endpoints.router,
        endpoints.list_router,
        messages.router,
        notices.router,
        replies.router,
    ],
    cli={"webhooks": webhooks_command},
    tools={"render": render_command},
)
