"""Routes for the policies of a cooperative: what it states in advance of how it shares out."""

from dataclasses import asdict, replace
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from services.catalog import announcements
from services.catalog.domain.values import Cooperative, Policies, PromiseRule, ShortfallRule, Silence
from services.catalog.http.context import Here, Tenant
from services.catalog.http.fields import Body
from services.catalog.store.cooperatives import lock_cooperative, save_policies
from services.chassis.ledger import Transaction
from services.chassis.problems import refusals

router = APIRouter(prefix="/cooperatives/{slug}/policies", tags=["cooperatives"], responses=refusals(404))


class PoliciesBody(Body):
    """All policies of a cooperative, in requests and answers alike. None may be left out."""

    promise_rule: Annotated[PromiseRule, Field(description="Who is promised what there is.")]
    buffer_permille: Annotated[
        int, Field(strict=True, ge=0, le=900, description="The part of the pledged supply that is not promised.")
    ]
    memory_days: Annotated[
        int, Field(strict=True, ge=1, le=366, description="How far back a household's income counts.")
    ]
    minimum_delivery_vnd: Annotated[
        int,
        Field(
            strict=True, ge=0, le=1_000_000_000, description="The least worthwhile delivery of a household for a day."
        ),
    ]
    reply_minutes: Annotated[
        int,
        Field(
            strict=True,
            ge=1,
            le=1440,
            description="How long after the cut-off, or after they were told, households may answer their basket.",
        ),
    ]
    silence: Annotated[Silence, Field(description="What no answer counts as.")]
    reply_rounds: Annotated[
        int,
        Field(
            strict=True, ge=1, le=5, description="How often households are asked for a day, the first time included."
        ),
    ]
    shortfall_rule: Annotated[ShortfallRule, Field(description="How what is missing is shared among orders.")]
    fee_permille: Annotated[
        int, Field(strict=True, ge=0, le=1000, description="The cooperative's part of what is accepted.")
    ]

    @classmethod
    def of(cls, policies: Policies) -> "PoliciesBody":
        """As stored."""
        return cls(**asdict(policies))

    def policies(self) -> Policies:
        """For the store."""
        return Policies(**self.model_dump())


@router.get("", summary="Show the policies of a cooperative")
async def show(tenant: Tenant) -> PoliciesBody:
    """As they stand; a cooperative that stated nothing has the defaults."""
    return PoliciesBody.of(tenant.policies)


@router.put("", summary="Set the policies of a cooperative")
async def put(body: PoliciesBody, tenant: Tenant, here: Here) -> PoliciesBody:
    """The whole new state: every policy has to be named, so that none is set back unseen."""

    async def work(tx: Transaction) -> Cooperative:
        before = await lock_cooperative(tx.conn, tenant.cooperative_id)
        after = replace(before, policies=body.policies())
        if after != before:
            await save_policies(tx.conn, after.cooperative_id, after.policies)
            tx.append(after.cooperative_id, announcements.cooperative_changed(after))
        return after

    return PoliciesBody.of((await here.ledger.transact(work)).policies)
