"""Routes for offers: a day's offers published at once, changed until their cut-off, withdrawn, shown."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, status

from services.catalog import announcements
from services.catalog.domain import identity
from services.catalog.domain.offers import change_offer, plan_offers, withdraw_offer
from services.catalog.domain.values import Cooperative, Offer, OfferTerms, Refused
from services.catalog.http.context import Here, Now, Tenant, telling_refusals
from services.catalog.http.fields import Day
from services.catalog.http.offer_bodies import (
    OfferAnswer,
    OfferChangeBody,
    OffersAnswer,
    OffersBody,
    PublishedAnswer,
    PublishedOffersAnswer,
)
from services.catalog.store import offers as store
from services.catalog.store.cooperatives import lock_cooperative, save_renew_at
from services.catalog.store.members import get_books
from services.catalog.store.offers import ListedOffer
from services.catalog.store.standing import save_standing_offers
from services.chassis.access import Authenticated, Principal
from services.chassis.ledger import Transaction
from services.chassis.problems import refusals

router = APIRouter(tags=["offers"], responses=refusals(404))


@router.post(
    "/cooperatives/{slug}/offers",
    status_code=status.HTTP_201_CREATED,
    summary="Publish a day's offers with their pledges",
    responses=refusals(409),
)
async def publish(body: OffersBody, tenant: Tenant, here: Here, now: Now) -> PublishedOffersAnswer:
    """All of them or, if one is wrong, none. A product has one live offer for each delivery day."""
    drafts = [offer.draft() for offer in body.offers]
    product_codes = [draft.product_code for draft in drafts]
    household_codes = list({pledge.household_code for draft in drafts for pledge in draft.pledges})

    async def work(tx: Transaction) -> list[Offer]:
        cooperative = await lock_cooperative(tx.conn, tenant.cooperative_id)
        plan = plan_offers(drafts, await get_books(tx.conn, cooperative, product_codes, household_codes), now)
        before = await store.count_offers(tx.conn, tenant.cooperative_id, {terms.delivery_day for terms in plan.offers})
        offers = [_offer(terms, before) for terms in plan.offers]
        stored = await store.insert_offers(tx.conn, tenant.cooperative_id, offers)
        if len(stored) < len(offers):
            raise await _taken(tx, tenant.cooperative_id, [o.terms for o in offers if o.offer_id not in stored])
        if plan.standing:
            await save_standing_offers(tx.conn, tenant.cooperative_id, plan.standing)
            await save_renew_at(tx.conn, tenant.cooperative_id, now)
        for offer in offers:
            tx.append(tenant.cooperative_id, announcements.offer_published(offer))
        return offers

    with telling_refusals():
        offers = await here.ledger.transact(work)
    return PublishedOffersAnswer(
        offers=[
            PublishedAnswer(offer_id=offer.offer_id, product_code=code, delivery_day=offer.terms.delivery_day)
            for code, offer in zip(product_codes, offers, strict=True)
        ]
    )


def _offer(terms: OfferTerms, before: Mapping[tuple[UUID, date], int]) -> Offer:
    number = before.get((terms.product_id, terms.delivery_day), 0)
    return Offer(identity.offer_id(terms.product_id, terms.delivery_day, number), terms)


async def _taken(tx: Transaction, cooperative_id: UUID, wanted: Sequence[OfferTerms]) -> Refused:
    """Says which live offers stand in the way."""
    ways = []
    for day in sorted({terms.delivery_day for terms in wanted}):
        products = {terms.product_id for terms in wanted if terms.delivery_day == day}
        for listed in await store.list_offers(tx.conn, cooperative_id, day):
            if listed.offer.terms.product_id in products and not listed.offer.withdrawn:
                ways.append(f"{listed.product_code} for {day} (offer {listed.offer.offer_id})")
    return Refused(f"Offered already: {', '.join(ways)}. Change or withdraw what is there.")


@router.get("/cooperatives/{slug}/offers", summary="List the offers of one delivery day")
async def list_day(delivery_day: Annotated[Day, Query()], tenant: Tenant, here: Here, now: Now) -> OffersAnswer:
    """By product code, withdrawn ones too, each with its pledges and what is left of it."""
    found = await store.list_offers(here.pool, tenant.cooperative_id, delivery_day)
    return OffersAnswer(offers=[OfferAnswer.of(listed, now) for listed in found])


@router.get("/offers/{offer_id}", summary="Show an offer")
async def show(offer_id: UUID, principal: Authenticated, here: Here, now: Now) -> OfferAnswer:
    """With its pledges and what is left of it."""
    listed = await store.get_offer(here.pool, offer_id)
    principal.must_see(listed.cooperative_id if listed else None, "offer")
    assert listed is not None
    return OfferAnswer.of(listed, now)


@router.patch("/offers/{offer_id}", summary="Change an offer before its cut-off", responses=refusals(409))
async def change(offer_id: UUID, body: OfferChangeBody, principal: Authenticated, here: Here, now: Now) -> OfferAnswer:
    """Price, cut-off, arrive-by and pledges. Pledges below what is promised take the newest promises back."""
    wanted = body.change()
    household_codes = [pledge.household_code for pledge in wanted.pledges or ()]

    async def work(tx: Transaction) -> ListedOffer:
        cooperative, listed = await _lock(tx, principal, offer_id)
        books = await get_books(tx.conn, cooperative, [listed.product_code], household_codes)
        terms = change_offer(listed.offer, wanted, books.products[listed.product_code], books, now)
        if terms != listed.offer.terms:
            changed = replace(listed.offer, terms=terms)
            await store.save_offer(tx.conn, changed)
            tx.append(listed.cooperative_id, announcements.offer_changed(changed))
        return await _reread(tx, offer_id)

    with telling_refusals():
        return OfferAnswer.of(await here.ledger.transact(work), now)


@router.post("/offers/{offer_id}/withdraw", summary="Withdraw an offer before its cut-off", responses=refusals(409))
async def withdraw(offer_id: UUID, principal: Authenticated, here: Here, now: Now) -> OfferAnswer:
    """Nothing more is sold of it, and what was promised is taken back. Doing it again changes nothing."""

    async def work(tx: Transaction) -> ListedOffer:
        _, listed = await _lock(tx, principal, offer_id)
        if withdraw_offer(listed.offer, now):
            await store.save_withdrawal(tx.conn, offer_id, now)
            tx.append(listed.cooperative_id, announcements.offer_withdrawn(offer_id))
        return await _reread(tx, offer_id)

    with telling_refusals():
        return OfferAnswer.of(await here.ledger.transact(work), now)


async def _reread(tx: Transaction, offer_id: UUID) -> ListedOffer:
    """The offer as this transaction sees it now."""
    listed = await store.get_offer(tx.conn, offer_id)
    assert listed is not None, "offers are never deleted"
    return listed


async def _lock(tx: Transaction, principal: Principal, offer_id: UUID) -> tuple[Cooperative, ListedOffer]:
    """The offer and its cooperative, under the lock of the latter. Raises a 404 problem for other keys."""
    listed = await store.get_offer(tx.conn, offer_id)
    principal.must_see(listed.cooperative_id if listed else None, "offer")
    assert listed is not None
    cooperative = await lock_cooperative(tx.conn, listed.cooperative_id)
    return cooperative, await _reread(tx, offer_id)
