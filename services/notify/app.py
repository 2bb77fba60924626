"""notify: contact book, notices, their delivery and the answers to them. The only place where its parts are wired."""

from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from services.chassis.jobs import Job
from services.chassis.runtime import Parts, Runtime, Service
from services.contracts.notify import HouseholdReplied, NoticeDelivered, NoticeUndeliverable
from services.notify import sending
from services.notify.channels.email import EmailChannel
from services.notify.channels.webhook import WebhookChannel
from services.notify.clock import wall_clock
from services.notify.consumers import Consumers
from services.notify.domain.delivery import WEBHOOK_PLAN, email_plan
from services.notify.domain.links import Links
from services.notify.domain.notices import EMAIL, WEBHOOK
from services.notify.http import contacts, endpoints, notices, replies
from services.notify.metrics import NoticeMetrics
from services.notify.sending import Sender
from services.notify.settings import NotifySettings
from services.notify.store.notices import count_open

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
    webhooks = WebhookChannel(wall_clock, settings.webhook_timeout_s)
    pushes = Sender(
        runtime.ledger,
        webhooks,
        WEBHOOK_PLAN,
        sending.push,
        wall_clock,
        metrics,
        settings.unknown_after_s,
        longest_attempt_s=settings.webhook_timeout_s,
    )

    async def count(_: datetime) -> bool:
        async with runtime.pool.acquire(timeout=5) as conn:
            found = {(channel, state): number for channel, state, number in await count_open(conn)}
        for channel in (EMAIL, WEBHOOK):
            for state in ("queued", "sending"):
                metrics.waiting.labels(channel, state).set(found.get((channel, state), 0))
        return False

    by_email = [
        Job("send_email", 0.5, letters.send_due),
        Job("supersede_baskets", 2.0, letters.supersede),
        Job("settle_interrupted_email", 10.0, letters.settle_interrupted),
    ]
    by_webhook = [
        *[Job("send_webhooks", 0.5, pushes.send_due)] * PARTNERS_AT_ONCE,
        Job("settle_interrupted_webhooks", 10.0, pushes.settle_interrupted),
    ]
    return Parts(
        handlers=Consumers(settings.shared_lanes, wall_clock, metrics).handlers(),
        jobs=[
            *(by_email if settings.send_email else ()),
            *(by_webhook if settings.send_webhooks else ()),
            Job("count_deliveries", 5.0, count),
        ],
        state={"links": links, "clock": wall_clock, "metrics": metrics},
        close=[webhooks.close],
    )


service = Service(
    name="notify",
    title="Chợ Phiên: notify",
    folder=Path(__file__).parent,
    settings=NotifySettings,
    publishes=(NoticeDelivered, NoticeUndeliverable, HouseholdReplied),
    wire=wire,
    derived=("cooperative", "collection_point", "household", "product", "partner_order", "basket"),
    routers=[contacts.router, endpoints.router, notices.router, replies.router],
)
