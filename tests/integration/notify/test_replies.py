"""A household answers its basket by the link in its mail; what it answers is an event, once."""

import asyncio
import json
import re
import unicodedata
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import httpx
import pytest
from msgspec.structs import replace

from services.chassis.ids import uuid7
from services.contracts.allocation import BasketAssigned, BasketChanged, BasketConfirmed
from services.notify.domain.links import Link, Links
from services.notify.http.page_routes import FORM
from services.notify.http.replies import MOST_FORM_BYTES
from tests.integration.notify.peers import Mailbox
from tests.integration.notify.world import DAY, LINKS, REPLY_BY, World

BROWSER = {"accept": "text/html,application/xhtml+xml"}


def asked(world: World, reply_by_at: datetime = REPLY_BY) -> BasketAssigned:
    items = tuple(replace(i, why_vi="Chia đều cho 8 hộ.", why_en="Shared among 8.") for i in world.basket().items)
    return replace(world.basket(), items=items, reply_by_at=reply_by_at)


def changed(world: World, version: int = 2) -> BasketChanged:
    return replace(world.changed(version, 10), reply_by_at=REPLY_BY)


def confirmed(basket: BasketAssigned, by: str, steps: int) -> BasketConfirmed:
    items = tuple(replace(item, quantity_steps=steps, confirmed_steps=steps) for item in basket.items)
    return BasketConfirmed(
        basket.household_id, basket.delivery_day, basket.version + 1, items, basket.reply_by_at, by=by
    )


def path(world: World) -> str:
    return LINKS.url(world.household, DAY, REPLY_BY).removeprefix(LINKS.public_url)


def less(basket: BasketAssigned, coriander: str, cabbage: str, version: str = "1") -> dict[str, str]:
    quantities = zip(basket.items, (coriander, cabbage), strict=True)
    return {"version": version, "answer": "less"} | {f"q.{item.offer_id}": text for item, text in quantities}


async def get(world: World, where: str) -> httpx.Response:
    return await world.service.client.get(where, headers=BROWSER)


async def post(world: World, where: str, form: dict[str, str], accept: str = BROWSER["accept"]) -> httpx.Response:
    return await world.service.client.post(where, data=form, headers={"accept": accept})


async def replies(world: World) -> list[dict[str, Any]]:
    events = [e for e in await world.events() if e["type"] == "notify.household_replied.v1"]
    assert {e["stream"] for e in events} <= {world.cooperative}
    return [json.loads(e["data"]) for e in events]


async def test_from_the_basket_by_the_mail_and_the_page_to_the_event(world: World, mail: Mailbox) -> None:
    await world.reach()
    basket = asked(world)
    await world.apply(basket)
    await world.run("send_email")
    (letter,) = mail.letters
    body = str(letter.get_content())
    (link,) = re.findall(r"https://cho\.example(/r/[A-Za-z0-9_-]{56})\s", body)
    assert "Xin trả lời trước 20:00 tối thứ Hai, 23/11/2099" in body
    assert "  Chia đều cho 8 hộ." in body

    page = await get(world, link)
    assert page.status_code == 200
    for words in ("Cải mèo: 12,5 kg", "Nhà văn hóa bản Bó Nhàng", "Mang đủ tất cả", "Chia đều cho 8 hộ."):
        assert words in page.text
    english = await get(world, link + "?lang=en")
    assert "Please answer before 20:00 on Monday, 23 November 2099." in english.text
    for shown in (page, english):
        assert len(shown.content) < 20_000
        assert unicodedata.is_normalized("NFC", shown.text)
        assert shown.headers["content-type"] == "text/html; charset=utf-8"
        assert "Mùa Thị Dợ" not in shown.text

    answer = await post(world, link + "?lang=en", less(basket, "3", "10,5"))
    assert answer.status_code == 303
    assert await replies(world) == [
        {
            "household_id": str(world.household),
            "delivery_day": "2099-11-24",
            "version": 1,
            "answer": "less",
            "channel": "page",
            "items": [
                {"offer_id": str(basket.items[0].offer_id), "quantity_steps": 3},
                {"offer_id": str(basket.items[1].offer_id), "quantity_steps": 21},
            ],
            "reason": None,
        }
    ]
    assert answer.next_request is not None
    assert answer.next_request.url.path == link
    after = await get(world, str(answer.next_request.url))
    assert "you bring less" in after.text
    assert "Cải mèo: 10.5 kg (asked for: 12.5 kg)" in after.text
    assert "has not confirmed it yet" in after.text
    metrics = (await world.service.client.get("/metrics")).text
    assert 'notify_replies_total{answer="less"} 1.0' in metrics


async def test_a_page_carries_nothing_away(world: World) -> None:
    await world.apply(asked(world))
    for shown in (await get(world, path(world)), await get(world, "/r/forged"), await post(world, path(world), {})):
        headers = shown.headers
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-robots-tag"] == "noindex, nofollow"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "<script" not in shown.text


async def test_confirm_and_cannot_are_answers_too_and_a_new_answer_takes_the_place_of_the_last(world: World) -> None:
    await world.apply(asked(world))
    for form in ({"answer": "confirm"}, {"answer": "cannot", "reason": "damaged"}):
        assert (await post(world, path(world), {"version": "1", **form})).status_code == 303
    assert [(r["answer"], r["reason"], r["items"]) for r in await replies(world)] == [
        ("confirm", None, []), ("cannot", "damaged", []),
    ]  # fmt: skip
    assert "Lý do: Hàng bị hỏng." in (await get(world, path(world))).text


async def test_the_same_answer_again_changes_nothing_and_shows_the_same(world: World) -> None:
    basket = asked(world)
    await world.apply(basket)
    first = await post(world, path(world), less(basket, "3", "10"))
    again = await post(world, path(world), less(basket, "3", "10,0"))
    assert (first.status_code, first.headers["location"]) == (again.status_code, again.headers["location"])
    await world.apply(confirmed(basket, "reply", 20))
    assert (await post(world, path(world), less(basket, "3", "10"))).status_code == 303
    assert len(await replies(world)) == 1


async def test_answers_that_come_at_the_same_moment_count_once_each(world: World) -> None:
    basket = asked(world)
    await world.apply(basket)
    same = [post(world, path(world), less(basket, "3", "10")) for _ in range(6)]
    assert [answer.status_code for answer in await asyncio.gather(*same)] == [303] * 6
    assert len(await replies(world)) == 1
    await asyncio.gather(
        *(post(world, path(world), less(basket, "3", "9")) for _ in range(3)),
        *(post(world, path(world), {"version": "1", "answer": "confirm"}) for _ in range(3)),
    )
    told = [(r["answer"], [i["quantity_steps"] for i in r["items"]]) for r in await replies(world)]
    assert all(one != other for one, other in pairwise(told))
    last = await world.service.runtime.pool.fetchval("select answer from basket_reply")
    assert told[-1][0] == last


async def test_an_older_link_leads_to_the_newest_basket_and_its_form_is_not_taken(world: World) -> None:
    basket = asked(world)
    await world.apply(basket, changed(world))
    page = await get(world, path(world))
    assert "Cải mèo: 5 kg" in page.text
    assert 'name="version" value="2"' in page.text
    old = await post(world, path(world), less(basket, "3", "1"))
    assert old.status_code == 409
    assert "vì số hàng cần mang đã thay đổi" in old.text
    assert "Cải mèo: 5 kg" in old.text
    plain = await post(world, path(world), less(basket, "3", "1"), accept="*/*")
    assert (plain.status_code, plain.json()["type"]) == (409, "urn:cho-phien:problem:basket-changed")
    assert await replies(world) == []


async def test_after_the_deadline_the_page_only_shows_and_after_two_days_not_even_that(world: World) -> None:
    now = datetime.now(UTC)
    basket = asked(world, now - timedelta(minutes=1))
    await world.apply(basket)
    link = LINKS.url(world.household, DAY, now - timedelta(minutes=1)).removeprefix(LINKS.public_url)
    page = await get(world, link)
    assert page.status_code == 200
    assert "Đã hết giờ trả lời" in page.text
    assert "<form" not in page.text
    late = await post(world, link, {"version": "1", "answer": "confirm"})
    assert late.status_code == 409
    assert "Xin gọi cho hợp tác xã." in late.text
    ended = "/r/" + LINKS.token(Link(world.household, DAY, now - timedelta(seconds=1)))
    for answer in (await get(world, ended), await post(world, ended, {"version": "1", "answer": "confirm"})):
        assert answer.status_code == 410
        assert "đã hết hạn" in answer.text
        assert "Cải mèo" not in answer.text
    plain = await world.service.client.get(ended)
    assert plain.headers["content-type"] == "application/problem+json"
    assert await replies(world) == []


async def test_a_forged_link_says_the_same_whether_there_is_a_household_or_not(world: World) -> None:
    await world.apply(asked(world))
    good = path(world)
    flipped = good[:-1] + ("A" if good[-1] != "A" else "B")
    nobody = LINKS.url(uuid7(), DAY, REPLY_BY).removeprefix(LINKS.public_url)
    pages = [await get(world, where) for where in (flipped, good[:-8], nobody, "/r/" + "A" * 56, "/r/Ợ")]
    assert {page.status_code for page in pages} == {404}
    assert len({page.text for page in pages}) == 1
    assert "Liên kết này không mở được" in pages[0].text
    documents = [await world.service.client.get(where) for where in (flipped, nobody)]
    assert documents[0].json() == documents[1].json()
    assert (await post(world, flipped, {"version": "1", "answer": "confirm"})).status_code == 404
    assert await replies(world) == []


async def test_what_was_signed_with_the_secret_before_still_opens(world: World) -> None:
    await world.apply(asked(world))
    secrets = {LINKS.secrets[0]: 200, LINKS.secrets[1]: 200, "a secret that nobody gave to notify yet": 404}
    for secret, status in secrets.items():
        link = Links(LINKS.public_url, (secret,)).url(world.household, DAY, REPLY_BY)
        assert (await get(world, link.removeprefix(LINKS.public_url))).status_code == status


async def test_looking_changes_nothing(world: World) -> None:
    await world.apply(asked(world))
    before = await world.service.runtime.pool.fetch("select * from basket")
    for query in ("", "?version=1&answer=confirm", "?lang=xx"):
        assert (await get(world, path(world) + query)).status_code == 200
        head = await world.service.client.head(path(world) + query, headers=BROWSER)
        assert head.status_code == 200
    assert await replies(world) == []
    assert await world.service.runtime.pool.fetch("select * from basket_reply") == []
    assert await world.service.runtime.pool.fetch("select * from basket") == before


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"version": ""}, "version"),
        ({"answer": "perhaps"}, "answer"),
        ({"q.0190e4a2-7c3b-7e1f-8a55-1b2c3d4e5f60": "1"}, "q.0190e4a2-7c3b-7e1f-8a55-1b2c3d4e5f60"),
        ({"cabbage": "13"}, "cabbage"),
        ({"cabbage": "0.3"}, "cabbage"),
        ({"cabbage": "-1"}, "cabbage"),
        ({"cabbage": ""}, "cabbage"),
    ],
)
async def test_what_cannot_be_is_named_and_not_taken(world: World, change: dict[str, str], field: str) -> None:
    basket = asked(world)
    await world.apply(basket)
    cabbage = f"q.{basket.items[1].offer_id}"
    form = less(basket, "3", "10") | {cabbage if name == "cabbage" else name: text for name, text in change.items()}
    page = await post(world, path(world), form)
    assert page.status_code == 422
    assert "Câu trả lời chưa được ghi nhận" in page.text
    document = await post(world, path(world), form, accept="*/*")
    assert document.headers["content-type"] == "application/problem+json"
    assert [e["field"] for e in document.json()["errors"]] == [cabbage if field == "cabbage" else field]
    assert await replies(world) == []


async def test_bodies_that_are_no_form_are_refused(world: World) -> None:
    await world.apply(asked(world))
    client, where = world.service.client, path(world)
    form = BROWSER | {"content-type": FORM}

    async def slowly(body: bytes) -> Any:
        yield body

    large = urlencode({"version": "1", "answer": "confirm", "x": "y" * MOST_FORM_BYTES}).encode()
    assert (await client.post(where, content=slowly(large), headers=form)).status_code == 413
    assert (await client.post(where, json={"version": 1, "answer": "confirm"}, headers=BROWSER)).status_code == 415
    assert (await client.post(where, content=b"\xff\xfe", headers=form)).status_code == 400
    assert (await client.post(where, content=b"a=1&" * 300, headers=form)).status_code == 400
    assert (await client.post(where, content=b"", headers=form)).status_code == 422
    twice = b"version=1&answer=confirm&answer=cannot"
    assert (await client.post(where, content=twice, headers=form)).status_code == 422
    assert await replies(world) == []


@pytest.mark.parametrize(
    ("by", "words", "letters"), [("reply", "theo câu trả lời", 1), ("silence", "Hết giờ", 2), ("staff", "Cán bộ", 2)]
)
async def test_a_confirmation_is_shown_and_told_to_whoever_did_not_answer_on_the_page(
    world: World, mail: Mailbox, by: str, words: str, letters: int
) -> None:
    await world.reach()
    basket = asked(world)
    await world.apply(basket, confirmed(basket, by, 3))
    await world.run("send_email")
    page = await get(world, path(world))
    assert words in page.text
    assert "Đã xác nhận: 1,5 kg" in page.text
    assert len(mail.letters) == len(await world.notices()) == letters


async def test_the_page_speaks_the_language_of_the_contact_book(world: World) -> None:
    await world.reach()
    await world.apply(asked(world))
    await world.reach(email="lan@example.vn", language="en")
    assert '<html lang="en">' in (await get(world, path(world))).text
    assert '<html lang="vi">' in (await get(world, path(world) + "?lang=vi")).text


async def test_a_basket_that_asks_for_no_answer_has_no_link(world: World, mail: Mailbox) -> None:
    await world.reach()
    await world.apply(world.basket())
    await world.run("send_email")
    assert "/r/" not in mail.letters[0].get_content()
    page = await get(world, path(world))
    assert page.status_code == 200
    assert "<form" not in page.text
    assert (await post(world, path(world), {"version": "1", "answer": "confirm"})).status_code == 409


async def test_a_household_that_is_told_late_has_its_whole_time_to_answer(world: World, mail: Mailbox) -> None:
    await world.reach()
    now = datetime.now(UTC)
    await world.apply(replace(asked(world, now - timedelta(hours=3)), reply_minutes=120))
    link = LINKS.url(world.household, DAY, now).removeprefix(LINKS.public_url)
    assert "Đã hết giờ trả lời" in (await get(world, link)).text
    await world.run("send_email")
    (letter,) = mail.letters
    body = str(letter.get_content())
    in_the_letter = re.search("Xin trả lời trước ([0-9]{2}:[0-9]{2}) ", body)
    until = (now + timedelta(minutes=120)).astimezone(ZoneInfo("Asia/Ho_Chi_Minh"))
    assert in_the_letter is not None
    assert in_the_letter[1] in (f"{until:%H:%M}", f"{until + timedelta(minutes=1):%H:%M}")
    assert (await get(world, link)).text.count("<form") == 3
    assert (await post(world, link, {"version": "1", "answer": "confirm"})).status_code == 303
    assert [reply["answer"] for reply in await replies(world)] == ["confirm"]
