"""Our own order format under Standard Webhooks signatures, for partners who write their own integration.

    {"order": {"ref": "A-1001", "updated_at": "2026-11-23T06:00:00+07:00", "status": "placed",
               "delivery_day": "2026-11-24", "contact": {"name": "…", "phone": "…", "address": "…"},
               "lines": [{"sku": "CAI-MEO-300G", "quantity": "20", "minimum_quantity": "10", "price_vnd": 15000}]}}

The data of a CloudEvent is one such order without `{"order": …}`; many orders in one push are a batch of CloudEvents.
Strict, because a misread quantity costs a family its harvest: unknown fields, floats and naive times are refused.
"""

from datetime import UTC, date, datetime
from decimal import Decimal
from re import compile as pattern
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator
from pydantic.json_schema import WithJsonSchema
from pydantic_core import PydanticCustomError

from services.chassis import standard_webhooks
from services.orders.adapters import cloudevents
from services.orders.adapters.base import (
    MOST_LINES,
    MOST_TEXT,
    Batch,
    Credentials,
    Declaration,
    Item,
    Malformed,
    Request,
    parse,
)
from services.orders.domain.command import CommandLine, Contact, Kind, OrderCommand

_NUMBER = pattern(r"[0-9]{1,6}(\.[0-9]{1,6})?")
_NO_CONTROLS = r"^[^\x00-\x1f\x7f]+$"
_MOST_LINE_NO = 2_000_000_000

DECLARATION = Declaration(
    name="canonical",
    title="Own integration",
    format="Our own JSON; alone, or as CloudEvents over HTTP (binary, structured, batch) and AMQP (structured, batch)",
    signature="Standard Webhooks: base64 HMAC-SHA256 over id, time and body; 5 minutes; over AMQP the broker's login",
    dedupe_key="`ref` + `updated_at` + status + content",
    answer_within="15 s",
    tested_against="The published vector, the reference library `standardwebhooks`, a real RabbitMQ",
    answers_each=True,
)


def _exact(quantity: object) -> Decimal:
    """A quantity from text or an integer; floats have lost their exact value before they come here."""
    text = str(quantity) if isinstance(quantity, int) and not isinstance(quantity, bool) else quantity
    if not isinstance(text, str) or not _NUMBER.fullmatch(text) or not (number := Decimal(text)):
        raise PydanticCustomError(
            "quantity", "must be an integer or a string such as '1.5', above 0, at most 6 digits before and after '.'"
        )
    return number


def _written(moment: object) -> object:
    """pydantic would also take a string of digits for seconds since 1970."""
    if not isinstance(moment, str) or "-" not in moment:
        raise PydanticCustomError("moment", "must be a time such as '2026-11-23T06:00:00+07:00'")
    return moment


_QUANTITY: dict[str, Any] = {"anyOf": [{"type": "string", "pattern": f"^{_NUMBER.pattern}$"}, {"type": "integer"}]}

Quantity = Annotated[Decimal, BeforeValidator(_exact), WithJsonSchema(_QUANTITY)]
Text = Annotated[str, Field(min_length=1, max_length=100, pattern=_NO_CONTROLS)]
LongText = Annotated[str, Field(max_length=MOST_TEXT, pattern=r"^[^\x00]*$")]
Moment = Annotated[
    AwareDatetime,
    Field(
        strict=False,
        ge=datetime(2000, 1, 1, tzinfo=UTC),
        lt=datetime(2200, 1, 1, tzinfo=UTC),
        description="With its offset from UTC, and of the years 2000 to 2199.",
    ),
    BeforeValidator(_written),  # outermost: limits around it would be checked in Python
]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class CanonicalLine(_Strict):
    """`line_no` is the partner's lasting number of the line; without one, its position from 1.

    `minimum_quantity` is the least that is useful: the line gets so much of its quantity at least, or nothing.
    """

    sku: Text
    quantity: Quantity
    price_vnd: Annotated[int, Field(ge=0, le=10**12)] | None = None
    line_no: Annotated[int, Field(ge=1, le=_MOST_LINE_NO)] | None = None
    minimum_quantity: Quantity | None = None

    @field_validator("minimum_quantity")
    @classmethod
    def _can_be_reached(cls, minimum: Decimal | None, known: ValidationInfo) -> Decimal | None:
        if minimum is not None and minimum > known.data.get("quantity", minimum):
            raise PydanticCustomError("minimum_quantity", "must be at most the quantity")
        return minimum


class CanonicalContact(_Strict):
    """The customer, as far as the partner tells."""

    name: LongText | None = None
    phone: LongText | None = None
    address: LongText | None = None


class CanonicalOrder(_Strict):
    """`updated_at` decides which of two pushes is newer. Without `delivery_day`: the earliest that takes orders."""

    ref: Text
    updated_at: Moment
    status: Literal["placed", "cancelled"]
    delivery_day: date | None = None
    lines: Annotated[tuple[CanonicalLine, ...], Field(max_length=MOST_LINES, validate_default=True)] = ()
    contact: CanonicalContact | None = None

    @field_validator("lines")
    @classmethod
    def _lines_can_be_told_apart(
        cls, lines: tuple[CanonicalLine, ...], known: ValidationInfo
    ) -> tuple[CanonicalLine, ...]:
        if not lines and known.data.get("status") == "placed":
            raise PydanticCustomError("lines", "must not be empty where status is 'placed'")
        numbers = [line.line_no or position for position, line in enumerate(lines, 1)]
        if len(set(numbers)) < len(numbers):
            raise PydanticCustomError("lines", "must have a different line_no each, given or by position")
        return lines


class CanonicalPush(_Strict):
    """The body of a push."""

    order: CanonicalOrder


def verify(credentials: Credentials, request: Request, now: datetime) -> None:
    """Standard Webhooks. Raises BadSignature."""
    standard_webhooks.verify(credentials.secrets, request.headers, request.raw, now)


def read(credentials: Credentials, request: Request) -> OrderCommand | Batch:
    """The order or orders of a request. Raises Malformed."""
    if cloudevents.BINARY in request.headers:
        return _event_command(cloudevents.read_binary(request.headers, request.raw))
    return read_content(cloudevents.kind(request.headers.get("content-type", "")), request.raw)


def read_content(kind: str, raw: bytes) -> OrderCommand | Batch:
    """The one order of a body or of its CloudEvent, or the orders of a batch of those, by media type.

    Raises Malformed.
    """
    if kind == cloudevents.BATCH:
        return Batch(tuple(Item(event.id, _command_or_fault(event)) for event in cloudevents.read(raw)))
    if kind == cloudevents.ONE:
        return _event_command(cloudevents.read_one(raw))
    return _command(parse(CanonicalPush, raw).order)


def _command_or_fault(event: cloudevents.Event) -> OrderCommand | Malformed:
    try:
        return _event_command(event)
    except Malformed as error:
        return error


def _event_command(event: cloudevents.Event) -> OrderCommand:
    if event.fault:
        raise event.fault
    return _command(parse(CanonicalOrder, event.data))


def _command(order: CanonicalOrder) -> OrderCommand:
    kind = Kind.UPSERT if order.status == "placed" else Kind.CANCEL
    lines = tuple(
        CommandLine(line.line_no or position, line.sku, line.quantity, line.price_vnd, line.minimum_quantity)
        for position, line in enumerate(order.lines, 1)
    )
    told = order.contact
    contact = Contact(told.name, told.phone, told.address) if told else None
    return OrderCommand.make(
        order.ref, order.updated_at, int(kind is Kind.CANCEL), kind, order.delivery_day, lines, contact
    )
