"""`python -m services.notify webhooks list|resend|enable`: what an operator does about messages to partners."""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from urllib.parse import urlsplit
from uuid import UUID

from services.chassis import logs
from services.chassis.database import open_pool
from services.chassis.lanes import shared_lane
from services.chassis.ledger import Ledger, Transaction
from services.notify import resending
from services.notify.domain.endpoints import Endpoint
from services.notify.domain.partner_messages import TYPE_OF
from services.notify.settings import NotifySettings
from services.notify.store import endpoints, messages
from services.notify.store.partner_messages import hurry

STATES = ("queued", "told", "undeliverable", "superseded")

Act = Callable[[Ledger, argparse.Namespace], Awaitable[int]]


def webhooks_command(settings: NotifySettings, words: Sequence[str]) -> int:
    """The command line; 0 done, 1 refused."""
    options = _parser().parse_args(words)
    logs.set_up("notify", settings.log_level)
    return asyncio.run(_run(settings, options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m services.notify webhooks", description=__doc__)
    acts = parser.add_subparsers(dest="act", required=True)
    listing = acts.add_parser("list", help="the endpoints and how they fare; with --partner its newest messages")
    listing.add_argument("--partner", type=UUID)
    listing.add_argument("--cooperative", type=UUID)
    listing.add_argument("--state", choices=STATES, help="of the messages")
    listing.add_argument("--limit", type=int, default=50)
    listing.set_defaults(run=_list)
    again = acts.add_parser("resend", help="send messages again, under the ids that they have")
    again.add_argument("message", type=UUID, nargs="+")
    again.set_defaults(run=_resend)
    enabling = acts.add_parser("enable", help="send to an endpoint again")
    enabling.add_argument("partner", type=UUID)
    enabling.add_argument("--cooperative", type=UUID)
    enabling.set_defaults(run=_enable)
    return parser


async def _run(settings: NotifySettings, options: argparse.Namespace) -> int:
    async with await open_pool(settings.database_url, 1, "notify webhooks", settings.database_timeout_s) as pool:
        ledger = Ledger(pool, lambda stream: shared_lane(stream, settings.shared_lanes), lambda touched: None)
        act: Act = options.run
        return await act(ledger, options)


async def _list(ledger: Ledger, options: argparse.Namespace) -> int:
    found = await endpoints.list_endpoints(ledger.pool, options.cooperative, options.partner)
    if options.partner is None:
        for endpoint in found:
            print(_told(endpoint))
        return 0
    cooperatives = [options.cooperative] if options.cooperative else [one.cooperative_id for one in found]
    if not cooperatives:
        print("this partner has no webhook; add --cooperative to see old messages", file=sys.stderr)
        return 1
    for cooperative_id in cooperatives:
        of = await messages.list_messages(
            ledger.pool, cooperative_id, options.partner, options.state, None, options.limit
        )
        for message in of:
            print(
                f"{message.message_id} {TYPE_OF.get(message.kind, message.kind)} order={message.order_id} "
                f"state={message.state} "
                f"attempts={message.attempts} happened={_moment(message.happened_at)} "
                f"last={message.last_status or '-'} next={_moment(message.next_attempt_at)}"
            )
    return 0


def _told(endpoint: Endpoint) -> str:
    """Of the address only the host: the rest may hold a secret."""
    health = endpoint.health
    state = "disabled" if endpoint.disabled else "failing" if health.failing_since else "open"
    return (
        f"partner={endpoint.partner_id} cooperative={endpoint.cooperative_id} "
        f"host={urlsplit(endpoint.url).hostname} state={state} reason={health.disabled_reason or '-'} "
        f"failing_since={_moment(health.failing_since)} failures={health.failures} "
        f"last={health.last_failure or '-'} throttled_until={_moment(health.throttled_until)}"
    )


async def _resend(ledger: Ledger, options: argparse.Namespace) -> int:
    """Each by itself, so that one that cannot be sent again does not keep the others back."""
    refused = 0
    for message_id in options.message:

        async def work(tx: Transaction, message_id: UUID = message_id) -> None:
            await resending.resend(tx, message_id, datetime.now(UTC))

        try:
            await ledger.transact(work)
            print(f"due now: {message_id}")
        except resending.Unknown:
            refused += 1
            print(f"there is no message {message_id}", file=sys.stderr)
        except resending.Impossible as error:
            refused += 1
            print(f"not resent: {message_id}: {error}", file=sys.stderr)
    return 1 if refused else 0


async def _enable(ledger: Ledger, options: argparse.Namespace) -> int:
    found = await endpoints.list_endpoints(ledger.pool, options.cooperative, options.partner)
    if len(found) != 1:
        print("this partner has no webhook" if not found else "which? add --cooperative", file=sys.stderr)
        return 1

    async def work(tx: Transaction) -> bool:
        of, now = found[0].cooperative_id, datetime.now(UTC)
        enabled = await endpoints.enable_endpoint(tx.conn, of, options.partner)
        if enabled:
            await hurry(tx.conn, of, options.partner, now)
        return enabled

    done = await ledger.transact(work)
    print(f"enabled: {options.partner}" if done else "this partner has no webhook any more")
    return 0 if done else 1


def _moment(at: datetime | None) -> str:
    return at.isoformat(timespec="seconds") if at else "-"
