"""A household's answer is taken, by whichever way it came: saved, told in an event, counted."""

from datetime import datetime

from services.chassis.ledger import Transaction
from services.notify import announce
from services.notify.domain.replies import CurrentBasket, Reply
from services.notify.metrics import NoticeMetrics
from services.notify.store import baskets


async def take_reply(
    tx: Transaction, metrics: NoticeMetrics, basket: CurrentBasket, reply: Reply, channel: str, now: datetime
) -> None:
    """The caller holds the basket, and knows that the answer is another one than the last."""
    await baskets.save_reply(tx.conn, basket, reply, channel, now)
    tx.append(basket.cooperative_id, announce.replied(basket, reply, channel))
    tx.after_commit(metrics.replies.labels(reply.answer).inc)
