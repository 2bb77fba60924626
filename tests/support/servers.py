"""A database and a vhost for one test, so that no test sees what another one left."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from infra.local.stack import Stack


@asynccontextmanager
async def fresh_database(stack: Stack, service: str, template: str | None = None) -> AsyncIterator[str]:
    """The DSN of a new database that the service's role owns; empty or a copy; dropped afterwards."""
    name = f"{service}_{secrets.token_hex(6)}"
    await asyncio.to_thread(stack.postgres.create_database, name, service, template)
    try:
        yield stack.postgres.dsn(service, name)
    finally:
        await asyncio.to_thread(stack.postgres.drop_database, name)


@asynccontextmanager
async def fresh_vhost(stack: Stack) -> AsyncIterator[str]:
    """The name of a new vhost with the permissions and exchanges of the first one; deleted afterwards."""
    name = f"test-{secrets.token_hex(6)}"
    await asyncio.to_thread(stack.rabbit.management.create_vhost, name)
    try:
        yield name
    finally:
        await asyncio.to_thread(stack.rabbit.management.delete_vhost, name)


@asynccontextmanager
async def partners_vhost(stack: Stack) -> AsyncIterator[str]:
    """The name of a new vhost for partners to publish in; deleted afterwards."""
    name = f"partners-{secrets.token_hex(6)}"
    await asyncio.to_thread(stack.rabbit.management.create_partners_vhost, name)
    try:
        yield name
    finally:
        await asyncio.to_thread(stack.rabbit.management.delete_vhost, name)
