"""Finding customers costs the same however many there are, also where no statistics say how many that are."""

from services.orders.domain.customers import PHONE, Identity
from services.orders.store import customers as store
from tests.integration.orders.conftest import Orders
from tests.support.node import until
from tests.support.plans import explained, looked_at

_WRITE = """
with made as (
    insert into customer (customer_id, cooperative_id, orders, first_order_at, last_order_at)
    select gen_random_uuid(), $1, 1, now(), now() from generate_series(1, $2) returning customer_id
)
insert into customer_identity (cooperative_id, kind, value, customer_id)
select $1, 'phone', '+84' || (row_number() over () + 900000000), customer_id from made
"""


async def test_a_few_who_are_known_are_found_without_a_look_at_all_others(orders: Orders) -> None:
    known, unknown = range(900000001, 900000026), range(910000001, 910000476)
    wanted = [(orders.van_ho, Identity(PHONE, f"+84{number}")) for number in (*known, *unknown)]
    async with orders.running.runtime.pool.acquire() as conn, conn.transaction():
        for table in ("customer", "customer_identity"):
            await conn.execute(f"alter table {table} set (autovacuum_enabled = false)")
        await conn.execute(_WRITE, orders.van_ho, 30_000)
        asked: list[tuple[str, tuple[object, ...]]] = []

        async def both_are_noted() -> bool:
            return len(asked) == 2  # after the answer, in a later turn of the loop

        with conn.query_logger(lambda record: asked.append((record.query, record.args))):
            found = await store.list_known(conn, wanted, [])
            await until(both_are_noted)
        assert len(found[orders.van_ho]) == len(known)
        rows = [looked_at(await explained(conn, statement, *values)) for statement, values in asked]
    assert sum(rows) <= 5 * len(wanted)
