"""Routes for the households of a cooperative. Names of families are shown here and sent nowhere."""

from dataclasses import replace
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, status
from pydantic import BaseModel, Field

from services.catalog import announcements
from services.catalog.domain import identity
from services.catalog.domain.values import Household, Refused
from services.catalog.http.context import Here, Now, Paged, Tenant, telling_refusals
from services.catalog.http.fields import Body, Code, Names, Text
from services.catalog.pledges import drop_pledges_that_are_not_allowed
from services.catalog.store import members as store
from services.catalog.store.cooperatives import lock_cooperative
from services.chassis.ledger import Transaction
from services.chassis.problems import not_found, refusals

router = APIRouter(prefix="/cooperatives/{slug}/households", tags=["households"], responses=refusals(404))

ShareWeight = Annotated[
    int, Field(strict=True, ge=1, le=1000, description="A household of weight 2 gets twice the share of one of 1.")
]

Crops = Annotated[Names, Field(description="The crops that it grows, as products name them; empty: all.")]
Grades = Annotated[Names, Field(description="The grades that it brings, as products name them; empty: all.")]
Certificates = Annotated[Names, Field(description="It pledges a product only if it holds all of the product's.")]
MaximumLoadGrams = Annotated[
    int, Field(strict=True, ge=1, le=100_000_000, description="The most that it can bring at once; null: no limit.")
]


class HouseholdBody(Body):
    """A household that joins."""

    code: Code
    name: Text
    share_weight: ShareWeight = 1
    crops: Crops = ()
    grades: Grades = ()
    certificates: Certificates = ()
    maximum_load_grams: MaximumLoadGrams | None = None

    def household(self, cooperative_id: UUID) -> Household:
        """For the store, with its id."""
        return Household(identity.household_id(cooperative_id, self.code), **dict(self))


class HouseholdChange(Body):
    """What shall be different; what is absent or null stays. `maximum_load_grams: null` takes the limit away."""

    name: Text | None = None
    share_weight: ShareWeight | None = None
    crops: Crops | None = None
    grades: Grades | None = None
    certificates: Certificates | None = None
    maximum_load_grams: MaximumLoadGrams | None = None

    def applied_to(self, household: Household) -> Household:
        """The household as it shall be."""
        wanted = self.model_dump(exclude_unset=True)
        return replace(household, **{k: v for k, v in wanted.items() if v is not None or k == "maximum_load_grams"})


class HouseholdAnswer(BaseModel):
    """A household."""

    household_id: UUID
    code: str
    name: str
    share_weight: int
    crops: list[str]
    grades: list[str]
    certificates: list[str]
    maximum_load_grams: int | None

    @classmethod
    def of(cls, household: Household) -> "HouseholdAnswer":
        """As stored."""
        return cls(
            household_id=household.household_id,
            code=household.code,
            name=household.name,
            share_weight=household.share_weight,
            crops=list(household.crops),
            grades=list(household.grades),
            certificates=list(household.certificates),
            maximum_load_grams=household.maximum_load_grams,
        )


class HouseholdsAnswer(BaseModel):
    """A page of households by code."""

    households: list[HouseholdAnswer]
    next_after: str | None


@router.post("", status_code=status.HTTP_201_CREATED, summary="Register a household", responses=refusals(409))
async def register(body: HouseholdBody, tenant: Tenant, here: Here) -> HouseholdAnswer:
    """The code is the cooperative's own reference and stays for ever."""

    async def work(tx: Transaction) -> Household:
        household = body.household(tenant.cooperative_id)
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


@router.patch("/{code}", summary="Change a household, and what it may pledge")
async def change(code: Code, body: HouseholdChange, tenant: Tenant, here: Here, now: Now) -> HouseholdAnswer:
    """A new share weight counts for the baskets that are made after it.

    With crops, grades or certificates that no longer allow them, the household's pledges to open offers are removed
    at once, as if staff had changed those offers, and so are its standing pledges. Offers whose cut-off has passed
    stay as they are.
    """

    async def work(tx: Transaction) -> Household:
        cooperative = await lock_cooperative(tx.conn, tenant.cooperative_id)
        before = await store.get_household(tx.conn, tenant.cooperative_id, code)
        if before is None:
            raise not_found("household")
        after = body.applied_to(before)
        if after != before:
            await store.save_household(tx.conn, after)
        if replace(after, name=before.name) != before:
            tx.append(tenant.cooperative_id, announcements.household_changed(after))
            await drop_pledges_that_are_not_allowed(tx, cooperative, after, now)
        return after

    return HouseholdAnswer.of(await here.ledger.transact(work))
