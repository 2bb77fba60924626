"""How a cooperative wants its notices to go; set by its staff."""

from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from services.chassis.access import Authenticated
from services.chassis.ledger import Transaction
from services.chassis.problems import not_found
from services.notify.domain.ladder import Policy
from services.notify.store import policies as store

router = APIRouter(prefix="/v1/cooperatives/{cooperative_id}/notice-policy", tags=["notices"])


class PolicyBody(BaseModel):
    """What is left out has the usual value."""

    model_config = ConfigDict(extra="forbid")

    step_minutes: Annotated[int, Field(ge=2, le=720)] = Field(
        15, description="how long a way has to bring a receipt before the next one begins"
    )
    call_before_minutes: Annotated[int, Field(ge=0, le=720)] = Field(
        45, description="how long before the last moment to answer a household that was not told is to be called"
    )
    gather_seconds: Annotated[int, Field(ge=0, le=600)] = Field(
        0, description="how long changes of a basket are waited for, so that several make one notice"
    )
    remind_before_minutes: Annotated[int, Field(ge=0, le=720)] = Field(
        90, description="how long before the goods must be there households are reminded; 0: not at all"
    )


class PolicyAnswer(PolicyBody):
    """The policy as it stands."""

    cooperative_id: UUID


@router.put("")
async def put_policy(
    request: Request, principal: Authenticated, cooperative_id: UUID, body: PolicyBody
) -> PolicyAnswer:
    """Holds for notices from now on."""
    principal.may_act_for(cooperative_id)
    policy = Policy(
        step=timedelta(minutes=body.step_minutes),
        call_before=timedelta(minutes=body.call_before_minutes),
        gather=timedelta(seconds=body.gather_seconds),
        remind_before=timedelta(minutes=body.remind_before_minutes),
    )

    async def work(tx: Transaction) -> None:
        if not await store.save_policy(tx.conn, cooperative_id, policy, datetime.now(UTC)):
            raise not_found("cooperative")

    await request.app.state.runtime.ledger.transact(work)
    return PolicyAnswer(cooperative_id=cooperative_id, **body.model_dump())


@router.get("")
async def get_policy(request: Request, principal: Authenticated, cooperative_id: UUID) -> PolicyAnswer:
    """What was set, or the usual policy."""
    principal.may_act_for(cooperative_id)
    policy = await store.get_policy(request.app.state.runtime.pool, cooperative_id) or Policy()
    return PolicyAnswer(
        cooperative_id=cooperative_id,
        step_minutes=_minutes(policy.step),
        call_before_minutes=_minutes(policy.call_before),
        gather_seconds=int(policy.gather.total_seconds()),
        remind_before_minutes=_minutes(policy.remind_before),
    )


def _minutes(span: timedelta) -> int:
    return span // timedelta(minutes=1)
