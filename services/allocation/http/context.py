"""What the routes share: the runtime, the delivery day of the path, and the types of fields."""

from datetime import date
from typing import Annotated, cast
from uuid import UUID

from fastapi import Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from services.allocation.settings import AllocationSettings
from services.allocation.store import Day
from services.allocation.store.members import is_cooperative
from services.chassis.access import Authenticated
from services.chassis.commands import Commands
from services.chassis.problems import not_found
from services.chassis.runtime import Runtime


async def _runtime(request: Request) -> Runtime[AllocationSettings]:
    return cast("Runtime[AllocationSettings]", request.app.state.runtime)


async def _commands(request: Request) -> Commands:
    return cast("Commands", request.app.state.commands)


Here = Annotated[Runtime[AllocationSettings], Depends(_runtime)]
Commanding = Annotated[Commands, Depends(_commands)]


async def _day(cooperative_id: UUID, delivery_day: date, principal: Authenticated, here: Here) -> Day:
    principal.may_act_for(cooperative_id)
    if not await is_cooperative(here.pool, cooperative_id):
        raise not_found("cooperative")
    return cooperative_id, delivery_day


TheDay = Annotated[Day, Depends(_day)]
"""The delivery day that the path names, of a cooperative for which the key may act."""


class Body(BaseModel):
    """A request body: an unknown field is an error, since it would otherwise be silently lost."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Steps = Annotated[int, Field(ge=0, description="In steps of the product.")]
StepsGiven = Annotated[int, Field(strict=True, ge=0, le=1_000_000, description="In steps of the product.")]
Code = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)]
Reason = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
