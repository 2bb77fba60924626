"""Which errors are weather: the database or broker is away, full or changing over, and will come back.

Weather is waited out; everything else is a fault of the event or of the code that handles it.
"""

import asyncio
import random

import asyncpg
from aio_pika.exceptions import CONNECTION_EXCEPTIONS
from pydantic import ValidationError


class Unsettled(Exception):
    """The database is another one than before, and what its readers know is not settled; see incarnation.py."""


WEATHER = (
    OSError,
    Unsettled,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,  # only about what is closed, see is_weather
    asyncpg.InternalClientError,  # a connection out of step, or no server takes writes, as in the midst of a failover
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.PostgresSystemError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
)

BROKER_WEATHER = CONNECTION_EXCEPTIONS
"""What aio-pika raises while the broker is away or coming back; some of it is plain RuntimeError."""


def is_weather(error: BaseException) -> bool:
    """True where waiting helps and the event is not to blame.

    asyncpg has one class for a connection that is gone and for a value that does not fit its parameter; the latter
    never passes, and to wait for it would hold up a lane for ever.
    """
    if isinstance(error, asyncpg.InterfaceError):
        return "clos" in str(error) and not isinstance(error, ValueError)  # closed, closing
    return isinstance(error, WEATHER)


def describe(error: BaseException) -> str:
    """An error in words that carry no values, since rows and parameters in a database's message are people's data.

    The text can be written anywhere: it has no NUL and no half of a surrogate pair.
    """
    return _words(error).replace("\0", "").encode(errors="replace").decode()


def _words(error: BaseException) -> str:
    kind = type(error).__name__
    if isinstance(error, ValidationError):
        faults = error.errors(include_input=False, include_url=False)
        return f"{kind}: " + "; ".join(f"{'.'.join(map(str, f['loc']))}: {f['msg']}" for f in faults)
    if isinstance(error, asyncpg.PostgresError) and not isinstance(error, asyncpg.DataError):
        named = f" ({error.constraint_name})" if getattr(error, "constraint_name", None) else ""
        return f"{kind} {error.sqlstate}{named}: {str(error).splitlines()[0]}"
    if isinstance(error, asyncpg.PostgresError | asyncpg.DataError | asyncpg.InterfaceError):
        return f"{kind} {getattr(error, 'sqlstate', None) or ''}".strip()
    return f"{kind}: {error}"


class Backoff:
    """Waits that double from `first_s` to `most_s`, each cut by up to half at random."""

    def __init__(self, first_s: float = 0.1, most_s: float = 5.0) -> None:
        self._first_s, self._most_s, self._next_s = first_s, most_s, first_s

    def reset(self) -> None:
        """Begins again with the first wait."""
        self._next_s = self._first_s

    async def wait(self) -> None:
        """Sleeps for the next wait."""
        wait_s, self._next_s = self._next_s, min(self._next_s * 2, self._most_s)
        await asyncio.sleep(wait_s * random.uniform(0.5, 1))  # noqa: S311 - jitter, not a secret
