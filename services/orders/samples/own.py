"""Our own format under Standard Webhooks: alone, and as a CloudEvent in each of the modes of HTTP."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from services.chassis import standard_webhooks
from services.orders.adapters import cloudevents
from services.orders.samples.base import JSON, Request, SampleOrder, Shop, encoded

_SOURCE = "/samples"


def canonical(shop: Shop, order: SampleOrder) -> Request:
    """`{"order": …}`."""
    return _signed(shop, order, {"order": _order(shop, order)}, JSON)


def binary(shop: Shop, order: SampleOrder) -> Request:
    """A CloudEvent whose attributes are headers."""
    headers = {f"ce-{name}": quote(value) for name, value in _attributes(shop, order).items()}
    return _signed(shop, order, _order(shop, order), JSON | headers)


def structured(shop: Shop, order: SampleOrder) -> Request:
    """A CloudEvent in JSON."""
    return _signed(shop, order, _event(shop, order), {"content-type": cloudevents.ONE})


def batch(shop: Shop, order: SampleOrder) -> Request:
    """A batch of one CloudEvent."""
    return _signed(shop, order, [_event(shop, order)], {"content-type": cloudevents.BATCH})


def _order(shop: Shop, order: SampleOrder) -> dict[str, Any]:
    told = {"ref": f"TEST-{order.number}", "updated_at": shop.now.isoformat(), "status": _status(order)}
    return told if order.cancelled else told | {"lines": [{"sku": order.sku, "quantity": order.quantity}]}


def _status(order: SampleOrder) -> str:
    return "cancelled" if order.cancelled else "placed"


def _attributes(shop: Shop, order: SampleOrder) -> dict[str, str]:
    told = {"specversion": "1.0", "id": f"{order.number}-{_status(order)}", "source": _SOURCE}
    return told | {"type": cloudevents.ORDER, "time": shop.now.isoformat()}


def _event(shop: Shop, order: SampleOrder) -> dict[str, Any]:
    return _attributes(shop, order) | {"datacontenttype": "application/json", "data": _order(shop, order)}


def _signed(shop: Shop, order: SampleOrder, body: Any, headers: Mapping[str, str]) -> Request:
    ref, raw = f"TEST-{order.number}", encoded(body)
    name = f"msg_{ref}_{_status(order)}"
    return Request(ref, {**headers, **standard_webhooks.headers(shop.secret, name, shop.now, raw)}, raw)
