"""The composition root of allocation: promises at arrival, baskets at the cut-off, and the day up to its settlement."""

from datetime import datetime
from pathlib import Path

from services.allocation import consumers, http
from services.allocation.closing import close_due_rounds
from services.allocation.planning import plan_command
from services.allocation.settings import AllocationSettings
from services.chassis.commands import Commands
from services.chassis.jobs import Job
from services.chassis.runtime import Parts, Runtime, Service
from services.contracts import allocation as contract
from services.contracts.flow import READS


def wire(runtime: Runtime[AllocationSettings]) -> Parts:
    """What allocation plugs into the chassis."""
    commands = Commands("allocation", READS["allocation"], runtime.ledger, consumers.COMMANDS)

    async def close_rounds(now: datetime) -> bool:
        return await close_due_rounds(runtime.pool, commands, now)

    return Parts(
        handlers=consumers.handlers(runtime.settings.shared_lanes),
        commands=commands,
        jobs=[Job("close_replies", 1.0, close_rounds)],
        state={"commands": commands},
    )


service = Service(
    name="allocation",
    title="Chợ Phiên: allocation",
    folder=Path(__file__).parent,
    settings=AllocationSettings,
    publishes=(
        contract.OrderPromised,
        contract.OrderShorted,
        contract.OfferAvailabilityChanged,
        contract.BasketAssigned,
        contract.BasketChanged,
        contract.BasketConfirmed,
        contract.ReplyRecorded,
        contract.RepliesClosed,
        contract.ArrivalRecorded,
        contract.TruckDeparted,
        contract.OrderDelivered,
        contract.DaySettled,
        contract.SettlementCorrected,
    ),
    wire=wire,
    derived=(
        "cooperative",
        "household",
        "product",
        "offer",
        "pledge",
        "offer_book",
        "order_line",
        "market_day",
        "basket",
        "basket_version",
        "basket_item",
        "fairness_entry",
        "arrival",
        "line_lot",
        "settlement_entry",
    ),
    cli={"plan": plan_command},
    routers=[http.router],
)
