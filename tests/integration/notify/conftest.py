"""A running notify on a database of its own, with a mail server and a webhook receiver to talk to."""

from collections.abc import AsyncIterator

import pytest

from infra.local.stack import Stack
from services.notify.app import service
from tests.integration.notify.peers import Mailbox, Receiver, mailbox, receiver
from tests.integration.notify.world import REACHED, World
from tests.support.servers import fresh_database
from tests.support.service import running


@pytest.fixture
async def mail() -> AsyncIterator[Mailbox]:
    async with mailbox() as box:
        yield box


@pytest.fixture
async def shop() -> AsyncIterator[Receiver]:
    async with receiver() as made:
        yield made


@pytest.fixture
async def world(stack: Stack, mail: Mailbox) -> AsyncIterator[World]:
    smtp = {"smtp_host": "127.0.0.1", "smtp_port": mail.port, "smtp_tls": "none", "smtp_sender": "no-reply@cho.example"}
    patience = {"smtp_timeout_s": 2, "webhook_timeout_s": 3}
    async with fresh_database(stack, "notify") as dsn, running(service, dsn, **REACHED, **smtp, **patience) as made:
        world = World(made)
        await world.open()
        yield world
