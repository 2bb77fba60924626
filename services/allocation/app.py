"""The composition root of allocation: promises at arrival, baskets at the cut-off."""

from pathlib import Path

from services.allocation import consumers, http
from services.allocation.settings import AllocationSettings
from services.chassis.runtime import Parts, Runtime, Service
from services.contracts.allocation import (
    BasketAssigned,
    BasketChanged,
    OfferAvailabilityChanged,
    OrderPromised,
    OrderShorted,
)


def wire(runtime: Runtime[AllocationSettings]) -> Parts:
    """What allocation plugs into the chassis."""
    return Parts(handlers=consumers.handlers(runtime.settings.shared_lanes))


service = Service(
    name="allocation",
    title="Chợ Phiên: allocation",
    folder=Path(__file__).parent,
    settings=AllocationSettings,
    publishes=(OrderPromised, OrderShorted, OfferAvailabilityChanged, BasketAssigned, BasketChanged),
    wire=wire,
    derived=(
        "cooperative",
        "household",
        "product",
        "offer",
        "pledge",
        "offer_book",
        "order_line",
        "basket_version",
        "basket_item",
        "fairness_entry",
    ),
    routers=[http.router],
)
