"""Staff: what the SKUs of a partner mean, as JSON and as a file, and the lines that wait for a meaning."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.responses import StreamingResponse

from services.chassis import csv_files, problems
from services.chassis.csv_files import CSV_TYPE, Row
from services.chassis.ledger import Transaction
from services.orders import intake
from services.orders.domain import tables
from services.orders.domain.command import decimal_text
from services.orders.domain.suggestions import Known, Suggestion, suggest
from services.orders.domain.tables import Fault, FaultyTable
from services.orders.http.context import ROWS_PER_PAGE, Here
from services.orders.http.files import read_file
from services.orders.http.partners import OwnPartner, OwnShop, Text
from services.orders.store import partners as store
from services.orders.store.partners import Partner
from services.orders.store.products import list_product_ids, list_products

router = APIRouter(tags=["staff"], responses=problems.refusals(401, 404))

MOST_WAITING = 1000
MOST_SUGGESTED = 100
"""SKUs; more than a person looks through at once."""
MOST_SKUS = 5000
MOST_NAME = 100
"""Characters of a SKU or a code."""
COLUMNS = ("sku", "product_code", "factor")
_KNOWN = {
    "sku": ("mã hàng", "mã sku"),
    "product_code": ("product", "mã sản phẩm", "sản phẩm"),
    "factor": ("hệ số", "quy đổi"),
}


class SkuMeaning(BaseModel):
    """One sold item is `factor` units of the product: 0.3 for a bag of 300 g of a product in kg."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    sku: Text
    product_code: Text
    factor: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,6}(\.[0-9]{1,6})?$")]


class SkusMapped(BaseModel):
    """`released_orders`: orders that changed because lines of theirs had waited for these SKUs."""

    mapped: int
    released_orders: int


class SuggestedMeaning(BaseModel):
    """What the SKU may mean, by its letters; `why` says what that was read from."""

    product_code: str
    factor: str
    likeness_percent: int
    why: str


class WaitingLine(BaseModel):
    """A line that reserves nothing until its SKU is mapped; the quantity is the partner's."""

    order_id: UUID
    partner_ref: str
    received_at: datetime
    delivery_day: date | None
    line_no: int
    sku: str
    sold_quantity: str
    suggestion: SuggestedMeaning | None


class ReviewQueue(BaseModel):
    """Oldest orders first, at most 1000 lines; the first 100 SKUs have a suggestion, where anything reads alike."""

    lines: list[WaitingLine]


_Meaning = tuple[str, str, Decimal]
"""SKU, product code, factor."""


@router.put(
    "/v1/partners/{partner_id}/skus", summary="Say what SKUs of a partner mean", responses=problems.refusals(409)
)
async def map_skus(
    body: Annotated[list[SkuMeaning], Field(min_length=1, max_length=MOST_SKUS)], partner: OwnShop, here: Here
) -> SkusMapped:
    """Adds or replaces the SKUs named; others stay. Lines that waited for one are ordered, if offers are open."""
    meanings = [(one.sku, one.product_code, Decimal(one.factor)) for one in body]
    return await _map(here, partner, meanings, lambda index, column: f"[{index}].{column}")


@router.put(
    "/v1/partners/{partner_id}/skus.csv",
    summary="Say what SKUs of a partner mean, with a file",
    openapi_extra={"requestBody": {"required": True, "content": {CSV_TYPE: {"schema": {"type": "string"}}}}},
    responses=problems.refusals(409, 415),
)
async def upload_skus(partner: OwnShop, request: Request, here: Here) -> SkusMapped:
    """The same with a CSV file: `sku` (mã hàng), `product_code` (mã sản phẩm) and `factor` (hệ số), UTF-8.

    All faults are named at once, by the rows of the spreadsheet, and then nothing was changed. Other columns are passed
    over. What `skus.csv` gives can be sent again.
    """
    raw = await read_file(request, ("text/csv",))
    try:
        found = tables.table(tables.csv_cells(raw), _KNOWN, COLUMNS)
    except FaultyTable as error:
        raise problems.invalid(error.faults) from None
    meanings: list[_Meaning] = []
    faults: list[Fault] = []
    for row in found.rows:
        read: dict[str, str | Decimal] = {}
        for column in COLUMNS:
            try:
                read[column] = tables.factor_of(row.cells[column]) if column == "factor" else _needed(row.cells[column])
            except ValueError as error:
                faults.append(row.fault(column, str(error)))
        if len(read) == len(COLUMNS):
            meanings.append((str(read["sku"]), str(read["product_code"]), Decimal(read["factor"])))
    if faults:
        raise problems.invalid(faults)
    return await _map(here, partner, meanings, lambda index, column: f"rows[{found.rows[index].number}].{column}")


def _needed(cell: tables.Cell) -> str:
    """A text as it was before a file marked it as one."""
    text = tables.text_of(cell, tables.MOST_CELL)
    marked = text is not None and text.startswith("'") and csv_files.plain(text[1:]) != text[1:]
    plain = text[1:] if text and marked else text
    if not plain or len(plain) > MOST_NAME:
        raise ValueError(f"must have 1 to {MOST_NAME} characters")
    return plain


async def _map(
    here: Here, partner: Partner, meanings: Sequence[_Meaning], name: Callable[[int, str], str]
) -> SkusMapped:
    """Stores all meanings, or raises 422 with all faults, each with the `name` of (position, column)."""
    if partner.is_campaign:
        raise problems.conflict("What the SKUs of a campaign mean is set with its pooled offers.")
    now = datetime.now(UTC)
    faults = [(name(i, "factor"), "must be above 0") for i, (_, _, factor) in enumerate(meanings) if not factor]
    first = {sku: i for i, (sku, _, _) in reversed(list(enumerate(meanings)))}
    faults += [(name(i, "sku"), "stands in the list twice") for i, (sku, _, _) in enumerate(meanings) if first[sku] < i]

    async def work(tx: Transaction) -> int:
        codes = sorted({code for _, code, _ in meanings})
        products = await list_product_ids(tx.conn, partner.cooperative_id, codes)
        unknown = [
            (name(i, "product_code"), "is not a product of the cooperative")
            for i, (_, code, _) in enumerate(meanings)
            if code not in products
        ]
        if faults or unknown:
            raise problems.invalid([*faults, *unknown])
        found = [(sku, products[code], Fraction(factor)) for sku, code, factor in meanings]
        return await intake.map_skus(tx, partner, found, now)

    released = await here.ledger.transact(work)
    return SkusMapped(mapped=len(meanings), released_orders=released)


@router.get(
    "/v1/partners/{partner_id}/skus.csv",
    summary="What the SKUs of a partner mean, as a file",
    response_class=StreamingResponse,
    responses={200: {"content": {CSV_TYPE: {}}}},
)
async def export_skus(partner: OwnPartner, here: Here) -> StreamingResponse:
    """In the order of the SKUs; `unit` is that of the product."""

    async def rows() -> AsyncIterator[Sequence[Row]]:
        after = ""
        while found := await store.list_mapped(here.pool, partner.partner_id, after, ROWS_PER_PAGE):
            yield [(one.sku, one.product_code, _decimal(one.factor), one.unit) for one in found]
            after = found[-1].sku

    return await csv_files.download("skus", (*COLUMNS, "unit"), rows())


def _decimal(factor: Fraction) -> str:
    """Factors come from decimal numbers with six places at most."""
    return decimal_text(Decimal(factor.numerator) / Decimal(factor.denominator))


@router.get("/v1/partners/{partner_id}/review", summary="Read the lines that wait for a mapping")
async def read_review(partner: OwnPartner, here: Here) -> ReviewQueue:
    """The review queue of the partner, with what each SKU may mean."""
    waiting = await store.list_waiting_lines(here.pool, partner.partner_id, MOST_WAITING)
    products = await list_products(here.pool, partner.cooperative_id) if waiting else []
    skus = list(dict.fromkeys(line.sku for line in waiting))[:MOST_SUGGESTED]
    suggested = await asyncio.to_thread(_suggest, skus, products)  # pushes go on meanwhile
    return ReviewQueue(
        lines=[
            WaitingLine(
                order_id=line.order_id,
                partner_ref=line.partner_ref,
                received_at=line.received_at,
                delivery_day=line.delivery_day,
                line_no=line.line_no,
                sku=line.sku,
                sold_quantity=decimal_text(line.sold_quantity),
                suggestion=_shown(suggested.get(line.sku)),
            )
            for line in waiting
        ]
    )


def _suggest(skus: Sequence[str], products: Sequence[Known]) -> dict[str, Suggestion | None]:
    return {sku: suggest(sku, products) for sku in skus}


def _shown(found: Suggestion | None) -> SuggestedMeaning | None:
    if found is None:
        return None
    return SuggestedMeaning(
        product_code=found.product_code,
        factor=found.factor,
        likeness_percent=found.likeness_percent,
        why=found.why,
    )
