"""Taking orders of a campaign in: each is split over the cooperatives, and its parts are taken in as pushes to them.

The campaign's row is locked, so its shares are counted one transaction after the other; cooperatives, which may live
on different lanes and machines, never wait for each other. Whatever the number of pushes, so many statements.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

import asyncpg
from msgspec import Struct
from msgspec.structs import replace

from services.chassis.ledger import Transaction
from services.orders.domain.command import CommandLine, Contact, Kind, OrderCommand
from services.orders.domain.intake import Outcome
from services.orders.domain.order import Line, Order, SkuMapping
from services.orders.domain.pool import Pool, Split, earliest_day, split
from services.orders.intake import Push, take_orders
from services.orders.store import campaigns as store
from services.orders.store.books import enter_free_gates
from services.orders.store.campaigns import PooledOrder, Reference
from services.orders.store.orders import list_orders_by_reference, lock_orders_by_reference
from services.orders.store.partners import Partner, list_seats


class GateHeld(Exception):
    """A cooperative closes an offer just now. Try again: to wait for it here would hold up the other cooperatives."""


class Part(Struct, frozen=True):
    """What one cooperative's part of an order came to."""

    seat: Partner
    order: Order
    late_lines: frozenset[int] = frozenset()


class PooledAnswer(Struct, frozen=True):
    """The whole order as it stands, and what became of the push."""

    order: PooledOrder
    parts: tuple[Part, ...]
    outcome: Outcome


@dataclass
class _Desk:
    """What decides on the pushes of one transaction, and what they have come to so far."""

    seats: Mapping[UUID, Sequence[Partner]]
    orders: dict[Reference, PooledOrder]
    parts: dict[tuple[Reference, UUID], Order]
    skus: Mapping[UUID, Mapping[str, SkuMapping]]
    pools: Mapping[UUID, Mapping[tuple[str, date], Pool]]
    pushes: list[Push] = field(default_factory=list)
    told: dict[tuple[Reference, UUID], OrderCommand] = field(default_factory=dict)
    """What each part was last told."""
    held: dict[tuple[Reference, UUID], Sequence[CommandLine]] = field(default_factory=dict)
    """What each part has ordered, or was told to since."""

    def take(self, push: Push) -> Outcome:
        """Splits the order anew, unless what is stored is newer."""
        reference, known = push.reference, self.orders.get(push.reference)
        command = push.command
        if known is not None and not command.follows(known.command):
            return Outcome.REPEATED
        campaign_id, seats = push.partner.partner_id, self.seats[push.partner.partner_id]
        done = Split({})
        if command.kind is Kind.UPSERT:
            pools = self.pools[campaign_id]
            wanted_day = command.delivery_day or (known.command.delivery_day if known else None)
            day = wanted_day or earliest_day((line.sku for line in command.lines), pools)
            held = {seat.partner_id: self.held.get((reference, seat.partner_id), ()) for seat in seats}
            command = replace(command, delivery_day=day)
            done = split(command.lines, day, self.skus[campaign_id], pools, held)
        command = replace(command, contact=command.contact or (known.command.contact if known else None))
        for seat in seats:
            key = (reference, seat.partner_id)
            own = _part(command, done.parts.get(seat.partner_id, ()), self.told.get(key))
            if own is not None:
                self.told[key], self.held[key] = own, own.lines
                self.pushes.append(Push(seat, own, push.received_at, push.traceparent))
        self.orders[reference] = PooledOrder(campaign_id, command, done.refused)
        if command.kind is Kind.CANCEL:
            return Outcome.CANCELLED if known else Outcome.UNCHANGED
        return Outcome.CHANGED if known else Outcome.PLACED


async def take_pooled(tx: Transaction, pushes: Sequence[Push], now: datetime) -> list[PooledAnswer]:
    """Applies the pushes in their order and answers each. Raises DecideAgain, GateHeld. The campaigns are locked."""
    desk = await _open(tx, pushes, now)
    before = dict(desk.parts)
    outcomes = [desk.take(push) for push in pushes]
    late: dict[tuple[Reference, UUID], frozenset[int]] = {}
    for part, decision in zip(desk.pushes, await take_orders(tx, desk.pushes, now) if desk.pushes else (), strict=True):
        key = (_reference(part), part.partner.partner_id)
        desk.parts[key] = decision.order
        late[key] = decision.late_lines if decision.outcome is not Outcome.REPEATED else frozenset()
    pairs = list(zip(pushes, outcomes, strict=True))
    if changed := {push.reference for push, outcome in pairs if outcome is not Outcome.REPEATED}:
        await store.save_orders(tx.conn, [desk.orders[reference] for reference in sorted(changed)])
    if moved := _moved(before, desk.parts):
        await store.add_taken(tx.conn, moved)
    return [
        PooledAnswer(desk.orders[push.reference], _parts(desk, push.reference, late), outcome)
        for push, outcome in pairs
    ]


async def look_up(pool: "asyncpg.Pool[asyncpg.Record]", campaign: Partner, partner_ref: str) -> PooledAnswer | None:
    """An order of the campaign as it stands, to be shown; None where there is none."""
    order = (await store.list_orders(pool, [(campaign.partner_id, partner_ref)])).get(
        (campaign.partner_id, partner_ref)
    )
    if order is None:
        return None
    seats = {seat.partner_id: seat for seat in (await list_seats(pool, [campaign.partner_id]))[campaign.partner_id]}
    filed = await list_orders_by_reference(pool, [(partner_id, partner_ref) for partner_id in seats])
    return PooledAnswer(order, tuple(Part(seats[one.partner_id], one.order) for one in filed), Outcome.REPEATED)


async def release(tx: Transaction, campaign: Partner, skus: Sequence[str], most: int, now: datetime) -> int:
    """Takes in the orders that waited for a meaning of these SKUs, at most `most`; returns how many there were.

    Raises DecideAgain, GateHeld. The campaign is locked.
    """
    waiting = await store.list_waiting(tx.conn, campaign.partner_id, skus, most)
    if waiting:
        await take_pooled(tx, [Push(campaign, _again(one.command), now) for one in waiting], now)
    return len(waiting)


async def _open(tx: Transaction, pushes: Sequence[Push], now: datetime) -> _Desk:
    references = sorted({push.reference for push in pushes})
    seats = await list_seats(tx.conn, sorted({campaign_id for campaign_id, _ in references}))
    cooperatives = {seat.cooperative_id for own in seats.values() for seat in own}
    if await enter_free_gates(tx.conn, cooperatives) != cooperatives:
        raise GateHeld
    orders = await store.list_orders(tx.conn, references)
    named = [(seat.partner_id, ref) for campaign_id, ref in references for seat in seats[campaign_id]]
    filed = await lock_orders_by_reference(tx.conn, named) if named else []
    campaign_of = {seat.partner_id: campaign_id for campaign_id, own in seats.items() for seat in own}
    parts: dict[tuple[Reference, UUID], Order] = {}
    for one in filed:
        partner_id, ref = one.reference
        parts[(campaign_of[partner_id], ref), partner_id] = one.order
    skus = {(push.partner.partner_id, line.sku) for push in pushes for line in push.command.lines}
    mappings = await store.list_mappings(tx.conn, sorted(skus))
    days = {push.command.delivery_day for push in pushes} | {one.command.delivery_day for one in orders.values()}
    pools = await store.list_pools(tx.conn, mappings, sorted(day for day in days if day), now)
    for campaign_id in seats:
        mappings.setdefault(campaign_id, {})
        pools.setdefault(campaign_id, {})
    told = {key: order.command for key, order in parts.items() if order.command}
    held: dict[tuple[Reference, UUID], Sequence[CommandLine]] = {
        key: [_sold(line) for line in order.ordered] for key, order in parts.items()
    }
    return _Desk(seats, orders, parts, mappings, pools, told=told, held=held)


def _part(command: OrderCommand, lines: tuple[CommandLine, ...], told: OrderCommand | None) -> OrderCommand | None:
    """What a cooperative is told: its lines; that there are none any more; nothing where it never had any."""
    if not lines and told is None:
        return None
    contact: Contact | None = command.contact or (told.contact if told else None)
    return replace(command, kind=Kind.UPSERT if lines else Kind.CANCEL, lines=lines, contact=contact)


def _sold(line: Line) -> CommandLine:
    return CommandLine(line.line_no, line.sku, line.sold_quantity, line.price_vnd)


def _again(command: OrderCommand) -> OrderCommand:
    """The same push as the newest of those that it equals, so that parts which have it take it once more."""
    revision = command.revision
    later = type(revision)(revision.updated_at, revision.status_rank, revision.digest + "+")
    return replace(command, revision=later)


def _moved(
    before: Mapping[tuple[Reference, UUID], Order], after: Mapping[tuple[Reference, UUID], Order]
) -> dict[tuple[UUID, str, date], int]:
    """(seat, SKU, day) → how many steps more or less are ordered."""
    moved: Counter[tuple[UUID, str, date]] = Counter()
    for orders, sign in ((after, 1), (before, -1)):
        for (_, partner_id), order in orders.items():
            for line in order.ordered:
                assert line.delivery_day, "an ordered line has the day of its offer"
                moved[partner_id, line.sku, line.delivery_day] += sign * line.quantity_steps
    return {key: steps for key, steps in moved.items() if steps}


def _reference(push: Push) -> Reference:
    assert push.partner.campaign_id, "a seat is of a campaign"
    return push.partner.campaign_id, push.command.partner_ref


def _parts(
    desk: _Desk, reference: Reference, late: Mapping[tuple[Reference, UUID], frozenset[int]]
) -> tuple[Part, ...]:
    keys = [(reference, seat.partner_id) for seat in desk.seats[reference[0]]]
    seats = {seat.partner_id: seat for seat in desk.seats[reference[0]]}
    return tuple(Part(seats[key[1]], desk.parts[key], late.get(key, frozenset())) for key in keys if key in desk.parts)
