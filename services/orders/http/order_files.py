"""Staff: the orders of a cooperative as a file, a row for each line. Persons stand in the file of customers."""

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

from fastapi import APIRouter
from starlette.responses import StreamingResponse

from services.chassis import csv_files, problems
from services.chassis.csv_files import CSV_TYPE, Row
from services.orders.domain.command import decimal_text
from services.orders.domain.order import Line, LineState
from services.orders.http.context import ROWS_PER_PAGE, Here, pages
from services.orders.http.orders import WantedOrders
from services.orders.store.order_rows import Filed
from services.orders.store.orders import list_orders
from services.orders.store.partners import list_partner_names

router = APIRouter(tags=["orders"], responses=problems.refusals(401, 404))

COLUMNS = (
    "order_id", "partner", "channel", "partner_ref", "order_state", "received_at", "line_no", "line_state",
    "delivery_day", "sku", "sold_quantity", "price_vnd", "unit", "quantity", "promised", "short", "reason",
)  # fmt: skip


@router.get(
    "/v1/cooperatives/{slug}/orders.csv",
    summary="The orders of a cooperative as a file",
    response_class=StreamingResponse,
    responses={200: {"content": {CSV_TYPE: {}}}},
)
async def export_orders(wanted: WantedOrders, here: Here) -> StreamingResponse:
    """All that the list has, filtered in the same way. `price_vnd` is the partner's for one sold item.

    `promised` and `short` are in `unit`, like `quantity`, and empty until the promise has come.
    """

    async def read(before: UUID | None) -> Sequence[Filed]:
        return await list_orders(here.pool, wanted, before, ROWS_PER_PAGE)

    async def rows() -> AsyncIterator[Sequence[Row]]:
        async for page in pages(read, lambda filed: filed.order.order_id):
            names = await list_partner_names(here.pool, {filed.partner_id for filed in page})
            yield [_row(filed, line, names[filed.partner_id]) for filed in page for line in filed.order.lines]

    return await csv_files.download("orders", COLUMNS, rows())


def _row(filed: Filed, line: Line, partner: tuple[str, str]) -> Row:
    """In the order of COLUMNS. `partner` is its name and adapter."""
    order, product = filed.order, line.product
    decided = product if line.state is LineState.ORDERED and line.is_decided else None
    return (
        str(order.order_id),
        *partner,
        order.command.partner_ref if order.command else None,
        order.state,
        filed.received_at.isoformat(timespec="seconds"),
        line.line_no,
        line.state,
        line.delivery_day.isoformat() if line.delivery_day else None,
        line.sku,
        decimal_text(line.sold_quantity),
        line.price_vnd,
        product.unit if product else None,
        product.quantity_text(line.quantity_steps) if product and line.quantity_steps else None,
        decided.quantity_text(line.promised_steps) if decided else None,
        decided.quantity_text(line.short_steps) if decided else None,
        line.reason,
    )
