"""The rule of the promise in words: one command after the other, and every step that somebody asked for by itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from uuid import UUID

from services.allocation.domain.books import Cancel, Change, CloseIntake, Command, Line, Place, SetSupply, Wanted


@dataclass
class Step:
    """One single step that somebody asked for."""

    order_id: UUID
    line_no: int
    offer_id: UUID
    position: int
    state: str = "short"  # promised, short, shorted (was promised) or cancelled


class StepByStep:
    """The rule in words, one command and one step at a time."""

    def __init__(self) -> None:
        self.supply: dict[UUID, int] = {}
        self.closed: set[UUID] = set()
        self.steps: list[Step] = []

    def apply(self, command: Command) -> None:
        match command:
            case Place(order_id, lines):
                if not any(step.order_id == order_id for step in self.steps):
                    for line_no, offer_id in dict.fromkeys((w.line_no, w.offer_id) for w in lines):
                        same = [w for w in lines if (w.line_no, w.offer_id) == (line_no, offer_id)]
                        self._ask(order_id, line_no, offer_id, sum(w.quantity_steps for w in same))
            case Change(order_id, lines):
                self._change(order_id, lines)
            case Cancel(order_id):
                self._change(order_id, ())
            case SetSupply(offer_id, supply_steps) if offer_id not in self.closed:
                self.supply[offer_id] = supply_steps
                promised = [step for step in self.steps if (step.offer_id, step.state) == (offer_id, "promised")]
                for step in promised[supply_steps:]:
                    step.state = "shorted"
                self._serve()
            case CloseIntake(offer_id, withdrawn):
                if withdrawn:
                    self.apply(SetSupply(offer_id, 0, withdrawn=True))
                self.closed.add(offer_id)

    def _change(self, order_id: UUID, lines: Sequence[Wanted]) -> None:
        keys = sorted({(s.line_no, s.offer_id) for s in self.steps} | {(w.line_no, w.offer_id) for w in lines})
        in_order_of_commands = sorted(
            keys, key=lambda key: next((n for n, w in enumerate(lines) if (w.line_no, w.offer_id) == key), -1)
        )
        rises = []
        for line_no, offer_id in in_order_of_commands:
            wanted = sum(w.quantity_steps for w in lines if (w.line_no, w.offer_id) == (line_no, offer_id))
            held = [
                step
                for step in self.steps
                if (step.order_id, step.line_no, step.offer_id) == (order_id, line_no, offer_id)
                and step.state != "cancelled"
            ]
            held.sort(key=lambda step: (["short", "shorted", "promised"].index(step.state), -step.position))
            for step in held[: max(0, len(held) - wanted)]:
                if step.state != "promised" or offer_id not in self.closed:
                    step.state = "cancelled"
            rises.append((line_no, offer_id, max(0, wanted - len(held))))
        self._serve()
        for line_no, offer_id, rise in rises:
            self._ask(order_id, line_no, offer_id, rise)

    def _ask(self, order_id: UUID, line_no: int, offer_id: UUID, steps: int) -> None:
        position = max((step.position for step in self.steps if step.offer_id == offer_id), default=0) + 1
        self.steps += [Step(order_id, line_no, offer_id, position) for _ in range(steps)]
        self._serve()

    def _serve(self) -> None:
        for step in self.steps:  # in the order of asking
            coming = sum((s.offer_id, s.state) == (step.offer_id, "promised") for s in self.steps)
            free = coming < self.supply.get(step.offer_id, 0) and step.offer_id not in self.closed
            if step.state == "short" and free:
                step.state = "promised"

    def lines(self) -> dict[tuple[UUID, int], Line]:
        ordered = sorted(self.steps, key=lambda step: (step.offer_id, step.position))
        lines = {}
        for (offer_id, position), group in groupby(ordered, key=lambda step: (step.offer_id, step.position)):
            steps = list(group)
            count = [step.state for step in steps].count
            lines[offer_id, position] = Line(
                steps[0].order_id,
                steps[0].line_no,
                offer_id,
                position,
                ordered_steps=len(steps),
                promised_steps=count("promised") + count("shorted"),
                short_steps=count("short"),
                shorted_steps=count("shorted"),
                cancelled_steps=count("cancelled"),
            )
        return lines
