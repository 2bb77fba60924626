"""The body of a webhook to a partner: the same for every attempt, since it depends on the facts alone.

To a partner `promised` is what will come and `short` what won't, so that ordered = promised + short + cancelled. Where
a line gets less than it asked for, the reason stands as a code, and as a sentence in `why_vi` and `why_en`.
"""

from datetime import datetime
from typing import Any

from services.notify.domain.facts import Goods, PromisedLine, PromiseFacts, ShortageFacts, ShortedLine
from services.notify.domain.quantities import exact
from services.notify.domain.shortfalls import LANGUAGES, explain


def message(facts: PromiseFacts | ShortageFacts, happened_at: datetime) -> dict[str, Any]:
    """A Standard Webhooks body: `order.promised` or `order.shorted`, when it happened, and the order's lines."""
    order = {"order_id": str(facts.order_id), "partner_ref": facts.partner_ref, "sequence": facts.sequence}
    match facts:
        case PromiseFacts():
            kind = "order.promised"
            order["lines"] = [_promised(line) for line in facts.lines]
            order["refused_lines"] = [
                {"line_no": line.line_no, "sku": line.sku, "reason": line.reason} for line in facts.refused_lines
            ]
        case ShortageFacts():
            kind = "order.shorted"
            order["lines"] = [_shorted(line) for line in facts.lines]
    return {"type": kind, "timestamp": happened_at.isoformat(), "data": order}


def _promised(line: PromisedLine) -> dict[str, Any]:
    quantities = {
        "ordered": line.ordered_steps,
        "promised": line.promised_steps - line.shorted_steps,
        "short": line.short_steps + line.shorted_steps,
        "cancelled": line.cancelled_steps,
    }
    return {**_goods(line.line_no, line.sku, line.goods), **_both(quantities, line.goods), **_why(line.reason)}


def _shorted(line: ShortedLine) -> dict[str, Any]:
    quantities = {"before": line.before_steps, "after": line.after_steps}
    return {**_goods(line.line_no, line.sku, line.goods), **_both(quantities, line.goods), **_why(line.reason)}


def _why(reason: str | None) -> dict[str, str | None]:
    """All null where nothing is short."""
    sentences = explain(reason) if reason else dict.fromkeys(LANGUAGES)
    return {"reason": reason, **{f"why_{language}": sentence for language, sentence in sentences.items()}}


def _goods(line_no: int, sku: str, goods: Goods) -> dict[str, Any]:
    return {"line_no": line_no, "sku": sku, "product": goods.name, "unit": goods.unit}


def _both(quantities: dict[str, int], goods: Goods) -> dict[str, Any]:
    """Each quantity as exact decimal text in the unit, and as steps."""
    units = {name: exact(steps, goods.step_milliunits) for name, steps in quantities.items()}
    return units | {f"{name}_steps": steps for name, steps in quantities.items()}
