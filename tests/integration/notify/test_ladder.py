"""A household is told by the ways that it prefers, one after the other, and by a person where none gets through."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from pydantic import SecretStr

from infra.local.providers import Trouble, serve
from infra.local.providers.esms import Esms
from infra.local.providers.zalo import Account, ApprovedTemplate, Zalo
from infra.local.stack import Stack
from services.contracts.allocation import BasketConfirmed
from services.notify.app import service
from services.notify.domain.hooks import Hooks
from tests.integration.notify.peers import Mailbox
from tests.integration.notify.world import DAY, LINKS, REACHED, World
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


@pytest.fixture
async def world(stack: Stack, mail: Mailbox) -> AsyncIterator[Reached]:
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
            "zalo_templates": {"basket": {"template_id": "1", "places": TEMPLATE.kinds}},
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


async def test_told_is_the_receipt_and_not_the_provider_s_word_that_it_has_the_message(world: Reached) -> None:
    await world.write_down("zalo", "sms")
    world.zalo.reports_at_once = False
    await world.apply(world.basket())
    await world.run("send_zalo")
    assert [one.text for one in world.zalo.to(PHONE.removeprefix("+"))] != []
    assert await world.states_by_channel() == [("queued", "zalo")]
    assert await world.events() == []
    await world.zalo.report()
    assert await world.states_by_channel() == [("told", "zalo")]
    (event,) = await world.events()
    assert json.loads(event["data"])["channel"] == "zalo"
    await world.run("climb", after=STEP)
    await world.run("send_sms", after=STEP)
    assert world.esms.arrived == []


async def test_a_number_without_zalo_gets_an_sms_at_once(world: Reached) -> None:
    await world.write_down("zalo", "sms")
    world.zalo.fail_next(1, -118, path="/template")
    await world.apply(world.basket())
    await world.run("send_zalo")
    await world.run("send_sms")
    (sms,) = world.esms.to(PHONE)
    assert "Cai meo 12,5 kg" in sms.text
    await world.esms.report(sms.provider_id)
    assert await world.states_by_channel() == [("told", "sms")]


async def test_without_a_receipt_in_time_the_next_way_is_taken(world: Reached, mail: Mailbox) -> None:
    await world.write_down("zalo", "sms", "email")
    world.zalo.reports_at_once = False
    await world.apply(world.basket())
    await world.run("send_zalo")
    await world.run("climb", after=STEP - timedelta(seconds=30))
    await world.run("send_sms", after=STEP)
    assert world.esms.arrived == []
    await world.run("climb", after=STEP)
    await world.run("send_sms", after=STEP)
    assert len(world.esms.arrived) == 1
    await world.run("climb", after=2 * STEP)
    await world.run("send_email", after=2 * STEP)
    assert len(mail.letters) == 1
    assert await world.states_by_channel() == [("told", "email")]


async def test_a_late_receipt_is_told_all_the_same_and_stops_what_waits(world: Reached) -> None:
    await world.write_down("zalo", "sms")
    world.zalo.reports_at_once = False
    await world.apply(world.basket())
    await world.run("send_zalo")
    await world.run("climb", after=STEP)
    await world.zalo.report()
    await world.run("send_sms", after=STEP)
    assert world.esms.arrived == []
    assert await world.states_by_channel() == [("told", "zalo")]


async def test_a_message_of_unknown_outcome_goes_to_the_call_list_and_by_no_other_way(world: Reached) -> None:
    await world.write_down("zalo", "sms")
    world.zalo.reports_at_once = False
    world.zalo.troubles.append(Trouble(drop=True, taken=True, path="/template"))
    await world.apply(world.basket())
    await world.run("send_zalo")
    await world.run("climb", after=STEP + timedelta(seconds=1))
    await world.run("send_sms", after=STEP)
    assert world.esms.arrived == []
    (call,) = await world.calls()
    assert (call["state"], call["reason"]) == ("unknown", "outcome_unknown")


async def test_a_receipt_settles_a_message_of_unknown_outcome(world: Reached) -> None:
    await world.write_down("zalo", "sms")
    world.zalo.troubles.append(Trouble(drop=True, taken=True, path="/template"))
    await world.apply(world.basket())
    await world.run("send_zalo")
    await world.zalo.report()
    assert await world.states_by_channel() == [("told", "zalo")]
    assert await world.calls() == []


async def test_a_receipt_that_comes_twice_counts_once(world: Reached) -> None:
    await world.write_down("sms")
    await world.apply(world.basket())
    await world.run("send_sms")
    (sms,) = world.esms.arrived
    assert await world.esms.report(sms.provider_id) == 200
    assert await world.esms.report(sms.provider_id) == 200
    assert len(await world.events()) == 1


async def test_whom_no_way_reaches_is_called_and_then_told(world: Reached) -> None:
    await world.write_down("zalo", "sms")
    world.zalo.fail_next(1, -118, path="/template")
    world.esms.fail_next(1, "99")
    await world.apply(world.basket())
    await world.run("send_zalo")
    await world.run("send_sms")
    (call,) = await world.calls()
    assert call["people"] == [{"name": "bà Mùa Thị Dợ", "phone": PHONE}]
    assert "- Cải mèo: 12,5 kg" in call["text"]
    path, staff = f"/v1/cooperatives/{world.cooperative}/call-list/{call['notice_id']}", await world.staff()
    assert (await world.service.client.post(path, json={"outcome": "not_reached"}, headers=staff)).status_code == 204
    assert (await world.calls())[0]["calls"] == 1
    assert (await world.service.client.post(path, json={"outcome": "told"}, headers=staff)).status_code == 204
    assert await world.calls() == []
    assert await world.states_by_channel() == [("told", "call")]
    assert (await world.service.client.post(path, json={"outcome": "told"}, headers=staff)).status_code == 409
    table = await world.service.client.get(f"/v1/cooperatives/{world.cooperative}/call-list.csv", headers=staff)
    assert table.status_code == 200


async def test_who_may_not_read_it_in_time_is_on_the_call_list_before_the_deadline(world: Reached) -> None:
    await world.write_down("zalo", "sms")
    world.zalo.reports_at_once = False
    soon = datetime.now(UTC) + timedelta(minutes=20)
    await world.apply(replace(world.basket(), reply_by_at=soon))
    await world.run("send_zalo")
    assert await world.calls() == []
    pool = world.service.runtime.pool
    alarm_at = await pool.fetchval("select alarm_at from notice")
    assert alarm_at < soon
    await pool.execute("update notice set alarm_at = now()")
    (call,) = await world.calls()
    assert call["state"] == "queued"


async def test_an_answer_by_zalo_is_taken_as_the_household_s_reply(world: Reached) -> None:
    await world.write_down("zalo_oa")
    far = datetime.now(UTC) + timedelta(hours=5)
    await world.apply(replace(world.basket(), reply_by_at=far))
    await world.run("send_zalo_oa")
    await world.zalo.report()
    assert await world.zalo.write(USER, "Dạ được ạ") == 200
    replied = [json.loads(e["data"]) for e in await world.events() if e["type"] == "notify.household_replied.v1"]
    assert [(r["answer"], r["channel"], r["version"]) for r in replied] == [("confirm", "zalo_oa", 1)]
    assert await world.words() == [("Dạ được ạ", "understood")]


async def test_words_that_nobody_understands_are_for_staff_to_read(world: Reached) -> None:
    await world.write_down("zalo_oa")
    await world.apply(replace(world.basket(), reply_by_at=datetime.now(UTC) + timedelta(hours=5)))
    await world.run("send_zalo_oa")
    await world.zalo.report()
    assert await world.zalo.write(USER, "mai nhà có đám cưới thì sao?") == 200
    assert [e["type"] for e in await world.events()] == ["notify.notice_delivered.v1"]
    assert await world.words() == [("mai nhà có đám cưới thì sao?", "not_understood")]


async def test_who_says_stop_is_sent_nothing_more_by_that_channel(world: Reached) -> None:
    contact = await world.write_down("sms", "email")
    assert (await world.esms.write(PHONE, "STOP")).status_code == 200
    await world.apply(world.basket())
    await world.run("send_sms")
    assert world.esms.arrived == []
    path = contact["url"]
    kept = (await world.service.client.get(path, headers=await world.staff())).json()
    assert [one["channel"] for one in kept["addresses"] if one.get("consents") or one.get("purposes")] == ["email"]


async def test_what_a_household_says_by_message_is_confirmed_by_message(world: Reached) -> None:
    await world.write_down("sms")
    basket = replace(world.basket(), reply_by_at=datetime.now(UTC) + timedelta(hours=5))
    await world.apply(basket)
    await world.run("send_sms")
    await world.esms.report(world.esms.arrived[0].provider_id)
    assert (await world.esms.write(PHONE, "ok")).status_code == 200
    await world.apply(
        BasketConfirmed(household_id=world.household, delivery_day=DAY, version=1, items=basket.items, by="reply")
    )
    await world.run("send_sms")
    assert [n["kind"] for n in await world.notices()] == ["basket", "basket_confirmed"]
    assert len(world.esms.to(PHONE)) == 2


async def test_the_second_member_is_told_where_the_first_cannot_be(world: Reached, mail: Mailbox) -> None:
    await world.write_down("sms", name="ông Giàng A Chứ")
    await world.write_down("email", name="chị Giàng Thị Mỷ")
    world.esms.fail_next(1, "99")
    await world.apply(world.basket())
    await world.run("send_sms")
    await world.run("send_email")
    (letter,) = mail.letters
    assert "chị Giàng Thị Mỷ" in str(letter["To"])
    assert await world.states_by_channel() == [("told", "email")]
