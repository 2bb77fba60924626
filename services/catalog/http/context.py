"""What routes ask for: the runtime, now, the cooperative of the path; and how refusals are told."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, TypeVar, cast

from fastapi import Depends, Query, Request

from services.catalog.domain.values import Cooperative, Faulty, Refused
from services.catalog.http.fields import Slug
from services.catalog.settings import CatalogSettings
from services.catalog.store.cooperatives import get_cooperative
from services.chassis.access import Authenticated
from services.chassis.problems import conflict, invalid
from services.chassis.runtime import Runtime

T = TypeVar("T")


async def _runtime(request: Request) -> Runtime[CatalogSettings]:
    return cast("Runtime[CatalogSettings]", request.app.state.runtime)


async def _now() -> datetime:
    return datetime.now(UTC)


Here = Annotated[Runtime[CatalogSettings], Depends(_runtime)]
Now = Annotated[datetime, Depends(_now)]


async def _tenant(slug: Slug, principal: Authenticated, here: Here) -> Cooperative:
    found = await get_cooperative(here.pool, slug)
    principal.must_see(found.cooperative_id if found else None, "cooperative")
    assert found is not None
    return found


Tenant = Annotated[Cooperative, Depends(_tenant)]
"""The cooperative that the path names, if the key may act for it."""


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is asked for."""

    after: str
    limit: int

    def cut(self, rows: Sequence[T], key: Callable[[T], str]) -> tuple[Sequence[T], str | None]:
        """The rows of the page, from `limit` + 1 that were read, and the `after` of the next one."""
        if len(rows) <= self.limit:
            return rows, None
        return rows[: self.limit], key(rows[self.limit - 1])


async def _page(
    after: Annotated[
        str, Query(max_length=64, pattern=r"^[A-Za-z0-9._-]*$", description="`next_after` of the page before.")
    ] = "",
    limit: Annotated[int, Query(ge=1, le=500, description="The most items of a page.")] = 100,
) -> Page:
    return Page(after, limit)


Paged = Annotated[Page, Depends(_page)]


@contextmanager
def telling_refusals() -> Iterator[None]:
    """Turns the domain's refusals into problem documents."""
    try:
        yield
    except Faulty as error:
        raise invalid(error.faults) from None
    except Refused as error:
        raise conflict(str(error)) from None
