"""What nobody can know any more after a restore is left out of sight before the laws are looked at."""

from infra.demo.law import Databases
from tests.chaos.arena import Arena


async def leave_out(databases: Databases, arena: Arena) -> None:
    """Hides forgotten orders in allocation's books and at the partners, and webhooks that every database has lost."""
    forgotten = arena.expected.forgotten
    if not forgotten and not arena.expected.all_restored:
        return
    await _hide_lines(databases, forgotten)
    said = await _said(databases) if arena.expected.all_restored else None
    rows = await databases["notify"].fetch("select message_id::text, order_id::text from partner_message")
    gone = {
        row["message_id"]
        for row in rows
        if row["order_id"] in forgotten or (said is not None and row["message_id"] not in said)
    }
    await databases["notify"].execute("create temp table gone (message_id uuid primary key)")
    await databases["notify"].executemany("insert into gone values ($1::text::uuid)", [(it,) for it in gone])
    await databases["notify"].execute(
        "create temp view partner_message as select * from public.partner_message where message_id not in (table gone)"
    )
    webhooks = arena.received.webhooks
    for message_id, body in list(webhooks.items()):
        lost = said is not None and message_id not in said
        if lost or body["data"].get("order_id") in forgotten:
            del webhooks[message_id]


async def _hide_lines(databases: Databases, forgotten: set[str]) -> None:
    connection = databases["allocation"]
    await connection.execute("create temp table forgotten (order_id uuid primary key)")
    await connection.executemany("insert into forgotten values ($1::text::uuid)", [(it,) for it in forgotten])
    await connection.execute(
        "create temp view order_line as select * from public.order_line where order_id not in (table forgotten)"
    )


async def _said(databases: Databases) -> set[str]:
    """The events of which partners are told and that are in a log."""
    return {
        row["id"]
        for service in ("orders", "allocation")
        for row in await databases[service].fetch("select id::text from event_log")
    }
