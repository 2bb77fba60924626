"""What allocation says: one function per event, from the values that were decided."""

from collections.abc import Mapping, Sequence
from datetime import date
from uuid import UUID

from services.allocation.domain.books import LinePromise, OfferBook, Promised, Shorted
from services.allocation.domain.explain import Goods, Language, explain_told
from services.allocation.domain.market_day import ReplyTime
from services.allocation.domain.settlement import Entry
from services.allocation.domain.told import BasketVersion, ToldItem
from services.contracts import allocation as contract

NOT_WORTHWHILE = "not_worthwhile"


def order_promised(effect: Promised) -> contract.OrderPromised:
    """The whole promise of an order. Lines that are cancelled as a whole are not named any more.

    Their number grows with each change of the order, and the event must never grow beyond what can be sent.
    """
    asked = [line for line in effect.lines if line.ordered_steps > line.cancelled_steps]
    return contract.OrderPromised(order_id=effect.order_id, lines=tuple(map(promised_line, asked)))


def promised_line(line: LinePromise) -> contract.PromisedLine:
    """One line of a promise."""
    return contract.PromisedLine(
        line_no=line.line_no,
        offer_id=line.offer_id,
        ordered_steps=line.ordered_steps,
        promised_steps=line.promised_steps,
        short_steps=line.short_steps,
        cancelled_steps=line.cancelled_steps,
        shorted_steps=line.shorted_steps,
        reason=line.reason,
    )


def order_shorted(effect: Shorted) -> contract.OrderShorted:
    """What an order lost."""
    return contract.OrderShorted(
        order_id=effect.order_id,
        lines=tuple(
            contract.ShortedLine(
                line_no=line.line_no,
                offer_id=line.offer_id,
                before_steps=line.before_net_steps,
                after_steps=line.after_net_steps,
                reason=line.reason,
            )
            for line in effect.lines
        ),
    )


def offer_availability_changed(book: OfferBook) -> contract.OfferAvailabilityChanged:
    """What can still be promised of an offer."""
    return contract.OfferAvailabilityChanged(
        offer_id=book.offer_id,
        supply_steps=book.supply_steps,
        available_steps=book.available_steps,
        open=book.open,
    )


# -- Baskets -------------------------------------------------------------------------------------------------


def basket(
    version: BasketVersion, goods: Mapping[UUID, Goods], reply_time: ReplyTime | None
) -> contract.BasketAssigned | contract.BasketChanged:
    """What a household brings: the first word of the day, or a later one. `goods` are those of its offers."""
    kind = contract.BasketAssigned if version.version == 1 else contract.BasketChanged
    asked = reply_time if version.items else None
    return kind(
        household_id=version.household_id,
        delivery_day=version.delivery_day,
        version=version.version,
        items=tuple(_basket_item(item, goods[item.offer_id]) for item in version.items),
        reply_by_at=asked.by_at if asked else None,
        reply_minutes=asked.minutes if asked else None,
        empty_reason=NOT_WORTHWHILE if version.not_worthwhile else None,
    )


def basket_confirmed(version: BasketVersion, goods: Mapping[UUID, Goods], by: str) -> contract.BasketConfirmed:
    """A household brings this; `by` says how it is known."""
    return contract.BasketConfirmed(
        household_id=version.household_id,
        delivery_day=version.delivery_day,
        version=version.version,
        items=tuple(_basket_item(item, goods[item.offer_id]) for item in version.items),
        by=by,
    )


def _basket_item(item: ToldItem, goods: Goods) -> contract.BasketItem:
    return contract.BasketItem(
        offer_id=item.offer_id,
        product_id=item.product_id,
        quantity_steps=item.quantity_steps,
        pledged_steps=item.pledged_steps,
        collection_point_id=item.collection_point_id,
        arrive_by_at=item.arrive_by_at,
        confirmed_steps=item.confirmed_steps,
        why_vi=explain_told(item, goods, Language.VI),
        why_en=explain_told(item, goods, Language.EN),
    )


def order_delivered(order_id: UUID, delivery_day: date, lines: Sequence[LinePromise]) -> contract.OrderDelivered:
    """What came of an order on a day. It has no line that its promise does not name, and says less of each."""
    return contract.OrderDelivered(
        order_id=order_id,
        delivery_day=delivery_day,
        lines=tuple(
            contract.DeliveredLine(line_no=line.line_no, offer_id=line.offer_id, delivered_steps=line.net_steps)
            for line in lines
        ),
    )


def day_settled(delivery_day: date, entries: Sequence[Entry]) -> contract.DaySettled:
    """What each household is owed for the day."""
    return contract.DaySettled(
        delivery_day=delivery_day,
        households=tuple(
            contract.SettledHousehold(
                household_id=entry.household_id, gross_vnd=entry.gross_vnd, fee_vnd=entry.fee_vnd, net_vnd=entry.net_vnd
            )
            for entry in entries
        ),
    )
