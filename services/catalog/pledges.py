"""What becomes of pledges when a household may no longer pledge what it did."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from services.catalog import announcements
from services.catalog.domain.eligibility import lacking
from services.catalog.domain.values import Cooperative, Household, Pledge
from services.catalog.store.members import get_books
from services.catalog.store.offers import list_open_offers, save_offer
from services.catalog.store.standing import list_standing_offers, save_standing_offers
from services.chassis.ledger import Transaction


async def drop_pledges_that_are_not_allowed(
    tx: Transaction, cooperative: Cooperative, household: Household, now: datetime
) -> None:
    """Removes the household's pledges, to open offers and standing ones, of what it may not pledge.

    Under the lock of the cooperative, so that no offer is published meanwhile by the household's old state.
    """
    offers = await list_open_offers(tx.conn, cooperative, household.household_id, now)
    standing = await list_standing_offers(tx.conn, cooperative.cooperative_id)
    codes = [offer.product_code for offer in offers] + [offer.product_code for offer in standing]
    products = (await get_books(tx.conn, cooperative, codes, [])).products
    refused = {code for code, product in products.items() if lacking(household, product)}
    for listed in offers:
        if listed.product_code in refused:
            terms = listed.offer.terms
            without = replace(terms, pledges=_without(household.household_id, terms.pledges))
            changed = replace(listed.offer, terms=without)
            await save_offer(tx.conn, changed)
            tx.append(cooperative.cooperative_id, announcements.offer_changed(changed))
    reduced = [
        replace(each.standing, pledges=_without(household.household_id, each.standing.pledges))
        for each in standing
        if each.product_code in refused and household.household_id in each.household_codes
    ]
    await save_standing_offers(tx.conn, cooperative.cooperative_id, reduced)


def _without(household_id: UUID, pledges: tuple[Pledge, ...]) -> tuple[Pledge, ...]:
    return tuple(pledge for pledge in pledges if pledge.household_id != household_id)
