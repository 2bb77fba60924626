"""The job that publishes what standing offers ask for.

Each cooperative carries the moment at which it is looked at next, so a run costs nothing while nothing is due, and
staff who set a standing offer move that moment to now. A cooperative is claimed by its row: two processes never
renew the same one at once, and one that fails does not hold up the others.
"""

import logging
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from services.catalog import announcements
from services.catalog.domain.eligibility import allowed_pledges
from services.catalog.domain.identity import offer_id
from services.catalog.domain.standing import due_offers, renewal_days
from services.catalog.domain.values import Cooperative, Offer, StandingOffer
from services.catalog.store.cooperatives import (
    claim_cooperative_to_renew,
    list_cooperatives_to_renew,
    save_renew_at,
)
from services.catalog.store.members import get_books
from services.catalog.store.offers import insert_offers, list_published
from services.catalog.store.standing import ListedStanding, list_standing_offers
from services.chassis.faults import is_weather
from services.chassis.ledger import Connection, Ledger, Transaction

log = logging.getLogger(__name__)

LOOK_AGAIN = timedelta(minutes=10)
"""How soon a cooperative's new local day is noticed."""
MOST_AT_ONCE = 100


class Renewal:
    """Renews standing offers of all cooperatives; `run` is a job."""

    def __init__(self, ledger: Ledger, days_ahead: int) -> None:
        self._ledger, self._days_ahead = ledger, days_ahead

    async def run(self, now: datetime) -> bool:
        """Renews every cooperative whose moment has come; True if there may be more of them.

        Raises the last fault, after the others were served; weather at once.
        """
        waiting = await list_cooperatives_to_renew(self._ledger.pool, now, MOST_AT_ONCE)
        failed: Exception | None = None
        for cooperative_id in waiting:
            try:
                await self._renew(cooperative_id, now)
            except Exception as error:
                if is_weather(error):
                    raise
                log.exception("standing offers not renewed", extra={"cooperative": str(cooperative_id)})
                failed = error
        if failed is not None:
            raise failed
        return len(waiting) == MOST_AT_ONCE

    async def _renew(self, cooperative_id: UUID, now: datetime) -> None:
        async def work(tx: Transaction) -> int:
            cooperative = await claim_cooperative_to_renew(tx.conn, cooperative_id, now)
            if cooperative is None:
                return 0
            listed = await list_standing_offers(tx.conn, cooperative_id)
            standing = await _as_allowed(tx.conn, cooperative, listed)
            first, last = renewal_days(now, cooperative.zone, self._days_ahead)
            published = await list_published(tx.conn, cooperative_id, first, last)
            due = due_offers(standing, published.keys(), cooperative.zone, now, self._days_ahead)
            # Due only where there was none before.
            offers = [Offer(offer_id(terms.product_id, terms.delivery_day, before=0), terms) for terms in due]
            stored = await insert_offers(tx.conn, cooperative_id, offers)
            for offer in offers:
                if offer.offer_id in stored:
                    tx.append(cooperative_id, announcements.offer_published(offer))
            await save_renew_at(tx.conn, cooperative_id, now + LOOK_AGAIN if standing else None)
            return len(stored)

        count = await self._ledger.transact(work)
        if count:
            log.info("standing offers renewed", extra={"cooperative": str(cooperative_id), "offers": count})


async def _as_allowed(
    conn: Connection, cooperative: Cooperative, listed: Iterable[ListedStanding]
) -> list[StandingOffer]:
    """The standing offers, each with those of its pledges that its households may make."""
    by_code = {each.product_code: each for each in listed}
    codes = {code for each in by_code.values() for code in each.household_codes.values()}
    books = await get_books(conn, cooperative, list(by_code), list(codes))
    households = {household.household_id: household for household in books.households.values()}
    return [
        replace(each.standing, pledges=allowed_pledges(each.standing.pledges, books.products[code], households))
        for code, each in by_code.items()
    ]
