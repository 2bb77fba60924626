"""The psycopg pool of a process, and what every task does in its transaction."""

import contextlib
import functools
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias
from uuid import UUID

import psycopg
from celery.exceptions import Reject
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool, PoolTimeout

from tests.perf.peers import environment
from tests.perf.peers.models import Event

Connection: TypeAlias = psycopg.Connection[DictRow]
Pool: TypeAlias = ConnectionPool[Connection]


@functools.cache
def pool(service: str, connections: int = 1) -> Pool:
    """Opened when it is first used, and so after the fork of a worker's children."""
    return ConnectionPool(
        environment.database_url(service),
        connection_class=psycopg.Connection[DictRow],
        min_size=connections,
        max_size=connections,
        open=True,
        kwargs={
            "row_factory": dict_row,
            "options": "-c timezone=UTC -c jit=off -c enable_seqscan=off -c lock_timeout=20s",
        },
    )


@contextlib.contextmanager
def task_transaction(service: str, event_id: UUID) -> Iterator[Connection | None]:
    """The transaction of a task, or None where an earlier delivery has done its work.

    While the database is away, or where it has broken a deadlock, the task is put back into its queue.
    """
    try:
        with pool(service).connection() as conn:
            taken = conn.execute(
                "insert into inbox (event_id) values (%s) on conflict do nothing returning event_id", [event_id]
            ).fetchone()
            yield conn if taken else None
    except (psycopg.OperationalError, PoolTimeout) as error:
        raise Reject(repr(error), requeue=True) from error


def send_later(conn: Connection, event_type: str, events: Iterable[Event]) -> None:
    """Writes the events down; the relay sends them once they are committed."""
    execute_many(
        conn,
        "insert into outbox (event_id, type, payload) values (%s, %s, %s)",
        [(event.event_id, event_type, event.model_dump_json()) for event in events],
    )


def execute_many(conn: Connection, query: str, rows: Iterable[tuple[Any, ...]]) -> None:
    """The statement for each row, in one go."""
    with conn.cursor() as cursor:
        cursor.executemany(query, rows)
