"""What the routes say of an order of a campaign: its lines in all, and the part of each cooperative."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import UUID

from services.orders.domain.command import CommandLine, Kind
from services.orders.domain.order import Line, LineState, OrderState, state_of
from services.orders.http import answers
from services.orders.http.answers import LineAnswer, OrderAnswer
from services.orders.pooling import Part, PooledAnswer
from services.orders.store.campaigns import PooledOrder


@dataclass(slots=True, kw_only=True)
class PartAnswer(OrderAnswer):
    """One cooperative's part: an order of its own, with its own id, which webhooks name."""

    cooperative_id: UUID


@dataclass(slots=True)
class PooledOrderAnswer:
    """`lines` are as pushed, over all cooperatives together; `parts` say who brings what."""

    campaign_id: UUID
    url: str
    partner_ref: str
    state: OrderState
    lines: list[LineAnswer]
    parts: list[PartAnswer]


@dataclass(slots=True)
class PooledItemAnswer:
    """What became of one order of a batch: `status` is what it would have been answered with by itself."""

    id: str
    status: int
    order: PooledOrderAnswer | None = None
    errors: list[answers.FieldFault] | None = None


@dataclass(slots=True)
class PooledBatchAnswer:
    """One answer for each event of a batch, in its order."""

    answers: list[PooledItemAnswer]


def of_pooled(answer: PooledAnswer) -> PooledOrderAnswer:
    """The answer to a push or a look."""
    order = answer.order
    return PooledOrderAnswer(
        campaign_id=order.campaign_id,
        url=f"/v1/campaigns/{order.campaign_id}/orders/{quote(order.command.partner_ref, safe='')}",
        partner_ref=order.command.partner_ref,
        state=state(order, answer.parts),
        lines=[answers.of_line(_total(line, order, answer.parts)) for line in order.command.lines],
        parts=[_of_part(part) for part in answer.parts],
    )


def state(order: PooledOrder, parts: Sequence[Part]) -> OrderState:
    """What the customer can be told of the whole."""
    ordered = [line for part in parts for line in part.order.ordered]
    has_refused = bool(order.refused) or any(part.order.refused for part in parts)
    return state_of(ordered, has_refused, order.command.kind is Kind.CANCEL)


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
