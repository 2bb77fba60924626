"""What notify is told by its environment: where mail goes out, where links lead, and how patient it is."""

from collections.abc import Mapping
from datetime import time
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import SettingsConfigDict

from services.chassis import outbound
from services.notify.domain import addresses
from services.notify.domain.contacts import EMAIL, WEB_PUSH, WEBHOOK
from services.notify.provider_settings import ProviderSettings, longest_s

Port = Annotated[int, Field(ge=1, le=65_535)]

SHORTEST_SECRET = 32

OWN = (EMAIL, WEBHOOK, WEB_PUSH)
"""Channels without a provider's account."""
BEGIN_WITHIN_S = 5
"""So much must be left of `unknown_after_s` for a provider's channel to begin its attempts in."""


class NotifySettings(ProviderSettings):
    """NOTIFY_…"""

    model_config = SettingsConfigDict(frozen=True, env_prefix="NOTIFY_")

    http_port: Annotated[int, Field(ge=0, le=65_535)] = 8004
    smtp_host: str
    smtp_port: Port = 587
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    smtp_tls: Literal["none", "starttls", "tls"] = "starttls"
    """`starttls` and `tls` insist on a valid certificate; `none` is for a relay on the same machine."""
    smtp_sender: str
    """The address that notices come from; its domain also stands in their Message-ID."""
    smtp_timeout_s: Annotated[float, Field(gt=0)] = 20
    """For connecting, for the envelope and for the content, each."""
    public_url: str
    """Where households reach this service from outside; the links in their notices begin with it."""
    link_secrets: SecretStr
    """What links are signed with, separated by commas: the first one signs, the others still open links of before."""
    send_notices: bool = True
    """False where other processes do the sending, and this one only writes notices down."""
    send_webhooks: bool = True
    """The same for partners' webhooks."""
    webhook_timeout_s: Annotated[float, Field(gt=0)] = 15
    webhook_private_networks: str = ""
    """For development: networks, separated by commas, in which webhooks may go to any port, also without TLS."""
    unknown_after_s: Annotated[float, Field(gt=0)] = 120
    """An attempt without a result after this was interrupted by a crash; so any is begun early enough to end before."""

    union_name: str = "Liên hiệp Hợp tác xã"
    """As daily summaries call the union that the cooperatives belong to."""
    summary_at: time = time(20)
    """When the union gets its daily summary, in Vietnamese time, to the minute."""

    @field_validator("smtp_sender")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        return addresses.email(value)

    @field_validator("public_url")
    @classmethod
    def _is_a_place(cls, value: str) -> str:
        return addresses.public_url(value)

    @field_validator("link_secrets")
    @classmethod
    def _cannot_be_guessed(cls, value: SecretStr) -> SecretStr:
        if any(len(secret) < SHORTEST_SECRET for secret in _parts(value)):
            raise ValueError(f"each secret must have at least {SHORTEST_SECRET} characters")
        return value

    @field_validator("webhook_private_networks")
    @classmethod
    def _are_private(cls, value: str) -> str:
        _networks(value)
        return value

    @property
    def private_networks(self) -> tuple[outbound.Network, ...]:
        """The networks that are open to webhooks although they are not public."""
        return _networks(self.webhook_private_networks)

    @property
    def longest_attempts_s(self) -> dict[str, float]:
        """By channel how long one attempt can take."""
        return longest_attempts_s(dict(self))

    @property
    def link_keys(self) -> tuple[str, ...]:
        """The secrets of links, the one that signs first."""
        return _parts(self.link_secrets)

    @field_validator("smtp_tls")
    @classmethod
    def _keeps_the_password(cls, value: str, others: ValidationInfo) -> str:
        if (others.data.get("smtp_username") is None) != (others.data.get("smtp_password") is None):
            raise ValueError("user name and password are set both or not at all")
        if value == "none" and others.data.get("smtp_username") is not None:
            raise ValueError("a password is only sent over TLS")
        return value

    @field_validator("unknown_after_s")
    @classmethod
    def _outlasts_an_attempt(cls, value: float, others: ValidationInfo) -> float:
        longest = longest_attempts_s(others.data)
        least = {name: s * 1.5 if name in OWN else s + BEGIN_WITHIN_S for name, s in longest.items()}
        name = max(least, key=lambda name: least[name])
        if value < least[name]:
            raise ValueError(
                f"must be at least {least[name]:g}, since an attempt by {name} can take {longest[name]:g} s"
            )
        return value


def longest_attempts_s(set_to: Mapping[str, Any]) -> dict[str, float]:
    """How long one attempt can take, for each channel that these settings have; nothing else says so.

    What is missing here is wrong, and that is said already.
    """
    webhook_s = set_to.get("webhook_timeout_s", 0)
    return {EMAIL: 3 * set_to.get("smtp_timeout_s", 0), WEBHOOK: webhook_s, WEB_PUSH: webhook_s, **longest_s(set_to)}


def _parts(secrets: SecretStr) -> tuple[str, ...]:
    return tuple(part.strip() for part in secrets.get_secret_value().split(","))


def _networks(text: str) -> tuple[outbound.Network, ...]:
    return tuple(outbound.private_network(part) for part in text.split(",") if part.strip())
