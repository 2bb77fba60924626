"""What allocation does on which event. Handlers load, let the domain decide, save, and say what follows."""

from collections.abc import Mapping

from services.allocation.consumers.arrivals import correct, depart, record_arrivals
from services.allocation.consumers.market import take_in_market
from services.allocation.consumers.members import take_in_households, take_in_products, taking_in_cooperatives
from services.allocation.consumers.notices import take_in_notices
from services.allocation.consumers.replies import close_replies, take_in_replies
from services.chassis.access import follow_keys
from services.chassis.inbox import Handler
from services.contracts.allocation import (
    ArrivalRecorded,
    RepliesClosed,
    ReplyRecorded,
    SettlementCorrected,
    TruckDeparted,
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
    OfferWithdrawn,
    ProductListed,
)
from services.contracts.notify import HouseholdReplied, NoticeDelivered, NoticeUndeliverable
from services.contracts.orders import IntakeClosed, OrderCancelled, OrderChanged, OrderPlaced

COMMANDS: Mapping[type[Event], Handler] = {
    ReplyRecorded: take_in_replies,
    RepliesClosed: close_replies,
    ArrivalRecorded: record_arrivals,
    TruckDeparted: depart,
    SettlementCorrected: correct,
}
"""What allocation's own commands do."""


def handlers(shared_lanes: int) -> Mapping[type[Event], Handler]:
    """Every event that allocation takes in, with what takes it in."""
    market = (OfferPublished, OfferChanged, OfferWithdrawn, OrderPlaced, OrderChanged, OrderCancelled, IntakeClosed)
    take_in_cooperatives = taking_in_cooperatives(shared_lanes)
    return {
        **dict.fromkeys(market, take_in_market),
        CooperativeRegistered: take_in_cooperatives,
        CooperativeChanged: take_in_cooperatives,
        HouseholdRegistered: take_in_households,
        HouseholdChanged: take_in_households,
        ProductListed: take_in_products,
        NoticeDelivered: take_in_notices,
        NoticeUndeliverable: take_in_notices,
        HouseholdReplied: take_in_replies,
        AccessKeyIssued: follow_keys,
        AccessKeyRevoked: follow_keys,
    }
