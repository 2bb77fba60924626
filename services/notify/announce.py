"""The events of notify from its notices: references only, as contracts demand."""

from datetime import datetime

from services.contracts.notify import NoticeDelivered, NoticeUndeliverable
from services.notify.domain.notices import Notice


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
        order_id=notice.order_id,
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
        order_id=notice.order_id,
    )
