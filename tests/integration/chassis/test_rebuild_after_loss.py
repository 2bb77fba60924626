"""A rebuild of a reader whose producer was restored and has lost events that the reader had applied."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from infra.local.stack import Stack
from services.chassis import rebuild
from services.chassis.ids import uuid7
from services.chassis.inbox import Received
from services.chassis.ledger import Transaction
from services.chassis.runtime import Service
from services.chassis.settings import ServiceSettings
from services.contracts.catalog import OfferWithdrawn
from tests.support.node import Node, node, until
from tests.support.servers import fresh_database

NOTED = "create table noted (stream uuid, sequence bigint, primary key (stream, sequence))"


async def note(tx: Transaction, events: Sequence[Received[Any]]) -> None:
    """What a rebuild has to make again: a row for each event."""
    await tx.conn.executemany("insert into noted values ($1, $2)", [(one.stream, one.sequence) for one in events])


async def noted(reader: Node) -> list[tuple[UUID, int]]:
    return [(row["stream"], row["sequence"]) for row in await reader.fetch("select * from noted order by 1, 2")]


async def until_noted(reader: Node, count: int) -> None:
    async def all_of_them() -> bool:
        return len(await noted(reader)) == count

    await until(all_of_them)


@pytest.fixture
def derived(tmp_path: Path) -> Path:
    """The folder of a service with one derived table."""
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "0001_noted.sql").write_text(f"{NOTED};\n")
    return tmp_path


def with_table(reader: Node, folder: Path) -> Service[ServiceSettings]:
    return replace(reader.service, folder=folder, derived=("noted",))


@asynccontextmanager
async def settled_with_loss(stack: Stack, vhost: str, producer: Node) -> AsyncIterator[tuple[Node, UUID]]:
    """The reader, and a stream of which it has applied 1 to 6, and its restored producer has lost 4 and 5."""
    async with (
        node(stack, "orders", vhost, {OfferWithdrawn: note}) as reader,
        node(stack, "allocation", vhost, {}),
        node(stack, "notify", vhost, {}),
    ):
        await reader.fetch(NOTED)
        stream = uuid7()
        await producer.append(*[(stream, OfferWithdrawn(offer_id=uuid7()))] * 3)
        await until_noted(reader, 3)
        await producer.stop()
        async with fresh_database(stack, "catalog", producer.dsn.rpartition("/")[2]) as dsn:
            await producer.start()
            await producer.append(*[(stream, OfferWithdrawn(offer_id=uuid7()))] * 2)
            await until_noted(reader, 5)
            await producer.stop()
            restored = Node("catalog", dsn, stack.rabbit.amqp_url("catalog", vhost), {})
            await restored.start()
            try:
                await restored.until_ready()
                await restored.append((stream, OfferWithdrawn(offer_id=uuid7())))
                await until_noted(reader, 6)
                yield reader, stream
            finally:
                await restored.stop()


async def test_tables_that_hold_what_was_lost_are_not_replaced_by_worse_ones(
    stack: Stack, vhost: str, producer: Node, derived: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with settled_with_loss(stack, vhost, producer) as (reader, stream):
        service, before = with_table(reader, derived), await noted(reader)

        assert await rebuild.run(service, reader.settings, check=True) == 1
        printed = capsys.readouterr().out
        assert f"noted: only before: ({stream},4)\nnoted: only before: ({stream},5)\n" in printed
        assert f"catalog {stream}: 2 events from 4 to 5 are lost" in printed

        assert await rebuild.run(service, reader.settings, check=False) == 1
        assert f"catalog {stream} 4 is lost" in capsys.readouterr().out
        assert await noted(reader) == before == [(stream, number) for number in range(1, 7)]

        assert await rebuild.run(service, reader.settings, check=False, without_lost=True) == 0
        assert f"catalog {stream}: 2 events from 4 to 5 are lost" in capsys.readouterr().out
        assert await noted(reader) == [(stream, number) for number in (1, 2, 3, 6)]
