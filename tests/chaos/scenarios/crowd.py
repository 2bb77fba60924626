"""One cooperative among many: it floods, or moves between lanes, and the others go on."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import asyncpg

from infra.demo.client import canonical_headers, encode
from infra.demo.pushes import Push
from infra.local.ports import choose_ports
from infra.local.processes import ServiceProcess
from services.chassis.ids import uuid7
from services.contracts.flow import SERVICES
from tests.chaos.arena import Arena
from tests.chaos.load import patiently
from tests.chaos.scenario import scenario
from tests.chaos.world import Member

CALM_S = 10
FLOOD_S = 8
FEW = 5
MOST = 0.5
TIMES = 100
LANE = 9

_WAITED = (
    "select extract(epoch from promised_at - received_at)::float8 as waited_s from customer_order"
    " where cooperative_id <> $1 and received_at >= $2 and received_at < $3 and promised_at is not null"
)

_OVERTOOK = """
with behind as (
    select o.received_at, o.promised_at, o.cooperative_id = $1 as flood, h.lane
    from customer_order o join stream_head h on h.stream = o.cooperative_id
    where o.received_at >= $2 and o.received_at < $3 and o.promised_at is not null)
select avg((f.promised_at > b.promised_at)::int)::float8 as share
from behind b join behind f on f.flood and f.received_at < b.received_at
where not b.flood and b.lane <> f.lane group by b.received_at, b.promised_at order by share
"""
"""Of each order of the others on other lanes: the share of the flood before it that was promised after it."""


SMALL_TRANSACTIONS = {"allocation": {"ALLOCATION_PREFETCH": "2"}, "orders": {"ORDERS_PREFETCH": "2"}}
"""What is taken in together; else a flood of some seconds goes through at once, and there is nothing to overtake."""


@scenario(
    "a cooperative floods", cooperatives=10, pushes_per_s=5, load_s=CALM_S + 2 * FLOOD_S, heal_s=120,
    environment=SMALL_TRANSACTIONS,
)  # fmt: skip
async def floods(arena: Arena) -> None:
    """One pushes a hundred times what each of the others does, and these do not wait behind it.

    How long they wait beside the flood is told, and no more: on a busy machine a limit in seconds says nothing about
    isolation. What must hold on any machine is the order. The cursors of allocation are locked while one flood comes
    in, so that all of it waits at once, with what the others have pushed meanwhile; once they are free, those of other
    lanes must be promised before most of the flood that was there before them. In one queue for all, none would.
    `make bench` measures the others' median and p99 with the flood and without it (`isolation`), on a quiet machine.
    """
    await arena.load.until(0.1)
    member = arena.world.members[0]
    calm_began = await _now(arena)
    await asyncio.sleep(CALM_S)
    flood_began = await _now(arena)
    flood = Flood(arena, member, arena.scenario.pushes_per_s / arena.scenario.cooperatives * TIMES)
    await flood.run(FLOOD_S)
    flood_ended = await _now(arena)
    await _until_promised(arena)
    calm = await _waits_s(arena, member, calm_began, flood_began)
    flooded = await _waits_s(arena, member, flood_began, flood_ended)
    assert calm, "nobody pushed before the flood"
    assert flooded, "nobody else pushed during the flood"
    arena.said.append(
        f"others wait {_p50(calm):.3f} s before (median of {len(calm)}), {_p50(flooded):.3f} s of {len(flooded)} "
        f"during the flood of {len(flood.pushed)}"
    )
    await _overtake(arena, member, flood)


async def _overtake(arena: Arena, member: Member, flood: "Flood") -> None:
    """Those who pushed behind the flood are promised before most of it."""
    books = await asyncpg.connect(arena.stack.postgres.admin_dsn("allocation"))
    try:
        async with books.transaction():
            await books.execute("lock table consumer_cursor")
            began = await _now(arena)
            await flood.run(FLOOD_S)
            ended = await _now(arena)
    finally:
        await books.close()
    arena.fault_ends()
    await arena.load.finished()
    await _until_promised(arena)
    shares = [row["share"] for row in await arena.sql("orders", _OVERTOOK, _id(member), began, ended)]
    assert len(shares) >= FEW, f"only {len(shares)} others pushed behind the flood"
    arena.said.append(f"others overtake {_p50(shares):.0%} of the flood before them (median of {len(shares)})")
    assert _p50(shares) > MOST, "others wait behind the flood"


@dataclass
class Flood:
    """A shop of the cooperative that pushes at a steady rate, each push an order of its own."""

    arena: Arena
    member: Member
    per_s: float

    def __post_init__(self) -> None:
        self.pushed: list[str] = []

    async def run(self, seconds: float) -> None:
        """Returns when all of it is answered."""
        began, before = time.monotonic(), len(self.pushed)
        async with asyncio.TaskGroup() as tasks:
            for number in range(round(seconds * self.per_s)):
                await asyncio.sleep(max(0.0, began + number / self.per_s - time.monotonic()))
                tasks.create_task(self._push(f"F{before + number}"))

    async def _push(self, ref: str) -> None:
        partner, shop = self.member.seeded.partners[0], self.member.cooperative.shops[0]
        now, sku = datetime.now(UTC).replace(microsecond=0), next(iter(shop.skus))
        updated_at = now - timedelta(minutes=1)
        line = {"sku": sku, "quantity": "1"}
        order = {"ref": f"DH-{ref}", "updated_at": updated_at.isoformat(), "status": "placed", "lines": [line]}
        body = encode({"order": order})
        headers = canonical_headers(partner.secret, f"msg_{uuid7().hex}", now, body)
        push = Push("flood", partner, ref, body, headers, (202,), updated_at, ((sku, 1),), False)
        load, key = self.arena.load, (partner.partner_id, push.partner_ref)
        send = partial(self.arena.client.push, partner.push_path, body, headers)
        certain = await patiently(send, self.arena.random, load.answers)
        assert certain.answer.is_success, certain.answer.text[:300]
        load.order_ids[key] = certain.answer.json()["order_id"]
        load.acknowledged[key] = push
        self.pushed.append(ref)


async def _now(arena: Arena) -> datetime:
    now: datetime = await arena.books.value("orders", "select now()")
    return now


async def _until_promised(arena: Arena) -> None:
    query = "select 1 from customer_order where state = 'placed' and announced limit 1"

    async def promised() -> bool:
        return not await arena.sql("orders", query)

    await arena.until("every order is promised", promised)


async def _waits_s(arena: Arena, but: Member, since: datetime, until: datetime) -> list[float]:
    rows = await arena.sql("orders", _WAITED, _id(but), since, until)
    return sorted(row["waited_s"] for row in rows)


def _id(member: Member) -> UUID:
    return UUID(member.seeded.cooperative_id)


def _p50(ascending: Sequence[float]) -> float:
    return ascending[len(ascending) // 2]


@scenario("a cooperative moves between lanes")
async def moves(arena: Arena) -> None:
    """A lane of its own with workers of its own, and back, again and again, while it takes orders."""
    await arena.load.until(0.1)
    for service in SERVICES:
        name = f"{service}-lane-{LANE}"
        words = ("--role", "worker", "--lanes", str(LANE))
        port = choose_ports([None])[0]
        arena.services[name] = ServiceProcess(arena.stack, service, name, arguments=words, http_port=port)
        await arena.start_service(name)
    member = arena.random.choice(arena.world.members)
    home = await _lanes(arena, member)
    operator = arena.client.speaking_as(arena.world.operator_key)
    for lane in (LANE, None, LANE, None, LANE):
        await operator.ask("catalog", "PATCH", f"/v1/cooperatives/{member.seeded.slug}", {"lane": lane})
        wanted = home if lane is None else dict.fromkeys(home, LANE)
        await arena.until(
            f"all streams of {member.seeded.slug} are on {wanted}", partial(_are_on, arena, member, wanted)
        )
        since = await _now(arena)
        await arena.until("orders pushed since are promised", partial(_promised_since, arena, member, since))


async def _lanes(arena: Arena, member: Member) -> dict[str, int]:
    """Where each service's stream of the cooperative lives; notify has none before its first event."""
    query, stream = "select lane from stream_head where stream = $1", UUID(member.seeded.cooperative_id)
    return {
        name: lane
        for name in ("catalog", "orders", "allocation")
        if (lane := await arena.books.value(name, query, stream)) is not None
    }


async def _are_on(arena: Arena, member: Member, wanted: dict[str, int]) -> bool:
    return await _lanes(arena, member) == wanted


async def _promised_since(arena: Arena, member: Member, since: datetime) -> bool:
    query = (
        "select count(*) from customer_order where cooperative_id = $1 and received_at > $2 and promised_at is not null"
    )
    count: int = await arena.books.value("orders", query, UUID(member.seeded.cooperative_id), since)
    return count >= 3
