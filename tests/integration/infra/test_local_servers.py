"""The private servers keep the services apart, come back whole after a wipe, and leave nothing behind."""

import asyncio
import json
import mailbox
import os
import signal
import smtplib
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from pathlib import Path

import aio_pika
import asyncpg
import pytest
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from aiormq.exceptions import ChannelAccessRefused, ChannelPreconditionFailed
from pamqp.common import FieldTable

from infra.local import owned
from infra.local.credentials import load_or_create
from infra.local.errors import LocalStackError
from infra.local.stack import Stack, delete_abandoned
from infra.rabbitmq.definitions import PARTNERS_VHOST, READS, SERVICES
from tests.support.servers import fresh_database, fresh_vhost

OTHERS = [(service, other) for service in SERVICES for other in SERVICES if other != service]
QUORUM: FieldTable = {"x-queue-type": "quorum"}


@pytest.fixture
async def vhost(stack: Stack) -> AsyncIterator[str]:
    async with fresh_vhost(stack) as name:
        yield name


@asynccontextmanager
async def channel_of(stack: Stack, service: str, vhost: str) -> AsyncIterator[AbstractChannel]:
    async with await aio_pika.connect(stack.rabbit.amqp_url(service, vhost)) as connection:
        yield await connection.channel(on_return_raises=True)


def processes_below(root: Path) -> list[int]:
    """Every process that has the directory in its command line or environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                told = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            except OSError:
                continue
            if str(root).encode() in told:
                found.append(int(entry.name))
    return found


async def queue_is_on_disk(stack: Stack, name: str) -> None:
    """A broker killed within half a second of a quorum queue's declaration never elects its leader again."""
    registries = list((stack.root / "rabbitmq").rglob("quorum/**/names.dets"))
    async with asyncio.timeout(20):
        while not any(name.encode() in registry.read_bytes() for registry in registries):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_a_service_opens_its_own_database_and_may_create_tables_there(stack: Stack) -> None:
    for service in SERVICES:
        connection = await asyncpg.connect(stack.postgres.dsn(service))
        try:
            assert await connection.fetchval("SELECT current_user || '@' || current_database()") == (
                f"{service}@{service}"
            )
            await connection.execute("CREATE TABLE chè_shan_tuyết (quantity_steps int)")
            await connection.execute("DROP TABLE chè_shan_tuyết")
        finally:
            await connection.close()


@pytest.mark.parametrize(("service", "other"), OTHERS)
async def test_a_service_cannot_connect_to_the_database_of_another(stack: Stack, service: str, other: str) -> None:
    for database in (other, "postgres", "template1"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(stack.postgres.dsn(service, database))


async def test_a_service_cannot_connect_to_a_test_database_of_another(stack: Stack) -> None:
    async with fresh_database(stack, "orders") as dsn:
        await (await asyncpg.connect(dsn)).close()
        name = dsn.rpartition("/")[2]
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(stack.postgres.dsn("notify", name))
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await asyncpg.connect(dsn)


async def test_a_wrong_password_is_refused(stack: Stack) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(stack.postgres.dsn("orders"), password="wrong")


async def test_a_database_copied_from_a_template_holds_its_tables(stack: Stack) -> None:
    async with fresh_database(stack, "orders") as template:
        connection = await asyncpg.connect(template)
        await connection.execute("CREATE TABLE migrated (id int); INSERT INTO migrated VALUES (7)")
        await connection.close()
        async with fresh_database(stack, "orders", template.rpartition("/")[2]) as copy:
            connection = await asyncpg.connect(copy)
            assert await connection.fetchval("SELECT id FROM migrated") == 7
            await connection.close()


def test_both_servers_listen_on_loopback_only(stack: Stack) -> None:
    ports = {stack.postgres.port, stack.rabbit.ports.amqp, stack.rabbit.ports.management}
    ports.add(stack.rabbit.ports.distribution)
    listening = [
        (host, int(port, 16))
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        for host, port in [line.split()[1].split(":")]
        if line.split()[3] == "0A" and int(port, 16) in ports
    ]
    assert {port for _, port in listening} == ports
    assert {host for host, _ in listening} == {"0100007F"}
    assert not any(
        int(line.split()[1].rpartition(":")[2], 16) in ports and line.split()[3] == "0A"
        for line in Path("/proc/net/tcp6").read_text().splitlines()[1:]
    )


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_binds_its_queue_to_what_it_reads_and_gets_what_is_published(
    stack: Stack, vhost: str, service: str
) -> None:
    async with channel_of(stack, service, vhost) as channel:
        queue = await channel.declare_queue(f"{service}.3", durable=True, arguments=QUORUM)
        for producer in READS[service]:
            await queue.bind(f"{producer}.events", "3")
        for producer in READS[service]:
            async with channel_of(stack, producer, vhost) as publisher:
                exchange = await publisher.get_exchange(f"{producer}.events", ensure=False)
                message = aio_pika.Message(b"[]", user_id=producer, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
                await exchange.publish(message, routing_key="3")
            received = await queue.get(timeout=10)
            assert (received.user_id, received.exchange) == (producer, f"{producer}.events")
            await received.ack()


@pytest.mark.parametrize("producer", SERVICES)
async def test_a_producer_hears_resend_requests_of_its_consumers(stack: Stack, vhost: str, producer: str) -> None:
    consumers = [name for name, producers in READS.items() if producer in producers]
    async with channel_of(stack, producer, vhost) as channel:
        queue = await channel.declare_queue(f"{producer}.control", durable=True, arguments=QUORUM)
        for consumer in consumers:
            await queue.bind(f"{consumer}.events", f"resend.{producer}")
            async with channel_of(stack, consumer, vhost) as asking:
                exchange = await asking.get_exchange(f"{consumer}.events", ensure=False)
                await exchange.publish(aio_pika.Message(b"{}", user_id=consumer), routing_key=f"resend.{producer}")
            received = await queue.get(timeout=10)
            assert received.user_id == consumer
            await received.ack()


@pytest.mark.parametrize(("service", "other"), OTHERS)
async def test_the_broker_refuses_what_belongs_to_another_service(
    stack: Stack, vhost: str, service: str, other: str
) -> None:
    async with channel_of(stack, other, vhost) as owner:
        await owner.declare_queue(f"{other}.0", durable=True, arguments=QUORUM)

    async def publish_as_the_other(channel: AbstractChannel) -> None:
        exchange = await channel.get_exchange(f"{other}.events", ensure=False)
        await exchange.publish(aio_pika.Message(b"[]"), routing_key="0")

    async def publish_straight_to_its_queue(channel: AbstractChannel) -> None:
        await channel.default_exchange.publish(aio_pika.Message(b"[]"), routing_key=f"{other}.0")

    async def ignore(message: AbstractIncomingMessage) -> None:
        raise AssertionError(f"received {message.delivery_tag}")

    async def consume_its_queue(channel: AbstractChannel) -> None:
        queue = await channel.get_queue(f"{other}.0", ensure=False)
        await queue.consume(ignore)

    async def fetch_from_its_queue(channel: AbstractChannel) -> None:
        queue = await channel.get_queue(f"{other}.0", ensure=False)
        await queue.get(fail=False)

    async def purge_its_queue(channel: AbstractChannel) -> None:
        await (await channel.get_queue(f"{other}.0", ensure=False)).purge()

    async def declare_a_queue_of_its_name(channel: AbstractChannel) -> None:
        await channel.declare_queue(f"{other}.1", durable=True, arguments=QUORUM)

    async def delete_its_queue(channel: AbstractChannel) -> None:
        await channel.queue_delete(f"{other}.0")

    async def declare_an_exchange_of_its_name(channel: AbstractChannel) -> None:
        await channel.declare_exchange(f"{other}.more", durable=True)

    async def declare_a_queue_of_no_service(channel: AbstractChannel) -> None:
        await channel.declare_queue("anything", durable=True)

    async def forge_the_user_id(channel: AbstractChannel) -> None:
        exchange = await channel.get_exchange(f"{service}.events", ensure=False)
        await exchange.publish(aio_pika.Message(b"[]", user_id=other), routing_key="0")

    for attempt in (
        publish_as_the_other,
        publish_straight_to_its_queue,
        consume_its_queue,
        fetch_from_its_queue,
        purge_its_queue,
        declare_a_queue_of_its_name,
        delete_its_queue,
        declare_an_exchange_of_its_name,
        declare_a_queue_of_no_service,
    ):
        async with channel_of(stack, service, vhost) as channel:
            with pytest.raises(ChannelAccessRefused):
                await attempt(channel)
    async with channel_of(stack, service, vhost) as channel:
        with pytest.raises(ChannelPreconditionFailed):
            await forge_the_user_id(channel)


async def test_among_the_partners_there_is_orders_and_no_other_service(stack: Stack) -> None:
    async with channel_of(stack, "orders", PARTNERS_VHOST) as channel:
        await channel.declare_queue("partner.test", durable=True, arguments=QUORUM)
        await channel.queue_delete("partner.test")
    async with channel_of(stack, "orders", PARTNERS_VHOST) as channel:
        with pytest.raises(ChannelAccessRefused):
            await channel.declare_queue("anything", durable=True, arguments=QUORUM)
    for service in set(SERVICES) - {"orders"}:
        with pytest.raises(aio_pika.exceptions.AMQPError):
            await aio_pika.connect(stack.rabbit.amqp_url(service, PARTNERS_VHOST))


async def test_the_depth_of_a_queue_is_reported(stack: Stack, vhost: str) -> None:
    async with channel_of(stack, "orders", vhost) as channel:
        queue = await channel.declare_queue("orders.0", durable=True, arguments=QUORUM)
        await queue.bind("orders.events", "0")
        exchange = await channel.get_exchange("orders.events", ensure=False)
        await exchange.publish(aio_pika.Message(b"[]", user_id="orders"), routing_key="0")
    async with asyncio.timeout(20):
        while stack.rabbit.management.queues(vhost)["orders.0"].ready != 1:  # noqa: ASYNC110 - it reports once a second
            await asyncio.sleep(0.05)


def test_a_mail_given_to_the_relay_lies_in_the_mailbox(stack: Stack) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Message-ID"] = "a@hop-tac-xa.example", "b@bancon.example", "<told-once@test>"
    mail["Subject"] = "Phiên chợ ngày mai"
    mail.set_content("Cải mèo: 12 bó, trước 5 giờ sáng")
    with smtplib.SMTP("127.0.0.1", stack.mail.port, local_hostname="localhost", timeout=10) as relay:
        relay.send_message(mail)
    box = mailbox.Maildir(stack.mail_directory, factory=None, create=False)
    (delivered,) = (it for it in box if it["Message-ID"] == "<told-once@test>")
    content = delivered.get_payload(decode=True)
    assert isinstance(content, bytes)
    assert content.decode().strip() == "Cải mèo: 12 bó, trước 5 giờ sáng"


async def test_messages_and_rows_survive_kill_minus_nine_of_both_servers(tmp_path: Path) -> None:
    own = Stack(tmp_path / "stack")
    try:
        own.start()
        connection = await asyncpg.connect(own.postgres.dsn("orders"))
        await connection.execute("CREATE TABLE kept (id int); INSERT INTO kept VALUES (1)")
        async with channel_of(own, "orders", "/") as channel:
            queue = await channel.declare_queue("orders.0", durable=True, arguments=QUORUM)
            await queue.bind("orders.events", "0")
            exchange = await channel.get_exchange("orders.events", ensure=False)
            message = aio_pika.Message(b"[]", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
            await exchange.publish(message, routing_key="0")
        await queue_is_on_disk(own, "orders.0")

        own.postgres.kill()
        own.rabbit.kill()
        with pytest.raises((asyncpg.PostgresConnectionError, asyncpg.InterfaceError, OSError)):
            await connection.fetchval("SELECT 1")
        await connection.close()
        assert not own.postgres.alive
        assert not own.rabbit.alive

        await asyncio.gather(asyncio.to_thread(own.postgres.start), asyncio.to_thread(own.rabbit.start))
        connection = await asyncpg.connect(own.postgres.dsn("orders"))
        assert await connection.fetchval("SELECT id FROM kept") == 1
        assert await connection.fetchval("SHOW fsync") == "on"
        await connection.close()
        async with channel_of(own, "orders", "/") as channel:
            queue = await channel.get_queue("orders.0", ensure=False)
            assert (await queue.get(timeout=10, no_ack=True)).body == b"[]"

        # A wiped broker comes back with its users, permissions and exchanges, and without its queues.
        own.rabbit.kill()
        own.rabbit.wipe()
        await asyncio.to_thread(own.rabbit.start)
        assert own.rabbit.management.queues() == {}
        async with channel_of(own, "orders", "/") as channel:
            queue = await channel.declare_queue("orders.0", durable=True, arguments=QUORUM)
            await queue.bind("catalog.events", "0")
        async with channel_of(own, "orders", PARTNERS_VHOST) as channel:
            await channel.declare_queue("orders.intake", durable=True, arguments=QUORUM)
        async with channel_of(own, "orders", "/") as channel:
            with pytest.raises(ChannelAccessRefused):
                await channel.declare_queue("notify.0", durable=True, arguments=QUORUM)
    finally:
        own.stop(remove=True)
    assert not own.root.exists()
    assert processes_below(own.root) == []


async def test_a_second_start_in_the_same_directory_says_that_one_runs(stack: Stack) -> None:
    with pytest.raises(LocalStackError, match=r"^a stack is already running in [^\n]*$"):
        Stack(stack.root).start()
    assert stack.postgres.alive
    assert stack.rabbit.alive


def test_what_a_killed_run_leaves_is_ended_and_deleted(tmp_path: Path) -> None:
    root = tmp_path / "test-of-a-crash"
    script = (
        "import sys, time; from pathlib import Path; from infra.local.stack import Stack;"
        "Stack(Path(sys.argv[1])).start(); print('started', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(root)], stdout=subprocess.PIPE) as run:
        try:
            assert run.stdout
            assert run.stdout.readline() == b"started\n"
            assert len(processes_below(root)) > 3
            delete_abandoned([root])
            assert root.exists(), "a stack in use is left alone"
        finally:
            run.send_signal(signal.SIGKILL)
    # The tied servers end with it; one that could not be tied is found by its file.
    survivor = owned.spawn(
        "survivor",
        ["sleep", "600"],
        run_directory=root / "run",
        log_path=root / "logs" / "survivor.log",
        environment={"PATH": os.environ["PATH"], "BELONGS_TO": str(root)},
        working_directory=Path("/"),
        tied=False,
    )
    delete_abandoned([root])
    assert not survivor.alive
    assert not root.exists()
    deadline = time.monotonic() + 10
    while left := processes_below(root):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def sleeper(directory: Path) -> owned.OwnedProcess:
    return owned.spawn(
        "sleeper",
        ["sleep", "600"],
        run_directory=directory,
        log_path=directory / "log",
        environment={"PATH": os.environ["PATH"]},
        working_directory=Path("/"),
        tied=True,
    )


def test_a_process_that_ends_while_it_is_being_killed_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = sleeper(tmp_path)
    kill = os.kill

    def too_late(pid: int, number: int) -> None:
        kill(pid, number)
        assert process.wait(10)
        kill(pid, number)

    monkeypatch.setattr(os, "kill", too_late)
    process.kill()
    assert not process.alive


def test_a_process_file_of_an_earlier_boot_names_nobody(tmp_path: Path) -> None:
    process = sleeper(tmp_path)
    try:
        known = json.loads(process.pid_file.read_text())
        for change in ({"boot_id": "another"}, {"start_ticks": known["start_ticks"] - 1}):
            process.pid_file.write_text(json.dumps(known | change))
            assert owned.find(tmp_path, "sleeper") is None
        owned.kill_all(tmp_path)
        assert process.alive
    finally:
        process.kill()
    assert not process.alive


def test_credentials_of_an_older_stack_are_kept_and_get_what_they_lack(tmp_path: Path) -> None:
    file = tmp_path / "credentials.json"
    made, is_new = load_or_create(file)
    assert is_new
    stored = json.loads(file.read_text())
    del stored["links"]
    file.write_text(json.dumps(stored))
    completed, is_new = load_or_create(file)
    assert not is_new
    assert (completed.postgres, completed.rabbit) == (made.postgres, made.rabbit)
    assert len(completed.links) == 32
    assert load_or_create(file) == (completed, False)
