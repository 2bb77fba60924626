"""The providers by which people are told besides mail. A provider is used when its settings are there, all of them."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from services.chassis.settings import ServiceSettings
from services.notify.channels import esms, speedsms, telegram, twilio, web_push
from services.notify.channels.zalo import Template
from services.notify.domain import addresses
from services.notify.domain.contacts import SMS, TELEGRAM, ZALO, ZALO_OA

PerSecond = Annotated[float, Field(gt=0, le=1000)]

_NEEDS = {
    "zalo_app_id": ("zalo_app_secret", "zalo_refresh_token", "zalo_oa_secret_key"),
    "telegram_token": ("telegram_webhook_secret",),
    "esms_cp_id": ("esms_private_key",),
    "vapid_private_key": ("vapid_subject",),
}
_SMS_NEEDS = {
    "esms": ("esms_api_key", "esms_secret_key", "esms_brandname"),
    "speedsms": ("speedsms_token", "speedsms_sender"),
    "twilio": ("twilio_account_sid", "twilio_auth_token", "twilio_sender"),
}


class ProviderSettings(ServiceSettings):
    """NOTIFY_ZALO_…, NOTIFY_SMS_…, NOTIFY_ESMS_…, NOTIFY_SPEEDSMS_…, NOTIFY_TWILIO_…, NOTIFY_TELEGRAM_…"""

    provider_timeout_s: Annotated[float, Field(gt=0)] = 15
    """For one request to a provider."""

    zalo_app_id: str | None = None
    zalo_app_secret: SecretStr | None = None
    zalo_refresh_token: SecretStr | None = None
    """The first one, or a new one after a refusal; from then on the database holds its successors."""
    zalo_oa_secret_key: SecretStr | None = None
    """With it Zalo signs what it reports."""
    zalo_webhook_first_term: str | None = None
    """What that signature begins with; the application's id unless given."""
    zalo_templates: Annotated[dict[str, tuple[Template, ...]], Field(default_factory=dict)]
    """By kind of notice its approved templates: {"basket": [{"template_id": "…", "places": {"<fact>": "<type>"}}]}.

    Of several the fullest is used for which a notice has all facts.
    """
    zalo_development: bool = False
    """Messages go to the application's administrators only."""
    zalo_url: str = "https://business.openapi.zalo.me"
    zalo_oa_url: str = "https://openapi.zalo.me"
    zalo_oauth_url: str = "https://oauth.zaloapp.com"
    zalo_per_second: PerSecond = 50
    """This process's share of what Zalo allows (4,000 a minute)."""

    sms_provider: Literal["esms", "speedsms", "twilio"] | None = None
    sms_per_second: PerSecond = 10
    esms_api_key: SecretStr | None = None
    esms_secret_key: SecretStr | None = None
    esms_brandname: str | None = None
    esms_cp_id: str | None = None
    """With a short number of eSMS, people's answers are taken too."""
    esms_private_key: SecretStr | None = None
    esms_keyword: str = ""
    esms_url: str = esms.URL
    speedsms_token: SecretStr | None = None
    speedsms_sender: str | None = None
    speedsms_type: int = 3
    speedsms_url: str = speedsms.URL
    twilio_account_sid: str | None = None
    twilio_auth_token: SecretStr | None = None
    twilio_sender: str | None = None
    """A number, a name, or MG… for a messaging service."""
    twilio_url: str = twilio.URL

    telegram_token: SecretStr | None = None
    telegram_webhook_secret: SecretStr | None = None
    """What Telegram names when it reports (`secret_token` of setWebhook)."""
    telegram_url: str = telegram.URL
    telegram_per_second: PerSecond = 20

    vapid_private_key: SecretStr | None = None
    """For web push: 32 bytes in base64url, as `python -m services.notify vapid` makes them."""
    vapid_subject: str | None = None
    """How push services reach who sends, such as mailto:quan-tri@example.vn."""

    @field_validator(
        "zalo_url", "zalo_oa_url", "zalo_oauth_url", "esms_url", "speedsms_url", "twilio_url", "telegram_url"
    )
    @classmethod
    def _is_a_place(cls, value: str) -> str:
        return addresses.public_url(value)

    @field_validator("vapid_private_key")
    @classmethod
    def _is_a_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            web_push.own_key(value.get_secret_value())
        return value

    @field_validator("vapid_subject")
    @classmethod
    def _leads_to_us(cls, value: str | None) -> str | None:
        return None if value is None else web_push.own_subject(value)

    @model_validator(mode="after")
    def _are_complete(self) -> Self:
        needs = {name: wanted for name, wanted in _NEEDS.items() if getattr(self, name) is not None}
        if self.sms_provider is not None:
            needs["sms_provider"] = _SMS_NEEDS[self.sms_provider]
        missing = [name for wanted in needs.values() for name in wanted if _empty(getattr(self, name))]
        if missing:
            named = ", ".join(f"NOTIFY_{name.upper()}" for name in missing)
            raise ValueError(f"{named} must be set too, because {', '.join(needs)} is")
        return self


def longest_s(set_to: Mapping[str, Any]) -> dict[str, float]:
    """How long one attempt by a provider can take, for the channels that these settings have."""
    timeout_s, longest = set_to.get("provider_timeout_s", 0), dict[str, float]()
    if set_to.get("zalo_app_id"):
        longest[ZALO] = longest[ZALO_OA] = 2 * timeout_s + 30  # asked twice, with a new token between
    if provider := set_to.get("sms_provider"):
        longest[SMS] = esms.longest_s(timeout_s) if provider == "esms" else timeout_s
    if set_to.get("telegram_token"):
        longest[TELEGRAM] = timeout_s
    return longest


def _empty(value: Any) -> bool:
    return not (value.get_secret_value() if isinstance(value, SecretStr) else value)
