"""Staff weigh in what arrives, and let the truck depart."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field, StrictBool

from services.allocation.domain.arrivals import Arrival, Expected, find_faults, steps_weighed
from services.allocation.domain.lots import lot_code
from services.allocation.http.context import Body, Code, Commanding, Here, Reason, Steps, StepsGiven, TheDay
from services.allocation.http.offered import OfOneOffer, find_meant
from services.allocation.store import Day
from services.allocation.store.arrivals import (
    Bringing,
    RecordedArrival,
    list_arrivals,
    list_bringing,
    list_known_arrivals,
)
from services.chassis.ledger import Transaction
from services.chassis.problems import conflict, invalid, refusals
from services.contracts.allocation import ArrivalRecorded
from services.contracts.base import Event

router = APIRouter(prefix="/cooperatives/{cooperative_id}/days/{delivery_day}", tags=["arrivals"])

Grams = Annotated[int, Field(strict=True, ge=0, le=100_000_000, description="What the scale shows.")]


class ArrivalBody(OfOneOffer):
    """What was received of one household and offer. The accepted part in steps, or in grams by the scale."""

    arrival_id: Annotated[UUID, Field(description="Yours to choose: the same again is recorded once, or corrected.")]
    household_code: Code
    accepted_steps: StepsGiven | None = None
    accepted_grams: Grams | None = None
    rejected_steps: StepsGiven = 0
    reason: Reason | None = None


class ArrivalsBody(Body):
    """Arrivals that are recorded together or not at all."""

    arrivals: Annotated[list[ArrivalBody], Field(min_length=1, max_length=500)]
    may_exceed: Annotated[StrictBool, Field(description="Accept more than was asked of a household.")] = False


class ArrivalAnswer(BaseModel):
    """An arrival as it is recorded."""

    arrival_id: UUID
    household_code: str
    product_code: str
    offer_id: UUID
    lot: Annotated[str, Field(description="Names what this household delivered of this product on this day.")]
    accepted_steps: Steps
    rejected_steps: Steps
    reason: str | None
    grams: int | None
    recorded_at: datetime


class ExpectedAnswer(BaseModel):
    """What one household is asked for of one offer, and what of it has been accepted and rejected so far."""

    household_code: str
    product_code: str
    offer_id: UUID
    asked_steps: Steps
    accepted_steps: Steps
    rejected_steps: Steps
    settled: Annotated[bool, Field(description="The truck has left with it.")]


class ArrivalsAnswer(BaseModel):
    """The arrivals of a delivery day, and what is expected."""

    expected: list[ExpectedAnswer]
    arrivals: list[ArrivalAnswer]


@router.get("/arrivals", summary="What is expected and what has arrived")
async def show(day: TheDay, here: Here) -> ArrivalsAnswer:
    """By product and household; none before the day's cut-off."""
    bringing, recorded = await list_bringing(here.pool, day), await list_arrivals(here.pool, day)
    codes = {(one.offer_id, one.household_id): one for one in bringing}
    return ArrivalsAnswer(
        expected=[_expected(one, recorded) for one in bringing],
        arrivals=[_answer(one, codes[one.arrival.place]) for one in recorded],
    )


@router.post("/arrivals", summary="Record what arrived", responses=refusals(409))
async def record(body: ArrivalsBody, day: TheDay, here: Here, commands: Commanding) -> ArrivalsAnswer:
    """All of them or, if one is wrong, none. More than was asked needs `may_exceed`."""

    async def decide(tx: Transaction) -> Sequence[tuple[UUID, Event]]:
        bringing = await list_bringing(tx.conn, day)
        if not bringing:
            raise conflict(f"Nothing is shared out for {day[1]} yet: arrivals are recorded after the cut-off.")
        known = {one.arrival.arrival_id: one.arrival for one in await list_arrivals(tx.conn, day)}
        others = await list_known_arrivals(tx.conn, day[0], [arrival.arrival_id for arrival in body.arrivals])
        known |= {arrival.arrival_id: arrival for arrival in others}
        arrivals = _resolve(body.arrivals, bringing)
        expected = Expected({(x.offer_id, x.household_id): x.asked_steps for x in bringing}, known)
        faults = find_faults(expected, arrivals, body.may_exceed)
        if faults:
            raise invalid([(f"arrivals[{index}].{field}", fault) for index, field, fault in faults])
        places = {(x.offer_id, x.household_id): x for x in bringing}
        changed = [arrival for arrival in arrivals if known.get(arrival.arrival_id) != arrival]
        return [(day[0], _event(day, arrival, places[arrival.place])) for arrival in changed]

    await commands.execute([day[0]], decide)
    return await show(day, here)


def _resolve(bodies: Sequence[ArrivalBody], bringing: Sequence[Bringing]) -> list[Arrival]:
    """The arrivals that are meant. Raises a 422 problem that names every faulty field, or a 409 for a settled day."""
    faults, arrivals = [], []
    for index, body in enumerate(bodies):
        at = f"arrivals[{index}]"
        place = find_meant(body, [one for one in bringing if one.household_code == body.household_code])
        if place is None:
            faults.append((f"{at}.household_code", f"{body.household_code} has no pledge of {body.named}"))
        elif not isinstance(place, Bringing):
            field, fault = place
            faults.append((f"{at}.{field}", fault))
        elif place.settled:
            raise conflict("The truck has left and the day is settled; add a correction to the settlement instead.")
        elif (body.accepted_steps is None) == (body.accepted_grams is None):
            faults.append((f"{at}.accepted_steps", "give either accepted_steps or accepted_grams"))
        elif body.accepted_grams is not None and place.step_grams is None:
            faults.append((f"{at}.accepted_grams", f"the weight of {place.product_code} is not known; give steps"))
        else:
            arrivals.append(_arrival(body, place))
    if faults:
        raise invalid(faults)
    return arrivals


def _arrival(body: ArrivalBody, place: Bringing) -> Arrival:
    steps = body.accepted_steps
    if steps is None:
        assert body.accepted_grams is not None
        assert place.step_grams is not None
        steps = steps_weighed(body.accepted_grams, place.step_grams)
    return Arrival(
        body.arrival_id,
        place.offer_id,
        place.household_id,
        steps,
        body.rejected_steps,
        body.reason,
        body.accepted_grams,
    )


def _event(day: Day, arrival: Arrival, place: Bringing) -> ArrivalRecorded:
    return ArrivalRecorded(
        arrival_id=arrival.arrival_id,
        household_id=arrival.household_id,
        delivery_day=day[1],
        offer_id=arrival.offer_id,
        product_id=place.product_id,
        lot=lot_code(place.household_code, place.product_code, day[1]),
        accepted_steps=arrival.accepted_steps,
        rejected_steps=arrival.rejected_steps,
        reason=arrival.reason,
        grams=arrival.grams,
    )


def _expected(one: Bringing, recorded: Sequence[RecordedArrival]) -> ExpectedAnswer:
    own = [x.arrival for x in recorded if x.arrival.place == (one.offer_id, one.household_id)]
    return ExpectedAnswer(
        household_code=one.household_code,
        product_code=one.product_code,
        offer_id=one.offer_id,
        asked_steps=one.asked_steps,
        accepted_steps=sum(arrival.accepted_steps for arrival in own),
        rejected_steps=sum(arrival.rejected_steps for arrival in own),
        settled=one.settled,
    )


def _answer(one: RecordedArrival, place: Bringing) -> ArrivalAnswer:
    return ArrivalAnswer(
        arrival_id=one.arrival.arrival_id,
        household_code=place.household_code,
        product_code=place.product_code,
        offer_id=place.offer_id,
        lot=one.lot,
        accepted_steps=one.arrival.accepted_steps,
        rejected_steps=one.arrival.rejected_steps,
        reason=one.arrival.reason,
        grams=one.arrival.grams,
        recorded_at=one.recorded_at,
    )
