"""Orders of the Data Food Consortium's standard: JSON-LD, as the Open Food Network places them at a supplier.

The request carries our secret as its bearer token. The standard tells no time of update, and whoever places an order
waits for each answer before it changes the order again; so the time at which a request was made (its `Date`) counts,
or came. A cancelled order stays cancelled. An order that is posted to the collection has no id of its own yet: it
goes by its number, or else by its buyer and its session of sale, of which one buyer has one order.
https://docs.datafoodconsortium.org
"""

import hashlib
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

from services.orders.adapters.base import MOST_LINES, Credentials, Declaration, Ignored, Malformed, Read, Request
from services.orders.adapters.fields import Lenient, Money, Name, Quantity, Sold, check, join, lines, load
from services.orders.adapters.token import require_bearer
from services.orders.domain.command import UNTIMED, Kind, OrderCommand

DECLARATION = Declaration(
    name="dfc",
    title="Data Food Consortium",
    format="JSON-LD (`@graph` or one object), `dfc-b:Order`",
    signature="None: our secret as the bearer token",
    dedupe_key="order `@id` (or number, or buyer and session) + time of the request + status + content",
    answer_within="undocumented",
    tested_against="A recorded request of the Open Food Network",
    large=True,
)
_RANK = {"Draft": 0, "Held": 1, "Confirmed": 2, "Complete": 3, "Completed": 3}
CANCELLED = ("Cancelled", "Canceled")
MOST_NODES = 5000
_VND = ("VND", "VietnameseDong", "Dong")
_COLLECTION = re.compile(r"/orders/?$", re.IGNORECASE)

Node = Mapping[str, Any]


class _Line(Lenient):
    quantity: Quantity
    sku: Name


def verify(credentials: Credentials, request: Request, now: datetime) -> None:
    """Raises BadSignature."""
    require_bearer(credentials, request)


def read(credentials: Credentials, request: Request) -> Read:
    """The order of the body. Raises Malformed."""
    graph = _Graph(load(request.raw))
    order = next((node for node in graph.nodes if _short(node.get("@type")) == "Order"), None)
    if order is None:
        return Ignored("no dfc-b:Order")
    status = _short(_one(order.get("dfc-b:hasOrderStatus"))) or "Held"
    cancelled = status in CANCELLED
    sold = _sold(graph, order)
    if not sold and not cancelled:
        raise Malformed([("dfc-b:hasPart", "must not be empty")])
    return OrderCommand.make(
        _ref(graph, order),
        UNTIMED if cancelled else _made_at(request),
        9 if cancelled else _RANK.get(status, 1),
        Kind.CANCEL if cancelled else Kind.UPSERT,
        None,
        lines(sold),
    )


class _Graph:
    """The objects of a body by their `@id`, wherever they stand in it."""

    def __init__(self, found: object) -> None:
        self.nodes = list(_objects(found))
        self._by_id = {node["@id"]: node for node in reversed(self.nodes) if _is_full(node)}

    def follow(self, node: Node, name: str) -> Node:
        """What a property points to; an empty object where it is nowhere in the body."""
        found = _one(node.get(name))
        if isinstance(found, dict) and _is_full(found):
            return found
        target = found.get("@id") if isinstance(found, dict) else found
        if isinstance(found, dict) and not isinstance(target, str):
            return found
        return self._by_id.get(target, {"@id": target}) if isinstance(target, str) else {}


def _is_full(node: Node) -> bool:
    """Whether it is the object itself and no mere reference to it."""
    return isinstance(node.get("@id"), str) and len(node) > 1


def _objects(found: object) -> Iterator[dict[str, Any]]:
    """All objects of a body, the outer ones first. Raises Malformed where they are too many."""
    waiting: deque[dict[str, Any] | list[Any]] = deque([[found]])
    seen = 0
    while waiting:
        one = waiting.popleft()
        if isinstance(one, dict):
            yield one
        values = one.values() if isinstance(one, dict) else one
        inner = [value for value in values if isinstance(value, dict | list)]
        seen += len(inner)
        if seen > MOST_NODES:
            raise Malformed([("@graph", f"must have at most {MOST_NODES} objects and lists")])
        waiting += inner


def _one(value: object) -> Any:
    """Properties stand alone or in a list of one."""
    return value[0] if isinstance(value, list) and value else value


def _many(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _short(value: object) -> str:
    """The last part of a name: `dfc-v:Held`, `https://…#Held` and `{"@id": "dfc-v:Held"}` are `Held`."""
    one = _one(value)
    text = one.get("@id") if isinstance(one, dict) else one
    return re.split(r"[:#/]", text)[-1] if isinstance(text, str) else ""


def _sold(graph: _Graph, order: Node) -> list[Sold]:
    parts = _many(order.get("dfc-b:hasPart"))
    if len(parts) > MOST_LINES:
        raise Malformed([("dfc-b:hasPart", f"must have at most {MOST_LINES} lines")])
    faults: list[tuple[str, str]] = []
    sold = []
    for position, part in enumerate(parts):
        try:
            sold.append(_item(graph, graph.follow({"part": part}, "part")))
        except Malformed as error:
            faults += [(f"dfc-b:hasPart[{position}].{name}", detail) for name, detail in error.fields]
    if faults:
        raise Malformed(faults)
    return sold


def _item(graph: _Graph, line: Node) -> Sold:
    """The quantity stands in the line, or in a quantitative value; the SKU is the product's own, or its id's end."""
    offer = graph.follow(line, "dfc-b:concerns")
    product = graph.follow(offer, "dfc-b:offeredItem") or offer
    told = graph.follow(line, "dfc-b:hasQuantity")
    quantity = line.get("dfc-b:quantity", told.get("dfc-b:value", told.get("dfc-b:hasValue")))
    written = product.get("dfc-b:sku")
    read_line = check(
        _Line, {"quantity": _one(quantity), "sku": written if isinstance(written, str) else _end(product)}
    )
    return Sold(None, read_line.sku, read_line.quantity, _price_vnd(graph, offer))


def _end(product: Node) -> str:
    found = product.get("@id")
    parts = [part for part in found.split("/") if part and part != "Offer"] if isinstance(found, str) else []
    return parts[-1] if parts else ""


class _Price(Lenient):
    value: Money = None


def _price_vnd(graph: _Graph, offer: Node) -> int | None:
    price = graph.follow(offer, "dfc-b:hasPrice")
    if _short(price.get("dfc-b:hasUnit")) not in _VND:
        return None
    value: Decimal | None = check(_Price, {"value": _one(price.get("dfc-b:value"))}).value
    return int(value) if value is not None and value == value.to_integral_value() else None


def _ref(graph: _Graph, order: Node) -> str:
    number, own = order.get("dfc-b:orderNumber"), order.get("@id")
    if isinstance(number, str) and number.strip():
        return _name(number)
    if isinstance(own, str) and own and not _COLLECTION.search(own):
        return _name(own)
    buyer, session = graph.follow(order, "dfc-b:orderedBy"), graph.follow(order, "dfc-b:belongsTo")
    told = [buyer.get("@id"), session.get("@id"), session.get("dfc-b:beginDate"), session.get("dfc-b:endDate")]
    if not told[0] or not told[1]:
        raise Malformed([("@id", "must be the order's own, or its number, buyer and session must be told")])
    return "session:" + hashlib.sha256("\n".join(map(str, told)).encode("utf-8", "replace")).hexdigest()[:32]


class _Ref(Lenient):
    ref: Name


def _name(written: str) -> str:
    """As it is written, or by its digest where it is too long."""
    if len(written) > 100:
        return "sha256:" + hashlib.sha256(written.encode("utf-8", "replace")).hexdigest()
    return check(_Ref, {"ref": join(" ", written) or ""}).ref


def _made_at(request: Request) -> datetime:
    """When the request was made. Raises Malformed."""
    try:
        told = parsedate_to_datetime(request.headers["date"])
    except KeyError:
        if request.received_at is None:
            raise Malformed([("date", "is missing")]) from None
        return request.received_at
    except (ValueError, TypeError, IndexError, OverflowError):
        raise Malformed([("date", "must be a time as in RFC 9110")]) from None
    return told if told.tzinfo else told.replace(tzinfo=UTC)
