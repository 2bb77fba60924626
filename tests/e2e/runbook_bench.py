"""The stack on which the runbook's commands are run: seeded, with a quarantined event and a partner told nothing."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import UUID

import asyncpg
import httpx

from infra.demo.client import Client, canonical_headers, encode
from infra.demo.seed import Seed, SeededPartner, seed_running_stack
from infra.demo.world import COOPERATIVES
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


class Endpoint:
    """A partner's address: what it answers, and the ids of what it took."""

    def __init__(self) -> None:
        self.status = 410
        self.taken: list[str] = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                if endpoint.status < 300:
                    endpoint.taken.append(str(self.headers["webhook-id"]))
                self.send_response(endpoint.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *values: Any) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}/hook"

    def close(self) -> None:
        """Listens no more."""
        self._server.shutdown()
        self._server.server_close()


@dataclass(frozen=True)
class Bench:
    """The stack with all that the commands may use."""

    stack: Stack
    seeded: Seed
    endpoint: Endpoint
    variables: dict[str, str] = field(default_factory=dict)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        """Speaks to the services as nobody."""
        async with httpx.AsyncClient(timeout=30, trust_env=False) as http:
            yield Client(self.stack, http)

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


async def give_up_a_partner(bench: Bench) -> str:
    """A shop of the second cooperative whose address says that it is gone; the message that it did not take."""
    partner, staff_key = told_partner(bench.seeded), bench.seeded.cooperatives[1].staff_key
    async with bench.client() as client:
        staff = client.speaking_as(staff_key)
        body = {"cooperative": bench.seeded.cooperatives[1].cooperative_id, "url": bench.endpoint.url, "secret": None}
        await staff.ask("notify", "PUT", f"/v1/partners/{partner.partner_id}/webhook", body)
        sku = next(sku for shop in COOPERATIVES[1].shops if shop.name == partner.name for sku in sorted(shop.skus))
        now = datetime.now(UTC)
        order = {"ref": "DH-0001", "updated_at": now.isoformat(), "status": "placed",
                 "lines": [{"sku": sku, "quantity": "1"}]}  # fmt: skip
        raw = encode({"order": order})
        pushed = await client.push(partner.push_path, raw, canonical_headers(partner.secret, "msg_1", now, raw))
        assert pushed.status_code == 202, pushed.text

    async def is_given_up() -> bool:
        async with connected(bench.stack, "notify") as conn:
            return bool(
                await conn.fetchval("select exists (select from partner_endpoint where disabled_at is not null)")
            )

    await until(is_given_up, timeout_s=60)
    bench.endpoint.status = 204
    async with connected(bench.stack, "notify") as conn:
        return str(await conn.fetchval("select message_id from partner_message order by queued_at limit 1"))


def told_partner(seeded: Seed) -> SeededPartner:
    """The canonical shop of the second cooperative."""
    return next(it for it in seeded.cooperatives[1].partners if it.adapter == "canonical")


def variables(stack: Stack, seeded: Seed, sequence: int, message: str, temporary: Path) -> dict[str, str]:
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
        "PARTNER": told_partner(seeded).partner_id,
        "MESSAGE": message,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), str(postgres.directory), os.environ["PATH"]]),
        "TMPDIR": str(temporary),
        "NO_PROXY": "127.0.0.1",
    }


@contextmanager
def set_up(temporary: Path) -> Iterator[Bench]:
    """A bench on a stack of its own."""
    stack, endpoint = Stack(ROOT / ".local" / f"test-{os.getpid()}-runbook", fresh=True, durable=False), Endpoint()
    try:
        stack.start()
        with ServiceProcesses(stack, extra_environment={SERVICE: IMPATIENCE}):
            bench = Bench(stack, seed_running_stack(stack), endpoint)
            sequence = asyncio.run(poison(stack, bench.seeded))
            message = asyncio.run(give_up_a_partner(bench))
            bench.variables.update(variables(stack, bench.seeded, sequence, message, temporary))
            yield bench
    finally:
        endpoint.close()
        stack.stop(remove=True)
