"""What is promised of an order: the part of it that `allocation` changes, apart from what the partner said.

Orders are promised by the hundred, so this part is loaded, changed in place and stored without the rest.
"""

from dataclasses import dataclass
from uuid import UUID

from services.orders.domain.order import OrderState, state_of


@dataclass(slots=True)
class OrderedLine:
    """A line that reserves something, in steps. `promised_steps` is what is still coming."""

    line_no: int
    offer_id: UUID
    quantity_steps: int
    promised_steps: int
    short_steps: int
    reason: str | None
    delivered: bool = False
    changed: bool = False

    def _set(self, promised_steps: int, short_steps: int, reason: str | None) -> None:
        if (promised_steps, short_steps, reason) != (self.promised_steps, self.short_steps, self.reason):
            self.promised_steps, self.short_steps, self.reason, self.changed = promised_steps, short_steps, reason, True


@dataclass(slots=True)
class OrderPromise:
    """The ordered lines by (line number, offer). What is said of lines that were cancelled or moved is passed over."""

    order_id: UUID
    lines: dict[tuple[int, UUID], OrderedLine]
    has_refused: bool
    is_cancelled: bool

    @property
    def state(self) -> OrderState:
        """What the customer can be told."""
        return state_of(self.lines.values(), self.has_refused, self.is_cancelled)

    def give(self, line_no: int, offer_id: UUID, promised_steps: int, short_steps: int, reason: str | None) -> None:
        """What is coming of a line, and what is not."""
        if line := self.lines.get((line_no, offer_id)):
            line._set(promised_steps, short_steps, reason)

    def take_back(self, line_no: int, offer_id: UUID, after_steps: int, reason: str) -> None:
        """The promise of a line was reduced to `after_steps`; what is lost becomes short."""
        line = self.lines.get((line_no, offer_id))
        if line and after_steps < line.promised_steps:
            line._set(after_steps, line.short_steps + line.promised_steps - after_steps, reason)

    def deliver(self, line_no: int, offer_id: UUID) -> None:
        """The truck has left with what is promised of a line. Where that is nothing, nothing changes."""
        line = self.lines.get((line_no, offer_id))
        if line and line.promised_steps and not line.delivered:
            line.delivered = line.changed = True
