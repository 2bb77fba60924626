"""What sells, through which channel: sums by channel, partner, product or day, for a cooperative and for the union.

Counted are the lines that are ordered now (not refused, not cancelled) of offers whose delivery day lies in the range,
the first and the last day included. `promised_vnd` is what is promised of them now times the price of the offer as it
stands now: neither the price that the partner asked of its customer, nor what was delivered or paid, which `allocation`
knows. A line that still waits for its promise has 0. A cooperative has the lines of its own offers.

An order is counted once under each key and delivery day on which it has a line, so sums of rows may count it twice.
Steps of different products are added up under keys that have several.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import date, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field
from starlette.responses import StreamingResponse

from services.chassis import csv_files, problems
from services.chassis.access import Authenticated
from services.chassis.csv_files import CSV_TYPE
from services.orders.domain.revenue import Row, add_up, best_first, total
from services.orders.http.context import Here, TheCooperative
from services.orders.store.revenue import By, list_sold

router = APIRouter(tags=["revenue"], responses=problems.refusals(401))

MOST_DAYS = 366
COLUMNS = ("key", "name", "orders", "lines", "ordered_steps", "promised_steps", "promised_vnd")

OwnBy = Literal["channel", "partner", "product", "day"]
Sums = Annotated[int, Field(ge=0)]


class Revenue(BaseModel):
    """`key`: adapter, partner id, product id, day or cooperative id; `name`: the same for people."""

    key: str
    name: str
    orders: Sums
    lines: Sums
    ordered_steps: Sums
    promised_steps: Sums
    promised_vnd: Annotated[int, Field(ge=0, description="VND")]

    @classmethod
    def of(cls, row: Row) -> "Revenue":
        """As it was added up."""
        return cls(
            key=row.key,
            name=row.name,
            orders=row.orders,
            lines=row.lines,
            ordered_steps=row.ordered_steps,
            promised_steps=row.promised_steps,
            promised_vnd=row.promised_vnd,
        )


class RevenueAnswer(BaseModel):
    """Days in their order, all else with the most money first."""

    first_day: date
    last_day: date
    by: By
    rows: list[Revenue]
    total: Revenue


async def _days(
    first: Annotated[date, Query(alias="from", description="The first delivery day.")],
    last: Annotated[date, Query(alias="to", description=f"The last delivery day; at most {MOST_DAYS} in all.")],
) -> tuple[date, date]:
    if not 0 <= (last - first).days < MOST_DAYS:
        raise problems.invalid([("to", f"must be 'from' or one of the {MOST_DAYS - 1} days after it")])
    return first, last


async def _union(principal: Authenticated) -> None:
    """Only for keys of the union: a role of its operators, and a scope of all cooperatives."""
    principal.must_be("operator")
    if principal.scope is not None:
        raise problems.Problem(403, "forbidden", "Forbidden", "This needs a key for the whole union.")


Days = Annotated[tuple[date, date], Depends(_days)]
_FILE: dict[int | str, dict[str, Any]] = {200: {"content": {CSV_TYPE: {}}}}


@router.get(
    "/v1/cooperatives/{slug}/revenue",
    summary="What sells, of one cooperative",
    description=__doc__,
    responses=problems.refusals(404),
)
async def read_revenue(cooperative_id: TheCooperative, days: Days, here: Here, by: OwnBy = "channel") -> RevenueAnswer:
    """Sums of the cooperative's own offers."""
    return _answer(days, by, await _rows(here, days, by, cooperative_id))


@router.get(
    "/v1/revenue",
    summary="What sells, of all cooperatives",
    description=__doc__,
    responses=problems.refusals(403),
    dependencies=[Depends(_union)],
)
async def read_union_revenue(days: Days, here: Here, by: By = "channel") -> RevenueAnswer:
    """Sums over all cooperatives, for the union's operators."""
    return _answer(days, by, await _rows(here, days, by, None))


@router.get(
    "/v1/cooperatives/{slug}/revenue.csv",
    summary="What sells, of one cooperative, as a file",
    response_class=StreamingResponse,
    responses=_FILE | problems.refusals(404),
)
async def export_revenue(
    cooperative_id: TheCooperative, days: Days, here: Here, by: OwnBy = "channel"
) -> StreamingResponse:
    """The rows of the sums, without the total."""
    return await _file(await _rows(here, days, by, cooperative_id))


@router.get(
    "/v1/revenue.csv",
    summary="What sells, of all cooperatives, as a file",
    response_class=StreamingResponse,
    responses=_FILE | problems.refusals(403),
    dependencies=[Depends(_union)],
)
async def export_union_revenue(days: Days, here: Here, by: By = "channel") -> StreamingResponse:
    """The rows of the sums, without the total."""
    return await _file(await _rows(here, days, by, None))


async def _rows(here: Here, days: tuple[date, date], by: By, cooperative_id: UUID | None) -> list[Row]:
    """Day by day, so that no statement is long and other work comes between."""
    first, last = days
    rows: dict[str, Row] = {}
    for number in range((last - first).days + 1):
        add_up(rows, await list_sold(here.pool, first + timedelta(days=number), by, cooperative_id))
    return list(rows.values()) if by == "day" else best_first(rows.values())


def _answer(days: tuple[date, date], by: By, rows: Sequence[Row]) -> RevenueAnswer:
    found = [Revenue.of(row) for row in rows]
    return RevenueAnswer(first_day=days[0], last_day=days[1], by=by, rows=found, total=Revenue.of(total(rows)))


async def _file(rows: Sequence[Row]) -> StreamingResponse:
    async def pages() -> AsyncIterator[Sequence[csv_files.Row]]:
        yield [(r.key, r.name, r.orders, r.lines, r.ordered_steps, r.promised_steps, r.promised_vnd) for r in rows]

    return await csv_files.download("revenue", COLUMNS, pages())
