"""A broker vhost of its own for each test, and the usual pair: catalog writes, orders reads."""

from collections.abc import AsyncIterator

import pytest

from infra.local.stack import Stack
from services.contracts.catalog import OfferWithdrawn
from tests.support.node import Node, node, record
from tests.support.servers import fresh_vhost


@pytest.fixture
async def vhost(stack: Stack) -> AsyncIterator[str]:
    async with fresh_vhost(stack) as name:
        yield name


@pytest.fixture
async def producer(stack: Stack, vhost: str) -> AsyncIterator[Node]:
    async with node(stack, "catalog", vhost, {}) as made:
        yield made


@pytest.fixture
async def reader(stack: Stack, vhost: str, producer: Node) -> AsyncIterator[Node]:
    async with node(stack, "orders", vhost, {OfferWithdrawn: record}) as made:
        await made.until_ready()
        yield made
