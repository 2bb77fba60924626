"""Settings of `orders`, from ORDERS_… in the environment."""

from typing import Annotated
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from services.chassis.outbound import Network, private_network
from services.chassis.settings import ServiceSettings

BaseUrl = Annotated[str, Field(pattern=r"^https?://[^/?#\s]+(/[^?#\s]*[^/?#\s])?$")]
"""Without a slash at its end."""


class OrdersSettings(ServiceSettings):
    """Beside what every service needs: how partners may push."""

    model_config = SettingsConfigDict(frozen=True, env_prefix="ORDERS_")

    http_port: Annotated[int, Field(ge=0, le=65_535)] = 8002
    max_order_bytes: Annotated[int, Field(ge=1024)] = 65_536
    """The most that the body of one push may have."""
    longest_wait_s: Annotated[int, Field(ge=0, le=300)] = 30
    """The most that `Prefer: wait=N` holds a request."""
    public_url: BaseUrl | None = None
    """https://orders.example.vn: where platforms reach this service, as some sign it; else what each request says."""
    partner_orders_per_s: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    """The orders that one partner may push over HTTP to one process, in the long run."""
    partner_burst: Annotated[int, Field(ge=500, le=10_000_000)] = 10_000
    """The orders that it may push at once after a rest; at least as many as one batch has."""
    partners_amqp_url: SecretStr | None = None
    """As amqp_url, with the virtual host that partners publish in; without it there is no AMQP door."""
    broker_admin_url: SecretStr | None = None
    """http://user:password@host:15672 of the broker's management; only for `accounts`, which is open to nobody."""

    tiktok_url: BaseUrl = "https://open-api.tiktokglobalshop.com"
    tiktok_auth_url: BaseUrl = "https://auth.tiktok-shops.com"
    shopee_url: BaseUrl = "https://partner.shopeemobile.com"
    lazada_url: BaseUrl = "https://api.lazada.vn/rest"
    lazada_auth_url: BaseUrl = "https://auth.lazada.com/rest"
    """Where the orders of thin pushes are pulled from."""
    pull_timeout_s: Annotated[float, Field(gt=0, le=20)] = 10
    """For one request to a platform or a shop."""
    pull_calls_per_s: Annotated[float, Field(gt=0, le=50)] = 5
    """How often a platform is asked for one partner, by all processes together."""
    reconcile_every_s: Annotated[int, Field(ge=10)] = 600
    """How often a WooCommerce shop is asked for orders whose pushes were missed."""
    shop_private_networks: str = ""
    """Only for development: private networks, separated by commas, in which a partner's `shop_url` may lie."""

    @field_validator("shop_private_networks")
    @classmethod
    def _are_private(cls, value: str) -> str:
        _networks(value)
        return value

    @field_validator("partners_amqp_url")
    @classmethod
    def _has_a_virtual_host_of_its_own(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and _virtual_host(url) in ("", "/"):
            raise ValueError("must name a virtual host other than that of the services")
        return url

    @property
    def shop_networks(self) -> tuple[Network, ...]:
        """The private networks in which a shop may lie."""
        return _networks(self.shop_private_networks)

    @property
    def partners_vhost(self) -> str | None:
        """The virtual host that partners publish in; None where there is no AMQP door."""
        return _virtual_host(self.partners_amqp_url) if self.partners_amqp_url else None


def _virtual_host(url: SecretStr) -> str:
    return unquote(urlsplit(url.get_secret_value()).path.removeprefix("/").partition(",")[0])


def _networks(written: str) -> tuple[Network, ...]:
    """Raises ValueError where one is no private network."""
    return tuple(private_network(part) for part in written.split(",") if part.strip())
