"""What is waited out and what is held against an event."""

import asyncio
import gc

import asyncpg
import pytest

from services.chassis.broker import answered, within
from services.chassis.faults import describe, is_weather


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(),
        TimeoutError(),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.InterfaceError("pool is closing"),
        asyncpg.ConnectionDoesNotExistError(),
        asyncpg.TargetServerAttributeNotMatched("no server is read_write"),
        asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress"),
        asyncpg.ReadOnlySQLTransactionError(),
        asyncpg.DeadlockDetectedError(),
        asyncpg.DiskFullError(),
    ],
)
def test_what_passes_by_itself_is_weather(error: Exception) -> None:
    assert is_weather(error)


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.InterfaceError("the server expects 1 argument for this query, 2 were passed"),
        asyncpg.UniqueViolationError(),
        asyncpg.DataError("invalid input for query argument $1"),
        asyncpg.InvalidTextRepresentationError(),
        ValueError(),
        RuntimeError(),
    ],
)
def test_what_fails_the_same_way_for_ever_is_a_fault(error: Exception) -> None:
    assert not is_weather(error)


async def test_a_connection_that_is_given_up_does_not_end_the_task_that_waits_on_it() -> None:
    waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    waiting.cancel()  # what aiormq does to everybody who waits on a connection that it closes
    with pytest.raises(ConnectionError):
        await answered(waiting)


async def test_a_task_that_is_cancelled_while_it_waits_for_the_broker_ends() -> None:
    task = asyncio.create_task(answered(asyncio.get_running_loop().create_future()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await answered(asyncio.get_running_loop().create_future())


async def test_nobody_is_told_how_work_ended_that_was_given_up() -> None:
    begun = asyncio.Event()

    async def fail_when_cancelled() -> None:
        begun.set()
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            raise ConnectionError("closed meanwhile") from None

    complaints: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, complaint: complaints.append(complaint))
    work = asyncio.gather(fail_when_cancelled())
    await begun.wait()
    with pytest.raises(TimeoutError):
        await within(0, work)
    await asyncio.wait({work})
    await asyncio.sleep(0)
    del work
    gc.collect()
    assert complaints == []


def test_an_error_is_told_in_words_that_can_be_written_anywhere() -> None:
    told = describe(ValueError("half a pair \ud800 and \0 nothing"))
    assert told.encode() == b"ValueError: half a pair ? and  nothing"
