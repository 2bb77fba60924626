"""Whatever order pushes and pulls come in, the books end as the platform is."""

from random import Random

import pytest

from infra.local.stack import Stack
from tests.integration.orders.thin import ADAPTERS, AT, Thin, thin_market
from tests.support.platform_apis import Item, Order, broken, limited

HISTORIES = 100
"""For each platform; each is of an order of its own, and named by its number where it fails."""
STEPS = ("change", "push", "push", "pull", "pull", "trouble", "expire")


def versions_of(ref: str, chance: Random) -> list[Order]:
    """The order as it was first, and after each of its changes; the last one may be its cancellation."""
    versions = [Order(ref, AT, [Item("SU-SU", 2)])]
    for _ in range(chance.randrange(5)):
        at = versions[-1].updated_at + chance.randrange(1, 3)
        versions.append(Order(ref, at, [Item("SU-SU", chance.randrange(1, 6))]))
    if chance.random() < 0.3:
        versions.append(Order(ref, versions[-1].updated_at + 1, [Item("SU-SU", 1)], cancelled=True))
    return versions


async def play(thin: Thin, adapter: str, ref: str, chance: Random) -> None:
    """Changes, pushes of any version so far, pulls and troubles as they come; at last all pushes, in any order."""
    platform, versions = thin.platform(adapter), versions_of(ref, chance)
    current = 0
    platform.put(versions[0])
    for step in chance.choices(STEPS, k=chance.randrange(12)):
        if step == "change" and current < len(versions) - 1:
            current += 1
            platform.put(versions[current])
        elif step == "push":
            await push(thin, adapter, versions[chance.randrange(current + 1)])
        elif step == "pull":
            await thin.pull_once()
        elif step == "trouble":
            platform.troubles.append(chance.choice((limited(1), broken())))
        elif step == "expire":
            platform.access = f"over-{ref}"
    platform.put(versions[-1])
    for version in chance.sample(versions, len(versions)):
        await push(thin, adapter, version)
    await thin.pull_all()
    last = versions[-1]
    wanted = ("cancel", {}) if last.cancelled else ("upsert", {"SU-SU": last.items[0].quantity})
    assert (await thin.books(adapter))[ref] == wanted, f"history {ref}"
    assert platform.refused == []


async def push(thin: Thin, adapter: str, version: Order) -> None:
    assert (await thin.push(adapter, version)).status_code == 200


@pytest.mark.parametrize("adapter", ADAPTERS)
async def test_any_order_of_pushes_and_pulls_ends_as_the_platform_is(stack: Stack, adapter: str) -> None:
    async with thin_market(stack) as thin:
        for number in range(HISTORIES):
            await play(thin, adapter, str(100 + number), Random(number))
