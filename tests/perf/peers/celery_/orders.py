"""The worker of `orders`: a promise moves an order on."""

# Celery and kombu have few types.
# mypy: disable-error-code="untyped-decorator"

from tests.perf.peers.celery_.app import make_app
from tests.perf.peers.celery_.database import execute_many, task_transaction
from tests.perf.peers.models import OrderPromised

app = make_app("orders")


@app.task(name="order_promised", pydantic=True)
def on_order_promised(event: OrderPromised) -> None:
    """The row of the order is locked first, then its lines are told."""
    with task_transaction("orders", event.event_id) as conn:
        if conn is None:
            return
        conn.execute(
            "update customer_order set state = %s, promised_at = coalesce(promised_at, now()) where order_id = %s",
            [event.state, event.order_id],
        )
        execute_many(
            conn,
            "update order_line set promised_steps = %s, short_steps = %s, reason = %s "
            "where order_id = %s and line_no = %s",
            [
                (line.promised_steps, line.short_steps, line.reason, event.order_id, line.line_no)
                for line in event.lines
            ],
        )
