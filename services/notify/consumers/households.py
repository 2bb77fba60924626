"""What households are told, as notices that are written down: what to bring, what was settled, what it came to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid5

from services.chassis.inbox import Received
from services.chassis.ledger import Transaction
from services.contracts.allocation import (
    ArrivalRecorded,
    BasketAssigned,
    BasketChanged,
    BasketConfirmed,
    DaySettled,
    SettlementCorrected,
)
from services.notify.climbing import Ladder
from services.notify.clock import Clock
from services.notify.domain import facts, notices
from services.notify.domain.facts import Goods
from services.notify.domain.notices import Notice
from services.notify.domain.replies import PAGE, CurrentBasket
from services.notify.store import baskets, books, days, months

Basket = BasketAssigned | BasketChanged
AnyBasket = Basket | BasketConfirmed


@dataclass(frozen=True, slots=True)
class Households:
    """One notice per household and change, in the transaction that applies its event."""

    clock: Clock
    ladder: Ladder

    async def on_baskets(self, tx: Transaction, received: Sequence[Received[Basket]]) -> None:
        """What to bring, or that there is nothing to bring."""
        contents = await _contents(tx, received)
        await _keep(tx, received, contents)
        made = [_basket_notice(r, content) for r, content in zip(received, contents, strict=True)]
        await self.ladder.write_down(tx, made, self.clock())

    async def on_confirmed(self, tx: Transaction, received: Sequence[Received[BasketConfirmed]]) -> None:
        """What is settled now. Whoever answered on the page reads it there."""
        contents = await _contents(tx, received)
        await _keep(tx, received, contents)
        keys = {(r.event.household_id, r.event.delivery_day) for r in received}
        by_channel = await baskets.list_reply_channels(tx.conn, keys)
        made = [
            _confirmed_notice(r, content)
            for r, content in zip(received, contents, strict=True)
            if r.event.by != "reply" or by_channel.get((r.event.household_id, r.event.delivery_day), PAGE) != PAGE
        ]
        await self.ladder.write_down(tx, made, self.clock())

    async def on_arrivals(self, tx: Transaction, received: Sequence[Received[ArrivalRecorded]]) -> None:
        """All that was weighed in on the day so far; a record that stands in place of another replaces its line."""
        goods = await books.list_products(tx.conn, {r.event.product_id for r in received})
        cooperatives = await books.list_cooperatives(tx.conn, {r.stream for r in received})
        keys = {(r.event.household_id, r.event.delivery_day) for r in received}
        found = await days.list_received(tx.conn, keys)
        last: dict[days.Key, Received[ArrivalRecorded]] = {}
        for r in received:
            key = (r.event.household_id, r.event.delivery_day)
            before = found.get(key) or days.ReceivedDay(r.stream, 0, {})
            found[key] = before.with_line(r.event.arrival_id, _arrived(r.event, goods))
            last[key] = r
        await days.save_received(tx.conn, found)
        made = [_arrival_notice(r, found[key], cooperatives[r.stream]) for key, r in last.items()]
        await self.ladder.write_down(tx, made, self.clock())

    async def on_settled(self, tx: Transaction, received: Sequence[Received[DaySettled]]) -> None:
        """What each household is owed for the day."""
        cooperatives = await books.list_cooperatives(tx.conn, {r.stream for r in received})
        settled = {
            (one.household_id, r.event.delivery_day): (r, facts.SettledDay(
                r.event.delivery_day, one.gross_vnd, one.fee_vnd, one.net_vnd))
            for r in received for one in r.event.households
        }  # fmt: skip
        await days.save_settled(tx.conn, {key: (r.stream, day) for key, (r, day) in settled.items()})
        await self._note_months(tx, received)
        made = [
            _settlement_notice(r, household_id, day, cooperatives[r.stream])
            for (household_id, _), (r, day) in settled.items()
        ]
        await self.ladder.write_down(tx, made, self.clock())

    async def on_corrected(self, tx: Transaction, received: Sequence[Received[SettlementCorrected]]) -> None:
        """It stands in the settlement of the month."""
        await days.save_corrections(tx.conn, [(r.stream, r.event) for r in received])
        await self._note_months(tx, received)

    async def _note_months(
        self, tx: Transaction, received: Sequence[Received[DaySettled | SettlementCorrected]]
    ) -> None:
        changed = {(r.stream, r.event.delivery_day.replace(day=1)) for r in received}
        await months.note_changes(tx.conn, changed, self.clock())


async def _contents(tx: Transaction, received: Sequence[Received[AnyBasket]]) -> list[facts.BasketFacts]:
    """What each of these baskets says, by the names that things have now."""
    items = [item for r in received for item in r.event.items]
    cooperatives = await books.list_cooperatives(tx.conn, {r.stream for r in received})
    goods = await books.list_products(tx.conn, {item.product_id for item in items})
    points = await books.list_collection_points(tx.conn, {item.collection_point_id for item in items})
    return [_content(r.event, cooperatives[r.stream], goods, points) for r in received]


def _content(
    basket: AnyBasket, cooperative: books.Cooperative, goods: Mapping[UUID, Goods], points: Mapping[UUID, str]
) -> facts.BasketFacts:
    items = tuple(
        facts.BasketItem(
            item.product_id,
            goods[item.product_id],
            item.quantity_steps,
            points[item.collection_point_id],
            item.arrive_by_at,
            item.offer_id,
            item.confirmed_steps,
            item.why_vi,
            item.why_en,
        )
        for item in basket.items
    )
    return facts.BasketFacts(
        cooperative.name,
        cooperative.timezone,
        basket.delivery_day,
        items,
        basket.reply_by_at,
        basket.empty_reason,
        basket.reply_minutes,
    )


async def _keep(
    tx: Transaction, received: Sequence[Received[AnyBasket]], contents: Sequence[facts.BasketFacts]
) -> None:
    """From here on the page shows these."""
    await baskets.save_baskets(
        tx.conn,
        [
            CurrentBasket(
                r.event.household_id,
                r.stream,
                r.event.version,
                r.sequence,
                content,
                r.event.by if isinstance(r.event, BasketConfirmed) else None,
            )
            for r, content in zip(received, contents, strict=True)
        ],
    )


def _basket_notice(r: Received[Basket], content: facts.BasketFacts) -> Notice:
    return Notice(
        r.id, r.stream, notices.BASKET, content, r.time, r.traceparent,
        household_id=r.event.household_id, delivery_day=r.event.delivery_day, version=r.event.version,
    )  # fmt: skip


def _confirmed_notice(r: Received[BasketConfirmed], content: facts.BasketFacts) -> Notice:
    event = r.event
    said = facts.ConfirmedFacts(content.cooperative, content.timezone, event.delivery_day, event.by, content.items)
    return Notice(
        r.id, r.stream, notices.BASKET_CONFIRMED, said, r.time, r.traceparent,
        household_id=event.household_id, delivery_day=event.delivery_day, version=event.version,
    )  # fmt: skip


def _arrived(event: ArrivalRecorded, goods: Mapping[UUID, Goods]) -> facts.ArrivedLine:
    return facts.ArrivedLine(
        goods[event.product_id], event.lot, event.accepted_steps, event.rejected_steps, event.reason
    )


def _arrival_notice(r: Received[ArrivalRecorded], day: days.ReceivedDay, cooperative: books.Cooperative) -> Notice:
    lines = tuple(sorted(day.lines.values(), key=lambda line: (line.goods.name, line.lot)))
    said = facts.ArrivalFacts(cooperative.name, cooperative.timezone, r.event.delivery_day, lines)
    return Notice(
        r.id, r.stream, notices.ARRIVAL, said, r.time, r.traceparent,
        household_id=r.event.household_id, delivery_day=r.event.delivery_day, version=day.version,
    )  # fmt: skip


def _settlement_notice(
    r: Received[DaySettled], household_id: UUID, day: facts.SettledDay, cooperative: books.Cooperative
) -> Notice:
    """One event speaks of many households, so each notice has an id of its own that follows from both."""
    said = facts.DaySettlementFacts(cooperative.name, cooperative.timezone, day)
    return Notice(
        uuid5(r.id, str(household_id)), r.stream, notices.SETTLEMENT_DAY, said, r.time, r.traceparent,
        household_id=household_id, delivery_day=day.delivery_day,
    )  # fmt: skip
