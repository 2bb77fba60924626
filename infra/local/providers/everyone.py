"""The providers of a stack together: one server for all of them, and the settings by which notify finds them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount

from infra.local.providers.esms import Esms
from infra.local.providers.speedsms import SpeedSms
from infra.local.providers.telegram import Telegram
from infra.local.providers.zalo import ApprovedTemplate, Zalo

_PLACES = {
    "basket": {"name": "name", "cooperative": "address", "day": "label", "goods": "product", "place": "address",
               "arrive_by": "contact"},
}  # fmt: skip
"""By kind of notice what its template at Zalo names, and of which type each is."""
_TEXTS = {
    "basket": "<cooperative>\nKính gửi <name>\nHàng cần mang cho ngày <day>:\n<goods>\nNơi nhận: <place>\n"
    "Có mặt trước <arrive_by>",
}
_ASKING = ("reply_by", "link")


def _templates() -> dict[str, ApprovedTemplate]:
    return {f"{kind}-1": ApprovedTemplate(_TEXTS[kind], places) for kind, places in _PLACES.items()}


@dataclass
class Everyone:
    """Zalo, eSMS, SpeedSMS and Telegram. It is always day, and nobody's quota is ever used up."""

    zalo: Zalo = field(default_factory=lambda: Zalo(templates=_templates(), keeps_night=False, daily_quota=1_000_000))
    esms: Esms = field(default_factory=Esms)
    speedsms: SpeedSms = field(default_factory=SpeedSms)
    telegram: Telegram = field(default_factory=Telegram)

    def app(self, *more: BaseRoute) -> Starlette:
        """All of them below one address, each under its name."""
        named = {"zalo": self.zalo, "esms": self.esms, "speedsms": self.speedsms, "telegram": self.telegram}
        return Starlette(routes=[*(Mount(f"/{name}", one.app) for name, one in named.items()), *more])


def settings(url: str, sms: Literal["esms", "speedsms"]) -> Mapping[str, str]:
    """What notify has to know to use those at `url`, as environment variables. Their secrets are nobody's."""
    templates = {kind: {"template_id": f"{kind}-1", "places": places} for kind, places in _PLACES.items()}
    everyone = Everyone()
    zalo, esms = everyone.zalo, everyone.esms.account
    return {
        "NOTIFY_ZALO_APP_ID": zalo.app_id,
        "NOTIFY_ZALO_APP_SECRET": zalo.app_secret,
        "NOTIFY_ZALO_REFRESH_TOKEN": zalo.refresh_token,
        "NOTIFY_ZALO_OA_SECRET_KEY": zalo.oa_secret_key,
        "NOTIFY_ZALO_TEMPLATES": json.dumps(templates),
        **{f"NOTIFY_ZALO_{name}": f"{url}/zalo" for name in ("URL", "OA_URL", "OAUTH_URL")},
        "NOTIFY_SMS_PROVIDER": sms,
        "NOTIFY_ESMS_API_KEY": esms.api_key,
        "NOTIFY_ESMS_SECRET_KEY": esms.secret_key,
        "NOTIFY_ESMS_BRANDNAME": esms.brandname,
        "NOTIFY_ESMS_URL": f"{url}/esms",
        "NOTIFY_SPEEDSMS_TOKEN": everyone.speedsms.token,
        "NOTIFY_SPEEDSMS_SENDER": "ChoPhien",
        "NOTIFY_SPEEDSMS_URL": f"{url}/speedsms",
        "NOTIFY_TELEGRAM_TOKEN": everyone.telegram.token,
        "NOTIFY_TELEGRAM_WEBHOOK_SECRET": everyone.telegram.secret_token,
        "NOTIFY_TELEGRAM_URL": f"{url}/telegram",
    }
