"""What the routes of staff share: the service's parts, the cooperative of the path, and who may see persons."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Annotated, TypeVar, cast
from uuid import UUID

from fastapi import Depends, Request

from services.chassis.access import Authenticated, Principal
from services.chassis.runtime import Runtime
from services.orders.settings import OrdersSettings
from services.orders.store.partners import get_cooperative_id

T = TypeVar("T")

ROWS_PER_PAGE = 500
"""Of a file: so many are read from the database at once."""


async def _runtime(request: Request) -> Runtime[OrdersSettings]:
    return cast("Runtime[OrdersSettings]", request.app.state.runtime)


Here = Annotated[Runtime[OrdersSettings], Depends(_runtime)]


async def _cooperative(slug: str, principal: Authenticated, here: Here) -> UUID:
    cooperative_id = await get_cooperative_id(here.pool, slug)
    principal.must_see(cooperative_id, "cooperative")
    assert cooperative_id is not None
    return cooperative_id


TheCooperative = Annotated[UUID, Depends(_cooperative)]
"""The cooperative whose slug the path has, if the key may see it."""


async def _staff(principal: Authenticated) -> Principal:
    principal.must_be("staff")
    return principal


Staff = Annotated[Principal, Depends(_staff)]
"""A key of a cooperative's staff: the union's operators see no persons."""


async def pages(
    read: Callable[[UUID | None], Awaitable[Sequence[T]]], key: Callable[[T], UUID]
) -> AsyncIterator[Sequence[T]]:
    """All pages of what `read` lists after a key, each read when it is needed."""
    before: UUID | None = None
    while found := await read(before):
        yield found
        if len(found) < ROWS_PER_PAGE:
            return
        before = key(found[-1])
