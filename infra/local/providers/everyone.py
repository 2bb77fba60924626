"""The providers of a stack together: one app for all, their reports, and the settings by which notify uses them.

Telephones are on; whatever arrives is reported at once, again and again until notify has taken it, as providers do.
"""

import asyncio
import contextlib
import json
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

import httpx
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount

from infra.local.providers import Arrived, Provider
from infra.local.providers.esms import Esms
from infra.local.providers.speedsms import SpeedSms
from infra.local.providers.telegram import Telegram
from infra.local.providers.zalo import Account, ApprovedTemplate, Zalo

_ALL = {"name": "name", "cooperative": "address", "day": "label"}
_BROUGHT = {"goods": "product", "place": "address", "arrive_by": "contact"}
_OWED = {"gross": "contact", "fee": "contact", "amount": "contact"}
PLACES: dict[str, dict[str, str]] = {
    "basket": {**_ALL, **_BROUGHT, "reply_by": "contact", "link": "url"},
    "basket.known": {**_ALL, **_BROUGHT},
    "basket.empty": _ALL,
    "basket_confirmed": {**_ALL, **_BROUGHT},
    "basket_confirmed.empty": _ALL,
    "reminder": {**_ALL, **_BROUGHT},
    "arrival": {**_ALL, "goods": "product"},
    "settlement_day": {**_ALL, **_OWED},
}
"""By kind of notice what its templates at Zalo name, and of which type each is; a kind that has several has them after
a dot, for baskets that ask for no answer, and for empty ones."""

TEXTS = {
    "basket": "Hàng cần mang · <day>\nKính gửi <name>,\n<goods>\nNơi nhận: <place>\nCó mặt trước: <arrive_by>\n"
    "Xin trả lời trước: <reply_by>\n<link>\n<cooperative>",
    "basket.known": "Hàng cần mang · <day>\nKính gửi <name>,\n<goods>\nNơi nhận: <place>\n"
    "Có mặt trước: <arrive_by>\n<cooperative>",
    "basket.empty": "Không phải mang hàng · <day>\nKính gửi <name>,\nLần này gia đình không phải mang gì.\n"
    "<cooperative>",
    "basket_confirmed.empty": "Đã ghi nhận · <day>\nKính gửi <name>,\nLần này gia đình không mang hàng.\n<cooperative>",
    "basket_confirmed": "Đã xác nhận hàng · <day>\nKính gửi <name>,\n<goods>\nNơi nhận: <place>\n"
    "Có mặt trước: <arrive_by>\n<cooperative>",
    "reminder": "Nhắc mang hàng · <day>\nKính gửi <name>,\n<goods>\nNơi nhận: <place>\nCó mặt trước: <arrive_by>\n"
    "<cooperative>",
    "arrival": "Đã nhận hàng · <day>\nKính gửi <name>,\nĐã nhận: <goods>\n<cooperative>",
    "settlement_day": "Thanh toán · <day>\nKính gửi <name>,\nTiền hàng: <gross>\nPhí: <fee>\nThực nhận: <amount>\n"
    "<cooperative>",
}  # fmt: skip


def templates() -> dict[str, ApprovedTemplate]:
    """What Zalo has approved, by number of the template."""
    return {f"{kind}-1": ApprovedTemplate(TEXTS[kind], places) for kind, places in PLACES.items()}


@dataclass
class Hooks:
    """Where notify hears reports of providers that have one address for all."""

    zalo: str
    speedsms: str
    telegram: str


@dataclass
class Everyone:
    """Zalo, eSMS, SpeedSMS and Telegram. It is always day, and nobody's quota is ever used up."""

    zalo: Zalo = field(
        default_factory=lambda: Zalo(
            templates=templates(), keeps_night=False, daily_quota=10**9, per_minute=10**9, reports_at_once=False
        )
    )
    esms: Esms = field(default_factory=Esms)
    speedsms: SpeedSms = field(default_factory=SpeedSms)
    telegram: Telegram = field(default_factory=Telegram)
    unheard: int = 0
    """Reports that notify has not taken yet."""

    def app(self, *more: BaseRoute) -> Starlette:
        """All of them below one address, each under its name."""
        return Starlette(routes=[*(Mount(f"/{name}", one.app) for name, one in self._named().items()), *more])

    async def report(self, hooks: Hooks) -> None:
        """Reports on all that arrives from now on. Never ends."""
        heard_sms = len(self.speedsms.arrived)
        heard_esms = len(self.esms.sent)
        async with httpx.AsyncClient(trust_env=False, timeout=10) as client, asyncio.TaskGroup() as reports:
            for provider in self._named().values():
                provider.hook_client = client
            self.zalo.hook_url, self.speedsms.hook_url = hooks.zalo, hooks.speedsms
            self.telegram.hook_url = hooks.telegram
            while True:
                events, self.zalo.unreported = self.zalo.unreported, []
                new: list[Callable[[], Awaitable[int]]] = [partial(self.zalo.post, event) for event in events]
                new += [partial(self.esms.report, sms.sms_id) for sms in self.esms.sent[heard_esms:]]
                new += [partial(self.speedsms.report, sms.provider_id) for sms in self.speedsms.arrived[heard_sms:]]
                heard_esms, heard_sms = len(self.esms.sent), len(self.speedsms.arrived)
                self.unheard += len(new)
                for post in new:
                    reports.create_task(self._until_taken(post))
                await asyncio.sleep(0.05)

    async def _until_taken(self, post: Callable[[], Awaitable[int]]) -> None:
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if await post() == 200:
                    break
            await asyncio.sleep(0.3)
        self.unheard -= 1

    @property
    def all_heard(self) -> bool:
        """Whether notify has taken every report."""
        return not self.unheard and not self.zalo.unreported

    def _named(self) -> dict[str, Provider]:
        return {"zalo": self.zalo, "esms": self.esms, "speedsms": self.speedsms, "telegram": self.telegram}

    # -- From one start to the next ------------------------------------------------------------------------------

    def save(self, path: Path) -> None:
        """What a provider remembers: messages, accounts, and which tokens are good."""
        state = {
            "arrived": {name: [asdict(one) for one in p.arrived] for name, p in self._named().items()},
            "refresh_token": self.zalo.refresh_token,
            "renewals": self.zalo.renewals,
            "access_tokens": self.zalo.access_tokens,
            "accounts": [asdict(one) for one in self.zalo.accounts],
            "chats": sorted(self.telegram.chats),
        }
        beside = path.with_suffix(".new")
        beside.touch(mode=0o600)
        beside.write_text(json.dumps(state, ensure_ascii=False, default=datetime.isoformat), "utf-8")
        beside.replace(path)

    def load(self, path: Path) -> None:
        """What was saved; nothing where nothing was."""
        if not path.exists():
            return
        state: dict[str, Any] = json.loads(path.read_text("utf-8"))
        for name, provider in self._named().items():
            found = state["arrived"][name]
            provider.arrived = [Arrived(**one | {"at": datetime.fromisoformat(one["at"])}) for one in found]
        zalo = self.zalo
        zalo.refresh_token, zalo.renewals = state["refresh_token"], state["renewals"]
        zalo.access_tokens = {token: datetime.fromisoformat(at) for token, at in state["access_tokens"].items()}
        for one in state["accounts"]:
            wrote_at = datetime.fromisoformat(one["wrote_at"]) if one["wrote_at"] else None
            zalo.accounts.append(Account(**one | {"wrote_at": wrote_at}))
        self.telegram.chats = set(state["chats"])


def settings(url: str, sms: Literal["esms", "speedsms"]) -> Mapping[str, str]:
    """What notify has to know to use those at `url`, as environment variables. Their secrets are nobody's."""
    approved: defaultdict[str, list[Any]] = defaultdict(list)
    for name, places in PLACES.items():
        approved[name.partition(".")[0]].append({"template_id": f"{name}-1", "places": places})
    everyone = Everyone()
    zalo, esms = everyone.zalo, everyone.esms.account
    return {
        "NOTIFY_ZALO_APP_ID": zalo.app_id,
        "NOTIFY_ZALO_APP_SECRET": zalo.app_secret,
        "NOTIFY_ZALO_REFRESH_TOKEN": zalo.refresh_token,
        "NOTIFY_ZALO_OA_SECRET_KEY": zalo.oa_secret_key,
        "NOTIFY_ZALO_TEMPLATES": json.dumps(approved),
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
