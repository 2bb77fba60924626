"""The contact book as staff keep it: persons with addresses, consent with its history, export and erasure."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from services.chassis.ids import uuid7
from services.notify.domain.contacts import WORK
from services.notify.store import contacts
from tests.integration.notify.peers import Mailbox, Receiver
from tests.integration.notify.world import World, by_mail

P256DH = "BNcRdreALRFXTkOOUHK1EtK2wtaz5Ry4YfYCA_0QTpQtUbVlUls0VJXg7A8u-Ts1XbjhazAkj7I99e8QcYP7DkM"
AUTH = "tBHItJI5svbpez7KI4CCXg"
CONSENT = {"purposes": ["work", "money"], "source": "signed form"}
MOTHER = {
    "display_name": "bà Mùa Thị Dợ",
    "language": "vi",
    "quiet_hours": {"from": "21:00", "until": "05:00"},
    "addresses": [
        {"channel": "zalo", "address": "0912 345 678", "consent": CONSENT},
        {"channel": "sms", "address": "0912345678"},
    ],
}


class Book:
    """The contact book of a cooperative, with a key of its staff."""

    def __init__(self, world: World, key: Mapping[str, str]) -> None:
        self._client, self._key = world.service.client, dict(key)
        self.members = f"/v1/households/{world.household}/contacts"
        self.staff = f"/v1/cooperatives/{world.cooperative}/contacts"

    async def ask(self, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        answer = await self._client.request(method, path, json=body, headers=self._key, **more)
        if answer.status_code < 300:
            assert answer.headers["cache-control"] == "no-store"
        return answer

    async def write(self, body: Any, path: str | None = None, status: int = 201) -> dict[str, Any]:
        answer = await self.ask("POST", path or self.members, body)
        assert answer.status_code == status, answer.text
        return dict(answer.json())

    async def read(self, path: str) -> Any:
        answer = await self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def listed(self, path: str | None = None) -> list[dict[str, Any]]:
        return list((await self.read(path or self.members))["contacts"])


@pytest.fixture
async def book(world: World) -> Book:
    return Book(world, await world.staff())


def fields(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return [error["field"] for error in answer.json()["errors"]]


async def stored(world: World, table: str) -> list[dict[str, Any]]:
    rows = await world.service.runtime.pool.fetch(f"select * from {table}")  # noqa: S608 - our own tables
    return [dict(r) for r in rows]


# -- Writing down ----------------------------------------------------------------------------------------------


async def test_a_person_is_written_down_with_addresses_and_consent_in_one_request(world: World, book: Book) -> None:
    made = await book.write(MOTHER)
    assert made["addresses"] == [
        {"channel": "zalo", "address": "+84912345678", "purposes": ["work", "money"], "gone_at": None},
        {"channel": "sms", "address": "+84912345678", "purposes": [], "gone_at": None},
    ]
    assert (made["household_id"], made["cooperative_id"]) == (str(world.household), str(world.cooperative))
    assert (made["quiet_hours"], made["rank"]) == (MOTHER["quiet_hours"], 1)
    del made["webhook_secret"]
    assert await book.read(made["url"]) == made
    assert await book.listed() == [made]


async def test_the_same_request_again_makes_no_second_person(world: World, book: Book) -> None:
    made = await book.write(MOTHER)
    again = await book.write(MOTHER | {"language": "en"}, status=200)
    assert again["contact_id"] == made["contact_id"]
    assert (again["language"], again["rank"]) == ("en", 1)
    assert len(await book.listed()) == 1
    assert len(await stored(world, "consent")) == 2


async def test_the_same_request_twice_at_once_makes_one_person(book: Book) -> None:
    answers = await asyncio.gather(*(book.ask("POST", book.members, MOTHER) for _ in range(4)))
    assert sorted(a.status_code for a in answers) == [200, 200, 200, 201]
    assert len(await book.listed()) == 1


async def test_members_are_told_in_the_order_of_their_rank(book: Book) -> None:
    await book.write(MOTHER)
    await book.write(by_mail("con@example.vn", "work", "anh Mùa A Tủa"))
    await book.write(by_mail("chau@example.vn", "work", "em Mùa Thị Chư") | {"rank": 1})
    assert [(one["display_name"], one["rank"]) for one in await book.listed()] == [
        ("bà Mùa Thị Dợ", 1), ("em Mùa Thị Chư", 1), ("anh Mùa A Tủa", 2),
    ]  # fmt: skip


async def test_a_person_is_replaced_and_what_it_did_not_say_stays(book: Book) -> None:
    made = await book.write(MOTHER)
    change = {
        "display_name": "bà Dợ",
        "addresses": [{"channel": "sms", "address": "0812345678"}, {"channel": "zalo", "address": "0912345678"}],
    }
    put = await book.ask("PUT", made["url"], change)
    assert put.status_code == 200
    after = put.json()
    assert (after["display_name"], after["quiet_hours"], after["rank"]) == ("bà Dợ", None, 1)
    assert [(a["channel"], a["address"], a["purposes"]) for a in after["addresses"]] == [
        ("sms", "+84812345678", []), ("zalo", "+84912345678", ["work", "money"]),
    ]  # fmt: skip
    assert after["household_id"] == made["household_id"]
    assert (await book.ask("PUT", f"/v1/contacts/{uuid4()}", change)).status_code == 404


async def test_consent_ends_with_its_address(book: Book) -> None:
    made = await book.write(MOTHER)
    without = MOTHER | {"addresses": [{"channel": "sms", "address": "0912345678"}]}
    assert (await book.ask("PUT", made["url"], without)).status_code == 200
    bare = MOTHER | {"addresses": [{"channel": "zalo", "address": "0912345678"}]}
    assert (await book.ask("PUT", made["url"], bare)).json()["addresses"][0]["purposes"] == []
    export = await book.read(made["url"] + "/export")
    assert {(c["channel"], c["withdrawn_source"]) for c in export["consents"]} == {("zalo", "address removed")}


async def test_secrets_of_push_and_webhooks_are_kept_and_never_shown_again(world: World, book: Book) -> None:
    addresses = [
        {"channel": "web_push", "address": {"endpoint": "https://push.example/abc",
                                            "keys": {"p256dh": P256DH, "auth": AUTH}, "expirationTime": None}},
        {"channel": "webhook", "address": {"url": "https://nha.example/cho"}},
    ]  # fmt: skip
    made = await book.write(MOTHER | {"addresses": addresses})
    secret = made["webhook_secret"]
    assert secret.startswith("whsec_")
    before = await stored(world, "contact_address")
    shown = await book.ask("GET", made["url"])
    assert [a["address"] for a in shown.json()["addresses"]] == [
        {"endpoint": "https://push.example/abc"}, {"url": "https://nha.example/cho"},
    ]  # fmt: skip
    as_shown = [{"channel": a["channel"], "address": a["address"]} for a in shown.json()["addresses"]]
    again = await book.ask("PUT", made["url"], MOTHER | {"addresses": as_shown})
    assert (again.status_code, again.json()["webhook_secret"]) == (200, None)
    assert await stored(world, "contact_address") == before
    export = await book.ask("GET", made["url"] + "/export")
    for private in (AUTH, P256DH, secret):
        assert private not in shown.text + again.text + export.text
    new = [{"channel": "web_push", "address": {"endpoint": "https://push.example/new"}}]
    assert fields(await book.ask("PUT", made["url"], MOTHER | {"addresses": new})) == ["addresses[0].address"]


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"display_name": "bà Dợ\r\nBcc: geheim@example.vn"}, ["display_name"]),
        ({"display_name": " "}, ["display_name"]),
        ({"language": "geheim"}, ["language"]),
        ({"phone": "geheim"}, ["phone"]),
        ({"rank": 0}, ["rank"]),
        ({"quiet_hours": {"from": "21:00", "until": "25:00"}}, ["quiet_hours.until"]),
        ({"quiet_hours": {"from": "21:00", "until": "21:00"}}, ["quiet_hours.until"]),
        ({"quiet_hours": {"from": "21:00"}}, ["quiet_hours.until"]),
        ({"addresses": [{"channel": "fax", "address": "geheim"}]}, ["addresses[0].channel"]),
        ({"addresses": [{"channel": "sms", "address": "0212 385 1234"}]}, ["addresses[0].address"]),
        ({"addresses": [{"channel": "sms", "address": "113geheim"}]}, ["addresses[0].address"]),
        ({"addresses": [{"channel": "email", "address": "geheim@b@c"}]}, ["addresses[0].address"]),
        ({"addresses": [{"channel": "email", "address": "a@x.vn\r\nBcc: geheim@x.vn"}]}, ["addresses[0].address"]),
        ({"addresses": [{"channel": "telegram", "address": "@geheim"}]}, ["addresses[0].address"]),
        ({"addresses": [{"channel": "webhook", "address": "https://geheim.vn"}]}, ["addresses[0].address"]),
        ({"addresses": [{"channel": "webhook", "address": {"url": "https://10.0.0.1/geheim"}}]},
         ["addresses[0].address"]),
        ({"addresses": [{"channel": "webhook", "address": {"url": "https://x.vn/", "secret": "whsec_geheim"}}]},
         ["addresses[0].address"]),
        ({"addresses": [{"channel": "sms", "address": "0912345678"}] * 2}, ["addresses"]),
        ({"addresses": [{"channel": "sms", "address": "0912345678", "consent": {"purposes": ["spam"],
                                                                                "source": "geheim"}}]},
         ["addresses[0].consent.purposes[0]"]),
        ({"addresses": [{"channel": "sms", "address": "0912345678", "consent": {"purposes": [], "source": " "}}]},
         ["addresses[0].consent.purposes", "addresses[0].consent.source"]),
        ({"addresses": [{"channel": "sms", "address": "0912345678",
                         "consent": CONSENT | {"given_at": "2999-01-01T00:00:00Z"}}]},
         ["addresses[0].consent.given_at"]),
        ({"display_name": "", "language": "xx", "addresses": [{"channel": "sms", "address": "geheim"},
                                                            {"channel": "email", "address": "geheim"}]},
         ["display_name", "language", "addresses[0].address", "addresses[1].address"]),
    ],
)  # fmt: skip
async def test_every_fault_is_named_and_nothing_is_repeated_or_changed(
    world: World, book: Book, change: dict[str, Any], wrong: list[str]
) -> None:
    answer = await book.ask("POST", book.members, MOTHER | change)
    assert fields(answer) == wrong
    assert "geheim" not in answer.text
    assert await book.listed() == []


async def test_a_household_has_only_so_many_contacts(world: World, book: Book) -> None:
    async with world.service.runtime.pool.acquire() as conn:
        await conn.execute(
            "insert into contact (contact_id, cooperative_id, household_id, display_name, language, rank, changed_at) "
            "select gen_random_uuid(), $1, $2, 'x', 'vi', 1000, now() from generate_series(1, 49)",
            world.cooperative,
            world.household,
        )
    assert (await book.write(MOTHER))["rank"] == 1000
    refused = await book.ask("POST", book.members, by_mail("x@x.vn", "work", "y"))
    assert (refused.status_code, refused.headers["content-type"]) == (409, "application/problem+json")


# -- Who may -----------------------------------------------------------------------------------------------------


async def test_the_book_is_closed_to_strangers_and_other_cooperatives(world: World, book: Book) -> None:
    made = await book.write(MOTHER)
    client, url = world.service.client, str(made["url"])
    stranger, operator = await world.service.key("staff", uuid7()), await world.service.key("operator")
    consent = CONSENT | {"channel": "zalo"}
    asked: list[tuple[str, str, Any]] = [
        ("GET", book.members, None), ("POST", book.members, MOTHER), ("GET", book.staff, None),
        ("POST", book.staff, MOTHER), ("GET", url, None), ("PUT", url, MOTHER),
        ("POST", url + "/consents", consent), ("POST", url + "/consents/withdraw", {"source": "x"}),
        ("GET", url + "/export", None), ("DELETE", url + "?reason=own_request", None),
    ]  # fmt: skip
    for method, path, body in asked:
        assert (await client.request(method, path, json=body)).status_code == 401
        refused = await client.request(method, path, json=body, headers=stranger)
        elsewhere = path
        for own in (made["contact_id"], str(world.household), str(world.cooperative)):
            elsewhere = elsewhere.replace(own, str(uuid4()))
        unknown = await client.request(method, elsewhere, json=body, headers=stranger)
        assert refused.status_code == unknown.status_code == 404, path
        assert refused.json() == unknown.json()
        assert (await client.request(method, path, json=body, headers=operator)).status_code < 300, path
    nowhere = f"/v1/cooperatives/{uuid4()}/contacts"
    assert (await client.post(nowhere, json=MOTHER, headers=operator)).status_code == 404


async def test_the_unions_contacts_are_for_operators(world: World, book: Book) -> None:
    officer = by_mail("lien-hiep@example.vn", "summary", "ông Sơn")
    union = Book(world, await world.service.key("operator"))
    made = await union.write(officer, "/v1/contacts")
    assert (await union.write(officer, "/v1/contacts", 200))["contact_id"] == made["contact_id"]
    assert (made["household_id"], made["cooperative_id"]) == (None, None)
    assert [one["contact_id"] for one in await union.listed("/v1/contacts")] == [made["contact_id"]]
    assert (await book.ask("GET", "/v1/contacts")).status_code == 403
    assert (await book.ask("POST", "/v1/contacts", officer)).status_code == 403
    assert (await book.ask("GET", made["url"])).status_code == 404
    assert (await book.ask("PUT", made["url"], officer)).status_code == 404
    assert (await union.ask("DELETE", made["url"] + "?reason=no_longer_needed")).status_code == 204
    assert await union.listed("/v1/contacts") == []


# -- Consent -----------------------------------------------------------------------------------------------------


async def test_consent_is_given_withdrawn_and_given_anew_and_all_of_it_is_kept(book: Book) -> None:
    made = await book.write(MOTHER)
    consents, yesterday = made["url"] + "/consents", datetime.now(UTC) - timedelta(days=1)

    async def say(path: str, body: dict[str, Any]) -> dict[str, list[str]]:
        answer = await book.ask("POST", path, body)
        assert answer.status_code == 200, answer.text
        return {a["channel"]: a["purposes"] for a in answer.json()["addresses"]}

    given = {"channel": "sms", "purposes": ["work"], "source": "by phone", "given_at": yesterday.isoformat()}
    assert await say(consents, given) == {"zalo": ["work", "money"], "sms": ["work"]}
    withdraw = consents + "/withdraw"
    assert await say(withdraw, {"channel": "zalo", "purpose": "money", "source": "x"}) == {
        "zalo": ["work"], "sms": ["work"],
    }  # fmt: skip
    assert await say(withdraw, {"purpose": "work", "source": "by phone to chị Hà"}) == {"zalo": [], "sms": []}
    assert await say(withdraw, {"purpose": "work", "source": "again"}) == {"zalo": [], "sms": []}
    assert await say(consents, given | {"purposes": ["money", "work"]}) == {"zalo": [], "sms": ["work", "money"]}
    assert await say(withdraw, {"source": "STOP"}) == {"zalo": [], "sms": []}
    history = (await book.read(made["url"] + "/export"))["consents"]
    assert sorted((c["channel"], c["purpose"], c["source"], c["withdrawn_source"]) for c in history) == [
        ("sms", "money", "by phone", "STOP"),
        ("sms", "work", "by phone", "STOP"),
        ("sms", "work", "by phone", "by phone to chị Hà"),
        ("zalo", "money", "signed form", "x"),
        ("zalo", "work", "signed form", "by phone to chị Hà"),
    ]
    assert all(c["recorded_by"] and c["withdrawn_by"] and c["withdrawn_at"] >= c["given_at"] for c in history)
    assert {c["given_at"] for c in history if c["channel"] == "sms"} == {yesterday.isoformat().replace("+00:00", "Z")}


async def test_faulty_consent_is_refused(book: Book) -> None:
    url = (await book.write(MOTHER))["url"]
    faulty = {"channel": "email", "purposes": ["work"], "source": "x", "given_at": "2999-01-01T00:00:00Z"}
    assert fields(await book.ask("POST", url + "/consents", faulty)) == ["given_at", "channel"]
    faulty["given_at"] = "0001-01-01T00:00:00+14:00"
    assert fields(await book.ask("POST", url + "/consents", faulty)) == ["given_at", "channel"]
    assert fields(await book.ask("POST", url + "/consents", {})) == ["purposes", "source", "channel"]
    assert fields(await book.ask("POST", url + "/consents/withdraw", {"channel": "fax"})) == ["channel", "source"]


async def test_what_waits_is_not_sent_after_consent_was_withdrawn(world: World, book: Book, mail: Mailbox) -> None:
    contact = await world.reach()
    await world.apply(world.basket())
    await book.ask("POST", contact["url"] + "/consents/withdraw", {"channel": "email", "source": "by phone"})
    await world.run("send_email")
    assert mail.letters == []
    assert await world.states() == [("undeliverable", 1, "no_consent")]
    again = CONSENT | {"channel": "email"}
    assert (await book.ask("POST", contact["url"] + "/consents", again)).status_code == 200
    await world.run("send_email")
    assert len(mail.letters) == 1


async def test_an_address_without_consent_is_told_nothing(world: World, book: Book, mail: Mailbox) -> None:
    await book.write(MOTHER | {"addresses": [{"channel": "email", "address": "ba.do@example.vn"}]})
    await world.apply(world.basket())
    await world.run("send_email")
    assert mail.letters == []
    assert await world.states() == [("undeliverable", 0, "no_contact")]


async def test_writing_the_same_down_again_sends_nothing_again(world: World, book: Book, mail: Mailbox) -> None:
    body = by_mail("khong.co@example.vn", "work", "bà Dợ")
    await book.write(body)
    mail.on_rcpt = lambda _: "550 5.1.1 unknown"
    await world.apply(world.basket())
    await world.run("send_email")
    refused = await world.states()
    assert refused[0][0] == "undeliverable"
    await book.write(body, status=200)
    assert await world.states() == refused


async def test_new_consent_brings_back_an_address_that_was_gone(world: World, book: Book) -> None:
    made = await book.write(MOTHER)
    now = datetime.now(UTC)
    async with world.service.runtime.pool.acquire() as conn:
        await contacts.mark_gone(conn, [(UUID(made["contact_id"]), "zalo", "+84912345678")], now)
        assert await contacts.list_steps(conn, [world.household], WORK) == {}
    assert (await book.listed())[0]["addresses"][0]["gone_at"] is not None
    await book.write(MOTHER, status=200)
    assert (await book.listed())[0]["addresses"][0]["gone_at"] is None, "consent that was given just now counts"


# -- Export and erasure ------------------------------------------------------------------------------------------


async def test_the_export_tells_all_that_is_kept_about_a_person(world: World, book: Book, mail: Mailbox) -> None:
    contact = await world.reach()
    await world.apply(world.basket(), world.basket(world.neighbour))
    await world.run("send_email")
    await world.service.runtime.pool.execute(
        "insert into basket_reply select household_id, delivery_day, 1, 'confirm', null, '[]', 'page', sequence, now() "
        "from basket where household_id = $1",
        world.household,
    )
    export = await book.read(contact["url"] + "/export")
    assert export["contact"] == await book.read(contact["url"])
    assert [(c["purpose"], c["source"]) for c in export["consents"]] == [("work", "signed form")]
    (notice,) = export["notices"]
    assert (notice["kind"], notice["state"], notice["delivery_day"]) == ("basket", "told", "2099-11-24")
    assert notice["facts"]["items"][0]["goods"]["name"] == "Rau mùi"
    assert [(way["channel"], way["state"], way["attempts"]) for way in notice["ways"]] == [("email", "told", 1)]
    assert [(reply["answer"], reply["channel"]) for reply in export["replies"]] == [("confirm", "page")]


async def test_an_erased_person_leaves_nothing_but_references(world: World, book: Book, mail: Mailbox) -> None:
    contact = await world.reach(email="xoa.toi@example.vn")
    await world.apply(world.basket())
    await world.run("send_email")
    await world.apply(world.changed(2, 10))
    assert fields(await book.ask("DELETE", contact["url"])) == ["query.reason"]
    erased = await book.ask("DELETE", contact["url"] + "?reason=own_request")
    assert erased.status_code == 204
    await world.run("send_email")
    assert len(mail.letters) == 1
    assert [state for state, _, _ in await world.states()] == ["told", "undeliverable"]
    tables = await world.service.runtime.pool.fetch(
        "select table_name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'"
    )
    kept = "\n".join([str(await stored(world, r["table_name"])) for r in tables])
    for private in ("xoa.toi", "Mùa Thị Dợ", "signed form"):
        assert private not in kept
    (trace,) = await stored(world, "contact_erasure")
    assert (str(trace["contact_id"]), trace["reason"]) == (contact["contact_id"], "own_request")
    assert trace["key_id"] is not None
    (told, *_) = await world.service.runtime.pool.fetch("select contact_id, state from delivery order by queued_at")
    assert (str(told["contact_id"]), told["state"]) == (contact["contact_id"], "told")
    for method, path in (("GET", ""), ("GET", "/export"), ("DELETE", "?reason=own_request"), ("PUT", "")):
        assert (await book.ask(method, contact["url"] + path, MOTHER)).status_code == 404


async def test_of_the_staff_only_those_are_told_of_alerts_who_agreed_to_that(
    world: World, book: Book, mail: Mailbox, shop: Receiver
) -> None:
    await book.write(by_mail("ke-toan@example.vn", "summary", "anh Páo"), book.staff)
    await book.write(by_mail("van-phong@example.vn", "alerts", "chị Hà"), book.staff)
    assert [one["display_name"] for one in await book.listed(book.staff)] == ["anh Páo", "chị Hà"]
    await world.listen(shop.url)
    await world.apply(world.promised())
    shop.say("410 Gone")
    await world.run("send_webhooks")
    await world.run("send_email")
    assert [letter["To"].addresses[0].addr_spec for letter in mail.letters] == ["van-phong@example.vn"]
