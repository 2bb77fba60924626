"""The worker of `allocation`: reserves supply for each order, first come, first served."""

# Celery and kombu have few types.
# mypy: disable-error-code="untyped-decorator"

from datetime import UTC, datetime

from tests.perf.peers.celery_.app import make_app
from tests.perf.peers.celery_.database import execute_many, send_later, task_transaction
from tests.perf.peers.models import OrderPlaced
from tests.perf.peers.promise import books, promise, promised

_LOCK = """
select offer_id, supply_steps, promised_steps, open, last_position from offer_book
where offer_id = any(%s) order by offer_id for update
"""
_INSERT_LINE = """
insert into order_line (offer_id, position, order_id, line_no, ordered_steps, promised_steps, short_steps, reason)
values (%s, %s, %s, %s, %s, %s, %s, %s)
"""

app = make_app("allocation")


@app.task(name="order_placed", pydantic=True)
def on_order_placed(event: OrderPlaced) -> None:
    """Promises what is free under the locks of the offers, which everybody takes in the same order."""
    with task_transaction("allocation", event.event_id) as conn:
        if conn is None:
            return
        locked = books(conn.execute(_LOCK, [[line.offer_id for line in event.lines]]))
        places = promise(event, locked)
        execute_many(
            conn,
            "update offer_book set promised_steps = %s, last_position = %s where offer_id = %s",
            [(book.promised_steps, book.last_position, book.offer_id) for book in locked.values()],
        )
        execute_many(
            conn,
            _INSERT_LINE,
            [
                (
                    place.line.offer_id,
                    place.position,
                    event.order_id,
                    place.line.line_no,
                    place.line.ordered_steps,
                    place.line.promised_steps,
                    place.line.short_steps,
                    place.line.reason,
                )
                for place in places
            ],
        )
        send_later(conn, "order_promised", [promised(event, places, datetime.now(UTC))])
