"""The connection pool of a service: read-write sessions only, with time limits, in UTC."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import asyncpg
from asyncpg.connect_utils import SessionAttribute
from pydantic import SecretStr

Check = Callable[[Any], Awaitable[None]]
"""Looks at a new connection and raises where it must not be used."""


async def open_pool(
    url: SecretStr,
    most: int,
    application: str,
    timeout_s: int = 30,
    check: Check | None = None,
    schema: str = "public",
) -> "asyncpg.Pool[asyncpg.Record]":
    """A pool of at most `most` connections. Opens none yet, so that a service starts without its database.

    A statement that takes longer than `timeout_s` counts as weather: the server is silent or overloaded.
    """
    return await asyncpg.create_pool(
        url.get_secret_value(),
        min_size=0,
        max_size=most,
        timeout=5,
        command_timeout=timeout_s,
        max_inactive_connection_lifetime=0,
        init=partial(_prepare, check=check),
        reset=_leave,
        server_settings={
            "application_name": application,
            "search_path": schema,
            "timezone": "UTC",
            "tcp_keepalives_idle": "60",  # a connection that a firewall has dropped is found out while it is idle
            "tcp_keepalives_interval": "10",
            "jit": "off",
            # Also where a table was never analysed, as on the first market day, plans must lead through its indexes.
            "enable_seqscan": "off",
            "idle_in_transaction_session_timeout": "30s",
            "lock_timeout": "20s",
        },
        target_session_attrs=SessionAttribute.read_write,
    )


_TYPES = ("uuid", "smallint", "int", "bigint", "numeric", "text", "boolean", "date", "timestamptz", "json", "jsonb")
_ARRAYS = f"select {', '.join(f'${number}::{name}[]' for number, name in enumerate(_TYPES, 1))}"


async def _prepare(connection: Any, check: Check | None) -> None:
    """Lets the connection learn the array types now and at once; asked for under load, each costs milliseconds."""
    if check:
        await check(connection)
    await connection.prepare(_ARRAYS)


async def _leave(_: Any) -> None:
    """Nobody changes a pooled session outside of a transaction, so there is nothing to ask the server to undo."""


async def open_all(pool: "asyncpg.Pool[asyncpg.Record]", most: int) -> None:
    """Opens the pool's connections now, lest it has to do so in a rush. Raises what the database raises."""
    acquired = await asyncio.gather(*(pool.acquire(timeout=10) for _ in range(most)), return_exceptions=True)
    for connection in acquired:
        if not isinstance(connection, BaseException):
            await pool.release(connection)
    for error in acquired:
        if isinstance(error, BaseException):
            raise error
