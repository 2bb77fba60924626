"""Routes for the households of a cooperative. Names of families are shown here and sent nowhere."""

from dataclasses import replace
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, status
from pydantic import BaseModel, Field

from services.catalog import announcements
from services.catalog.domain.values import Household, Refused
from services.catalog.http.context import Here, Paged, Tenant, refusals, telling_refusals
from services.catalog.http.fields import Body, Code, Text
from services.catalog.store import members as store
from services.chassis.ids import uuid7
from services.chassis.ledger import Transaction
from services.chassis.problems import not_found

router = APIRouter(prefix="/cooperatives/{slug}/households", tags=["households"], responses=refusals(404))

ShareWeight = Annotated[
    int, Field(strict=True, ge=1, le=1000, description="A household of weight 2 gets twice the share of one of 1.")
]


class HouseholdBody(Body):
    """A household that joins."""

    code: Code
    name: Text
    share_weight: ShareWeight = 1


class HouseholdChange(Body):
    """What shall be different; what is absent or null stays."""

    name: Text | None = None
    share_weight: ShareWeight | None = None


class HouseholdAnswer(BaseModel):
    """A household."""

    household_id: UUID
    code: str
    name: str
    share_weight: int

    @classmethod
    def of(cls, household: Household) -> "HouseholdAnswer":
        """As stored."""
        return cls(
            household_id=household.household_id,
            code=household.code,
            name=household.name,
            share_weight=household.share_weight,
        )


class HouseholdsAnswer(BaseModel):
    """A page of households by code."""

    households: list[HouseholdAnswer]
    next_after: str | None


@router.post("", status_code=status.HTTP_201_CREATED, summary="Register a household", responses=refusals(409))
async def register(body: HouseholdBody, tenant: Tenant, here: Here) -> HouseholdAnswer:
    """The code is the cooperative's own reference and stays for ever."""

    async def work(tx: Transaction) -> Household:
        household = Household(uuid7(), body.code, body.name, body.share_weight)
        if not await store.insert_household(tx.conn, tenant.cooperative_id, household):
            raise Refused(f"A household with the code {body.code} exists already in {tenant.slug}.")
        tx.append(tenant.cooperative_id, announcements.household_registered(household))
        return household

    with telling_refusals():
        return HouseholdAnswer.of(await here.ledger.transact(work))


@router.get("", summary="List households by code")
async def list_all(page: Paged, tenant: Tenant, here: Here) -> HouseholdsAnswer:
    """A page of the cooperative's households."""
    found = await store.list_households(here.pool, tenant.cooperative_id, page.after, page.limit + 1)
    shown, next_after = page.cut(found, lambda household: household.code)
    return HouseholdsAnswer(households=[HouseholdAnswer.of(h) for h in shown], next_after=next_after)


@router.get("/{code}", summary="Show a household")
async def show(code: Code, tenant: Tenant, here: Here) -> HouseholdAnswer:
    """By its code."""
    household = await store.get_household(here.pool, tenant.cooperative_id, code)
    if household is None:
        raise not_found("household")
    return HouseholdAnswer.of(household)


@router.patch("/{code}", summary="Change a household's name or share weight")
async def change(code: Code, body: HouseholdChange, tenant: Tenant, here: Here) -> HouseholdAnswer:
    """A new share weight counts for the baskets that are made after it."""

    async def work(tx: Transaction) -> Household:
        before = await store.lock_household(tx.conn, tenant.cooperative_id, code)
        if before is None:
            raise not_found("household")
        after = replace(before, name=body.name or before.name, share_weight=body.share_weight or before.share_weight)
        if after != before:
            await store.save_household(tx.conn, after)
        if after.share_weight != before.share_weight:
            tx.append(tenant.cooperative_id, announcements.household_changed(after))
        return after

    return HouseholdAnswer.of(await here.ledger.transact(work))
