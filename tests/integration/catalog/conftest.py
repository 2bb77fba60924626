"""catalog on a database of the test's own, with one cooperative, two households and two products."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
import pytest

from infra.local.stack import Stack
from services.catalog.app import service
from services.catalog.settings import CatalogSettings
from services.contracts.base import UNION_STREAM
from tests.support.servers import fresh_database
from tests.support.service import Running, running

SON_LA = ZoneInfo("Asia/Ho_Chi_Minh")


@dataclass(frozen=True, slots=True)
class Catalog:
    """The running service, the keys of an operator and of Vân Hồ's staff, and Vân Hồ's stream."""

    running: Running[CatalogSettings]
    dsn: str
    operator: dict[str, str]
    staff: dict[str, str]
    van_ho: UUID

    async def ask(
        self, method: str, path: str, body: object = None, key: dict[str, str] | None = None
    ) -> httpx.Response:
        """One request; with the key of Vân Hồ's staff unless told otherwise."""
        headers = self.staff if key is None else key
        return await self.running.client.request(method, f"/v1{path}", json=body, headers=headers)

    async def done(self, method: str, path: str, body: object = None, key: dict[str, str] | None = None) -> Any:
        """The content of an answer that must be 2xx."""
        answer = await self.ask(method, path, body, key)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    async def events(self, stream: UUID | None = None) -> list[tuple[str, Any]]:
        """(name, data) of what was appended to Vân Hồ's stream, or to the given one, in order."""
        rows = await self.running.runtime.pool.fetch(
            "select sequence, type, data from event_log where stream = $1 order by sequence", stream or self.van_ho
        )
        assert [row["sequence"] for row in rows] == list(range(1, len(rows) + 1))
        return [(row["type"].removeprefix("catalog.").removesuffix(".v1"), json.loads(row["data"])) for row in rows]

    async def names(self, stream: UUID | None = None) -> list[str]:
        """The names of what was appended."""
        return [name for name, _ in await self.events(stream)]


VAN_HO = {
    "slug": "van-ho",
    "name": "HTX Rau hữu cơ Vân Hồ",
    "timezone": "Asia/Ho_Chi_Minh",
    "lane": None,
    "collection_points": [{"name": "Chợ phiên Vân Hồ"}],
}
CAI_MEO = {
    "code": "cai-meo",
    "name": "Cải mèo",
    "crop": "cải mèo",
    "grade": "A",
    "unit": "kg",
    "step_milliunits": 500,
    "ocop_stars": 4,
    "certificates": ["Hữu cơ PGS"],
}
SU_SU = {
    "code": "su-su",
    "name": "Ngọn su su",
    "crop": "su su",
    "grade": "A",
    "unit": "bó",
    "step_milliunits": 1000,
}
OPENING = ["cooperative_registered", *["household_registered"] * 2, *["product_listed"] * 2]
"""What stands in Vân Hồ's stream before a test begins."""


@dataclass(frozen=True, slots=True)
class Seed:
    """A database that tests copy, and what must be known of it."""

    database: str
    operator: dict[str, str]
    staff: dict[str, str]
    van_ho: UUID


async def enter(client: httpx.AsyncClient, operator: dict[str, str]) -> list[UUID]:
    """Enters Vân Hồ with its households and products; returns the ids, its own first."""
    answers = [await client.post("/v1/cooperatives", json=VAN_HO, headers=operator)]
    path = "/v1/cooperatives/van-ho"
    for code, name in (("VH-01", "Giàng A Sà"), ("VH-02", "Mùa Thị Chu")):
        household = {"code": code, "name": name, "certificates": CAI_MEO["certificates"]}
        answers.append(await client.post(f"{path}/households", json=household, headers=operator))
    for product in (CAI_MEO, SU_SU):
        answers.append(await client.post(f"{path}/products", json=product, headers=operator))
    names = ["cooperative_id", *["household_id"] * 2, *["product_id"] * 2]
    return [UUID(answer.json()[name]) for name, answer in zip(names, answers, strict=True)]


async def _sow(stack: Stack, database: str) -> Seed:
    async with running(service, stack.postgres.dsn("catalog", database)) as it:
        operator = await it.key("operator")
        van_ho, *_ = await enter(it.client, operator)
        return Seed(database, operator, await it.key("staff", van_ho), van_ho)


@pytest.fixture(scope="session")
def seed(stack: Stack) -> Iterator[Seed]:
    """Vân Hồ with the households VH-01 and VH-02 and the products cai-meo and su-su."""
    database = f"catalog_seed_{secrets.token_hex(6)}"
    stack.postgres.create_database(database, "catalog")
    yield asyncio.run(_sow(stack, database))
    stack.postgres.drop_database(database)


@pytest.fixture
async def catalog(stack: Stack, seed: Seed) -> AsyncIterator[Catalog]:
    """The service on a copy of the seed."""
    async with fresh_database(stack, "catalog", seed.database) as dsn, running(service, dsn) as it:
        yield Catalog(it, dsn, seed.operator, seed.staff, seed.van_ho)


def local_day(days_ahead: int) -> date:
    """A coming day by the cooperative's calendar."""
    return datetime.now(SON_LA).date() + timedelta(days=days_ahead)


def offer(product_code: str = "cai-meo", days_ahead: int = 2, **other: Any) -> dict[str, Any]:
    """An offer whose cut-off lies an hour ahead."""
    day = local_day(days_ahead)
    return {
        "product_code": product_code,
        "delivery_day": day.isoformat(),
        "price_vnd": 30_000,
        "cut_off_at": (datetime.now(UTC) + timedelta(hours=1)).isoformat(),
        "arrive_by_at": datetime.combine(day, time(5), SON_LA).isoformat(),
        "pledges": [
            {"household_code": "VH-01", "quantity_steps": 60},
            {"household_code": "VH-02", "quantity_steps": 40},
        ],
    } | other


async def publish(catalog: Catalog, *offers: dict[str, Any]) -> list[str]:
    """Publishes offers; returns their ids."""
    answer = await catalog.done("POST", "/cooperatives/van-ho/offers", {"offers": offers})
    return [published["offer_id"] for published in answer["offers"]]


def fields(answer: httpx.Response) -> list[str]:
    """The faulty fields that a 422 names."""
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return [error["field"] for error in answer.json()["errors"]]


__all__ = ["CAI_MEO", "OPENING", "SON_LA", "SU_SU", "UNION_STREAM", "VAN_HO", "Catalog"]
