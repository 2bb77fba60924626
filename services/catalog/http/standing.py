"""Routes for standing offers: what a cooperative offers every day by itself."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response, status
from pydantic import BaseModel, Field

from services.catalog.domain.standing import MOST_DAYS_BEFORE, StandingDraft, plan_standing
from services.catalog.domain.values import Cooperative, Product
from services.catalog.http.context import Here, Now, Paged, Tenant, telling_refusals
from services.catalog.http.fields import Body, Code, LocalTime, PledgeAnswer, Pledges, PriceVnd, local_time
from services.catalog.store import Reader
from services.catalog.store import standing as store
from services.catalog.store.cooperatives import lock_cooperative, save_renew_at
from services.catalog.store.members import get_books, get_product
from services.catalog.store.standing import ListedStanding
from services.chassis.ledger import Transaction
from services.chassis.problems import not_found, refusals

router = APIRouter(prefix="/cooperatives/{slug}/standing-offers", tags=["standing offers"], responses=refusals(404))

DaysBefore = Annotated[
    int, Field(strict=True, ge=0, le=MOST_DAYS_BEFORE, description="How many days before delivery intake ends.")
]


class StandingOfferBody(Body):
    """What is offered every day, in local times of the cooperative."""

    price_vnd: PriceVnd
    cut_off_time: LocalTime
    cut_off_days_before: DaysBefore
    arrive_by_time: LocalTime
    collection_point_id: Annotated[UUID | None, Field(description="Null: the cooperative's only collection point.")] = (
        None
    )
    pledges: Pledges

    def draft(self) -> StandingDraft:
        """For the domain."""
        return StandingDraft(
            self.price_vnd,
            local_time(self.cut_off_time),
            self.cut_off_days_before,
            local_time(self.arrive_by_time),
            self.collection_point_id,
            [pledge.draft() for pledge in self.pledges],
        )


class StandingOfferAnswer(BaseModel):
    """A standing offer."""

    product_id: UUID
    product_code: str
    price_vnd: int
    cut_off_time: LocalTime
    cut_off_days_before: int
    arrive_by_time: LocalTime
    collection_point_id: UUID
    pledges: list[PledgeAnswer]

    @classmethod
    def of(cls, listed: ListedStanding) -> "StandingOfferAnswer":
        """As stored."""
        standing = listed.standing
        return cls(
            product_id=standing.product_id,
            product_code=listed.product_code,
            price_vnd=standing.price_vnd,
            cut_off_time=f"{standing.cut_off_time:%H:%M}",
            cut_off_days_before=standing.cut_off_days_before,
            arrive_by_time=f"{standing.arrive_by_time:%H:%M}",
            collection_point_id=standing.collection_point_id,
            pledges=PledgeAnswer.of_all(standing.pledges, listed.household_codes),
        )


class StandingOffersAnswer(BaseModel):
    """A page of standing offers by product code."""

    standing_offers: list[StandingOfferAnswer]
    next_after: str | None


async def _product(reader: Reader, tenant: Cooperative, code: str) -> Product:
    product = await get_product(reader, tenant.cooperative_id, code)
    if product is None:
        raise not_found("product")
    return product


@router.get("", summary="List standing offers by product code")
async def list_all(page: Paged, tenant: Tenant, here: Here) -> StandingOffersAnswer:
    """A page of the cooperative's standing offers."""
    found = await store.list_standing_offers(here.pool, tenant.cooperative_id, page.after, page.limit + 1)
    shown, next_after = page.cut(found, lambda listed: listed.product_code)
    return StandingOffersAnswer(standing_offers=[StandingOfferAnswer.of(s) for s in shown], next_after=next_after)


@router.get("/{product_code}", summary="Show the standing offer of a product")
async def show(product_code: Code, tenant: Tenant, here: Here) -> StandingOfferAnswer:
    """By the product's code."""
    product = await _product(here.pool, tenant, product_code)
    listed = await store.get_standing_offer(here.pool, product.product_id)
    if listed is None:
        raise not_found("standing offer")
    return StandingOfferAnswer.of(listed)


@router.put(
    "/{product_code}",
    summary="Set the standing offer of a product",
    responses={201: {"model": StandingOfferAnswer, "description": "The product had none before."}},
)
async def put(
    product_code: Code, body: StandingOfferBody, tenant: Tenant, here: Here, now: Now, response: Response
) -> StandingOfferAnswer:
    """Published within seconds for each coming day that has no offer; offers that are published already stay."""
    draft = body.draft()
    household_codes = [pledge.household_code for pledge in draft.pledges]

    async def work(tx: Transaction) -> tuple[bool, ListedStanding]:
        cooperative = await lock_cooperative(tx.conn, tenant.cooperative_id)
        product = await _product(tx.conn, tenant, product_code)
        books = await get_books(tx.conn, cooperative, [], household_codes)
        before = await store.get_standing_offer(tx.conn, product.product_id)
        await store.save_standing_offers(tx.conn, tenant.cooperative_id, [plan_standing(draft, product, books)])
        await save_renew_at(tx.conn, tenant.cooperative_id, now)
        after = await store.get_standing_offer(tx.conn, product.product_id)
        assert after is not None
        return before is None, after

    with telling_refusals():
        is_new, listed = await here.ledger.transact(work)
    if is_new:
        response.status_code = status.HTTP_201_CREATED
    return StandingOfferAnswer.of(listed)


@router.delete("/{product_code}", status_code=status.HTTP_204_NO_CONTENT, summary="End the standing offer of a product")
async def delete(product_code: Code, tenant: Tenant, here: Here) -> None:
    """Offers that are published already stay. Doing it again changes nothing."""

    async def work(tx: Transaction) -> None:
        await lock_cooperative(tx.conn, tenant.cooperative_id)
        product = await _product(tx.conn, tenant, product_code)
        await store.delete_standing_offer(tx.conn, product.product_id)

    await here.ledger.transact(work)
