"""What is promised of orders, without what their partners said. Orders are locked as in `store.orders`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.chassis.ledger import Connection
from services.orders.domain.order import OrderState
from services.orders.domain.promised import OrderedLine, OrderPromise

_ORDERS = (
    "select order_id, kind = 'cancel' as is_cancelled, state, received_at, promised_at from customer_order "
    "where order_id = any($1) order by order_id for no key update"
)
_LINES = (
    "select order_id, line_no, offer_id, quantity_steps, promised_steps, short_steps, reason, delivered, "
    "state = 'refused' "
    "from order_line where order_id = any($1) and state <> 'cancelled' order by order_id, line_no"
)
_SAVE = """
with line as (
    update order_line l set promised_steps = x.promised_steps, short_steps = x.short_steps, reason = x.reason,
        delivered = x.delivered
    from unnest($4::uuid[], $5::int[], $6::bigint[], $7::bigint[], $8::text[], $9::boolean[])
        as x (order_id, line_no, promised_steps, short_steps, reason, delivered)
    where l.order_id = x.order_id and l.line_no = x.line_no
)
update customer_order o set state = x.state, promised_at = coalesce(o.promised_at, x.promised_at)
from unnest($1::uuid[], $2::text[], $3::timestamptz[]) as x (order_id, state, promised_at)
where o.order_id = x.order_id
"""


@dataclass(slots=True)
class FiledPromise:
    """The promise of an order, its state as it was loaded, when it came and when its first promise was applied."""

    promise: OrderPromise
    state: OrderState
    received_at: datetime
    promised_at: datetime | None

    def is_first(self, state: OrderState) -> bool:
        """Whether this is its first whole promise; what was cancelled while it waited never gets one."""
        return self.promised_at is None and state not in (OrderState.PLACED, OrderState.CANCELLED)


async def lock_promises(conn: Connection, order_ids: Sequence[UUID]) -> dict[UUID, FiledPromise]:
    """What is promised of the orders, by order, locked; those that are not known are left out."""
    filed = {
        order_id: FiledPromise(
            OrderPromise(order_id, {}, False, is_cancelled), OrderState(state), received_at, promised_at
        )
        for order_id, is_cancelled, state, received_at, promised_at in await conn.fetch(_ORDERS, order_ids)
    }
    for order_id, *told, refused in await conn.fetch(_LINES, [*filed]):
        if refused:
            filed[order_id].promise.has_refused = True
        else:
            line = OrderedLine(*told)
            filed[order_id].promise.lines[line.line_no, line.offer_id] = line
    return filed


async def save_promises(conn: Connection, told: Sequence[tuple[FiledPromise, OrderState]], now: datetime) -> None:
    """Stores what changed of these promises and of the state that each order has with it."""
    orders = [
        (filed.promise.order_id, state, now if filed.is_first(state) else None)
        for filed, state in told
        if state is not filed.state or filed.is_first(state)
    ]
    lines = [
        (filed.promise.order_id, line) for filed, _ in told for line in filed.promise.lines.values() if line.changed
    ]
    if not orders and not lines:
        return
    await conn.execute(
        _SAVE,
        [order_id for order_id, _, _ in orders],
        [state for _, state, _ in orders],
        [promised_at for _, _, promised_at in orders],
        [order_id for order_id, _ in lines],
        [line.line_no for _, line in lines],
        [line.promised_steps for _, line in lines],
        [line.short_steps for _, line in lines],
        [line.reason for _, line in lines],
        [line.delivered for _, line in lines],
    )
