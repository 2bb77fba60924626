"""Who may push over AMQP: staff say so, and the broker has the same within seconds, whatever happened to it."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aio_pika
import pytest
from aio_pika.exceptions import AMQPError

from infra.local.stack import Stack
from services.orders.amqp import command as command_module
from services.orders.amqp import topology
from services.orders.amqp.accounts import LIMITS, permissions
from tests.integration.orders.conftest import Orders
from tests.integration.orders.partners import Login, Partners, partners_of
from tests.support.node import until


@pytest.fixture
async def partners(stack: Stack) -> AsyncIterator[Partners]:
    async with partners_of(stack) as found:
        yield found


async def is_let_in(partners: Partners, login: Login, password: str | None = None) -> bool:
    try:
        connection = await aio_pika.connect(partners.url(login, password))
    except AMQPError:
        return False
    await connection.close()
    return True


async def test_a_partner_is_let_in_with_the_password_that_is_stored_nowhere(partners: Partners) -> None:
    login = await partners.give_account()
    assert await is_let_in(partners, login)
    assert not await is_let_in(partners, login, "wrong")
    (row,) = await partners.orders.fetch("select partner_id, password_hash from amqp_account")
    assert row["partner_id"] == login.partner_id
    assert login.password not in row["password_hash"]
    assert await partners.accounts.reconcile() == 0


async def test_a_new_password_ends_the_old_one_and_what_was_connected_with_it(partners: Partners) -> None:
    old = await partners.give_account()
    async with await aio_pika.connect(partners.url(old)) as connection:
        await until(lambda: listed(partners, old))
        new = await partners.give_account()
        assert old.password != new.password
        await until(lambda: closed(connection))
    assert await is_let_in(partners, new)
    assert not await is_let_in(partners, old)


async def listed(partners: Partners, login: Login) -> bool:
    """Whether management knows of the connection, which it is told a little later."""
    found = await partners.manage("GET", f"/vhosts/{partners.vhost}/connections")
    return any(it.get("user") == login.user for it in found)


async def closed(connection: aio_pika.abc.AbstractConnection) -> bool:
    return connection.transport is None or connection.transport.connection.is_closed


async def test_a_withdrawn_partner_is_disconnected_and_let_in_no_more(partners: Partners) -> None:
    login = await partners.give_account()
    async with await aio_pika.connect(partners.url(login)) as connection:
        await partners.orders.ask("DELETE", f"/v1/partners/{login.partner_id}/amqp-account")
        assert await partners.accounts.reconcile() == 2
        await until(lambda: closed(connection))
    assert not await is_let_in(partners, login)
    await partners.orders.ask("DELETE", f"/v1/partners/{login.partner_id}/amqp-account")
    assert await partners.accounts.reconcile() == 0


async def test_what_somebody_changed_at_the_broker_is_put_right(partners: Partners) -> None:
    login = await partners.give_account()
    place = f"/permissions/{partners.vhost}/{login.user}"
    await partners.manage("PUT", place, {"configure": ".*", "write": ".*", "read": ".*"})
    await partners.manage("DELETE", f"/user-limits/{login.user}/max-connections")
    assert await partners.accounts.reconcile() == 2
    found = await partners.manage("GET", place)
    assert {key: found[key] for key in ("configure", "write", "read")} == permissions(login.partner_id)
    assert (await partners.manage("GET", f"/user-limits/{login.user}"))[0]["value"] == LIMITS
    await partners.manage("DELETE", f"/users/{login.user}")
    assert await partners.accounts.reconcile() == 4
    assert await is_let_in(partners, login)


async def test_a_user_that_nobody_gave_access_is_deleted_and_no_other(partners: Partners) -> None:
    stranger = f"{topology.PREFIX}of-nobody"
    await partners.manage("PUT", f"/users/{stranger}", {"password": "p", "tags": "administrator"})
    before = {it["name"] for it in await partners.manage("GET", "/users")}
    await partners.accounts.reconcile()
    assert {it["name"] for it in await partners.manage("GET", "/users")} == before - {stranger}


async def test_access_is_given_by_the_staff_of_the_partners_cooperative(partners: Partners) -> None:
    orders = partners.orders
    elsewhere = await orders.register_elsewhere()
    client = orders.running.client
    for method in ("POST", "DELETE"):
        path = f"/v1/partners/{elsewhere.partner_id}/amqp-account"
        assert (await client.request(method, path)).status_code == 401
        assert (await client.request(method, path, headers=orders.staff)).status_code == 404
        unknown = f"/v1/partners/{orders.van_ho}/amqp-account"
        assert (await client.request(method, unknown, headers=orders.staff)).status_code == 404
    shop = await orders.register("woocommerce")
    answer = await client.post(f"/v1/partners/{shop.partner_id}/amqp-account", headers=orders.staff)
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert await orders.fetch("select from amqp_account") == []


async def test_without_a_door_there_is_no_access(orders: Orders) -> None:
    assert orders.running.parts.doors == []
    path = f"/v1/partners/{orders.shop.partner_id}/amqp-account"
    assert (await orders.running.client.post(path, headers=orders.staff)).status_code == 409


# -- The process -----------------------------------------------------------------------------------------------


async def run(partners: Partners, *words: str, **changed: str | None) -> tuple[int | None, str]:
    """`python -m services.orders accounts`; its exit code and what it printed."""
    environment: dict[str, str | None] = {
        **os.environ,
        "ORDERS_DATABASE_URL": partners.orders.dsn,
        "ORDERS_AMQP_URL": "amqp://unused",
        "ORDERS_PARTNERS_AMQP_URL": partners.stack.rabbit.amqp_url("orders", partners.vhost),
        "ORDERS_BROKER_ADMIN_URL": partners.stack.rabbit.management.admin_url,
        **changed,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.orders", "accounts", *words,
        env={key: value for key, value in environment.items() if value is not None},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    printed, _ = await process.communicate()
    return process.returncode, printed.decode()


async def test_the_command_brings_the_broker_in_step_once(partners: Partners) -> None:
    told = await partners.orders.ask("POST", f"/v1/partners/{partners.orders.shop.partner_id}/amqp-account")
    code, printed = await run(partners, "--once")
    assert (code, printed.splitlines()[-1]) == (0, "orders: 4 changes at the broker")
    assert told["password"] not in printed
    told.pop("vhost")
    assert await is_let_in(partners, Login(partners.orders.shop.partner_id, **told))


async def test_the_command_names_what_is_missing_or_away_in_one_line(partners: Partners) -> None:
    missing = await run(partners, "--once", ORDERS_BROKER_ADMIN_URL=None)
    assert missing == (2, "ORDERS_BROKER_ADMIN_URL is not set\n")
    both = await run(partners, ORDERS_BROKER_ADMIN_URL=None, ORDERS_PARTNERS_AMQP_URL=None)
    assert both == (2, "ORDERS_PARTNERS_AMQP_URL is not set\nORDERS_BROKER_ADMIN_URL is not set\n")
    code, printed = await run(partners, "--once", ORDERS_BROKER_ADMIN_URL="http://admin:secret@127.0.0.1:1")
    assert code == 1
    assert printed.startswith("orders: not done: ConnectError")
    assert "secret" not in printed
    code, printed = await run(partners, "--once", ORDERS_BROKER_ADMIN_URL=admin_url_with(partners, "wrong"))
    assert (code, "401" in printed, "wrong" in printed) == (1, True, False)


def admin_url_with(partners: Partners, password: str) -> str:
    return f"http://admin:{password}@127.0.0.1:{partners.stack.rabbit.ports.management}"


async def test_whatever_is_away_it_goes_on_when_it_is_back(
    partners: Partners, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(command_module, "EVERY_S", 0.1)
    stopped, witness = asyncio.Event(), tmp_path / "in-step"
    await asyncio.to_thread(partners.stack.rabbit.management.delete_vhost, partners.vhost)
    await partners.orders.fetch("alter table amqp_account rename to not_migrated")
    keeping = asyncio.create_task(partners.accounts.keep(stopped, witness))
    await partners.orders.fetch("alter table not_migrated rename to amqp_account")
    told = await partners.orders.ask("POST", f"/v1/partners/{partners.orders.shop.partner_id}/amqp-account")
    await asyncio.to_thread(partners.stack.rabbit.management.create_partners_vhost, partners.vhost)
    told.pop("vhost")
    login = Login(partners.orders.shop.partner_id, **told)
    await until(lambda: is_let_in(partners, login))
    await partners.orders.ask("DELETE", f"/v1/partners/{login.partner_id}/amqp-account")

    async def is_gone() -> bool:
        return not await is_let_in(partners, login)

    await until(is_gone)
    stopped.set()
    await keeping
    assert witness.exists()
