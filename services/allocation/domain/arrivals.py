"""What arrives at the collection point: staff weigh it in, per household and product, until the truck departs.

An arrival is named by whoever records it, so that recording it twice is recording it once; recorded anew with other
quantities it stands in place of what was there. What a household brings of an offer is the sum of its arrivals.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

Place = tuple[UUID, UUID]
"""Offer and household."""

Fault = tuple[int, str, str]
"""Which of the arrivals, from 0, which of its fields, and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What was received: `accepted_steps` go on the truck, `rejected_steps` do not, for this `reason`.

    `grams` is what the scale showed of the accepted part, where it was weighed.
    """

    arrival_id: UUID
    offer_id: UUID
    household_id: UUID
    accepted_steps: int
    rejected_steps: int = 0
    reason: str | None = None
    grams: int | None = None

    @property
    def place(self) -> Place:
        """What of whom it is."""
        return self.offer_id, self.household_id


@dataclass(frozen=True, slots=True)
class Expected:
    """What is asked of the households for a day, in steps; and what has arrived so far."""

    asked_steps: Mapping[Place, int]
    arrivals: Mapping[UUID, Arrival]


def steps_weighed(grams: int, step_grams: int) -> int:
    """The whole steps that a weight makes up: what is left over is not counted, and remains in `grams`."""
    if grams < 0 or step_grams < 1:
        raise ValueError(f"{grams} g in steps of {step_grams} g cannot be counted")
    return grams // step_grams


def find_faults(expected: Expected, new: Sequence[Arrival], may_exceed: bool) -> list[Fault]:
    """What keeps these arrivals from being recorded, in their order; each counts with those before it.

    More than was asked needs `may_exceed`: an explicit act of staff, as it takes the income of another household.
    """
    faults: list[Fault] = []
    arrivals = dict(expected.arrivals)
    accepted = accepted_steps(arrivals.values())
    for index, arrival in enumerate(new):
        before = arrivals.get(arrival.arrival_id)
        if before is not None and before.place != arrival.place:
            faults.append((index, "arrival_id", "names an arrival of another day, household or product"))
            continue
        faults += _own_faults(index, arrival)
        had_steps = before.accepted_steps if before else 0
        total_steps = accepted.get(arrival.place, 0) - had_steps + arrival.accepted_steps
        asked_steps = expected.asked_steps.get(arrival.place, 0)
        if total_steps > asked_steps and arrival.accepted_steps > had_steps and not may_exceed:
            fault = f"makes {total_steps} steps, but only {asked_steps} are asked; set may_exceed to accept more"
            faults.append((index, "accepted_steps", fault))
        arrivals[arrival.arrival_id] = arrival
        accepted[arrival.place] = total_steps
    return faults


def _own_faults(index: int, arrival: Arrival) -> Iterable[Fault]:
    if arrival.accepted_steps < 0:
        yield index, "accepted_steps", "must not be negative"
    if arrival.rejected_steps < 0:
        yield index, "rejected_steps", "must not be negative"
    if arrival.rejected_steps > 0 and not arrival.reason:
        yield index, "reason", "must say why something was rejected"


def accepted_steps(arrivals: Iterable[Arrival]) -> dict[Place, int]:
    """What was accepted of each household and offer."""
    accepted: dict[Place, int] = {}
    for arrival in arrivals:
        accepted[arrival.place] = accepted.get(arrival.place, 0) + arrival.accepted_steps
    return accepted
