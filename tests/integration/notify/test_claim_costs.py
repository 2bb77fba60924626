"""Taking notices in hand costs the same however many wait, also where no statistics say how many that are."""

from datetime import UTC, datetime

import pytest

from services.chassis.ledger import Connection
from services.notify.domain.notices import KINDS
from services.notify.sending import BATCH
from services.notify.store import deliveries
from tests.integration.notify.world import World
from tests.support.plans import explained, looked_at

_WRITE = """
with made as (
    insert into notice (notice_id, recipient_id, household_id, kind, delivery_day, version, facts, happened_at,
        not_before, state)
    select gen_random_uuid(), id, id, 'basket', date '2099-11-24', 1, '{}', $2, $2, 'queued'
    from (select gen_random_uuid() as id from generate_series(1, $1)) household
    returning notice_id
)
insert into delivery (delivery_id, notice_id, contact_id, channel, state, queued_at, next_at, step_by_at, attempts)
select gen_random_uuid(), notice_id, gen_random_uuid(), 'zalo', 'queued', $2, $2, $2 + interval '1 hour', 0 from made
"""


async def write_down(conn: Connection, notices: int, now: datetime) -> None:
    await conn.execute(_WRITE, notices, now)


@pytest.mark.parametrize("known_to_planner", [3, 20])
async def test_a_batch_costs_no_more_rows_where_many_wait_than_where_few_do(
    world: World, known_to_planner: int
) -> None:
    """The plan is made when next to nothing waits, as on the first market day, and then 2,000 do."""
    now = datetime.now(UTC)
    arguments = f"'zalo', '{now.isoformat()}', {BATCH}, '{{{','.join(KINDS)}}}'"
    async with world.service.runtime.pool.acquire() as conn, conn.transaction():
        await conn.execute("alter table notice set (autovacuum_enabled = false)")
        await conn.execute("alter table delivery set (autovacuum_enabled = false)")
        await write_down(conn, known_to_planner, now)
        await conn.execute("set local plan_cache_mode = force_generic_plan")
        await conn.execute(f"prepare claim (text, timestamptz, int, text[]) as {deliveries._CLAIM}")
        await conn.execute(f"execute claim ({arguments})")
        await write_down(conn, 2_000, now)
        plan = await explained(conn, f"execute claim ({arguments})")
        await conn.execute("deallocate claim")
    assert looked_at(plan) <= 20 * BATCH
