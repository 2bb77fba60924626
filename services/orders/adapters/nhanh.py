"""A Nhanh.vn shop: its webhooks `orderAdd`, `orderUpdate` and `orderDelete`.

Nothing is signed: the token that was entered in Nhanh.vn comes in the body (`webhooksVerifyToken`), or in the newer
interface in the header `verifyToken`; it is our secret. No time of update is told, so the further status counts, of
equal ones the later arrival, and a cancellation or deletion is final. `orderUpdate` says a status without any lines
(interface 2): one that ends the order cancels it, and any other changes nothing of what was ordered. Failed and
returned deliveries are no cancellation, since the goods had left already. https://apidocs.nhanh.vn/webhooks/order
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import Field

from services.orders.adapters.base import (
    MOST_LINES,
    BadSignature,
    Batch,
    Credentials,
    Declaration,
    Ignored,
    Item,
    Malformed,
    Ping,
    Read,
    Request,
)
from services.orders.adapters.fields import (
    Id,
    Lenient,
    MaybeId,
    Money,
    Quantity,
    Sku,
    Sold,
    Words,
    check,
    contact,
    join,
    lines,
    parse,
    sku,
    undiscounted_vnd,
)
from services.orders.adapters.signatures import require
from services.orders.adapters.token import told
from services.orders.domain.command import UNTIMED, Kind, OrderCommand

DECLARATION = Declaration(
    name="nhanh",
    title="Nhanh.vn",
    format="Webhook `orderAdd`, `orderUpdate`, `orderDelete`, JSON (interface 2; deletions of interface 3 as well)",
    signature="None: our secret as `webhooksVerifyToken` in the body or as the header `verifyToken`",
    dedupe_key="`orderId` + status + time of arrival + content; a cancellation is final",
    answer_within="undocumented; 3 more times after 5, 10 and 30 minutes",
    tested_against="The documented schema, the documented example of a deletion",
    settings=("business_id?",),
    on_taken=200,
    large=True,
)
UNDATED = datetime(2000, 1, 1, tzinfo=UTC)
"""The arrival of a push of which it is not known."""
A_STEP = timedelta(days=36_525)
"""How much later than its arrival a push counts for each step of its status: no two arrivals are as far apart."""
CANCELLED = ("Canceled", "Aborted", "CarrierCanceled")
_STEPS = (
    "New",
    "Confirming",
    "CustomerConfirming",
    "Confirmed",
    "Packing",
    "Packed",
    "ChangeDepot",
    "Pickup",
    "Pickingup",
    "Pickedup",
    "Shipping",
    "Success",
)
_UNKNOWN = len(_STEPS) // 2
"""The step of a status that we do not know: it may be anywhere on the way."""
MOST_DELETED = 500


class _Product(Lenient):
    id: MaybeId = None
    productId: MaybeId = None
    code: Words = None
    productCode: Words = None
    quantity: Quantity
    price: Money = None
    discount: Money = None


class _Order(Lenient):
    orderId: Id
    status: str | None = None
    statusCode: str | None = None
    customerName: Words = None
    customerMobile: Words = None
    customerAddress: Words = None
    customerWard: Words = None
    customerDistrict: Words = None
    customerCity: Words = None
    products: Annotated[list[_Product], Field(max_length=MOST_LINES)] | None = None


class _Push(Lenient):
    event: str
    data: Any = None


class _Deleted(Lenient):
    data: Annotated[list[Id], Field(min_length=1, max_length=MOST_DELETED)]


def verify(credentials: Credentials, request: Request, now: datetime) -> None:
    """Raises BadSignature; also where the push is of another business of the same app."""
    body = told(request.raw)
    given = request.headers.get("verifytoken") or body.get("webhooksVerifyToken")
    require(given if isinstance(given, str) else "", credentials.secrets, "webhooksVerifyToken")
    business = credentials.settings.get("business_id")
    if business is not None and str(body.get("businessId")) != business:
        raise BadSignature("businessId is another business")


def read(credentials: Credentials, request: Request) -> Read:
    """The order, its end, or the deletions. Raises Malformed."""
    push = parse(_Push, request.raw)
    if push.event == "webhooksEnabled":
        return Ping()
    if push.event == "orderDelete":
        return _deleted(push.data)
    if push.event not in ("orderAdd", "orderUpdate"):
        return Ignored("event")
    order = check(_Order, push.data)
    status = order.statusCode or order.status or ""
    if status in CANCELLED:
        return _command(order, Kind.CANCEL, UNTIMED, 9)
    if order.products:
        step = _STEPS.index(status) if status in _STEPS else _UNKNOWN
        return _command(order, Kind.UPSERT, (request.received_at or UNDATED) + step * A_STEP, step)
    if push.event == "orderAdd":
        raise Malformed([("data.products", "must not be empty")])
    return Ignored("status")


def _deleted(data: object) -> Read:
    """Interface 3 lists the ids, interface 2 has one order."""
    if isinstance(data, dict):
        return _gone(check(_Order, data).orderId)
    orders = check(_Deleted, {"data": data}).data
    return Batch(tuple(Item(str(order_id), _gone(order_id)) for order_id in orders))


def _gone(order_id: int) -> OrderCommand:
    return OrderCommand.make(str(order_id), UNTIMED, 0, Kind.CANCEL)


def _command(order: _Order, kind: Kind, updated_at: datetime, rank: int) -> OrderCommand:
    sold = [
        Sold(None, sku(_code(one), one.productId, one.id), one.quantity, undiscounted_vnd(one.price, one.discount))
        for one in order.products or ()
    ]
    address = join(", ", order.customerAddress, order.customerWard, order.customerDistrict, order.customerCity)
    customer = contact(join(" ", order.customerName), join(" ", order.customerMobile), address)
    return OrderCommand.make(str(order.orderId), updated_at, rank, kind, None, lines(sold), customer)


def _code(product: _Product) -> Sku:
    code = join(" ", product.code) or join(" ", product.productCode)
    return code[:100] if code else None
