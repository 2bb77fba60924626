"""Staff: orders as a file, for partners without an API such as Postmart, Vỏ Sò, shops and supermarkets."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from services.chassis import problems, trace
from services.chassis.faults import is_weather
from services.chassis.ledger import EventTooLarge
from services.orders import uploads
from services.orders.desk import Desk
from services.orders.domain import tables
from services.orders.domain import uploads as tabled
from services.orders.domain.intake import Outcome
from services.orders.domain.order import LineState
from services.orders.domain.tables import Cell, FaultyTable
from services.orders.domain.uploads import UploadedOrder
from services.orders.http import answers
from services.orders.http.context import Here
from services.orders.http.files import media_type, read_file
from services.orders.http.partners import OwnShop
from services.orders.intake import Answer
from services.orders.metrics import OrderMetrics
from services.orders.store.partners import get_timezone
from services.orders.workbooks import XLSX_TYPE, xlsx_cells

log = logging.getLogger(__name__)

router = APIRouter(tags=["staff"], responses=problems.refusals(401, 404, 409, 415))

CSV = "text/csv"
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_DESCRIPTION = f"""
The body is the file itself: CSV in UTF-8 (with commas, semicolons or tabs) or XLSX (the first sheet that is not hidden)
with at most {tables.MOST_ROWS} rows. The first row names the columns.

{(tabled.__doc__ or "").strip()}

Times without a zone are the cooperative's. Other columns are passed over, and the answer names them. Each order is
taken like a push of the partner: the same file again changes nothing, and a corrected file changes what it corrects.
An order that is not in the file any more stays as it is.

Every fault of every row is named at once, and then nothing of the file was taken.
"""


class UploadedRow(BaseModel):
    """What became of one row, numbered as in the spreadsheet. `outcome` is that of its order.

    `state` and `reason` are those of the line: an unknown SKU waits in the review queue, `too_late` is a closed offer.
    """

    row: int
    ref: str
    outcome: Outcome | None
    order_id: UUID | None
    state: LineState | None
    reason: str | None
    quantity: str | None
    unit: str | None
    offer_id: UUID | None


class UploadAnswer(BaseModel):
    """`orders` by what became of them: placed, changed, cancelled, unchanged, repeated (nothing new in it), failed."""

    orders: dict[str, int]
    rows: list[UploadedRow]
    ignored_columns: Annotated[list[str], Field(description="Columns that mean nothing here.")]


@router.post(
    "/v1/partners/{partner_id}/uploads",
    status_code=202,
    summary="Take in orders from a file",
    description=_DESCRIPTION,
    openapi_extra={"requestBody": {"required": True, "content": {CSV: _BINARY, XLSX_TYPE: _BINARY}}},
    responses={
        200: {"model": UploadAnswer, "description": "All of it was known already."},
        422: problems.refusal("The file is faulty; every fault is named."),
    },
)
async def upload_orders(partner: OwnShop, request: Request, response: Response, here: Here) -> UploadAnswer:
    """Takes the orders in and answers for each row."""
    now = datetime.now(UTC)
    raw = await read_file(request, (CSV, XLSX_TYPE))
    zone = ZoneInfo(await get_timezone(here.pool, partner.cooperative_id))
    try:
        cells = await asyncio.to_thread(_cells, media_type(request), raw)
        table = tables.table(cells, tabled.KNOWN, tabled.NEEDED)
        orders = tabled.read_orders(table, zone)
    except FaultyTable as error:
        raise problems.invalid(error.faults) from None
    desk: Desk = request.app.state.desk
    commands = await uploads.commands_of(here.pool, partner, orders, now)
    results = await uploads.take(desk, partner, commands, now, trace.current.get())
    if weather := next((it for it in results if isinstance(it, Exception) and is_weather(it)), None):
        raise weather  # what was stored is known when the file comes again
    counts = _count(request.app.state.order_metrics, results)
    if set(counts) <= {Outcome.REPEATED.value}:
        response.status_code = 200
    rows = [row for order, result in zip(orders, results, strict=True) for row in _answer(order, result)]
    return UploadAnswer(orders=counts, rows=sorted(rows, key=lambda row: row.row), ignored_columns=list(table.ignored))


def _cells(kind: str, raw: bytes) -> Sequence[Sequence[Cell]]:
    return xlsx_cells(raw) if kind == XLSX_TYPE else tables.csv_cells(raw)


def _count(metrics: OrderMetrics, results: Sequence[Answer | Exception]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for result in results:
        outcome = "failed" if isinstance(result, Exception) else result.outcome.value
        counts[outcome] = counts.get(outcome, 0) + 1
        metrics.pushes.labels("upload", outcome).inc()
    return counts


def _answer(order: UploadedOrder, result: Answer | Exception) -> list[UploadedRow]:
    if isinstance(result, Exception):
        if not isinstance(result, EventTooLarge):
            log.error("an order of a file failed", exc_info=result)
        reason = "too_much" if isinstance(result, EventTooLarge) else "failed"
        return [
            UploadedRow(
                row=number, ref=order.ref, outcome=None, order_id=None, state=None, reason=reason, quantity=None,
                unit=None, offer_id=None,
            )
            for number in order.rows
        ]  # fmt: skip
    lines = {line.line_no: line for line in answers.of_lines(result.order, result.late_lines)}
    rows = []
    for position, number in enumerate(order.rows, 1):
        line = lines.get(position)
        rows.append(
            UploadedRow(
                row=number,
                ref=order.ref,
                outcome=result.outcome,
                order_id=result.order.order_id,
                state=line.state if line else None,
                reason=line.reason if line else None,
                quantity=line.quantity if line else None,
                unit=line.unit if line else None,
                offer_id=line.offer_id if line else None,
            )
        )
    return rows
