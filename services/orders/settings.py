"""Settings of `orders`, from ORDERS_… in the environment."""

from typing import Annotated
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr, field_validator
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
    partner_orders_per_s: Annotated[int, Field(ge=1, le=1_000_000)] = 200
    """The orders that one partner may push over HTTP to one process, in the long run."""
    partner_burst: Annotated[int, Field(ge=500, le=10_000_000)] = 2000
    """The orders that it may push at once after a rest; at least as many as one batch has."""
    partners_amqp_url: SecretStr | None = None
    """As amqp_url, with the virtual host that partners publish in; without it there is no AMQP door."""
    broker_admin_url: SecretStr | None = None
    """http://user:password@host:15672 of the broker's management; only for `accounts`, which is open to nobody."""

    @field_validator("partners_amqp_url")
    @classmethod
    def _has_a_virtual_host_of_its_own(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and _virtual_host(url) in ("", "/"):
            raise ValueError("must name a virtual host other than that of the services")
        return url

    @property
    def partners_vhost(self) -> str | None:
        """The virtual host that partners publish in; None where there is no AMQP door."""
        return _virtual_host(self.partners_amqp_url) if self.partners_amqp_url else None


def _virtual_host(url: SecretStr) -> str:
    return unquote(urlsplit(url.get_secret_value()).path.removeprefix("/").partition(",")[0])
