"""The connection pool of a service: read-write sessions only, with time limits, in UTC."""

import asyncpg
from asyncpg.connect_utils import SessionAttribute
from pydantic import SecretStr


async def open_pool(url: SecretStr, most: int, application: str) -> "asyncpg.Pool[asyncpg.Record]":
    """A pool of at most `most` connections. Opens none yet, so that a service starts without its database."""
    return await asyncpg.create_pool(
        url.get_secret_value(),
        min_size=0,
        max_size=most,
        timeout=5,
        command_timeout=60,
        max_inactive_connection_lifetime=300,
        server_settings={
            "application_name": application,
            "timezone": "UTC",
            "jit": "off",
            "idle_in_transaction_session_timeout": "30s",
            "lock_timeout": "20s",
        },
        target_session_attrs=SessionAttribute.read_write,
    )
