"""What a message to a partner says, as facts. No I/O."""

import json
from collections.abc import Iterable
from typing import Any

from tests.perf.peers.models import OrderPlaced, OrderPromised
from tests.perf.peers.rows import Row


def facts(event: OrderPromised, products: Iterable[Row]) -> str:
    """The whole promise with the names of the goods, as JSON. KeyError for a product that is not known yet."""
    goods = {
        str(product["product_id"]): {key: product[key] for key in ("name", "unit", "step_milliunits")}
        for product in products
    }
    content = {
        "order_id": str(event.order_id),
        "partner_ref": event.partner_ref,
        "lines": [line | {"goods": goods[line["product_id"]]} for line in lines(event)],
        "refused_lines": refused(event),
    }
    return json.dumps(content, ensure_ascii=False)


def lines(event: OrderPromised) -> list[dict[str, Any]]:
    """The promised lines."""
    return [
        {
            "line_no": line.line_no,
            "sku": line.sku,
            "product_id": str(line.product_id),
            "ordered_steps": line.ordered_steps,
            "promised_steps": line.promised_steps,
            "short_steps": line.short_steps,
            "reason": line.reason,
        }
        for line in event.lines
    ]


def ordered(event: OrderPlaced) -> list[dict[str, Any]]:
    """The lines of an order, for naming them."""
    return [line.model_dump(mode="json", exclude={"steps"}) for line in event.lines]


def refused(event: OrderPlaced | OrderPromised) -> list[dict[str, Any]]:
    """The refused lines."""
    return [line.model_dump() for line in event.refused_lines]
