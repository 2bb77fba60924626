"""Taking orders of a campaign in: each is split over the cooperatives, and its parts are stored like orders of others.

The campaign's row is locked, so its shares are counted one transaction after the other; cooperatives, which may live
on different lanes and machines, never wait for each other. Whatever the number of pushes, so many statements.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
from msgspec import Struct
from msgspec.structs import replace

from services.chassis.ids import uuid7
from services.chassis.ledger import Transaction
from services.orders.domain.command import OrderCommand
from services.orders.domain.intake import Decision, Outcome
from services.orders.domain.order import Order
from services.orders.domain.pooled import Applied, Table, Whole, apply
from services.orders.intake import Push, load_books, store_decisions
from services.orders.store import campaigns as store
from services.orders.store.books import enter_free_gates
from services.orders.store.orders import list_orders_by_reference, lock_orders_by_reference
from services.orders.store.partners import Partner, list_seats

Parts = dict[str, dict[UUID, Order]]
"""partner_ref → seat → its part"""


class GateHeld(Exception):
    """Cooperatives close offers just now. Try again: to wait for one here would hold up the others."""

    def __init__(self, cooperative_ids: frozenset[UUID]) -> None:
        super().__init__(f"{len(cooperative_ids)} cooperatives close offers")
        self.cooperative_ids = cooperative_ids


class Part(Struct, frozen=True):
    """What one cooperative's part of an order came to."""

    seat: Partner
    order: Order
    late_lines: frozenset[int] = frozenset()


class PooledAnswer(Struct, frozen=True):
    """The whole order as it stands, and what became of the push."""

    campaign_id: UUID
    whole: Whole
    parts: tuple[Part, ...]
    outcome: Outcome


async def take_pooled(tx: Transaction, campaign: Partner, pushes: Sequence[Push], now: datetime) -> list[PooledAnswer]:
    """Applies the pushes to one campaign, which is locked, in their order, and answers each.

    Raises DecideAgain, GateHeld.
    """
    seats = {seat.partner_id: seat for seat in await list_seats(tx.conn, campaign.partner_id)}
    await _enter_gates(tx, seats.values())
    wholes = await store.list_orders(
        tx.conn, campaign.partner_id, sorted({push.command.partner_ref for push in pushes})
    )
    parts = await _lock_parts(tx, seats, sorted(wholes))
    known = {order.order_id for own in parts.values() for order in own.values()}
    table = await _table(tx, campaign, seats, pushes, wholes, parts)
    applied = [_apply(push, table, wholes, parts, now) for push in pushes]
    await _store(tx, campaign, seats, pushes, applied, parts, known)
    moved = {key: steps for key, steps in table.moved.items() if steps}
    if moved:
        await store.add_taken(tx.conn, campaign.partner_id, moved)
    return [_answer(campaign, seats, one, parts) for one in applied]


async def look_up(pool: "asyncpg.Pool[asyncpg.Record]", campaign: Partner, partner_ref: str) -> PooledAnswer | None:
    """An order of the campaign as it stands, to be shown, as of one moment; None where there is none."""
    async with pool.acquire(timeout=5) as conn, conn.transaction(isolation="repeatable_read", readonly=True):
        whole = (await store.list_orders(conn, campaign.partner_id, [partner_ref])).get(partner_ref)
        if whole is None:
            return None
        seats = {seat.partner_id: seat for seat in await list_seats(conn, campaign.partner_id)}
        filed = await list_orders_by_reference(conn, [(partner_id, partner_ref) for partner_id in seats])
    parts = tuple(Part(seats[one.partner_id], one.order) for one in filed)
    return PooledAnswer(campaign.partner_id, whole, parts, Outcome.REPEATED)


async def release(tx: Transaction, campaign: Partner, skus: Sequence[str], most: int, now: datetime) -> tuple[int, int]:
    """Takes in the orders that waited for a meaning of these SKUs, at most `most`.

    Returns how many there were, and how many of them changed. Raises DecideAgain, GateHeld. The campaign is locked.
    """
    waiting = await store.list_waiting(tx.conn, campaign.partner_id, skus, most)
    if not waiting:
        return 0, 0
    answers = await take_pooled(tx, campaign, [Push(campaign, _again(whole), now) for whole in waiting], now)
    changed = sum(answer.whole.refused != whole.refused for answer, whole in zip(answers, waiting, strict=True))
    return len(waiting), changed


def _again(whole: Whole) -> OrderCommand:
    """The same push as the newest of those that it equals, so that it is split once more."""
    revision = whole.command.revision
    later = type(revision)(revision.updated_at, revision.status_rank, revision.digest + "+")
    return replace(whole.command, revision=later, delivery_day=whole.asked_day)


async def _enter_gates(tx: Transaction, seats: Iterable[Partner]) -> None:
    cooperative_ids = frozenset(seat.cooperative_id for seat in seats)
    if held := cooperative_ids - await enter_free_gates(tx.conn, cooperative_ids):
        raise GateHeld(held)


async def _lock_parts(tx: Transaction, seats: Mapping[UUID, Partner], known: Sequence[str]) -> Parts:
    parts: Parts = {ref: {} for ref in known}
    named = [(partner_id, ref) for ref in known for partner_id in seats]
    for one in await lock_orders_by_reference(tx.conn, named) if named else ():
        partner_id, ref = one.reference
        parts[ref][partner_id] = one.order
    return parts


async def _table(
    tx: Transaction,
    campaign: Partner,
    seats: Mapping[UUID, Partner],
    pushes: Sequence[Push],
    wholes: Mapping[str, Whole],
    parts: Parts,
) -> Table:
    asked = [push.command.delivery_day for push in pushes] + [one.command.delivery_day for one in wholes.values()]
    days = {day for day in asked if day}
    skus = {line.sku for push in pushes for line in push.command.lines}
    orders = [order for own in parts.values() for order in own.values()]
    books = await load_books(tx.conn, orders, seats, {(seat, sku) for seat in seats for sku in skus}, days)
    offers = next((own.offers.by_id.values() for own in books.values()), ())
    opened = {offer.delivery_day for offer in offers if offer.state == "open"}
    shares = await store.list_shares_of(tx.conn, campaign.partner_id, sorted(skus), sorted(opened | days))
    return Table(list(seats), books, shares)


def _apply(push: Push, table: Table, wholes: dict[str, Whole], parts: Parts, now: datetime) -> Applied:
    ref = push.command.partner_ref
    own = parts.setdefault(ref, {})
    applied = apply(wholes.get(ref), own, push.command, table, now, uuid7)
    wholes[ref] = applied.whole
    own |= {part.partner_id: part.decision.order for part in applied.parts}
    return applied


async def _store(
    tx: Transaction,
    campaign: Partner,
    seats: Mapping[UUID, Partner],
    pushes: Sequence[Push],
    applied: Sequence[Applied],
    parts: Parts,
    known: set[UUID],
) -> None:
    told: list[Push] = []
    decisions: list[Decision] = []
    newest: dict[str, Whole] = {}
    for push, one in zip(pushes, applied, strict=True):
        if one.outcome is not Outcome.REPEATED:
            newest[push.command.partner_ref] = one.whole
        for part in one.parts:
            told.append(Push(seats[part.partner_id], part.command, push.received_at, push.traceparent))
            decisions.append(part.decision)
    if newest:
        await store.save_orders(tx.conn, campaign.partner_id, [newest[ref] for ref in sorted(newest)])
    if told:
        orders = {push.reference: parts[push.command.partner_ref][push.partner.partner_id] for push in told}
        new = {reference for reference, order in orders.items() if order.order_id not in known}
        await store_decisions(tx, told, decisions, orders, new)


def _answer(campaign: Partner, seats: Mapping[UUID, Partner], one: Applied, parts: Parts) -> PooledAnswer:
    """With the parts as this push has left them where it changed them, else as they are in the end."""
    late = {part.partner_id: part.decision.late_lines for part in one.parts}
    left = parts[one.whole.command.partner_ref] | {part.partner_id: part.decision.order for part in one.parts}
    told = tuple(Part(seats[seat], left[seat], late.get(seat, frozenset())) for seat in seats if seat in left)
    return PooledAnswer(campaign.partner_id, one.whole, told, one.outcome)
