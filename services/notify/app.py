"""notify: contact book, notices, messages to partners, and answers. The only place where its parts are wired."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path

from services.chassis.jobs import Job
from services.chassis.ledger import Transaction
from services.chassis.outbound import OutboundClient
from services.chassis.runtime import Parts, Runtime, Service
from services.contracts.notify import HouseholdReplied, NoticeDelivered, NoticeUndeliverable
from services.notify.channels.webhook import AT_ONCE, KEPT_OPEN_S, WebhookChannel
from services.notify.climbing import Ladder
from services.notify.clock import wall_clock
from services.notify.command import webhooks_command
from services.notify.consumers import handlers
from services.notify.domain.links import Links
from services.notify.http import (
    call_page,
    calls,
    consents,
    contacts,
    endpoints,
    messages,
    notices,
    policies,
    push_hooks,
    replies,
    sms_hooks,
    telegram_hooks,
    words,
    zalo_hooks,
)
from services.notify.installed import install
from services.notify.metrics import NoticeMetrics
from services.notify.outbox import Outbox
from services.notify.pushes import Pushes
from services.notify.receiving import Receiver
from services.notify.rendering import render_command
from services.notify.sending import Sender
from services.notify.settings import NotifySettings
from services.notify.store.calls import count_calls
from services.notify.store.endpoints import count_endpoints, forget_old_secrets
from services.notify.store.shown import count_open, count_pressing
from services.notify.timed.alerts import Alerts
from services.notify.timed.months import Months
from services.notify.timed.reminders import Reminders
from services.notify.timed.summaries import Summaries
from services.notify.vapid import vapid_command

PARTNERS_AT_ONCE = 4
"""Partners that one process sends to side by side, so that one that hangs holds up none of the others."""


def wire(runtime: Runtime[NotifySettings]) -> Parts:
    """Handlers and jobs of one process."""
    settings, metrics = runtime.settings, NoticeMetrics(runtime.metrics.registry)
    links = Links(settings.public_url, settings.link_keys)
    installed = install(settings, runtime.ledger, runtime.metrics.registry)
    unknown_after = timedelta(seconds=settings.unknown_after_s)
    ladder = Ladder(frozenset(channel.name for channel in installed.channels), metrics)
    metrics.expect(ladder.channels)
    receiver = Receiver(runtime.ledger, ladder, wall_clock, metrics)
    client = OutboundClient(settings.private_networks, settings.webhook_timeout_s, AT_ONCE, KEPT_OPEN_S)
    longest_push = timedelta(seconds=settings.webhook_timeout_s)
    pushes = Pushes(ladder, metrics, lease=2 * longest_push)
    by_webhook = Sender(runtime.ledger, pushes, WebhookChannel(wall_clock, client), wall_clock, longest_push)

    async def count(now: datetime) -> bool:
        async with runtime.pool.acquire(timeout=5) as conn:
            waiting, endpoints, to_call = (
                await count_open(conn, now),
                await count_endpoints(conn),
                await count_calls(conn, now),
            )
            metrics.show(waiting, endpoints, to_call, await count_pressing(conn, now), now)
        return False

    async def forget(tx: Transaction, now: datetime) -> bool:
        await forget_old_secrets(tx.conn, now)
        return False

    def job(name: str, every_s: float, work: Callable[[Transaction, datetime], Awaitable[bool]]) -> Job:
        return Job(name, every_s, lambda now: runtime.ledger.transact(lambda tx: work(tx, now)))

    alerts, summaries = Alerts(ladder), Summaries(ladder, settings.union_name, settings.summary_at)
    people_jobs = [
        job("climb", 2.0, ladder.climb_late),
        job("match_strays", 1.0, receiver.match),
        job("settle_abandoned", 60.0, ladder.settle_abandoned),
        job("forget_strays", 600.0, receiver.forget),
        job("remind", 30.0, Reminders(ladder).remind),
        job("tell_months", 60.0, Months(ladder).tell),
        job("tell_of_calls", 15.0, alerts.tell_of_calls),
        job("tell_of_words", 15.0, alerts.tell_of_words),
        job("tell_of_quarantine", 30.0, alerts.tell_of_quarantine),
        job("sum_up_the_day", 60.0, summaries.tell),
        *installed.jobs,
    ]
    for channel in installed.channels:
        longest = timedelta(seconds=settings.longest_attempts_s[channel.name])
        outbox = Outbox(channel, ladder, links, metrics, unknown_after)
        sender = Sender(runtime.ledger, outbox, channel, wall_clock, unknown_after - longest)
        people_jobs += [
            Job(f"send_{channel.name}", 0.5, sender.send_due),
            job(f"settle_interrupted_{channel.name}", 10.0, outbox.settle_interrupted),
        ]
    webhook_jobs = [
        *[Job("send_webhooks", 0.5, by_webhook.send_due)] * PARTNERS_AT_ONCE,
        job("let_go_of_webhooks", 2.0, pushes.let_go),
        job("forget_old_secrets", 60.0, forget),
    ]
    return Parts(
        handlers=handlers(settings.shared_lanes, wall_clock, metrics, ladder),
        jobs=[
            *(people_jobs if settings.send_notices else ()),
            *(webhook_jobs if settings.send_webhooks else ()),
            Job("count_deliveries", 5.0, count, only_counts=True),
        ],
        state={
            "links": links,
            "clock": wall_clock,
            "metrics": metrics,
            "ladder": ladder,
            "inbound": receiver,
            **installed.readers,
        },
        close=[client.close, *installed.close],
    )


service = Service(
    name="notify",
    title="Chợ Phiên: notify",
    folder=Path(__file__).parent,
    settings=NotifySettings,
    publishes=(NoticeDelivered, NoticeUndeliverable, HouseholdReplied),
    wire=wire,
    gathers_s=0.05,
    derived=(
        "cooperative",
        "collection_point",
        "household",
        "product",
        "offer",
        "partner_order",
        "basket",
        "received_day",
        "settled_day",
        "settlement_correction",
        "staff_day",
        "order_day",
    ),
    routers=[
        call_page.router,
        call_page.link_router,
        calls.router,
        contacts.router,
        consents.router,
        endpoints.router,
        endpoints.list_router,
        messages.router,
        notices.router,
        policies.router,
        push_hooks.router,
        replies.router,
        sms_hooks.router,
        telegram_hooks.router,
        words.router,
        words.strange_router,
        zalo_hooks.router,
    ],
    cli={"webhooks": webhooks_command},
    tools={"render": render_command, "vapid": vapid_command},
)
