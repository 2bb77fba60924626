"""A pooled offer: which cooperative of a campaign a line goes to, by the shares that the union set in advance.

A line goes whole to one cooperative where one has room for it in its share: to one that serves the order already, if
there is one, else to the one that would then be the least full. Where none has room for all of it, the cooperatives
with the most room fill it together. What is beyond all shares goes to the least full, whose own books then say whether
it has more. So nobody has to ask two cooperatives for one promise.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from msgspec import Struct

from services.orders.domain.command import CommandLine
from services.orders.domain.intake import Reason, steps_of
from services.orders.domain.order import SkuMapping


@dataclass(slots=True)
class Seat:
    """A cooperative's part in one pooled offer. `partner_id`: under which the cooperative gets its orders.

    `taken_steps` may exceed the share: what went beyond all shares. `is_open`: its offer takes orders.
    """

    partner_id: UUID
    share_steps: int
    taken_steps: int
    is_open: bool = True

    @property
    def gives(self) -> bool:
        """Whether it takes part: without a share it does no more, whatever it has open."""
        return self.is_open and self.share_steps > 0

    def room(self, piece_steps: int) -> int:
        """Whole pieces that are left of the share."""
        return max(0, self.share_steps - self.taken_steps) // piece_steps if self.is_open else 0

    def fullness(self, more_steps: int = 0) -> Fraction:
        """How much of the share would be taken; a cooperative without a share comes last."""
        return Fraction(self.taken_steps + more_steps, self.share_steps) if self.share_steps else Fraction(2**63)


class Pieces(Struct, frozen=True):
    """A line cut as small as it may be: `count` pieces of `quantity` sold items, `steps` each.

    Sold items stay whole where whole ones were ordered, and every piece is a whole number of steps.
    """

    count: int
    quantity: Decimal
    steps: int

    @classmethod
    def of(cls, line: CommandLine, mapping: SkuMapping) -> "Pieces | Reason":
        """The line's pieces, or why it is none of our quantities. A line whose piece is no decimal is one piece."""
        steps = steps_of(line, mapping)
        if isinstance(steps, Reason):
            return steps
        per_item = mapping.factor * 1000 / mapping.product.step_milliunits
        whole = line.quantity == line.quantity.to_integral_value()
        items = Fraction(per_item.denominator) if whole else 1 / per_item
        quantity = _decimal(items)
        if quantity is None or Fraction(line.quantity) % items:
            return cls(1, line.quantity, steps)
        count = int(Fraction(line.quantity) / items)
        return cls(count, quantity, steps // count)

    def held_of(self, quantity: Decimal) -> int:
        """How many whole pieces there are in a quantity of sold items."""
        return int(quantity // self.quantity)


def _decimal(number: Fraction) -> Decimal | None:
    """The exact decimal with at most 6 places, if there is one."""
    millionths = number * 1_000_000
    return Decimal(int(millionths)).scaleb(-6).normalize() if millionths.denominator == 1 else None


def place(
    pieces: Pieces, seats: Sequence[Seat], held: Mapping[UUID, int], preferred: Set[UUID]
) -> tuple[dict[UUID, int], int]:
    """How many pieces each cooperative serves, by partner_id, and how many nobody does; adds to their `taken_steps`.

    `held`: pieces of this line that each has already, which stay as far as there are enough; they are not among the
    `taken_steps`. `preferred`: who serves something of the order anyway.
    """
    given = {seat.partner_id: held.get(seat.partner_id, 0) for seat in seats}
    for seat in seats:
        seat.taken_steps += given[seat.partner_id] * pieces.steps
    missing = pieces.count - sum(given.values())
    moves = _take_back(-missing, seats, given) if missing < 0 else _give(missing, pieces.steps, seats, preferred)
    for seat, count in moves:
        given[seat.partner_id] += count
        seat.taken_steps += count * pieces.steps
    return {partner_id: count for partner_id, count in given.items() if count}, pieces.count - sum(given.values())


def _take_back(count: int, seats: Sequence[Seat], given: Mapping[UUID, int]) -> Iterable[tuple[Seat, int]]:
    """From the fullest first."""
    for seat in sorted(seats, key=lambda seat: -seat.fullness()):
        back = min(count, given[seat.partner_id])
        count -= back
        yield seat, -back


def _give(count: int, piece_steps: int, seats: Sequence[Seat], preferred: Set[UUID]) -> Iterable[tuple[Seat, int]]:
    if not count:
        return
    able = [seat for seat in seats if seat.room(piece_steps) >= count]
    if able:
        near = [seat for seat in able if seat.partner_id in preferred]
        yield min(near or able, key=lambda seat: seat.fullness(count * piece_steps)), count
        return
    for seat in sorted(seats, key=lambda seat: -seat.room(piece_steps)):
        part = min(count, seat.room(piece_steps))
        count -= part
        yield seat, part
    taking = [seat for seat in seats if seat.gives]
    if count and taking:
        yield min(taking, key=lambda seat: seat.fullness(count * piece_steps)), count
