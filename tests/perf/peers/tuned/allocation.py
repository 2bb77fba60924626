"""`allocation` of the tuned pipeline: one statement takes the event in, promises, and writes the outbox."""

import uvloop

from services.chassis.ids import uuid7
from tests.perf.peers import environment
from tests.perf.peers.database import Database
from tests.perf.peers.models import OrderPlaced
from tests.perf.peers.serving import make_broker, read_as, worker
from tests.perf.peers.tuned.relay import WokenRelay
from tests.perf.peers.wiring import ON_ERROR, Wiring

WIRING = Wiring("tuned")

_PROMISE = """
with fresh as (
    insert into inbox (event_id) values ($1) on conflict do nothing returning event_id
), locked as materialized (
    select b.offer_id, b.open, b.last_position,
        case when b.open then b.supply_steps - b.promised_steps else 0 end as free
    from offer_book b
    where b.offer_id = any($2) and exists (select from fresh)
    order by b.offer_id for update
), asked as (
    select l.offer_id, l.line_no, l.product_id, l.sku, l.steps, k.open,
        k.last_position + row_number() over place as position,
        greatest(0, least(l.steps, k.free - coalesce(sum(l.steps) over (place rows between unbounded preceding
            and 1 preceding), 0)))::bigint as promised
    from fresh, unnest($2::uuid[], $3::int[], $4::uuid[], $5::text[], $6::bigint[])
        as l (offer_id, line_no, product_id, sku, steps)
    left join locked k using (offer_id)
    window place as (partition by l.offer_id order by l.line_no)
), told as (
    select *, steps - promised as short,
        case when promised < steps then case when open then 'sold_out' else 'intake_closed' end end as reason
    from asked
), lines as (
    insert into order_line (offer_id, position, order_id, line_no, ordered_steps, promised_steps, short_steps, reason)
    select offer_id, position, $7, line_no, steps, promised, short, reason from told
), booked as (
    update offer_book b set promised_steps = b.promised_steps + t.promised, last_position = t.position
    from (select offer_id, sum(promised) as promised, max(position) as position from told group by offer_id) t
    where b.offer_id = t.offer_id
)
insert into outbox (event_id, type, payload)
select $8::uuid, 'order_promised', ($9::jsonb || jsonb_build_object(
    'event_id', $8::uuid, 'occurred_at', now(), 'lines', coalesce((
        select jsonb_agg(jsonb_build_object('line_no', line_no, 'offer_id', offer_id, 'product_id', product_id,
            'sku', sku, 'ordered_steps', steps, 'promised_steps', promised, 'short_steps', short, 'reason', reason)
            order by line_no) from told), '[]')))::json
from fresh
"""
"""An offer that is not known has no position: the statement fails as a whole, and the event is delivered again."""

_PASSED_ON = {"order_id", "cooperative_id", "partner_id", "partner_ref", "refused_lines"}

database = Database(environment.database_url("allocation"), connections=10, keeps_sessions=True)
broker = make_broker(prefetch=200)
relay = WokenRelay(database, environment.amqp_url(), WIRING.exchange.name)


@broker.subscriber(
    WIRING.queue("allocation.order_placed"),
    WIRING.exchange,
    ack_policy=ON_ERROR,
    decoder=read_as(OrderPlaced),
)
async def on_order_placed(event: OrderPlaced) -> None:
    """Promises what is free."""
    await database.pool.execute(
        _PROMISE,
        event.event_id,
        [line.offer_id for line in event.lines],
        [line.line_no for line in event.lines],
        [line.product_id for line in event.lines],
        [line.sku for line in event.lines],
        [line.steps for line in event.lines],
        event.order_id,
        uuid7(),
        event.model_dump_json(include=_PASSED_ON),
    )
    relay.wake()


if __name__ == "__main__":
    uvloop.run(worker(database, broker, relay).run())
