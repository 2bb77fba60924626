"""`orders` with the storing left out: what the HTTP door alone can do.

    python -m tests.perf.storeless serve

The same process with the same app; only the desk decides on books that it remembers, and stores and announces nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from services.chassis.cli import main
from services.chassis.ids import uuid7
from services.chassis.runtime import Parts, Runtime
from services.orders.app import service
from services.orders.desk import Desk
from services.orders.domain.intake import Books, Offers, decide
from services.orders.domain.order import Order
from services.orders.intake import Answer, Push
from services.orders.settings import OrdersSettings
from services.orders.store.books import list_offers
from services.orders.store.partners import list_mappings

_NO_BOOKS = Books({}, Offers.of(()))


class StorelessDesk(Desk):
    """Answers every push as a new order. Reads the database only for SKUs that it sees for the first time."""

    def __init__(self, runtime: Runtime[OrdersSettings], clock: Callable[[], datetime]) -> None:
        super().__init__(runtime, clock)
        self._books: dict[UUID, Books] = {}

    async def _store(self, pushes: Sequence[Push]) -> Sequence[Answer]:
        now = self._clock()
        return [decide(Order(uuid7()), push.command, await self._books_for(push), now) for push in pushes]

    async def _books_for(self, push: Push) -> Books:
        partner_id = push.partner.partner_id
        books = self._books.get(partner_id, _NO_BOOKS)
        if any(line.sku not in books.skus for line in push.command.lines):
            skus = {*books.skus, *(line.sku for line in push.command.lines)}
            books = self._books[partner_id] = await self._read(partner_id, skus)
        return books

    async def _read(self, partner_id: UUID, skus: set[str]) -> Books:
        async with self._runtime.pool.acquire() as conn:
            mappings = (await list_mappings(conn, [(partner_id, sku) for sku in sorted(skus)]))[partner_id]
            products = sorted({mapping.product.product_id for mapping in mappings.values()})
            return Books(mappings, Offers.of(await list_offers(conn, [], products, [])))


def wire(runtime: Runtime[OrdersSettings]) -> Parts:
    """The parts of `orders` with the other desk."""
    parts = service.wire(runtime)
    return replace(parts, state={**parts.state, "desk": StorelessDesk(runtime, lambda: datetime.now(UTC))})


if __name__ == "__main__":
    raise SystemExit(main(replace(service, wire=wire)))
