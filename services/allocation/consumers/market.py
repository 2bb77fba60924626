"""Offers, orders and cut-offs: every promise, and the baskets of the days that close.

One handler takes in everything that touches the order books, so that a mixed run of events stays one batch.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from services.allocation import announcements
from services.allocation.commands import (
    Causes,
    Run,
    check_owners,
    closing_events,
    closings,
    commands_of,
    last_offered,
    terms_of,
    up_to_closings,
)
from services.allocation.consumers.shortages import Shortage, shorten_offers
from services.allocation.domain.books import Decision, Effect, OfferBook, Promised
from services.allocation.domain.cut_off import ClosedDay, Closing, Means, close_days, first_day_of_memory
from services.allocation.domain.market_day import MarketDay, ask_closed
from services.allocation.domain.policies import Policies
from services.allocation.domain.promise import decide
from services.allocation.domain.shortening import Coming
from services.allocation.domain.told import BasketVersion
from services.allocation.store import Day
from services.allocation.store.asked import list_market_days, save_market_days
from services.allocation.store.books import insert_lines, load_books, save_books, save_lines
from services.allocation.store.days import list_entries, list_told_items, save_baskets, save_entries
from services.allocation.store.members import list_means, list_steps, lock_cooperatives
from services.allocation.store.offers import list_closed_offers, list_goods, save_assigned, save_offers
from services.chassis.ledger import Connection, Transaction
from services.contracts.allocation import OfferAvailabilityChanged


async def take_in_market(tx: Transaction, events: Run) -> None:
    """Offers, orders and cut-offs: decides every promise, then shares out the days that closed."""
    for run in up_to_closings(events):
        await _take_in(tx, run)


async def _take_in(tx: Transaction, events: Run) -> None:
    policies = await lock_cooperatives(tx.conn, {received.stream for received in events})
    commands = commands_of(events, policies)
    loaded = await load_books(tx.conn, commands)
    owners = check_owners(events, commands, loaded.cooperatives)
    closed = {book.offer_id for book in loaded.books.values() if not book.open}
    decision = decide(commands, loaded.books.values(), loaded.lines)
    await _save_offers(tx.conn, events, closed)
    await save_books(tx.conn, decision.books, owners)
    known = {(line.offer_id, line.position) for line in loaded.lines}
    await insert_lines(tx.conn, [line for line in decision.lines if (line.offer_id, line.position) not in known])
    await save_lines(tx.conn, [line for line in decision.lines if (line.offer_id, line.position) in known])
    _say_decision(tx, decision, loaded.books, owners, Causes(events, commands))
    await _close_days(tx, events, closed, policies)


async def _save_offers(conn: Connection, events: Run, closed: set[UUID]) -> None:
    offered = last_offered(events, closed)
    if offered:
        steps = await list_steps(conn, {received.event.product_id for received in offered})
        await save_offers(conn, [terms_of(received, steps) for received in offered])


def _say_decision(
    tx: Transaction, decision: Decision, before: Mapping[UUID, OfferBook], owners: Mapping[UUID, UUID], causes: Causes
) -> None:
    for effect in decision.effects:
        stream = owners[effect.lines[0].offer_id] if effect.lines else causes.stream_of(effect.order_id)
        _say_effect(tx, stream, effect, causes)
    changed = [book for book in decision.books if _availability(book) != _availability(before.get(book.offer_id))]
    _forget_availability(tx, {book.offer_id for book in changed})
    for book in changed:
        stream = owners[book.offer_id]
        event = announcements.offer_availability_changed(book)
        tx.append(stream, event, causes.of_availability(book.offer_id, stream))


def _say_effect(tx: Transaction, stream: UUID, effect: Effect, causes: Causes) -> None:
    if isinstance(effect, Promised):
        tx.append(stream, announcements.order_promised(effect), causes.of_promise(effect.order_id, stream))
    else:
        cause = causes.of_shortage(effect.lines[0].offer_id)
        tx.append(stream, announcements.order_shorted(effect), cause)


def _availability(book: OfferBook | None) -> tuple[bool, int, int]:
    return (book.listed, book.supply_steps, book.available_steps) if book else (False, 0, 0)


def _forget_availability(tx: Transaction, offer_ids: set[UUID]) -> None:
    """An earlier run of the same transaction may have spoken; only the last word on an offer goes out."""
    tx.appended[:] = [
        (stream, event, traceparent)
        for stream, event, traceparent in tx.appended
        if not (isinstance(event, OfferAvailabilityChanged) and event.offer_id in offer_ids)
    ]


async def _close_days(tx: Transaction, events: Run, closed: set[UUID], policies: Mapping[UUID, Policies]) -> None:
    """Shares out what the days that closed have waiting, and tells the households whose basket changed."""
    causes = closing_events(events)
    days = {(received.stream, received.event.delivery_day) for received in causes}
    waiting = await list_closed_offers(tx.conn, days) if days else {}
    if not waiting:
        return
    means = await list_means(tx.conn, policies)
    found = closings(events, closed, waiting, policies)
    memory_from = min(first_day_of_memory(closing.delivery_day, closing.memory_days) for closing in found)
    results = close_days(
        found,
        means,
        await list_entries(tx.conn, policies, memory_from, max(closing.delivery_day for closing in found)),
        await list_told_items(tx.conn, days),
    )
    before = await list_market_days(tx.conn, days)
    asked = _ask(before, causes, found, results, policies, means)
    versions = [
        [asked[_day(closing)].as_asked(one, closing.delivery_day) for one in closed_day.baskets]
        for closing, closed_day in zip(found, results, strict=True)
    ]
    await _save_days(tx.conn, found, results, versions)
    await save_market_days(tx.conn, before, asked)
    goods = await list_goods(tx.conn, {item.offer_id for own in versions for one in own for item in one.items})
    named = {offer_id: of.goods for offer_id, of in goods.items()}
    for cause, closing, own in zip(causes, found, versions, strict=True):
        for version in own:
            event = announcements.basket(version, named, asked[_day(closing)].reply_time)
            tx.append(cause.stream, event, cause.traceparent)
    await shorten_offers(tx, _missing(causes, results, asked))


def _ask(
    before: Mapping[Day, MarketDay],
    causes: Run,
    found: Sequence[Closing],
    results: Sequence[ClosedDay],
    policies: Mapping[UUID, Policies],
    means: Mapping[UUID, Means],
) -> dict[Day, MarketDay]:
    """Opens a round in which the households are asked for what was just shared out."""
    asked = dict(before)
    for cause, closing, closed in zip(causes, found, results, strict=True):
        if closing.offers:
            day, stated = _day(closing), policies[closing.cooperative_id]
            asked[day] = ask_closed(asked.get(day), closing, closed, cause.time, stated, means)
    return asked


def _day(closing: Closing) -> Day:
    """The day that it closes."""
    return closing.cooperative_id, closing.delivery_day


def _missing(causes: Run, results: Sequence[ClosedDay], asked: Mapping[Day, MarketDay]) -> list[Shortage]:
    """What nobody can carry, with the cut-off at which it was found."""
    found = []
    for cause, closed in zip(causes, results, strict=True):
        for offer_id, _ in closed.missing:
            day = asked[cause.stream, cause.event.delivery_day]
            (offer,) = (x for x in day.asked.offers if x.offer_id == offer_id)
            coming = Coming(offer_id, offer.promised_net_steps - offer.missing_steps, day.policies.shortfall_rule)
            found.append(Shortage(cause, coming))
    return found


async def _save_days(
    conn: Connection,
    found: Sequence[Closing],
    results: Sequence[ClosedDay],
    versions: Sequence[Sequence[BasketVersion]],
) -> None:
    """Offers that were closed after the last closing of their day are still waiting."""
    baskets = [(x.cooperative_id, one) for x, own in zip(found, versions, strict=True) for one in own]
    await save_baskets(conn, baskets)
    done = zip(found, results, strict=True)
    await save_entries(conn, {(*_day(x), entry.household_id): entry for x, day in done for entry in day.entries})
    await save_assigned(conn, {offer.offer_id: offer.promised_net_steps for x in found for offer in x.offers})
