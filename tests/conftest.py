"""One private PostgreSQL and RabbitMQ for the whole test run, started when the first test asks for them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from infra.local.stack import Stack, delete_abandoned

# However slow the machine is: no test depends on the clock.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

_LOCAL = Path(__file__).resolve().parents[1] / ".local"


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Both servers with empty service databases; tests take a database and a vhost of their own from it."""
    delete_abandoned(_LOCAL.glob("test-*"))
    stack = Stack(_LOCAL / f"test-{os.getpid()}", fresh=True, durable=False)
    try:
        stack.start()
        yield stack
    finally:
        stack.stop(remove=True)
