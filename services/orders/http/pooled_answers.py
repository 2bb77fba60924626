"""What the routes say of an order of a campaign: its lines in all, and the part of each cooperative."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from services.orders.domain.command import CommandLine, Kind
from services.orders.domain.order import Line, LineState, OrderState, state_of
from services.orders.http import answers
from services.orders.http.answers import PartAnswer, PooledOrderAnswer
from services.orders.pooling import Part, PooledAnswer
from services.orders.store.campaigns import PooledOrder


def of_pooled(answer: PooledAnswer) -> PooledOrderAnswer:
    """The answer to a push or a look."""
    order = answer.order
    return PooledOrderAnswer(
        campaign_id=order.campaign_id,
        url=f"/v1/campaigns/{order.campaign_id}/orders/{quote(order.command.partner_ref, safe='')}",
        partner_ref=order.command.partner_ref,
        state=state_of_all(answer),
        lines=[answers.of_line(_total(line, order, answer.parts)) for line in order.command.lines],
        parts=[_of_part(part) for part in answer.parts],
    )


def state_of_all(answer: PooledAnswer) -> OrderState:
    """What the customer can be told of the whole."""
    ordered = [line for part in answer.parts for line in part.order.ordered]
    has_refused = bool(answer.order.refused) or any(part.order.refused for part in answer.parts)
    return state_of(ordered, has_refused, answer.order.command.kind is Kind.CANCEL)


def _of_part(part: Part) -> PartAnswer:
    whole: dict[str, Any] = {
        name: getattr(answers.of_order(part.order, part.late_lines), name)
        for name in ("order_id", "url", "partner_ref", "state", "lines")
    }
    return PartAnswer(**whole, cooperative_id=part.seat.cooperative_id)


def _total(wanted: CommandLine, order: PooledOrder, parts: Sequence[Part]) -> Line:
    """The line over all cooperatives; what is promised of it stands when all have promised."""
    sold = (wanted.line_no, wanted.sku, wanted.quantity, wanted.price_vnd)
    own = [
        line for part in parts for line in part.order.lines if (line.line_no, line.sku) == (wanted.line_no, wanted.sku)
    ]
    ordered = [line for line in own if line.state is LineState.ORDERED]
    if not ordered:
        refused = next((one.reason for one in order.refused if one.line.line_no == wanted.line_no), None)
        reason = refused or next((line.reason for line in own if line.reason), None)
        return Line(*sold, LineState.REFUSED if reason else LineState.CANCELLED, reason=reason)
    decided = all(line.is_decided for line in ordered)
    return Line(
        *sold,
        LineState.ORDERED,
        ordered[0].product,
        ordered[0].offer_id if len(ordered) == 1 else None,
        ordered[0].delivery_day,
        sum(line.quantity_steps for line in ordered),
        sum(line.promised_steps for line in ordered) if decided else 0,
        sum(line.short_steps for line in ordered) if decided else 0,
        next((line.reason for line in ordered if line.reason), None),
    )
