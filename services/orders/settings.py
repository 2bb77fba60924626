"""Settings of `orders`, from ORDERS_… in the environment."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import ServiceSettings


class OrdersSettings(ServiceSettings):
    """Beside what every service needs: how partners may push."""

    model_config = SettingsConfigDict(frozen=True, env_prefix="ORDERS_")

    http_port: Annotated[int, Field(ge=0, le=65_535)] = 8002
    max_order_bytes: Annotated[int, Field(ge=1024)] = 65_536
    """The most that the body of one push may have."""
    longest_wait_s: Annotated[int, Field(ge=0, le=300)] = 30
    """The most that `Prefer: wait=N` holds a request."""
