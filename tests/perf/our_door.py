"""The door of our `orders` as a subject, and the same without its storing."""

import asyncpg

from infra.local.processes import ServiceProcess, ServiceProcesses
from infra.local.stack import Stack
from tests.perf.looks import Looks
from tests.perf.market import Market
from tests.perf.ours import environment, seed
from tests.perf.peers.base import Progress


class OurDoor:
    """The process of `orders` that answers HTTP. What relays and finds customers is another one, which does not run."""

    name = "ours"
    is_ours = True

    def __init__(self, stack: Stack, market: Market) -> None:
        self._stack, self._market = stack, market
        self._process = _process(stack, "orders")

    @property
    def http_port(self) -> int:
        """That of `orders`."""
        return self._process.http_port

    @property
    def dsns(self) -> dict[str, str]:
        """Its one database."""
        return {"orders": self._stack.dsn("orders")}

    async def prepare(self) -> None:
        """Migrates and seeds."""
        ServiceProcesses(self._stack, ["orders"]).migrate()
        await seed(self.dsns["orders"], "orders", self._market)

    def start(self) -> None:
        """Starts it and waits."""
        self._process.start()
        self._process.wait_until_ready()

    def stop(self) -> None:
        """Drains it."""
        self._process.stop()

    def pids(self) -> dict[str, int]:
        """The one process."""
        return {"orders": self._process.pid} if self._process.pid else {}

    async def progress(self, looks: Looks) -> Progress:
        """An order counts when it is stored and logged: every event is an order here."""
        (logged,) = await looks.row("orders", "select coalesce(sum(last_sequence), 0)::bigint from stream_head")
        return Progress(stored=logged)

    async def is_settled(self, looks: Looks) -> bool:
        """What is left to do is not the door's."""
        return True

    async def check(self) -> list[str]:
        """Whether every order stands in the log exactly once, with the lines it should have."""
        found = [(await self._count(query), what) for what, query in _WRONG]
        return [f"{count} {what}" for count, what in found if count]

    async def _count(self, query: str) -> int:
        connection = await asyncpg.connect(self.dsns["orders"])
        try:
            return int(await connection.fetchval(query))
        finally:
            await connection.close()


class Storeless(OurDoor):
    """The same process on the same database, which it leaves as it is. Never runs beside ours."""

    name = "storeless"
    is_ours = False

    def __init__(self, stack: Stack, market: Market) -> None:
        super().__init__(stack, market)
        self._process = _process(stack, "storeless", module="tests.perf.storeless")

    async def prepare(self) -> None:
        """Ours has."""


def _process(stack: Stack, name: str, module: str = "") -> ServiceProcess:
    return ServiceProcess(
        stack, "orders", name, arguments=("--role", "http"), module=module, extra_environment=environment()["orders"]
    )


_WRONG = (
    (
        "orders are not logged exactly once",
        "select count(*) from customer_order o full join (select data->>'order_id' as order_id, count(*) as times "
        "from event_log where type = 'orders.order_placed.v1' group by 1) e on e.order_id = o.order_id::text "
        "where o.order_id is null or e.times is distinct from 1",
    ),
    ("events are no new orders", "select count(*) from event_log where type <> 'orders.order_placed.v1'"),
    (
        "orders have no lines",
        "select count(*) from customer_order o "
        "where not exists (select from order_line l where l.order_id = o.order_id)",
    ),
    ("lines are refused", "select count(*) from order_line where state <> 'ordered'"),
)
