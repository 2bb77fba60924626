"""What people told us stays out of logs, whatever goes wrong with it."""

import logging

import asyncpg
import pytest
from pydantic import BaseModel, ValidationError

from infra.local.stack import Stack
from services.chassis.faults import describe
from services.chassis.logs import JsonLines
from tests.support.servers import fresh_database

PHONE = "0912345678"


def logged(error: BaseException) -> str:
    """The log line that an unhandled error makes."""
    record = logging.LogRecord("a", logging.ERROR, "f", 1, "failed", None, (type(error), error, error.__traceback__))
    return JsonLines("orders").format(record)


@pytest.mark.parametrize(
    "statement",
    [
        "insert into person values ('0912345678', -1)",
        "insert into person values ('0912345678', 1), ('0912345678', 1)",
        "select '0912345678x'::int",
    ],
)
async def test_a_database_error_is_logged_without_the_row_that_caused_it(stack: Stack, statement: str) -> None:
    async with fresh_database(stack, "orders") as dsn:
        conn = await asyncpg.connect(dsn)
        await conn.execute("create table person (phone text primary key, steps int check (steps > 0))")
        with pytest.raises(asyncpg.PostgresError) as caught:
            await conn.execute(statement)
        with pytest.raises(RuntimeError) as outer:
            _raise_from(caught.value)
        await conn.close()
    assert PHONE in f"{caught.value}", "else this test shows nothing"
    for text in (describe(caught.value), logged(caught.value), logged(outer.value)):
        assert PHONE not in text
        assert type(caught.value).__name__ in text


def _raise_from(error: Exception) -> None:
    raise RuntimeError("could not be stored") from error


class Contact(BaseModel):
    phone: int


def test_a_faulty_value_is_named_by_its_field_only() -> None:
    with pytest.raises(ValidationError) as caught:
        Contact.model_validate({"phone": f"{PHONE}x"})
    assert "phone" in describe(caught.value)
    assert PHONE not in logged(caught.value)
