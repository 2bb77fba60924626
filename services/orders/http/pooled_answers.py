"""What the routes say of an order of a campaign: its lines in all, and the part of each cooperative."""

from typing import Any
from urllib.parse import quote
from uuid import UUID

from services.orders.domain.intake import Reason
from services.orders.domain.order import Line, LineState
from services.orders.domain.pooled import TotalLine, state_of_all, totals
from services.orders.http import answers
from services.orders.http.answers import LineAnswer, PartAnswer, PooledOrderAnswer
from services.orders.pooling import Part, PooledAnswer


def of_pooled(answer: PooledAnswer) -> PooledOrderAnswer:
    """The answer to a push or a look."""
    command = answer.whole.command
    parts = {part.seat.partner_id: part.order for part in answer.parts}
    late = {(part.seat.partner_id, number) for part in answer.parts for number in part.late_lines}
    return PooledOrderAnswer(
        campaign_id=answer.campaign_id,
        url=f"/v1/campaigns/{answer.campaign_id}/orders/{quote(command.partner_ref, safe='')}",
        partner_ref=command.partner_ref,
        state=state_of_all(answer.whole, list(parts.values())),
        lines=[_of_total(total, late) for total in totals(answer.whole, parts)],
        parts=[_of_part(part) for part in answer.parts],
    )


def _of_part(part: Part) -> PartAnswer:
    whole: dict[str, Any] = {
        name: getattr(answers.of_order(part.order, part.late_lines), name)
        for name in ("order_id", "url", "partner_ref", "state", "lines")
    }
    return PartAnswer(**whole, cooperative_id=part.seat.cooperative_id)


def _of_total(total: TotalLine, late: set[tuple[UUID, int]]) -> LineAnswer:
    """What is promised of a line stands when every cooperative that serves it has promised."""
    own = [line for _, line in total.own]
    if total.wanted is None:
        return answers.of_line(own[0], late=True)
    wanted = total.wanted
    sold = (wanted.line_no, wanted.sku, wanted.quantity, wanted.price_vnd)
    if not own:
        return answers.of_line(
            Line(*sold, LineState.REFUSED if total.refused else LineState.CANCELLED, reason=total.refused)
        )
    decided = all(line.is_decided for line in own)
    reason = total.refused or next((line.reason for line in own if line.reason), None)
    line = Line(
        *sold,
        LineState.ORDERED,
        own[0].product,
        own[0].offer_id if len(own) == 1 else None,
        own[0].delivery_day,
        sum(line.quantity_steps for line in own),
        sum(line.promised_steps for line in own) if decided else 0,
        sum(line.short_steps for line in own) if decided else 0,
        reason,
    )
    is_late = any((seat, one.line_no) in late for seat, one in total.own)
    answer = answers.of_line(line, late=is_late)
    if total.refused and not is_late:
        answer.reason = Reason(total.refused)  # of what nobody brings
    return answer
