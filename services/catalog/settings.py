"""Settings of catalog, from `CATALOG_…` in the environment."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import ServiceSettings


class CatalogSettings(ServiceSettings):
    """What every service needs, and how far ahead standing offers are renewed."""

    model_config = SettingsConfigDict(frozen=True, env_prefix="CATALOG_")

    http_port: Annotated[int, Field(ge=0, le=65_535)] = 8001
    renew_days_ahead: Annotated[int, Field(ge=1, le=30)] = 2
    """Delivery days from tomorrow on that standing offers are published for."""
