"""What a cooperative's staff are told about a day: what is sold out, and what does not come although it was promised.

A day has one such notice at a time, which says all so far; a newer one takes the place of one that has not gone out.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from services.chassis.inbox import Received
from services.chassis.ledger import Transaction
from services.contracts.allocation import OfferAvailabilityChanged, OrderDelivered, OrderShorted
from services.notify.climbing import Ladder
from services.notify.clock import Clock
from services.notify.domain.notices import SHORTFALL, SOLD_OUT, Facts, Notice
from services.notify.domain.staff_facts import ShortfallFacts, ShortOffer, SoldOutFacts
from services.notify.store import books, days


@dataclass(frozen=True, slots=True)
class Staff:
    """One notice to staff per day and kind of news."""

    clock: Clock
    ladder: Ladder

    async def on_availability(self, tx: Transaction, received: Sequence[Received[OfferAvailabilityChanged]]) -> None:
        """Only what is sold out before its cut-off is news; an offer is said to be so once."""
        sold_out = {r.event.offer_id: r for r in received if _is_sold_out(r.event)}
        offers = await books.list_offers(tx.conn, sold_out)
        by_day: defaultdict[days.DayKey, dict[UUID, str]] = defaultdict(dict)
        last: dict[days.DayKey, Received[OfferAvailabilityChanged]] = {}
        for offer_id, offer in offers.items():
            key = (sold_out[offer_id].stream, offer.delivery_day, SOLD_OUT)
            by_day[key][offer_id] = offer.goods.name
            last[key] = sold_out[offer_id]
        found = await days.list_staff_days(tx.conn, by_day)
        news: dict[days.DayKey, days.StaffDay] = {}
        for key, names in by_day.items():
            before = found.get(key, days.StaffDay(0, {}))
            if any(str(offer_id) not in before.content for offer_id in names):
                added = {str(offer_id): days.Item(name, 0, 0) for offer_id, name in names.items()}
                content = {**before.content, **added}
                news[key] = days.StaffDay(len(content), content)
        await self._tell(tx, news, {key: last[key] for key in news})

    async def on_shorted(self, tx: Transaction, received: Sequence[Received[OrderShorted]]) -> None:
        """How much of each offer does not come, and how many orders get less because of it."""
        lines = [(r, line) for r in received for line in r.event.lines if line.after_steps < line.before_steps]
        offers = await books.list_offers(tx.conn, {line.offer_id for _, line in lines})
        by_day: defaultdict[days.DayKey, list[tuple[UUID, int]]] = defaultdict(list)
        last: dict[days.DayKey, Received[OrderShorted]] = {}
        for r, line in lines:
            if (offer := offers.get(line.offer_id)) is not None:
                key = (r.stream, offer.delivery_day, SHORTFALL)
                by_day[key].append((line.offer_id, line.before_steps - line.after_steps))
                last[key] = r
        await days.save_orders(
            tx.conn,
            {
                (offers[line.offer_id].delivery_day, r.stream, r.event.order_id): True
                for r, line in lines
                if line.offer_id in offers
            },
        )
        found = await days.list_staff_days(tx.conn, by_day)
        news: dict[days.DayKey, days.StaffDay] = {}
        for key, missing in by_day.items():
            before = found.get(key, days.StaffDay(0, {}))
            content = dict(before.content)
            for offer_id, steps in missing:
                item = content.get(str(offer_id), days.Item(offers[offer_id].goods.name, 0, 0))
                content[str(offer_id)] = days.Item(item.name, item.steps + steps, item.orders + 1)
            news[key] = days.StaffDay(sum(item.orders for item in content.values()), content)
        await self._tell(tx, news, last)

    async def on_delivered(self, tx: Transaction, received: Sequence[Received[OrderDelivered]]) -> None:
        """The day had these orders; nobody is told of each."""
        await days.save_orders(tx.conn, {(r.event.delivery_day, r.stream, r.event.order_id): False for r in received})

    async def _tell(
        self,
        tx: Transaction,
        news: dict[days.DayKey, days.StaffDay],
        last: "dict[days.DayKey, Received[OfferAvailabilityChanged]] | dict[days.DayKey, Received[OrderShorted]]",
    ) -> None:
        if not news:
            return
        await days.save_staff_days(tx.conn, news)
        cooperatives = await books.list_cooperatives(tx.conn, {key[0] for key in news})
        named = {UUID(offer_id) for day in news.values() for offer_id in day.content}
        offers = await books.list_offers(tx.conn, named)
        made: list[Notice] = []
        for (cooperative_id, delivery_day, kind), day in news.items():
            cooperative, r = cooperatives[cooperative_id], last[cooperative_id, delivery_day, kind]
            said: Facts
            if kind == SOLD_OUT:
                products = tuple(sorted({item.name for item in day.content.values()}))
                said = SoldOutFacts(cooperative.name, cooperative.timezone, delivery_day, products)
            else:
                short = [(offers[UUID(id)].goods, item) for id, item in day.content.items()]
                said = ShortfallFacts(
                    cooperative.name, cooperative.timezone, delivery_day,
                    tuple(ShortOffer(goods, item.steps, item.orders) for goods, item in short),
                )  # fmt: skip
            made.append(
                Notice(r.id, cooperative_id, kind, said, r.time, r.traceparent, None, delivery_day, day.version)
            )
        await self.ladder.write_down(tx, made, self.clock())


def _is_sold_out(event: OfferAvailabilityChanged) -> bool:
    return event.open and event.supply_steps > 0 and event.available_steps == 0
