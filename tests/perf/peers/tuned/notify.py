"""`notify` of the tuned pipeline: one statement per event."""

import json

import uvloop

from tests.perf.peers import environment, notices
from tests.perf.peers.database import Database
from tests.perf.peers.models import OrderPlaced, OrderPromised
from tests.perf.peers.serving import make_broker, read_as, worker
from tests.perf.peers.wiring import ON_ERROR, Wiring

WIRING = Wiring("tuned")

_REMEMBER = """
with fresh as (
    insert into inbox (event_id) values ($1) on conflict do nothing returning event_id
)
insert into partner_order (order_id, partner_id, partner_ref, refused_lines, lines) select $2, $3, $4, $5, $6 from fresh
"""
_MESSAGE = """
with fresh as (
    insert into inbox (event_id) values ($1) on conflict do nothing returning event_id
)
insert into partner_message (message_id, cooperative_id, partner_id, order_id, facts, happened_at)
select $1, cooperative_id, partner_id, $4, jsonb_build_object(
    'order_id', $4::uuid, 'partner_ref', $5::text, 'refused_lines', $6::jsonb, 'lines', coalesce((
        select jsonb_agg(l || jsonb_build_object('goods', jsonb_build_object(
            'name', p.name, 'unit', p.unit, 'step_milliunits', p.step_milliunits)) order by number)
        from jsonb_array_elements($7::jsonb) with ordinality as e (l, number)
        left join product p on p.product_id = (l ->> 'product_id')::uuid
    ), '[]')), $8
from fresh, partner_endpoint where cooperative_id = $2 and partner_id = $3
"""

database = Database(environment.database_url("notify"), connections=10, keeps_sessions=True)
broker = make_broker(prefetch=200)


@broker.subscriber(
    WIRING.queue("notify.order_placed"),
    WIRING.exchange,
    ack_policy=ON_ERROR,
    decoder=read_as(OrderPlaced),
)
async def on_order_placed(event: OrderPlaced) -> None:
    """Whose order it is, and what stands behind its lines."""
    await database.pool.execute(
        _REMEMBER,
        event.event_id,
        event.order_id,
        event.partner_id,
        event.partner_ref,
        json.dumps(notices.refused(event)),
        json.dumps(notices.ordered(event)),
    )


@broker.subscriber(
    WIRING.queue("notify.order_promised"),
    WIRING.exchange,
    ack_policy=ON_ERROR,
    decoder=read_as(OrderPromised),
)
async def on_order_promised(event: OrderPromised) -> None:
    """One message, for a partner that has an endpoint."""
    await database.pool.execute(
        _MESSAGE,
        event.event_id,
        event.cooperative_id,
        event.partner_id,
        event.order_id,
        event.partner_ref,
        json.dumps(notices.refused(event)),
        json.dumps(notices.lines(event)),
        event.occurred_at,
    )


if __name__ == "__main__":
    uvloop.run(worker(database, broker).run())
