"""Reading orders: one by its partner or by staff, and the orders of a cooperative by staff.

A partner signs the path of its request as the body of a Standard Webhooks message, with the secret it pushes with.
"""

from dataclasses import fields
from datetime import UTC, date, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel

from services.chassis import problems, standard_webhooks
from services.chassis.access import authenticate
from services.chassis.runtime import Runtime
from services.orders.domain.command import Contact
from services.orders.domain.order import OrderState
from services.orders.http import answers
from services.orders.http.answers import Customer, LineAnswer, OrderAnswer, OrderDetail
from services.orders.http.context import Here, TheCooperative
from services.orders.http.pushed import unauthorized
from services.orders.settings import OrdersSettings
from services.orders.store.order_rows import Filed
from services.orders.store.orders import Wanted, get_order, list_orders
from services.orders.store.partners import Partner, get_partner

router = APIRouter(tags=["orders"], responses=problems.refusals(401, 404))

bearer = HTTPBearer(auto_error=False, description="A staff or operator key; partners sign instead.")

_DESCRIPTION = """
With a bearer key of the cooperative's staff, who also see the customer; or signed by the partner of the order, as a
Standard Webhooks message whose body is the path of this request (`/v1/orders/…`, nothing else).
"""


class OrderSummary(BaseModel):
    """One order in a list."""

    order_id: UUID
    url: str
    partner_id: UUID
    partner_ref: str
    state: OrderState
    received_at: datetime
    promised_at: datetime | None
    lines: list[LineAnswer]


class OrderPage(BaseModel):
    """Newest first. `next` goes into `cursor` for the orders that follow; null at the end."""

    orders: list[OrderSummary]
    next: UUID | None


async def _wanted(
    cooperative_id: TheCooperative,
    delivery_day: Annotated[date | None, Query(description="With a line for this day.")] = None,
    state: OrderState | None = None,
    partner: UUID | None = None,
    channel: Annotated[str | None, Query(max_length=100, description="An adapter, such as `woocommerce`.")] = None,
    q: Annotated[str | None, Query(max_length=100, description="The partner's whole order number.")] = None,
) -> Wanted:
    return Wanted(cooperative_id, delivery_day, state, partner, channel, q)


WantedOrders = Annotated[Wanted, Depends(_wanted)]
"""What the query of a list asks for."""


@router.get(
    "/v1/orders/{order_id}",
    summary="Read an order",
    description=_DESCRIPTION,
    responses={401: problems.refusal("Neither key nor signature is valid.")},
)
async def read_order(
    order_id: UUID, request: Request, key: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
) -> OrderDetail:
    """The order as it stands."""
    runtime: Runtime[OrdersSettings] = request.app.state.runtime
    if key is None and "webhook-signature" in request.headers:
        return _detail(await _for_partner(runtime, order_id, request), with_contact=False)
    principal = await authenticate(request, key)
    filed = await get_order(runtime.pool, order_id)
    principal.must_see(filed.cooperative_id if filed else None, "order")
    assert filed is not None
    return _detail(filed, with_contact=principal.role == "staff")


@router.get("/v1/cooperatives/{slug}/orders", summary="List the orders of a cooperative")
async def read_orders(
    wanted: WantedOrders,
    here: Here,
    cursor: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> OrderPage:
    """A page of the orders that fit all that is asked for."""
    found = await list_orders(here.pool, wanted, cursor, limit + 1)
    page = found[:limit]
    return OrderPage(
        orders=[summary(filed) for filed in page],
        next=page[-1].order.order_id if len(found) > limit else None,
    )


async def _for_partner(runtime: Runtime[OrdersSettings], order_id: UUID, request: Request) -> Filed:
    """The order, if its partner signed this path. An order that is not there looks like a bad signature."""
    filed = await get_order(runtime.pool, order_id)
    partner = await get_partner(runtime.pool, filed.partner_id) if filed else None
    if partner is not None and partner.campaign_id:
        partner = await get_partner(runtime.pool, partner.campaign_id)
    if filed is None or partner is None:
        raise unauthorized()
    check_signature(request, partner)
    return filed


def check_signature(request: Request, partner: Partner) -> None:
    """Raises 401 unless the partner signed the path of the request, as it was sent."""
    try:
        standard_webhooks.verify(partner.secrets, request.headers, request.scope["raw_path"], datetime.now(UTC))
    except ValueError:  # BadSignature; or a platform's own secret, with which nobody can sign this way
        raise unauthorized() from None


def _fields(answer: OrderAnswer) -> dict[str, Any]:
    return {field.name: getattr(answer, field.name) for field in fields(answer)}


def _detail(filed: Filed, with_contact: bool) -> OrderDetail:
    answer = answers.of_order(filed.order)
    told = filed.order.command.contact if filed.order.command and with_contact else None
    return OrderDetail(
        **_fields(answer),
        partner_id=filed.partner_id,
        received_at=filed.received_at,
        promised_at=filed.promised_at,
        contact=_contact(told) if told else None,
    )


def _contact(told: Contact) -> Customer:
    return Customer(
        name=told.name, phone=told.phone, address=told.address, email=told.email, platform_id=told.platform_id
    )


def summary(filed: Filed) -> OrderSummary:
    """The order as it stands in a list."""
    answer = answers.of_order(filed.order)
    return OrderSummary(
        **_fields(answer),
        partner_id=filed.partner_id,
        received_at=filed.received_at,
        promised_at=filed.promised_at,
    )
