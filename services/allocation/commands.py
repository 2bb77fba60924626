"""What a run of events asks of the domain: commands, terms of offers, closings; and which event caused what.

A closed offer stays as it is, so what an event does depends on the closings before it in the run, and never on how
the stream was cut into runs.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from services.allocation.domain.asked import Answer, Reply
from services.allocation.domain.baskets import DayOffer
from services.allocation.domain.books import (
    Cancel,
    Change,
    CloseIntake,
    Command,
    Place,
    SetSupply,
    Wanted,
)
from services.allocation.domain.cut_off import Closing
from services.allocation.domain.policies import DEFAULTS, Policies, PromisePolicy
from services.allocation.domain.reach import offers_named
from services.allocation.domain.terms import OfferTerms, step_value_vnd
from services.chassis.inbox import Received
from services.contracts.allocation import ReplyRecorded
from services.contracts.base import Event
from services.contracts.catalog import OfferChanged, OfferPublished, OfferWithdrawn
from services.contracts.notify import HouseholdReplied
from services.contracts.orders import IntakeClosed, OrderCancelled, OrderChanged, OrderLine, OrderPlaced

Run = Sequence[Received[Any]]
"""Events of any cooperatives in the order in which they apply."""

OFFERED = OfferPublished | OfferChanged
ORDERED = OrderPlaced | OrderChanged | OrderCancelled
REPLIED = HouseholdReplied | ReplyRecorded


def commands_of(run: Run, policies: Mapping[UUID, Policies]) -> list[Command]:
    """The command of each event, by the policies of its cooperative that are in force."""
    return [command_of(received.event, policies[received.stream].promise) for received in run]


def command_of(event: Event, policy: PromisePolicy = DEFAULTS.promise) -> Command:
    """The command that an event of the market is. Raises TypeError for any other event."""
    match event:
        case OfferPublished() | OfferChanged():
            pledged_steps = sum(pledge.quantity_steps for pledge in event.pledges)
            return SetSupply(event.offer_id, policy.supply_steps(pledged_steps), rule=policy.rule)
        case OfferWithdrawn():
            return SetSupply(event.offer_id, 0, withdrawn=True)
        case OrderPlaced():
            return Place(event.order_id, _wanted(event.lines), event.tier)
        case OrderChanged():
            return Change(event.order_id, _wanted(event.lines), event.tier)
        case OrderCancelled():
            return Cancel(event.order_id)
        case IntakeClosed():
            return CloseIntake(event.offer_id, event.withdrawn)
    raise TypeError(f"{event.type} is no event of the market")


def _wanted(lines: Sequence[OrderLine]) -> tuple[Wanted, ...]:
    return tuple(Wanted(line.line_no, line.offer_id, line.quantity_steps, line.minimum_steps) for line in lines)


def check_owners(run: Run, commands: Sequence[Command], known: Mapping[UUID, UUID]) -> dict[UUID, UUID]:
    """The cooperative of every offer that is known or named. Raises ValueError where a stream names another's."""
    owners = dict(known)
    for received, command in zip(run, commands, strict=True):
        for offer_id in offers_named([command]):
            if owners.setdefault(offer_id, received.stream) != received.stream:
                raise ValueError(f"offer {offer_id} belongs to another cooperative")
    return owners


# -- Offers --------------------------------------------------------------------------------------------------


def last_offered(run: Run, closed: Collection[UUID]) -> list[Received[OFFERED]]:
    """The last event before its cut-off that says what each offer is. `closed`: closed before the run."""
    last: dict[UUID, Received[OFFERED]] = {}
    frozen = set(closed)
    for received in run:
        event = received.event
        if isinstance(event, IntakeClosed):
            frozen.add(event.offer_id)
        elif isinstance(event, OFFERED) and event.offer_id not in frozen:
            last[event.offer_id] = received
    return list(last.values())


def terms_of(received: Received[OFFERED], steps: Mapping[UUID, tuple[int, int | None]]) -> OfferTerms:
    """The terms that the event states. `steps` has the step of each product: in thousandths of its unit, and in grams.

    Raises ValueError for a product that is not known, or a price not whole.
    """
    event = received.event
    if event.product_id not in steps:
        raise ValueError(f"offer {event.offer_id}: product {event.product_id} is not known")
    step_milliunits, step_grams = steps[event.product_id]
    return OfferTerms(
        event.offer_id,
        received.stream,
        event.product_id,
        event.delivery_day,
        event.price_vnd,
        step_value_vnd(event.price_vnd, step_milliunits),
        event.collection_point_id,
        event.arrive_by_at,
        tuple((pledge.household_id, pledge.quantity_steps) for pledge in event.pledges),
        step_grams,
    )


# -- Replies -------------------------------------------------------------------------------------------------


def reply_of(event: REPLIED) -> Reply:
    """The answer of an event. Raises ValueError for one that cannot be."""
    kind = Answer(event.answer)
    less_steps = tuple((item.offer_id, item.quantity_steps) for item in event.items) if kind is Answer.LESS else ()
    reason = event.reason or "other" if kind is Answer.CANNOT else None
    return Reply(event.household_id, event.version, kind, less_steps, reason)


# -- Closings ------------------------------------------------------------------------------------------------


def up_to_closings(run: Run) -> list[Run]:
    """The run in parts, so that nothing of a cooperative follows the closing of one of its days within a part.

    What is missing at a closing is taken from the orders, and what comes after it must find that done.
    """
    parts: list[list[Received[Any]]] = [[]]
    closed: set[UUID] = set()
    for received in run:
        if received.stream in closed:
            parts.append([])
            closed.clear()
        parts[-1].append(received)
        if isinstance(received.event, IntakeClosed) and received.event.closes_day:
            closed.add(received.stream)
    return [part for part in parts if part]


def closing_events(run: Run) -> list[Received[IntakeClosed]]:
    """The cut-offs that close a delivery day."""
    return [received for received in run if isinstance(received.event, IntakeClosed) and received.event.closes_day]


def closings(
    run: Run,
    closed: Collection[UUID],
    waiting: Mapping[tuple[UUID, date], Sequence[DayOffer]],
    policies: Mapping[UUID, Policies],
) -> list[Closing]:
    """One for each of `closing_events`: it takes what of its day waits and was closed until then.

    `closed` are the offers closed before the run, `waiting` those not shared out at its end.
    """
    closed_at: dict[UUID, int] = {}
    for number, received in enumerate(run):
        if isinstance(received.event, IntakeClosed) and received.event.offer_id not in closed:
            closed_at.setdefault(received.event.offer_id, number)
    found, taken = [], set[UUID]()
    for number, received in enumerate(run):
        if isinstance(received.event, IntakeClosed) and received.event.closes_day:
            day = (received.stream, received.event.delivery_day)
            own = [
                x for x in waiting.get(day, ()) if x.offer_id not in taken and closed_at.get(x.offer_id, -1) <= number
            ]
            taken |= {offer.offer_id for offer in own}
            stated = policies[received.stream]
            found.append(Closing(*day, tuple(own), stated.memory_days, stated.least_vnd))
    return found


# -- Causes --------------------------------------------------------------------------------------------------


class Causes:
    """Which event of a run is answered by what is said, so that a trace leads from the push to the notice."""

    def __init__(self, run: Run, commands: Sequence[Command]) -> None:
        self._of_order = {x.event.order_id: x for x in run if isinstance(x.event, ORDERED)}
        self._freeing = {x.stream: x for x in run if not isinstance(x.event, OrderPlaced | IntakeClosed)}
        self._supplying = {x.event.offer_id: x for x in run if _supplies(x.event)}
        self._last = {x.stream: x for x in run}
        self._of_offer = {
            offer: x for x, command in zip(run, commands, strict=True) for offer in offers_named([command])
        }

    def stream_of(self, order_id: UUID) -> UUID:
        """The cooperative of an order that the run names."""
        return self._of_order[order_id].stream

    def of_promise(self, order_id: UUID, cooperative_id: UUID) -> str | None:
        """The order's own event, or what freed the supply that now serves it, or the cut-off that decided."""
        own = self._of_order.get(order_id) or self._freeing.get(cooperative_id) or self._last[cooperative_id]
        return own.traceparent

    def of_shortage(self, offer_id: UUID) -> str | None:
        """What took the supply of this offer away."""
        return self._supplying[offer_id].traceparent

    def of_availability(self, offer_id: UUID, cooperative_id: UUID) -> str | None:
        """The last event that named the offer, or else the last one of its cooperative."""
        return (self._of_offer.get(offer_id) or self._last[cooperative_id]).traceparent


def _supplies(event: Event) -> bool:
    """Whether the event says how much is offered."""
    return isinstance(event, OFFERED | OfferWithdrawn) or (isinstance(event, IntakeClosed) and event.withdrawn)
