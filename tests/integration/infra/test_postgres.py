"""PostgreSQL for the worst days: a disk that is full, a standby that takes over, settings of one scenario."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from asyncpg.connect_utils import SessionAttribute

from infra.local import binaries, places
from infra.local.errors import LocalStackError
from infra.local.ports import choose_ports
from infra.local.postgres import PostgresServer, data_directory
from infra.local.stack import Stack, delete_abandoned
from infra.local.standby import SynchronousPair
from infra.rabbitmq.definitions import SERVICES

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a disk")
PASSWORDS = {service: f"{service}-password" for service in SERVICES}


def server(root: Path, **options: object) -> PostgresServer:
    found, _ = binaries.find_or_install()
    (port,) = choose_ports([None])
    return PostgresServer(root, found, port=port, admin_password="admin", service_passwords=PASSWORDS, **options)  # type: ignore[arg-type]


async def fetchval(dsn: str, query: str) -> object:
    connection = await asyncpg.connect(dsn, target_session_attrs=SessionAttribute.read_write, timeout=30)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def write_without_end(dsn: str) -> None:
    while True:
        await fetchval(dsn, "INSERT INTO kept SELECT repeat(md5(random()::text), 50) FROM generate_series(1, 2000)")


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[SynchronousPair]:
    primary = server(tmp_path)
    standby = server(tmp_path, name="standby", follows=primary)
    pair = SynchronousPair(primary, standby)
    try:
        primary.start()
        primary.create_service_databases()
        pair.start()
        yield pair
    finally:
        for one in (primary, standby):  # whatever they are to each other by now
            one.kill()
            places.delete(tmp_path, one.name)


async def test_settings_of_a_scenario_count_from_the_next_start(tmp_path: Path) -> None:
    own = server(tmp_path, settings={"max_connections": "23"})
    try:
        await asyncio.to_thread(own.start)
        assert await fetchval(own.admin_dsn(), "SHOW max_connections") == "23"
        own.settings["max_connections"] = "24"
        await asyncio.to_thread(own.restart)
        assert await fetchval(own.admin_dsn(), "SHOW max_connections") == "24"
    finally:
        own.kill()
        places.delete(tmp_path, own.name)


async def test_nothing_acknowledged_is_lost_when_the_standby_takes_over(pair: SynchronousPair) -> None:
    dsn = pair.dsn("orders")
    await fetchval(dsn, "CREATE TABLE kept (number int)")
    acknowledged = 0

    async def write() -> None:
        nonlocal acknowledged
        connection = await asyncpg.connect(dsn, target_session_attrs=SessionAttribute.read_write)
        while True:
            await connection.execute("INSERT INTO kept VALUES ($1)", acknowledged + 1)
            acknowledged += 1

    writing = asyncio.create_task(write())
    async with asyncio.timeout(30):
        while acknowledged < 200:  # noqa: ASYNC110 - the writer's progress sets no event
            await asyncio.sleep(0.01)
    await asyncio.to_thread(pair.fail_over, keep_as_reader=True)
    broken = (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
    with pytest.raises(broken):
        await writing
    assert acknowledged >= 200
    assert await fetchval(dsn, "SELECT inet_server_port()") == pair.primary.port
    stored = await fetchval(dsn, "SELECT max(number) FROM kept")
    assert stored in (acknowledged, acknowledged + 1)  # the last one was on its way
    await fetchval(dsn, "INSERT INTO kept VALUES (0)")  # and nobody is waited for any more

    old = await asyncpg.connect(pair.standby.dsn("orders"))
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await old.execute("INSERT INTO kept VALUES (0)")
    await old.close()


async def test_a_commit_is_not_acknowledged_while_the_standby_does_not_have_it(pair: SynchronousPair) -> None:
    pair.standby.kill()
    connection = await asyncpg.connect(pair.primary.dsn("orders"))
    creating = asyncio.create_task(connection.execute("CREATE TABLE waits (number int)"))
    waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    async with asyncio.timeout(20):
        while not await fetchval(pair.primary.admin_dsn(), waiting):  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.02)
    assert not creating.done()
    await asyncio.to_thread(pair.standby.start)
    async with asyncio.timeout(20):
        await creating
    await connection.close()


@needs_root
async def test_a_full_disk_refuses_writes_and_takes_them_again_when_it_has_room(tmp_path: Path) -> None:
    own = Stack(tmp_path / "stack", postgres_disk_mib=256)
    try:
        await asyncio.to_thread(own.start)
        assert data_directory(own.root).is_mount()
        dsn = own.postgres.dsn("orders")
        await fetchval(dsn, "CREATE TABLE kept (content text)")
        await asyncio.to_thread(own.postgres.fill_disk)
        with pytest.raises((asyncpg.DiskFullError, asyncpg.PostgresConnectionError, OSError)):
            await write_without_end(dsn)
        own.postgres.free_disk()
        if not own.postgres.alive:  # it could not write its log and gave up
            await asyncio.to_thread(own.postgres.start)
        async with asyncio.timeout(30):
            while True:
                try:
                    await fetchval(dsn, "INSERT INTO kept VALUES ('room')")
                    break
                except (asyncpg.PostgresError, OSError):  # it recovers
                    await asyncio.sleep(0.05)
        assert await fetchval(dsn, "SELECT count(*) FROM kept WHERE content = 'room'") == 1
        await asyncio.to_thread(own.postgres.restart)
        assert await fetchval(dsn, "SELECT count(*) FROM kept WHERE content = 'room'") == 1
        await asyncio.to_thread(own.stop)
        assert not data_directory(own.root).is_mount()
    finally:
        await asyncio.to_thread(own.stop, remove=True)


@needs_root
def test_the_small_disk_of_a_killed_run_is_unmounted(tmp_path: Path) -> None:
    root = tmp_path / "crashed"
    script = (
        "import sys, time; from pathlib import Path; from infra.local.stack import Stack;"
        "Stack(Path(sys.argv[1]), postgres_disk_mib=128).start(); print('started', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(root)], stdout=subprocess.PIPE) as run:
        try:
            assert run.stdout
            assert run.stdout.readline() == b"started\n"
            place = data_directory(root)
            assert place.is_mount()
        finally:
            run.send_signal(signal.SIGKILL)
    delete_abandoned([root])
    assert not root.exists()
    assert str(place) not in Path("/proc/mounts").read_text()


def test_a_normal_user_is_told_that_only_root_may_mount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr("infra.local.accounts.unprivileged", lambda: None)
    monkeypatch.setattr("infra.local.places._make_private", lambda directory, account: directory.mkdir(exist_ok=True))
    with pytest.raises(LocalStackError, match=r"^a small disk for PostgreSQL .* only root may do$"):
        server(tmp_path, disk_mib=64).start()


def test_nothing_is_filled_but_a_small_disk(tmp_path: Path) -> None:
    own = server(tmp_path)
    with pytest.raises(LocalStackError, match="no small disk"):
        own.fill_disk()
    places.delete(tmp_path, own.name)
