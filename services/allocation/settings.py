"""Settings of allocation, from `ALLOCATION_…` in the environment."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import ServiceSettings


class AllocationSettings(ServiceSettings):
    """What every service needs."""

    model_config = SettingsConfigDict(frozen=True, env_prefix="ALLOCATION_")

    http_port: Annotated[int, Field(ge=0, le=65_535)] = 8003
