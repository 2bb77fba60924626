"""`python -m services.orders accounts`: keeps the broker's users of partners as the table says, or does so once.

A process of its own, since it has the password of the broker's administrator: nobody outside can talk to it.
"""

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import asyncpg
import httpx

from services.chassis import logs
from services.chassis.database import open_pool
from services.chassis.faults import Backoff, describe, is_weather
from services.chassis.settings import WrongSettings
from services.orders.amqp.accounts import BrokerUsers, changes
from services.orders.settings import OrdersSettings
from services.orders.store.accounts import list_password_hashes

log = logging.getLogger(__name__)

EVERY_S = 3.0
TIMEOUT_S = 30


class Accounts:
    """The table of accounts, and the broker that is to have the same."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", users: BrokerUsers, vhost: str) -> None:
        self._pool, self._users, self._vhost = pool, users, vhost

    async def reconcile(self) -> int:
        """Makes the broker have what the table has; returns the number of changes. Raises the weather of both."""
        found = await self._users.read()
        wanted = await list_password_hashes(self._pool)
        needed = changes(wanted, found, self._vhost)
        for change in needed:
            await self._users.apply(change)
            log.info("changed at the broker", extra={"method": change.method, "path": change.path})
        return len(needed)

    async def keep(self, stopped: asyncio.Event, witness: Path | None = None) -> None:
        """Reconciles again and again until `stopped`, whatever is away meanwhile; touches `witness` each time."""
        backoff = Backoff(first_s=0.2)
        while not stopped.is_set():
            try:
                await self.reconcile()
                if witness is not None:
                    await asyncio.to_thread(witness.touch)
            except Exception as error:
                if not _passes(error):
                    raise
                log.warning("waiting: %s", describe(error))
                await backoff.wait()
                continue
            backoff.reset()
            try:
                await asyncio.wait_for(stopped.wait(), EVERY_S)
            except TimeoutError:
                continue


def _passes(error: Exception) -> bool:
    """Also where a migration is still to come, or the broker has another password for the moment."""
    return is_weather(error) or isinstance(error, httpx.HTTPError | asyncpg.UndefinedTableError)


def accounts_command(settings: OrdersSettings, words: Sequence[str]) -> int:
    """The command line. Raises WrongSettings."""
    parser = argparse.ArgumentParser(prog="python -m services.orders accounts", description=__doc__)
    parser.add_argument("--once", action="store_true", help="once, and end with 1 where database or broker are away")
    parser.add_argument("--touch", type=Path, metavar="FILE", help="after each time that both had the same")
    options = parser.parse_args(words)
    missing = [
        f"ORDERS_{name.upper()} is not set"
        for name in ("partners_amqp_url", "broker_admin_url")
        if getattr(settings, name) is None
    ]
    if missing:
        raise WrongSettings("\n".join(missing))
    logs.set_up("orders", settings.log_level)
    return asyncio.run(_run(settings, options.touch, once=options.once))


async def _run(settings: OrdersSettings, witness: Path | None, *, once: bool) -> int:
    assert settings.broker_admin_url, "checked by the caller"
    assert settings.partners_vhost, "and this too"
    url = httpx.URL(settings.broker_admin_url.get_secret_value())
    address, login = url.copy_with(userinfo=b""), (url.username, url.password)
    async with (
        await open_pool(settings.database_url, 1, "orders accounts", settings.database_timeout_s) as pool,
        httpx.AsyncClient(base_url=address, auth=login, timeout=TIMEOUT_S, trust_env=False) as client,
    ):
        accounts = Accounts(pool, BrokerUsers(client, settings.partners_vhost), settings.partners_vhost)
        if once:
            return await _once(accounts)
        stopped = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        await accounts.keep(stopped, witness)
    return 0


async def _once(accounts: Accounts) -> int:
    try:
        count = await accounts.reconcile()
    except Exception as error:
        if not _passes(error):
            raise
        print(f"orders: not done: {describe(error)}", file=sys.stderr)
        return 1
    print(f"orders: {count} changes at the broker")
    return 0
