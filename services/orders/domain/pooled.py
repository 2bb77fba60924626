"""An order of a campaign: one for its platform, and a part of it for each cooperative that serves it.

A push is split over the cooperatives, and each part is decided as a push to that cooperative alone. What a part can no
longer change, since its offer has closed, answers the platform's lines first, by the rule of such lines in `intake`;
only the rest is placed. What was placed while offers are open stays where it is, and the difference moves.

With the offers open, the quantities of the whole depend on the greatest revision alone, never on what came before it.
Which cooperative serves them does depend on it: it is a matter of turns.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from services.orders.domain.command import CommandLine, Kind, OrderCommand
from services.orders.domain.intake import Books, Decision, Outcome, Reason, bound_for_good, decide, match_lines
from services.orders.domain.order import Line, Order, OrderState, SkuMapping, state_of
from services.orders.domain.pool import Pieces, Seat, place

Key = tuple[UUID, str, date]
"""A share: (the seat's partner_id, SKU, delivery day)."""


class Share(Struct, frozen=True):
    """What one cooperative gives of a SKU on one day, and how much of it is ordered."""

    partner_id: UUID
    share_steps: int
    taken_steps: int


class RefusedLine(Struct, frozen=True):
    """A line, or what is left of it, that no cooperative gets, and why."""

    line: CommandLine
    reason: Reason


class Whole(Struct, frozen=True):
    """An order as the platform last pushed it. Its `command` has the day that was found where `asked_day` is None.

    `contact_erased`: its customer was erased by a cooperative; no later push names anybody here or in a new part.
    """

    command: OrderCommand
    asked_day: date | None
    refused: tuple[RefusedLine, ...] = ()
    contact_erased: bool = False

    def erased(self) -> "Whole":
        """The order without the customer, also in its digest, which could prove a guess."""
        revision = replace(self.command, delivery_day=self.asked_day).without_contact().revision
        return replace(self, command=replace(self.command, contact=None, revision=revision), contact_erased=True)

    @property
    def waits_for(self) -> list[str]:
        """SKUs that nobody has given a meaning."""
        return sorted({one.line.sku for one in self.refused if one.reason is Reason.UNKNOWN_SKU})


class PartDecision(Struct, frozen=True):
    """What one cooperative is told, and what comes of it."""

    partner_id: UUID
    command: OrderCommand
    decision: Decision


class Applied(Struct, frozen=True):
    """What a push came to."""

    whole: Whole
    outcome: Outcome
    parts: tuple[PartDecision, ...] = ()


@dataclass
class Table:
    """All that decides on the orders of one campaign. `moved`: steps that its decisions took of the shares."""

    seats: Sequence[UUID]
    books: Mapping[UUID, Books]
    shares: Mapping[tuple[str, date], Sequence[Share]]
    moved: Counter[Key] = field(default_factory=Counter)

    def meaning(self, sku: str) -> SkuMapping | None:
        """What a SKU is; the same for every cooperative."""
        return next((books.skus[sku] for books in self.books.values() if sku in books.skus), None)

    def pool(self, sku: str, day: date | None, now: datetime) -> list[Seat]:
        """Who takes part in a pooled offer, as it stands."""
        return [
            Seat(
                share.partner_id,
                share.share_steps,
                share.taken_steps + self.moved[share.partner_id, sku, day],
                self._takes_orders(share.partner_id, sku, day, now),
            )
            for share in sorted(self.shares.get((sku, day), ()) if day else (), key=self._place)
            if day
        ]

    def _place(self, share: Share) -> int:
        return self.seats.index(share.partner_id)

    def _takes_orders(self, partner_id: UUID, sku: str, day: date, now: datetime) -> bool:
        books = self.books[partner_id]
        offers = books.offers.by_product.get(books.skus[sku].product.product_id, ()) if sku in books.skus else ()
        return any(offer.delivery_day == day and offer.takes_orders(now) for offer in offers)


def apply(
    whole: Whole | None,
    parts: Mapping[UUID, Order],
    command: OrderCommand,
    table: Table,
    now: datetime,
    new_id: Callable[[], UUID],
) -> Applied:
    """Applies a push; one that does not follow the stored one has no effect. `parts`: as they are, by seat."""
    contact, is_erased = command.contact, whole is not None and whole.contact_erased
    if is_erased and contact is not None:
        command = command.without_contact()
    if whole is not None and not command.follows(whole.command):
        return Applied(whole, Outcome.REPEATED)
    asked_day = command.delivery_day
    lines: Mapping[UUID, Sequence[CommandLine]] = {}
    refused: Sequence[RefusedLine] = ()
    if command.kind is Kind.UPSERT:
        command = replace(command, delivery_day=_day(whole, command, table, now))
        lines, refused = _Split(parts, command, table, now).run()
    decided = []
    for seat in table.seats:
        told = _told(command, lines.get(seat, ()), parts.get(seat))
        if told is not None:
            if seat in parts:  # where it was not erased, the cooperative still needs to know whom it serves
                told = replace(told, contact=contact)
            before = parts.get(seat) or Order(new_id())
            decision = decide(before, told, table.books[seat], now, is_newer=True)
            decided.append(PartDecision(seat, told, decision))
            _count(table, seat, before, decided[-1].decision.order)
    after = Whole(command, asked_day, tuple(refused), is_erased)
    return Applied(after, _outcome(whole, command), tuple(decided))


def _outcome(whole: Whole | None, command: OrderCommand) -> Outcome:
    if command.kind is Kind.CANCEL:
        return Outcome.CANCELLED if whole else Outcome.UNCHANGED
    return Outcome.CHANGED if whole else Outcome.PLACED


def _told(command: OrderCommand, lines: Sequence[CommandLine], part: Order | None) -> OrderCommand | None:
    """Its lines; that there are none any more; nothing where it never had any."""
    if not lines and part is None:
        return None
    return replace(command, kind=Kind.UPSERT if lines else Kind.CANCEL, lines=tuple(lines))


def _count(table: Table, seat: UUID, before: Order, after: Order) -> None:
    for order, sign in ((before, -1), (after, 1)):
        for line in order.ordered:
            assert line.delivery_day, "an ordered line has the day of its offer"
            table.moved[seat, line.sku, line.delivery_day] += sign * line.quantity_steps


def _day(whole: Whole | None, command: OrderCommand, table: Table, now: datetime) -> date | None:
    """The day asked for; else the one found before, if it still serves; else the earliest that takes orders."""
    if command.delivery_day:
        return command.delivery_day
    skus = {line.sku for line in command.lines}
    days = {day for sku, day in table.shares if sku in skus}
    found = whole.command.delivery_day if whole and whole.asked_day is None else None
    if found in days:
        return found
    opened = {day for sku, day in table.shares if sku in skus if any(s.gives for s in table.pool(sku, day, now))}
    return min(opened or days, default=None)


class _Split:
    """One order's lines on their way to the cooperatives."""

    def __init__(self, parts: Mapping[UUID, Order], command: OrderCommand, table: Table, now: datetime) -> None:
        self._command, self._table, self._now = command, table, now
        self._day = command.delivery_day
        self._kept: dict[int, list[tuple[UUID, Line]]] = {}
        self._held: dict[int, dict[UUID, Line]] = {}
        """What is bound for good, and what is open on the day, by the number of the platform's line that it answers."""
        self._kept_numbers: dict[UUID, set[int]] = {}
        self._lines: dict[UUID, list[CommandLine]] = {}
        self._refused: list[RefusedLine] = []
        self._pools: dict[str, list[Seat]] = {}
        self._own: Counter[tuple[UUID, str]] = Counter()
        """(seat, SKU) → steps of this order that are open on the day: they are placed anew."""
        self._serving = {seat for seat, order in parts.items() if order.ordered}
        for seat in table.seats:
            if seat in parts:
                self._look_at(seat, parts[seat])

    def run(self) -> tuple[Mapping[UUID, Sequence[CommandLine]], Sequence[RefusedLine]]:
        """The lines of each cooperative, and what nobody gets."""
        for line in self._command.lines:
            left = self._leave_kept(line)
            if left > 0:
                rest = line if left == line.quantity else replace(line, quantity=left, minimum=None)
                self._place(rest, line.line_no)
        return self._lines, self._refused

    def _look_at(self, seat: UUID, part: Order) -> None:
        kept = bound_for_good(part, self._table.books[seat], self._now)
        self._kept_numbers[seat] = set(kept)
        for number, wanted in match_lines(kept.values(), self._command.lines).items():
            self._kept.setdefault(wanted.line_no, []).append((seat, kept[number]))
        opened = {
            line.line_no: line for line in part.ordered if line.line_no not in kept and line.delivery_day == self._day
        }
        for number, wanted in match_lines(opened.values(), self._command.lines).items():
            self._held.setdefault(wanted.line_no, {})[seat] = opened[number]
        for line in opened.values():
            self._own[seat, line.sku] += line.quantity_steps

    def _leave_kept(self, wanted: CommandLine) -> Decimal:
        """Tells those that keep something of the line how much of it is still wanted; returns what is to be placed.

        What is kept for another day is all there is of the line, as it is for a partner of one cooperative.
        """
        left = wanted.quantity
        for seat, line in self._kept.get(wanted.line_no, ()):
            still = left if line.delivery_day != self._day else min(left, line.sold_quantity)
            left -= still
            # Told in any case, or the part would take another line of the SKU for an answer to this one.
            self._tell(seat, wanted, line.line_no, still or wanted.quantity)
        return left

    def _place(self, rest: CommandLine, wanted_no: int) -> None:
        mapping = self._table.meaning(rest.sku)
        pieces = Pieces.of(rest, mapping) if mapping else Reason.UNKNOWN_SKU
        if isinstance(pieces, Reason):
            self._refused.append(RefusedLine(rest, pieces))
            return
        held = self._held.get(wanted_no, {})
        counts = {seat: pieces.held_of(line.sold_quantity) for seat, line in held.items()}
        seats = self._pool(rest.sku)
        given, missing = place(pieces, seats, counts, self._serving | set(self._lines))
        for seat, count in given.items():
            self._tell(seat, rest, self._number(seat, rest.line_no), count * pieces.quantity)
        if missing:
            reason = Reason.INTAKE_CLOSED if any(seat.share_steps for seat in seats) else Reason.NO_OFFER
            left = replace(rest, quantity=missing * pieces.quantity, minimum=None)
            self._refused.append(RefusedLine(left, reason))

    def _tell(self, seat: UUID, line: CommandLine, number: int, quantity: Decimal) -> None:
        """A part of a line has no minimum: nobody knows what the others will promise of theirs."""
        minimum = line.minimum if quantity == line.quantity else None
        told = replace(line, line_no=number, quantity=quantity, minimum=minimum)
        self._lines.setdefault(seat, []).append(told)

    def _pool(self, sku: str) -> list[Seat]:
        if sku not in self._pools:
            self._pools[sku] = self._table.pool(sku, self._day, self._now)
            for seat in self._pools[sku]:
                seat.taken_steps -= self._own[seat.partner_id, sku]
        return self._pools[sku]

    def _number(self, seat: UUID, number: int) -> int:
        """The platform's own number, unless what this part keeps has it for good; the rule of a plain order."""
        kept = self._kept_numbers.get(seat, set())
        if number not in kept:
            return number
        told = (line.line_no for line in self._lines.get(seat, ()))
        return max(*kept, *told, *(line.line_no for line in self._command.lines)) + 1


class TotalLine(Struct, frozen=True):
    """A line of the platform over all cooperatives. `wanted` is None for what is kept though nobody asks for it."""

    wanted: CommandLine | None
    own: tuple[tuple[UUID, Line], ...]
    refused: Reason | None = None


def totals(whole: Whole, parts: Mapping[UUID, Order]) -> Iterator[TotalLine]:
    """The lines as pushed, each with what the cooperatives have of it; then what they have beside."""
    answering: dict[int, list[tuple[UUID, Line]]] = {}
    beside = []
    for seat, order in parts.items():
        matched = match_lines(order.ordered, whole.command.lines)
        for line in order.ordered:
            wanted = matched.get(line.line_no)
            if wanted is None:
                beside.append((seat, line))
            else:
                answering.setdefault(wanted.line_no, []).append((seat, line))
    reasons = {one.line.line_no: one.reason for one in whole.refused}
    for wanted in whole.command.lines:
        own = tuple(answering.get(wanted.line_no, ()))
        reason = reasons.get(wanted.line_no)
        if not own and reason is None:
            reason = next(filter(None, (_refusal(order, wanted) for order in parts.values())), None)
        yield TotalLine(wanted, own, reason)
    for seat, line in beside:
        yield TotalLine(None, ((seat, line),))


def _refusal(order: Order, wanted: CommandLine) -> Reason | None:
    """Why a part has refused the line, if it has."""
    found = next((line for line in order.refused if (line.line_no, line.sku) == (wanted.line_no, wanted.sku)), None)
    return Reason(found.reason) if found and found.reason else None


def state_of_all(whole: Whole, parts: Sequence[Order]) -> OrderState:
    """What the customer can be told of the whole."""
    ordered = [line for order in parts for line in order.ordered]
    has_refused = bool(whole.refused) or any(order.refused for order in parts)
    return state_of(ordered, has_refused, whole.command.kind is Kind.CANCEL)
