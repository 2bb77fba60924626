"""The relay of one service: `python -m tests.perf.peers.celery_.relay orders`. Ends on SIGTERM."""

import logging
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
from kombu.exceptions import KombuError, OperationalError
from psycopg.rows import DictRow
from psycopg_pool import PoolTimeout

from tests.perf.peers.celery_.app import EVENTS, make_app
from tests.perf.peers.celery_.database import pool

AT_ONCE = 100
POLL_S = 0.1
SENDERS = 4
"""Each waits for the confirm of its task; together they wait less."""

log = logging.getLogger(__name__)


class Relay:
    """Sends each event in the outbox as a task, and deletes what the broker has confirmed."""

    def __init__(self, service: str) -> None:
        self._service, self._app = service, make_app(service)

    def run(self, stopped: threading.Event) -> None:
        """Until it is stopped; a fault is tried again."""
        with ThreadPoolExecutor(SENDERS) as senders:
            while not stopped.is_set():
                try:
                    sent = self._send(senders)
                except (KombuError, OperationalError, OSError, psycopg.OperationalError, PoolTimeout) as error:
                    log.warning("the relay tries again: %r", error)
                    sent = 0
                if sent < AT_ONCE:
                    stopped.wait(POLL_S)

    def _send(self, senders: ThreadPoolExecutor) -> int:
        with pool(self._service).connection() as conn:
            rows = conn.execute(
                "select id, event_id, type, payload from outbox order by id limit %s for update skip locked", [AT_ONCE]
            ).fetchall()
            if rows:
                list(senders.map(self._send_one, rows))
                conn.execute("delete from outbox where id = any(%s)", [[row["id"] for row in rows]])
        return len(rows)

    def _send_one(self, row: DictRow) -> None:
        self._app.send_task(
            row["type"],
            args=[row["payload"]],
            task_id=str(row["event_id"]),
            exchange=EVENTS.name,
            exchange_type=EVENTS.type,
            routing_key=row["type"],
        )


def main() -> None:
    """Of the service named on the command line."""
    logging.basicConfig(level=logging.WARNING)
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stopped.set())
    Relay(sys.argv[1]).run(stopped)


if __name__ == "__main__":
    main()
