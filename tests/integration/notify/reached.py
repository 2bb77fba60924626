"""A household that is reached by Zalo, SMS and mail, and the providers of these."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import SecretStr

from infra.local.providers import serve
from infra.local.providers.esms import Esms
from infra.local.providers.zalo import Account, ApprovedTemplate, Zalo
from infra.local.stack import Stack
from services.notify.app import service
from services.notify.domain.hooks import Hooks
from tests.integration.notify.peers import Mailbox
from tests.integration.notify.world import LINKS, REACHED, World
from tests.support.servers import fresh_database
from tests.support.service import running

PHONE, USER = "+84912345678", "246845883529197922"
STEP = timedelta(minutes=15)
TEMPLATE = ApprovedTemplate("<name>: <goods>, <place>", {"name": "name", "goods": "address", "place": "address"})
DAYLIGHT = datetime(2026, 11, 23, 5, tzinfo=UTC)


@dataclass
class Reached(World):
    """A household with Zalo first, then SMS, then mail; and the providers that it is reached by."""

    zalo: Zalo = None  # type: ignore[assignment]
    esms: Esms = None  # type: ignore[assignment]

    async def write_down(self, *channels: str, name: str = "bà Mùa Thị Dợ", **more: Any) -> dict[str, Any]:
        """Somebody of the household, with consent for these channels."""
        places = {"zalo": PHONE, "sms": PHONE, "email": "ba.do@example.vn", "zalo_oa": USER}
        consent = {"purposes": ["work"], "source": "signed form"}
        addresses = [{"channel": one, "address": places[one], "consent": consent} for one in channels]
        body = {"display_name": name, "language": "vi", "addresses": addresses, **more}
        path = f"/v1/households/{self.household}/contacts"
        answer = await self.service.client.post(path, json=body, headers=await self.staff())
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def states_by_channel(self) -> list[tuple[str, str | None]]:
        """(state, channel) of every notice, oldest first."""
        return [(n["state"], n["channel"]) for n in await self.notices()]

    async def calls(self) -> list[dict[str, Any]]:
        """The call list as staff see it."""
        path = f"/v1/cooperatives/{self.cooperative}/call-list"
        answer = await self.service.client.get(path, headers=await self.staff())
        assert answer.status_code == 200, answer.text
        return list(answer.json()["calls"])

    async def words(self) -> list[tuple[str, str]]:
        """(text, what became of it) of all that people wrote, oldest first."""
        path = f"/v1/cooperatives/{self.cooperative}/words"
        answer = await self.service.client.get(path, headers=await self.staff())
        assert answer.status_code == 200, answer.text
        return [(one["text"], one["became"]) for one in reversed(answer.json()["words"])]


@asynccontextmanager
async def reached(stack: Stack, mail: Mailbox) -> AsyncIterator[Reached]:
    """A notify of its own with all of that."""
    zalo = Zalo(clock=lambda: DAYLIGHT, templates={"1": TEMPLATE}, keeps_night=False)
    zalo.accounts.append(Account(USER, PHONE.removeprefix("+"), wrote_at=DAYLIGHT))
    esms = Esms()
    smtp = {"smtp_host": "127.0.0.1", "smtp_port": mail.port, "smtp_tls": "none", "smtp_sender": "no-reply@cho.example"}
    async with fresh_database(stack, "notify") as dsn, serve(zalo.app) as zalo_at, serve(esms.app) as esms_at:
        providers = {
            "zalo_app_id": zalo.app_id,
            "zalo_app_secret": SecretStr(zalo.app_secret),
            "zalo_refresh_token": SecretStr(zalo.refresh_token),
            "zalo_oa_secret_key": SecretStr(zalo.oa_secret_key),
            "zalo_templates": {"basket": [{"template_id": "1", "places": TEMPLATE.kinds}]},
            **dict.fromkeys(("zalo_url", "zalo_oa_url", "zalo_oauth_url"), zalo_at),
            "sms_provider": "esms",
            "esms_api_key": SecretStr(esms.account.api_key),
            "esms_secret_key": SecretStr(esms.account.secret_key),
            "esms_brandname": esms.account.brandname,
            "esms_cp_id": esms.account.cp_id,
            "esms_private_key": SecretStr(esms.account.private_key),
            "esms_url": esms_at,
            "provider_timeout_s": 2,
        }
        async with running(service, dsn, **REACHED, **smtp, smtp_timeout_s=2, **providers) as made:
            zalo.hook_url, zalo.hook_client, esms.hook_client = "http://notify/v1/hooks/zalo", made.client, made.client
            esms.reply_url = Hooks(LINKS.public_url, LINKS.secrets).account_url("esms", "replies")
            world = Reached(made, zalo=zalo, esms=esms)
            await world.open()
            yield world
