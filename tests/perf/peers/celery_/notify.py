"""The worker of `notify`: remembers orders, and writes down what partners have to be told."""

# Celery and kombu have few types.
# mypy: disable-error-code="untyped-decorator"

import json

from tests.perf.peers import notices
from tests.perf.peers.celery_.app import make_app
from tests.perf.peers.celery_.database import task_transaction
from tests.perf.peers.models import OrderPlaced, OrderPromised

app = make_app("notify")


@app.task(name="order_placed", pydantic=True)
def on_order_placed(event: OrderPlaced) -> None:
    """Whose order it is, and what stands behind its lines."""
    with task_transaction("notify", event.event_id) as conn:
        if conn is None:
            return
        conn.execute(
            "insert into partner_order (order_id, partner_id, partner_ref, refused_lines, lines) "
            "values (%s, %s, %s, %s, %s)",
            [
                event.order_id,
                event.partner_id,
                event.partner_ref,
                json.dumps(notices.refused(event)),
                json.dumps(notices.ordered(event)),
            ],
        )


@app.task(name="order_promised", pydantic=True)
def on_order_promised(event: OrderPromised) -> None:
    """One message, for a partner that has an endpoint."""
    with task_transaction("notify", event.event_id) as conn:
        if conn is None:
            return
        endpoint = conn.execute(
            "select url from partner_endpoint where cooperative_id = %s and partner_id = %s",
            [event.cooperative_id, event.partner_id],
        ).fetchone()
        if endpoint is None:
            return
        products = conn.execute(
            "select product_id, name, unit, step_milliunits from product where product_id = any(%s)",
            [[line.product_id for line in event.lines]],
        )
        conn.execute(
            "insert into partner_message (message_id, cooperative_id, partner_id, order_id, facts, happened_at) "
            "values (%s, %s, %s, %s, %s, %s)",
            [
                event.event_id,
                event.cooperative_id,
                event.partner_id,
                event.order_id,
                notices.facts(event, products),
                event.occurred_at,
            ],
        )
