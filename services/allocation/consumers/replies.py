"""What households answer, by whichever way, and deadlines that have passed."""

from collections.abc import Sequence

from services.allocation.commands import REPLIED, reply_of
from services.allocation.consumers.days import Days
from services.allocation.consumers.shortages import shorten_offers
from services.allocation.domain.replies import answer, close_round
from services.chassis.inbox import Received
from services.chassis.ledger import Transaction
from services.contracts.allocation import RepliesClosed, ReplyRecorded


async def take_in_replies(tx: Transaction, events: Sequence[Received[REPLIED]]) -> None:
    """Applies replies in their order. One that is too late, or that answers an older basket, changes nothing."""
    days = await Days.load(tx, events)
    for received in events:
        market_day = days.current.get((received.stream, received.event.delivery_day))
        if market_day is not None:
            outcome = answer(
                market_day.asked_at(received.time),
                [reply_of(received.event)],
                market_day.weights,
                market_day.memory_vnd,
                market_day.load_grams,
            )
            days.apply(received, outcome, "staff" if isinstance(received.event, ReplyRecorded) else "reply")
    await shorten_offers(tx, await days.save())


async def close_replies(tx: Transaction, events: Sequence[Received[RepliesClosed]]) -> None:
    """Silence counts now. A round that has closed by itself stays closed."""
    days = await Days.load(tx, events)
    for received in events:
        market_day = days.current[received.stream, received.event.delivery_day]
        outcome = close_round(
            market_day.asked_at(received.time),
            received.event.round,
            market_day.weights,
            market_day.memory_vnd,
            market_day.load_grams,
        )
        days.apply(received, outcome)
    await shorten_offers(tx, await days.save())
