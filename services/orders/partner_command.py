"""`python -m services.orders partner add | set | rotate | test`: partners from the command line, by its database."""

import argparse
import asyncio
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import httpx

from services.chassis import standard_webhooks
from services.chassis.database import open_pool
from services.chassis.ids import uuid7
from services.orders.adapters import ADAPTERS
from services.orders.registration import NAME, Faulty, change_settings, check_settings
from services.orders.samples import EVENTS, NoSample
from services.orders.settings import OrdersSettings
from services.orders.store import partners as store
from services.orders.store.partners import OPEN_SALE, Partner
from services.orders.trial import Failed, Trial

TIMEOUT_S = 30


class Refused(Exception):
    """Nothing was done; the message says why."""


def partner_command(settings: OrdersSettings, words: Sequence[str]) -> int:
    """Runs one of the commands; returns the exit code: 0 done, 1 refused or failed."""
    options = _parser().parse_args(words)
    try:
        asyncio.run(_run(settings, options))
    except (Refused, Failed, Faulty, NoSample) as error:
        print(f"orders: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m services.orders partner", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    add = commands.add_parser("add", help="register a partner; its secret is printed this once")
    add.add_argument("--cooperative", required=True, metavar="SLUG")
    add.add_argument("--name", required=True)
    add.add_argument("--adapter", required=True, choices=sorted(ADAPTERS))
    add.add_argument("--tier", type=int, default=OPEN_SALE, choices=range(1, 100), metavar="1-99")
    add.add_argument("settings", nargs="*", type=_setting, metavar="NAME=TEXT", help="what the adapter needs besides")
    change = commands.add_parser("set", help="change what a partner has registered, such as shop_url")
    change.add_argument("partner", type=UUID)
    change.add_argument("settings", nargs="+", type=_setting, metavar="NAME=TEXT", help="NAME= takes it away")
    rotate = commands.add_parser("rotate", help="a new secret, printed this once; the one before it stays valid")
    rotate.add_argument("partner", type=UUID)
    rotate.add_argument("--end-previous", action="store_true", help="only end the secret before the newest one")
    test = commands.add_parser("test", help="send a signed sample order the whole way, cancel it, and tell each step")
    test.add_argument("partner", type=UUID)
    test.add_argument("--url", help="of the running service; without it that of the settings")
    test.add_argument("--sku", help="what to order; without it anything that can be ordered now")
    test.add_argument("--wait", type=float, default=15.0, metavar="S", help="for the promise")
    test.add_argument("--event", choices=sorted(EVENTS), help="push a CloudEvent in this mode (adapter canonical)")
    return parser


def _setting(typed: str) -> tuple[str, str | None]:
    """Name and text; None where there is no text."""
    name, equals, text = typed.partition("=")
    if not equals or not re.fullmatch(NAME, name):
        raise argparse.ArgumentTypeError(f"{name[:40]!r} is no NAME=TEXT")
    return name, text or None


async def _run(settings: OrdersSettings, options: argparse.Namespace) -> None:
    async with await open_pool(settings.database_url, 2, "orders partner", settings.database_timeout_s) as pool:
        if options.command == "add":
            given = {name: text for name, text in options.settings if text is not None}
            check_settings(options.adapter, given, settings)
            await add(pool, options.cooperative, options.name, options.adapter, options.tier, given)
        elif options.command == "set":
            await change(pool, options.partner, dict(options.settings), settings)
        elif options.command == "rotate":
            await rotate(pool, options.partner, end_previous=options.end_previous)
        else:
            url = options.url or f"http://{settings.http_host}:{settings.http_port}"
            async with httpx.AsyncClient(base_url=url, timeout=TIMEOUT_S, trust_env=False) as client:
                trial = await trial_of(pool, client, options.partner, settings.public_url, options.event)
                await trial.run(_number(), options.sku, options.wait)


async def add(
    pool: "asyncpg.Pool[asyncpg.Record]",
    slug: str,
    name: str,
    adapter: str,
    tier: int,
    settings: Mapping[str, str] | None = None,
) -> Partner:
    """Registers a partner with a fresh secret, and prints both. Raises Refused."""
    if not name.strip() or len(name) > 100 or not name.isprintable():
        raise Refused("--name must have 1 to 100 characters, and no control characters")
    cooperative_id = await store.get_cooperative_id(pool, slug)
    if cooperative_id is None:
        raise Refused(f"there is no cooperative {slug} here; does catalog know it, and does this service consume?")
    partner = Partner(uuid7(), cooperative_id, name, adapter, (standard_webhooks.new_secret(),), tier, settings or {})
    async with pool.acquire() as conn:
        await store.insert_partner(conn, partner)
    print(f"partner  {partner.partner_id}")
    print(f"push     /v1/partners/{partner.partner_id}/orders")
    print(f"secret   {partner.secrets[0]}")
    return partner


async def change(
    pool: "asyncpg.Pool[asyncpg.Record]",
    partner_id: UUID,
    changes: Mapping[str, str | None],
    settings: OrdersSettings,
) -> None:
    """Sets what is named, takes away what is None, and prints the names. Raises Refused, Faulty."""
    if (await _partner(pool, partner_id)).campaign_id:
        raise Refused("this is a cooperative's seat in a campaign, which registers nothing")
    async with pool.acquire() as conn, conn.transaction():
        await change_settings(conn, partner_id, changes, settings)
    for name, text in sorted(changes.items()):
        print(f"{'taken away' if text is None else 'set':10} {name}")


async def rotate(pool: "asyncpg.Pool[asyncpg.Record]", partner_id: UUID, *, end_previous: bool) -> None:
    """Gives the partner a new secret and prints it, or ends the previous one. Raises Refused."""
    await _partner(pool, partner_id)
    async with pool.acquire() as conn:
        if end_previous:
            await store.delete_previous_secret(conn, partner_id)
            print("only the newest secret is valid from now on")
            return
        secret = standard_webhooks.new_secret()
        await store.save_secret(conn, partner_id, secret)
    print(f"secret   {secret}")


async def trial_of(
    pool: "asyncpg.Pool[asyncpg.Record]",
    client: httpx.AsyncClient,
    partner_id: UUID,
    public_url: str | None = None,
    event: str | None = None,
) -> Trial:
    """A trial of the partner that prints each step. Raises Refused, NoSample."""
    partner = await _partner(pool, partner_id)

    def say(step: str, told: str) -> None:
        print(f"{step:10} {told}")

    return Trial(pool, client, partner, say, public_url=public_url, event=event)


def _number() -> int:
    """Of a trial: no other one has the same."""
    return int(datetime.now(UTC).timestamp() * 1000)


async def _partner(pool: "asyncpg.Pool[asyncpg.Record]", partner_id: UUID) -> Partner:
    partner = await store.get_partner(pool, partner_id)
    if partner is None:
        raise Refused(f"there is no partner {partner_id}")
    return partner
