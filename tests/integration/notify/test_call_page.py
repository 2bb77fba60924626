"""The page for whoever calls: by a signed link, with numbers and what to say."""

from datetime import UTC, datetime, timedelta

from tests.integration.notify.world import LINKS, World


async def page_of(world: World) -> str:
    path = f"/v1/cooperatives/{world.cooperative}/call-list/link"
    answer = await world.service.client.get(path, headers=await world.staff())
    assert answer.status_code == 200, answer.text
    return str(answer.json()["url"]).removeprefix(LINKS.public_url)


async def test_whoever_has_the_link_sees_whom_to_call_and_marks_it(world: World) -> None:
    await world.apply(world.basket())
    page = await page_of(world)
    shown = await world.service.client.get(page)
    assert shown.status_code == 200
    assert "VH-01" in shown.text
    assert "Chưa có số điện thoại của hộ này." in shown.text
    assert "- Cải mèo: 12,5 kg" in shown.text
    assert shown.headers["cache-control"] == "no-store"
    (notice,) = await world.notices()
    form = {"notice": notice["notice_id"], "outcome": "told"}
    assert (await world.service.client.post(page, data=form)).status_code == 303
    assert (await world.service.client.post(page, data=form)).status_code == 303, "a second tap is no failure"
    assert [(n["state"], n["channel"]) for n in await world.notices()] == [("told", "call")]
    assert "Hiện không phải gọi cho ai." in (await world.service.client.get(page)).text


async def test_a_link_opens_only_its_own_cooperative_and_only_for_a_day(world: World) -> None:
    page = await page_of(world)
    changed = page[:-1] + ("A" if page[-1] != "A" else "B")
    assert (await world.service.client.get(changed)).status_code == 404
    past = LINKS.calls_url(world.cooperative, datetime.now(UTC) - timedelta(minutes=1)).removeprefix(LINKS.public_url)
    assert (await world.service.client.get(past)).status_code == 410
    reply = LINKS.url(world.household, datetime.now(UTC).date(), datetime.now(UTC)).rpartition("/")[2]
    assert (await world.service.client.get(f"/c/{reply}")).status_code == 404


async def test_a_form_that_says_nothing_changes_nothing(world: World) -> None:
    await world.apply(world.basket())
    page = await page_of(world)
    assert (await world.service.client.post(page, data={"outcome": "told"})).status_code == 422
    assert [n["state"] for n in await world.notices()] == ["undeliverable"]
