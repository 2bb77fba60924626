"""What notify does on which event: it learns names, and writes down notices and messages. Sending is the jobs' work.

Each is written in the transaction that applies its event, so it can neither be lost nor exist twice.
"""

from collections.abc import Sequence

from services.chassis.access import follow_keys
from services.chassis.inbox import Handler, Received
from services.chassis.ledger import Transaction
from services.contracts.allocation import (
    ArrivalRecorded,
    BasketAssigned,
    BasketChanged,
    BasketConfirmed,
    DaySettled,
    OfferAvailabilityChanged,
    OrderDelivered,
    OrderPromised,
    OrderShorted,
    SettlementCorrected,
)
from services.contracts.base import Event
from services.contracts.catalog import (
    AccessKeyIssued,
    AccessKeyRevoked,
    CooperativeChanged,
    CooperativeRegistered,
    HouseholdChanged,
    HouseholdRegistered,
    OfferChanged,
    OfferPublished,
    ProductListed,
)
from services.contracts.orders import OrderCancelled, OrderChanged, OrderPlaced
from services.notify.climbing import Ladder
from services.notify.clock import Clock
from services.notify.consumers.households import Households
from services.notify.consumers.names import Names
from services.notify.consumers.partners import Partners
from services.notify.consumers.staff import Staff
from services.notify.metrics import NoticeMetrics


def handlers(shared_lanes: int, clock: Clock, metrics: NoticeMetrics, ladder: Ladder) -> dict[type[Event], Handler]:
    """Every event that notify acts on."""
    names, partners = Names(shared_lanes), Partners(clock, metrics)
    households, staff = Households(clock, ladder), Staff(clock, ladder)

    async def on_shorted(tx: Transaction, received: Sequence[Received[OrderShorted]]) -> None:
        await partners.on_promises(tx, received)
        await staff.on_shorted(tx, received)

    async def on_delivered(tx: Transaction, received: Sequence[Received[OrderDelivered]]) -> None:
        await partners.on_promises(tx, received)
        await staff.on_delivered(tx, received)

    return {
        AccessKeyIssued: follow_keys,
        AccessKeyRevoked: follow_keys,
        CooperativeRegistered: names.on_cooperatives,
        CooperativeChanged: names.on_cooperatives,
        HouseholdRegistered: names.on_households,
        HouseholdChanged: names.on_households,
        ProductListed: names.on_products,
        OfferPublished: names.on_offers,
        OfferChanged: names.on_offers,
        OrderPlaced: partners.on_orders,
        OrderChanged: partners.on_orders,
        OrderCancelled: partners.on_cancelled,
        OrderPromised: partners.on_promises,
        OrderShorted: on_shorted,
        OrderDelivered: on_delivered,
        OfferAvailabilityChanged: staff.on_availability,
        BasketAssigned: households.on_baskets,
        BasketChanged: households.on_baskets,
        BasketConfirmed: households.on_confirmed,
        ArrivalRecorded: households.on_arrivals,
        DaySettled: households.on_settled,
        SettlementCorrected: households.on_corrected,
    }
