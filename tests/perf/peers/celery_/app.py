"""The Celery application of a service, and its queue."""

# Celery and kombu have few types.
# mypy: disable-error-code="no-untyped-call"

import functools

from celery import Celery
from kombu.connection import Connection
from kombu.entity import Exchange, Queue, binding

from tests.perf.peers import environment

EVENTS = Exchange("celery.events", type="topic", durable=True)
_DEAD = "celery.dead"
_READS = {
    "orders": ("order_promised",),
    "allocation": ("order_placed",),
    "notify": ("order_placed", "order_promised"),
}
_DELIVERIES = 20


@functools.cache
def queue_of(service: str) -> Queue:
    """The one queue of a service, bound to every event that it reads."""
    return Queue(
        f"celery.{service}",
        bindings=[binding(EVENTS, event) for event in _READS[service]],
        durable=True,
        queue_arguments={
            "x-queue-type": "quorum",
            "x-delivery-limit": _DELIVERIES,
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": _DEAD,
        },
    )


def make_app(service: str) -> Celery:
    """Acknowledges after the work; what fails for good goes to the queue of the dead."""
    app = Celery(service, broker=environment.amqp_url(), set_as_current=True)
    app.conf.update(
        task_queues=[queue_of(service)],
        task_default_queue=queue_of(service).name,
        task_acks_late=True,
        task_acks_on_failure_or_timeout=False,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        worker_prefetch_multiplier=32,
        worker_hijack_root_logger=False,
        broker_transport_options={"confirm_publish": True},
        broker_connection_retry_on_startup=True,
    )
    return app


def declare(amqp_url: str) -> None:
    """Makes exchange and queues anew."""
    dead = Queue(_DEAD, durable=True, queue_arguments={"x-queue-type": "quorum"})
    with Connection(amqp_url) as connection, connection.channel() as channel:
        for queue in (dead, *map(queue_of, _READS)):
            bound = queue(channel)
            bound.delete()
            bound.declare()
