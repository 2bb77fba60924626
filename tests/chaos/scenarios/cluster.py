"""Three broker nodes, all of which the services know: one dies, one is cut off, all are restarted in turn."""

import asyncio

from infra.local.cluster import RabbitCluster
from infra.local.rabbitmq import RabbitServer
from tests.chaos.arena import Arena
from tests.chaos.scenario import scenario


async def _three_nodes(arena: Arena) -> None:
    arena.stack.with_cluster = True


async def _under_load(arena: Arena) -> tuple[RabbitCluster, RabbitServer]:
    """The cluster, once every queue has its three members, and a node of it chosen by the seed."""
    cluster = arena.stack.cluster
    assert cluster
    await arena.load.until(0.2)
    await asyncio.to_thread(cluster.wait_until_whole)
    queues = await arena.management("GET", "/queues/%2F")
    assert queues, "no queues"
    assert all(len(queue["members"]) == 3 for queue in queues), "a queue has fewer members than the cluster nodes"
    return cluster, arena.random.choice(cluster.nodes)


async def _some_pushes(arena: Arena, count: int = 60) -> None:
    """The load goes on meanwhile: so many pushes more are answered."""
    await arena.load.until((arena.load.answered + count) / arena.load.planned)


@scenario("cluster: a node killed", before_servers=_three_nodes, alone=True, heal_s=180)
async def node_killed(arena: Arena) -> None:
    """kill -9; the other two go on; it comes back."""
    cluster, node = await _under_load(arena)
    await asyncio.to_thread(node.kill)
    arena.counts.kills += 1
    await _some_pushes(arena)
    await asyncio.to_thread(node.start)
    await asyncio.to_thread(cluster.wait_until_whole)


@scenario("cluster: a minority cut off", before_servers=_three_nodes, alone=True, heal_s=180)
async def minority_cut_off(arena: Arena) -> None:
    """One node loses sight of the others and pauses; they go on; it finds them again."""
    cluster, node = await _under_load(arena)
    await asyncio.to_thread(cluster.cut_off, node)
    assert node.alive
    assert not node.lets_clients_in
    await _some_pushes(arena)
    await asyncio.to_thread(cluster.heal, node)


@scenario("cluster: rolling restart", before_servers=_three_nodes, alone=True, heal_s=180)
async def rolling_restart(arena: Arena) -> None:
    """Each node stops in good order and comes back before the next one stops."""
    cluster, _ = await _under_load(arena)
    await asyncio.to_thread(cluster.rolling_restart)
