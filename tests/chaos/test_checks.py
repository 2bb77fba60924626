"""The checks themselves are checked: after a good day the books are tampered with, and each fault must be seen."""

import asyncio
import os
from dataclasses import replace

from tests.chaos import template
from tests.chaos.arena import Arena, entered
from tests.chaos.checks import check_all
from tests.chaos.run import LOCAL, Result, clean_up, live_through
from tests.chaos.scenario import find_all

TAMPERINGS = (
    (
        "allocation",
        "update order_line set position = -position where (offer_id, position) ="
        " (select offer_id, max(position) from order_line group by 1 having count(*) > 3 limit 1)",
        "orders keep their turn",
    ),
    (
        "allocation",
        "update order_line set promised_steps = promised_steps + 1, ordered_steps = ordered_steps + 1 where"
        " (offer_id, position) = (select offer_id, max(position) from order_line group by 1 limit 1)",
        "promises in orders and allocation",
    ),
    (
        "orders",
        "delete from event_log where (stream, sequence) = (select stream, max(sequence) / 2 from event_log"
        " group by 1 having count(*) > 9 limit 1)",
        "every event log is contiguous",
    ),
    (
        "orders",
        "update customer_order set revised_at = revised_at - interval '1 h' where order_id ="
        " (select order_id from customer_order limit 1)",
        "last word on",
    ),
    (
        "notify",
        "update consumer_cursor set sequence = sequence - 1 where (stream, producer) ="
        " (select stream, producer from consumer_cursor where sequence > 5 limit 1)",
        "every cursor reaches",
    ),
    (
        "allocation",
        "update event_log set after = 'catalog=1;orders=999999' where (stream, sequence) ="
        " (select stream, max(sequence) from event_log group by 1 having count(*) > 9 limit 1)",
        "causes had been applied",
    ),
    (
        "notify",
        "update notice set state = 'undeliverable', told_at = null where notice_id ="
        " (select notice_id from notice where kind = 'basket' limit 1)",
        "households are told exactly",
    ),
)


def test_every_tampering_is_seen() -> None:
    asyncio.run(_tamper_and_check())


async def _tamper_and_check() -> None:
    scenario = replace(find_all()["no fault"], cooperatives=3, pushes_per_s=25, load_s=3)
    root = LOCAL / f"tampered-{os.getpid()}"
    prepared = await asyncio.to_thread(template.prepare, LOCAL)
    try:
        async with entered(scenario, 1, root, prepared) as arena:
            result = Result(scenario.name, 1)
            await live_through(arena, result, lambda phase: None)
            assert result.faults == []
            for database, statement, law in TAMPERINGS:
                await _tamper(arena, database, statement)
                faults = await check_all(arena)
                assert any(law in fault for fault in faults), f"nobody saw: {statement}; seen: {faults}"
            key, push = next(iter(arena.load.acknowledged.items()))
            arena.load.acknowledged[key[0], "never-seen"] = push
            arena.load.order_ids[key[0], "never-seen"] = arena.load.order_ids[key]
            assert any("was acknowledged and is lost" in fault for fault in await check_all(arena))
    finally:
        clean_up(root, keep_logs=False)


async def _tamper(arena: Arena, database: str, statement: str) -> None:
    changed = await arena.ask_as_admin(statement + " returning 1", database=database)
    assert changed, f"nothing to tamper with: {statement}"
