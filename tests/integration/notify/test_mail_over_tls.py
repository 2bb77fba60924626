"""Mail goes over a checked TLS connection and after a login, or not at all."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from infra.local.stack import Stack
from services.notify.app import service
from tests.integration.notify.peers import Mailbox, mailbox
from tests.integration.notify.world import REACHED, World
from tests.support.servers import fresh_database
from tests.support.service import running


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A certificate authority of this run only."""
    return trustme.CA()


@pytest.fixture
async def guarded(authority: trustme.CA) -> AsyncIterator[Mailbox]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    async with mailbox(context) as box:
        yield box


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))


@asynccontextmanager
async def world_with(stack: Stack, box: Mailbox, password: str) -> AsyncIterator[World]:
    """One basket waits for the guarded mail server."""
    smtp = {"smtp_host": "127.0.0.1", "smtp_port": box.port, "smtp_sender": "no-reply@cho.example"}
    login = {"smtp_username": "cho-phien", "smtp_password": password}
    async with fresh_database(stack, "notify") as dsn, running(service, dsn, **REACHED, **smtp, **login) as made:
        world = World(made)
        await world.open()
        await world.reach()
        await world.apply(world.basket())
        yield world


@pytest.mark.usefixtures("trusted")
async def test_a_letter_goes_over_starttls_after_the_login(stack: Stack, guarded: Mailbox) -> None:
    async with world_with(stack, guarded, "mật khẩu") as world:
        await world.run("send_email")
        assert (guarded.logins, len(guarded.letters)) == (["cho-phien"], 1)
        assert await world.states() == [("told", 1, None)]


@pytest.mark.usefixtures("trusted")
async def test_letters_wait_while_the_password_is_wrong(stack: Stack, guarded: Mailbox) -> None:
    async with world_with(stack, guarded, "sai") as world:
        await world.run("send_email")
        assert await world.states() == [("queued", 1, "smtp_535")]
        text = (await world.service.client.get("/metrics")).text
    assert 'notify_misconfigured_total{channel="email",reason="smtp_535"} 1.0' in text


async def test_no_password_is_shown_to_a_server_that_cannot_prove_its_name(stack: Stack, guarded: Mailbox) -> None:
    async with world_with(stack, guarded, "mật khẩu") as world:
        await world.run("send_email")
        assert (guarded.logins, guarded.letters) == ([], [])
        assert await world.states() == [("queued", 1, "connection_failed")]
