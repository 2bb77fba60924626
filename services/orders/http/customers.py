"""Staff: the customers of their cooperative, as a list and as a file, and their erasure.

Only keys with the role `staff` open these: the union's operators look at sums, not at persons.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field
from starlette.responses import StreamingResponse

from services.chassis import csv_files, problems
from services.chassis.csv_files import CSV_TYPE, Row
from services.chassis.ledger import Transaction
from services.orders import erasure
from services.orders.http.context import ROWS_PER_PAGE, Here, Staff, TheCooperative, pages
from services.orders.http.orders import OrderSummary, summary
from services.orders.store import customers as store
from services.orders.store.customer_lists import SeenCustomer, get_customer, list_customers
from services.orders.store.orders import Wanted, get_order, list_orders

router = APIRouter(tags=["customers"], responses=problems.refusals(401, 403, 404))

COLUMNS = (
    "customer_id", "name", "phone", "email", "address", "orders", "promised_vnd", "channels", "first_order_at",
    "last_order_at", "erased_at",
)  # fmt: skip

Channel = Annotated[str, Query(max_length=100, description="An adapter, such as `woocommerce`.")]


class Reason(StrEnum):
    """Why a person is erased; not in words of its own, which could name the person again."""

    CUSTOMER_REQUEST = "customer_request"
    CONSENT_WITHDRAWN = "consent_withdrawn"
    NO_LONGER_NEEDED = "no_longer_needed"
    WRONGLY_COLLECTED = "wrongly_collected"


class CustomerSummary(BaseModel):
    """A customer with what it ordered. Cancelled orders do not count, except for the times.

    `promised_vnd`: what is promised to it now, at the price of each offer. `channels`: the adapters it came through.
    """

    customer_id: UUID
    url: str
    name: str | None
    phone: str | None
    email: str | None
    address: str | None
    orders: int
    promised_vnd: Annotated[int, Field(description="VND")]
    channels: list[str]
    first_order_at: datetime
    last_order_at: datetime
    erased_at: datetime | None

    @classmethod
    def of(cls, seen: SeenCustomer) -> "CustomerSummary":
        """As it was read."""
        return cls(
            customer_id=seen.customer_id,
            url=f"/v1/customers/{seen.customer_id}",
            name=seen.name,
            phone=seen.phone,
            email=seen.email,
            address=seen.address,
            orders=seen.orders,
            promised_vnd=seen.promised_vnd,
            channels=seen.channels,
            first_order_at=seen.first_order_at,
            last_order_at=seen.last_order_at,
            erased_at=seen.erased_at,
        )


class CustomerPage(BaseModel):
    """The newest customers first. `next` goes into `cursor` for those that follow; null at the end."""

    customers: list[CustomerSummary]
    next: UUID | None


class CustomerDetail(BaseModel):
    """One customer with a page of its orders, the newest first. `next` goes into `cursor`; null at the end."""

    customer: CustomerSummary
    orders: list[OrderSummary]
    next: UUID | None


@router.get("/v1/cooperatives/{slug}/customers", summary="List the customers of a cooperative")
async def read_customers(
    cooperative_id: TheCooperative,
    _: Staff,
    here: Here,
    repeat: bool = False,
    channel: Channel | None = None,
    cursor: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> CustomerPage:
    """A page of customers; with `repeat` those with more than one order, with `channel` those who came through it.

    The customer of an order is found within seconds after it was taken in.
    """
    found = await list_customers(
        here.pool, cooperative_id, repeated=repeat, channel=channel, before=cursor, limit=limit + 1
    )
    page = found[:limit]
    return CustomerPage(
        customers=[CustomerSummary.of(one) for one in page],
        next=page[-1].customer_id if len(found) > limit else None,
    )


@router.get(
    "/v1/cooperatives/{slug}/customers.csv",
    summary="The customers of a cooperative as a file",
    response_class=StreamingResponse,
    responses={200: {"content": {CSV_TYPE: {}}}},
)
async def export_customers(
    cooperative_id: TheCooperative, _: Staff, here: Here, repeat: bool = False, channel: Channel | None = None
) -> StreamingResponse:
    """All that the list has, filtered in the same way."""

    async def read(before: UUID | None) -> Sequence[SeenCustomer]:
        return await list_customers(
            here.pool, cooperative_id, repeated=repeat, channel=channel, before=before, limit=ROWS_PER_PAGE
        )

    async def rows() -> AsyncIterator[Sequence[Row]]:
        async for page in pages(read, lambda one: one.customer_id):
            yield [_row(one) for one in page]

    return await csv_files.download("customers", COLUMNS, rows())


def _row(one: SeenCustomer) -> Row:
    """In the order of COLUMNS."""
    return (
        str(one.customer_id),
        one.name,
        one.phone,
        one.email,
        one.address,
        one.orders,
        one.promised_vnd,
        " ".join(one.channels),
        one.first_order_at.isoformat(timespec="seconds"),
        one.last_order_at.isoformat(timespec="seconds"),
        one.erased_at.isoformat(timespec="seconds") if one.erased_at else None,
    )


@router.get("/v1/customers/{customer_id}", summary="Read a customer with its orders")
async def read_customer(
    customer_id: UUID,
    principal: Staff,
    here: Here,
    cursor: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> CustomerDetail:
    """Cancelled orders are listed as well."""
    seen = await get_customer(here.pool, customer_id)
    principal.must_see(seen.cooperative_id if seen else None, "customer")
    assert seen is not None
    wanted = Wanted(seen.cooperative_id, customer_id=customer_id)
    found = await list_orders(here.pool, wanted, cursor, limit + 1)
    page = found[:limit]
    return CustomerDetail(
        customer=CustomerSummary.of(seen),
        orders=[summary(filed) for filed in page],
        next=page[-1].order.order_id if len(found) > limit else None,
    )


@router.delete("/v1/customers/{customer_id}", status_code=204, summary="Erase a customer")
async def erase_customer(customer_id: UUID, reason: Reason, principal: Staff, here: Here) -> Response:
    """Removes name, phone, address, e-mail and account from the customer and from all its orders, for good.

    Quantities, prices, references and sums stay. Recorded are the key, the time and the reason. A push of one of these
    orders that comes later does not bring the person back; a new order makes a new customer.
    """
    now = datetime.now(UTC)
    owner = await store.get_owner(here.pool, customer_id)
    principal.must_see(owner, "customer")
    assert owner is not None

    async def work(tx: Transaction) -> bool:
        return await erasure.erase_customer(tx, owner, customer_id, principal, reason, now)

    if not await here.ledger.transact(work):  # it became one with another customer meanwhile
        raise problems.not_found("customer")
    return Response(status_code=204)


@router.delete(
    "/v1/orders/{order_id}/contact",
    status_code=204,
    summary="Erase the person from an order without customer",
    responses={409: problems.refusal("The order is of a known customer, who is erased as a whole.")},
)
async def erase_contact(order_id: UUID, reason: Reason, principal: Staff, here: Here) -> Response:
    """For orders that tell a name or an address and nothing to know their customer by. Like a customer's erasure."""
    now = datetime.now(UTC)
    filed = await get_order(here.pool, order_id)
    principal.must_see(filed.cooperative_id if filed else None, "order")
    assert filed is not None
    owner = filed.cooperative_id

    async def work(tx: Transaction) -> UUID | None:
        return await erasure.erase_contact(tx, owner, order_id, principal, reason, now)

    if customer_id := await here.ledger.transact(work):
        raise problems.conflict(
            f"The order is of a known customer: DELETE /v1/customers/{customer_id} erases all of it."
        )
    return Response(status_code=204)
