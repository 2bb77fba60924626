"""The events of notify, about notices and messages to partners: references only, as contracts demand."""

from datetime import datetime

from services.contracts.notify import HouseholdReplied, NoticeDelivered, NoticeUndeliverable, RepliedItem
from services.notify.domain.contacts import WEBHOOK
from services.notify.domain.notices import Notice
from services.notify.domain.partner_messages import PartnerMessage
from services.notify.domain.replies import LESS, CurrentBasket, Reply


def delivered(notice: Notice, channel: str, told_at: datetime) -> NoticeDelivered:
    """`told_at` is when the channel's receipt came."""
    return NoticeDelivered(
        notice_id=notice.notice_id,
        kind=notice.kind,
        channel=channel,
        told_at=told_at,
        household_id=notice.household_id,
        delivery_day=notice.delivery_day,
        version=notice.version,
    )


def undeliverable(notice: Notice, channel: str, reason: str) -> NoticeUndeliverable:
    """A person has to tell, and this is why."""
    return NoticeUndeliverable(
        notice_id=notice.notice_id,
        kind=notice.kind,
        channel=channel,
        reason=reason,
        household_id=notice.household_id,
        delivery_day=notice.delivery_day,
        version=notice.version,
    )


def partner_told(message: PartnerMessage, told_at: datetime) -> NoticeDelivered:
    """`told_at` is when the partner took it."""
    return NoticeDelivered(
        notice_id=message.message_id,
        kind=message.kind,
        channel=WEBHOOK,
        told_at=told_at,
        order_id=message.order_id,
    )


def partner_not_told(message: PartnerMessage, reason: str) -> NoticeUndeliverable:
    """It is not sent any more unless somebody asks for it, and this is why."""
    return NoticeUndeliverable(
        notice_id=message.message_id,
        kind=message.kind,
        channel=WEBHOOK,
        reason=reason,
        order_id=message.order_id,
    )


def replied(basket: CurrentBasket, reply: Reply, channel: str) -> HouseholdReplied:
    """What the household answered; `less` names every offer that was asked for."""
    items = [RepliedItem(offer_id=line.offer_id, quantity_steps=line.quantity_steps) for line in reply.lines]
    return HouseholdReplied(
        household_id=basket.household_id,
        delivery_day=basket.facts.delivery_day,
        version=reply.version,
        answer=reply.answer,
        channel=channel,
        items=tuple(items) if reply.answer == LESS else (),
        reason=reply.reason,
    )
