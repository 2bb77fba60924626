"""Every command of infra/runbook.md is run, in its order, on a stack of its own that has a really quarantined event.

A `text` block that follows a command says what its output holds; variables in it are filled in.
"""

import asyncio
import os
import re
import signal
import string
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from infra.demo.seed import Seed, seed_running_stack
from infra.local import binaries
from infra.local.processes import ServiceProcesses
from infra.local.stack import Stack
from infra.rabbitmq.definitions import ADMIN, SERVICES
from services.chassis.ids import uuid7
from services.chassis.lanes import shared_lane
from services.chassis.ledger import Ledger, Transaction
from services.contracts.orders import OrderLine, OrderPlaced
from tests.support.node import until

ROOT = Path(__file__).parents[2]
SERVICE, PRODUCER = "allocation", "orders"
IMPATIENCE = {"ALLOCATION_MAX_ATTEMPTS": "1"}
"""Also for the workers that the commands start, or these would try the event eight times."""
BLOCK = re.compile(r"^```sh\n(?P<command>.*?)^```\n(?:```text\n(?P<output>.*?)^```\n)?", re.M | re.S)


@dataclass(frozen=True)
class Block:
    """A command of the runbook, what it is said to print, and where it stands."""

    section: str
    command: str
    promised: tuple[str, ...]


def blocks() -> list[Block]:
    found = []
    for section in re.split(r"^## ", (ROOT / "infra/runbook.md").read_text(), flags=re.M)[1:]:
        for match in BLOCK.finditer(section):
            promised = tuple((match["output"] or "").splitlines())
            found.append(Block(section.partition("\n")[0], match["command"], promised))
    return found


BLOCKS = blocks()


@dataclass(frozen=True)
class Bench:
    """The stack with all that the commands may use."""

    stack: Stack
    variables: dict[str, str]

    async def quarantined(self) -> bool:
        """Whether the poisoned event is in quarantine now."""
        async with connected(self.stack, SERVICE) as conn:
            return bool(await conn.fetchval("select exists (select from parked_event where status = 'quarantined')"))


@asynccontextmanager
async def connected(stack: Stack, service: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    conn = await asyncpg.connect(stack.postgres.dsn(service))
    try:
        yield conn
    finally:
        await conn.close()


async def poison(stack: Stack, seeded: Seed) -> int:
    """Appends an order of one cooperative that names an offer of another; returns its number in the stream."""
    mine, other = seeded.cooperatives[0], seeded.cooperatives[1]
    async with connected(stack, SERVICE) as conn:
        offer = await conn.fetchrow(
            "select offer_id, product_id from offer where cooperative_id = $1 limit 1", other.cooperative_id
        )
    assert offer is not None
    line = OrderLine(
        line_no=1, offer_id=offer["offer_id"], product_id=offer["product_id"], sku="VH-01", quantity_steps=1
    )
    partner_id, stream = UUID(mine.partners[0].partner_id), UUID(mine.cooperative_id)
    order = OrderPlaced(order_id=uuid7(), partner_id=partner_id, partner_ref="DH-0666", lines=(line,))

    async def work(tx: Transaction) -> None:
        tx.append(stream, order)

    async with asyncpg.create_pool(stack.postgres.dsn(PRODUCER), min_size=1, max_size=1) as pool:
        await Ledger(pool, lambda it: shared_lane(it, 8), lambda _: None).transact(work)
        number: int = await pool.fetchval("select last_sequence from stream_head where stream = $1", stream)
        return number


def variables(stack: Stack, seeded: Seed, sequence: int, temporary: Path) -> dict[str, str]:
    """As 'Before you type' has them, and the environment of every service."""
    postgres = binaries.find_postgres()
    assert postgres is not None
    cooperative = seeded.cooperatives[0]
    own = {key: value for service in SERVICES for key, value in stack.environment(service).items()}
    own |= {f"{service.upper()}_URL": stack.base_url(service) for service in SERVICES}
    for word, service in (("SERVICE", SERVICE), ("PRODUCER", PRODUCER)):
        own |= {
            word: service,
            f"{word}_URL": stack.base_url(service),
            f"{word}_DATABASE_URL": stack.postgres.dsn(service),
        }
    return own | {
        **IMPATIENCE,
        "STREAM": cooperative.cooperative_id,
        "SEQUENCE": str(sequence),
        "LANE": "0",
        "RABBIT_URL": stack.rabbit.management.url,
        "RABBIT_AUTH": f"{ADMIN}:{stack.credentials.rabbit_admin}",
        "OPERATOR_KEY": seeded.operator_key,
        "COOPERATIVE": cooperative.slug,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), str(postgres.directory), os.environ["PATH"]]),
        "TMPDIR": str(temporary),
        "NO_PROXY": "127.0.0.1",
    }


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    stack = Stack(ROOT / ".local" / f"test-{os.getpid()}-runbook", fresh=True, durable=False)
    stack.start()
    try:
        with ServiceProcesses(stack, extra_environment={SERVICE: IMPATIENCE}):
            seeded = seed_running_stack(stack)
            sequence = asyncio.run(poison(stack, seeded))
            yield Bench(stack, variables(stack, seeded, sequence, tmp_path_factory.mktemp("runbook")))
    finally:
        stack.stop(remove=True)


@pytest.fixture(scope="module")
def started() -> Iterator[list[int]]:
    """The sessions of commands that leave something running in the background; it ends before the stack does."""
    sessions: list[int] = []
    yield sessions
    for session in sessions:
        try:
            os.killpg(session, signal.SIGKILL)
        except ProcessLookupError:
            continue


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.section)
def test_a_command_of_the_runbook_works_and_prints_what_it_is_said_to(
    block: Block, bench: Bench, started: list[int]
) -> None:
    if re.search(r"quarantine (show|retry|skip)", block.command):
        asyncio.run(until(bench.quarantined, timeout_s=120))
    with subprocess.Popen(
        ["bash", "-euo", "pipefail", "-c", block.command],
        cwd=ROOT, env=os.environ | bench.variables, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        if "nohup" in block.command:
            started.append(process.pid)
        printed, _ = process.communicate(timeout=180)
    assert process.returncode == 0, printed
    for line in block.promised:
        wanted = string.Template(line).substitute(bench.variables)
        assert wanted in printed, f"{wanted!r} is not in:\n{printed}"


def test_every_variable_in_a_command_is_explained_or_set_by_the_command_itself() -> None:
    text = (ROOT / "infra/runbook.md").read_text()
    explained = set(re.findall(r"`([A-Z_]+)`", text.partition("\n## ServiceDown")[0]))
    explained |= {f"{service.upper()}_{what}" for service in SERVICES for what in ("URL", "DATABASE_URL")}
    for block in BLOCKS:
        used = set(re.findall(r"\$\{?([A-Z_]+)", block.command)) - {"TMPDIR"}
        assert used <= explained, block.command


def test_every_section_about_an_alert_says_what_it_means_what_to_do_and_when_it_is_over() -> None:
    sections = re.split(r"^## ", (ROOT / "infra/runbook.md").read_text(), flags=re.M)[1:]
    about_alerts = [it for it in sections if "**For people.**" in it]
    assert len(about_alerts) >= 18
    for section in about_alerts:
        for part in ("**Look.**", "**Do", "**Over"):
            assert part in section, section.partition("\n")[0]
        assert "```sh" in section, section.partition("\n")[0]
