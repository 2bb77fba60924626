"""Backups made under load, and one service, or all, put back to them: streams heal, and nothing is published twice.

What no machine can know any more comes back from people, as infra/runbook.md says: partners push again what they
were told is taken, and staff enter again what they have entered. What is forgotten is named in `arena.expected`.
"""

import asyncio
import mailbox
import re
from collections.abc import Collection, Mapping, Sequence
from email.message import Message
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

from infra.demo.pushes import Push
from infra.local import backup
from services.chassis.incarnation import lost_type
from services.contracts.flow import READS, SERVICES
from tests.chaos import settled
from tests.chaos.arena import Arena
from tests.chaos.command import must, typed
from tests.chaos.load import patiently, signed_now
from tests.chaos.once import OFFERED
from tests.chaos.scenario import scenario
from tests.chaos.world import LiveOffer, Member

Place = tuple[UUID, int]
"""Stream and sequence number."""

_PUBLISHED = (
    "select e.stream, e.sequence, e.id from event_log e join relay_cursor c using (stream)"
    " where e.sequence <= c.sequence"
)
_LOST = "select coalesce(sum(last_sequence - first_sequence + 1), 0)::int from lost_events"
_HELD = (
    "select 1 from order_line l join offer_book b using (offer_id)"
    " where l.order_id = any($1::uuid[]) and b.open and l.ordered_steps > l.cancelled_steps"
)
_TOLD_AFRESH = (
    re.compile(r".*: order \S+, and \S+ before"),
    re.compile(r".*: 202 instead of \(200,\).*", re.DOTALL),
)
"""What a patient partner may see when its order was forgotten: it is taken in as a new one."""
_MOMENT = re.compile(r"\b\d{1,2}:\d\d(?: (?:sáng|trưa|chiều|tối|đêm))?(?: (?:thứ \w+|Chủ nhật), [\d/]+)?")
"""As notices write it: the hour says the time of day."""


@scenario("allocation restored", heal_s=120)
async def allocation_restored(arena: Arena) -> None:
    """Decisions since the backup are made again, under new numbers."""
    directory = await _backed_up(arena)
    await arena.load.until(0.8)
    await _put_back_alone(arena, directory, "allocation")
    await _made_again_or_refused(arena)


@scenario("orders restored", heal_s=120)
async def orders_restored(arena: Arena) -> None:
    """Orders since the backup are forgotten; what they were promised is given back, and partners push again."""
    directory = await _backed_up(arena)
    await arena.load.until(0.8)
    await _put_back_alone(arena, directory, "orders")
    await _push_again(arena)
    await _made_again_or_refused(arena)


@scenario("notify restored", heal_s=120)
async def notify_restored(arena: Arena) -> None:
    """Messages and notices since the backup are made again under the same numbers, so that a receiver knows them."""
    directory = await _backed_up(arena)
    await arena.load.until(0.8)
    told = await arena.books.value("notify", "select count(*) from partner_message")
    await _put_back(arena, directory, ["notify"])
    assert await arena.books.value("notify", "select count(*) from partner_message") < told, "notify forgot nothing"
    await _until_ready(arena, ["notify"])
    await _made_again_or_refused(arena)


@scenario("notify restored after the cut-off", heal_s=120)
async def notify_restored_late(arena: Arena) -> None:
    """Households are told their basket a second time, in the same words and under the same Message-ID.

    One that a newer basket has overtaken by then is not told again.
    """
    directory = await _backed_up(arena)
    await arena.load.finished()
    await settled.until_settled(arena)
    await arena.load.close_day()
    await settled.until_closed(arena)
    await settled.until_settled(arena)
    arrived = set(arena.received.mail_ids())
    told = {notice for notice, state in (await _baskets(arena)).items() if state == "told" and notice in arrived}
    await _put_back(arena, directory, ["notify"])
    assert not await _baskets(arena), "notify forgot nobody"
    await _until_ready(arena, ["notify"])
    await settled.until_settled(arena)
    now = await _baskets(arena)
    assert {now[notice] for notice in told} <= {"told", "superseded"}
    again = {notice for notice in told if now[notice] == "told"}
    assert again, "nobody was told twice"
    _must_have_come(arena, 2, again)
    _must_have_come(arena, 1, told - again)
    await _made_again_or_refused(arena)


@scenario("catalog restored", heal_s=120)
async def catalog_restored(arena: Arena) -> None:
    """What staff did since the backup is forgotten here and known elsewhere; stated again, it is the same."""
    directory = await _backed_up_before_changes(arena)
    async with arena.load.staff_at_rest():
        await _put_back_alone(arena, directory, "catalog")
        await _state_again(arena)
    await _made_again_or_refused(arena)


@scenario("all four restored", heal_s=120)
async def all_restored(arena: Arena) -> None:
    """Backups of slightly different moments become one day again; who pushes again is answered what counts now."""
    directory = await _backed_up_before_changes(arena)
    async with arena.load.staff_at_rest():
        await _stop(arena, SERVICES)
        known = await _order_ids(arena)
        await _put_back(arena, directory, SERVICES)
        await _until_ready(arena, SERVICES)
        arena.expected.forgotten = known - await _order_ids(arena)
        assert arena.expected.forgotten, "nothing was forgotten"
        arena.expected.all_restored = True
        await _state_again(arena)
    await _push_again(arena)
    await _made_again_or_refused(arena)


# -- Backups ---------------------------------------------------------------------------------------------------


async def _backed_up(arena: Arena) -> Path:
    await arena.load.until(0.3)
    directory = backup.new_directory(arena.root / "backups")
    arena.interruptions.backed_up()
    await asyncio.to_thread(backup.back_up, arena.stack, directory, SERVICES)
    return directory


async def _backed_up_before_changes(arena: Arena) -> Path:
    """A backup after which pledges changed and offers came and went."""
    directory = await _backed_up(arena)
    heads = await _heads(arena)
    await arena.until("staff change, withdraw and post offers", partial(_all_was_said, arena, heads))
    return directory


async def _all_was_said(arena: Arena, heads: Mapping[UUID, int]) -> bool:
    """Whether catalog has said everything behind these heads that can be said of offers."""
    query = (
        "select distinct type from event_log e join unnest($1::uuid[], $2::bigint[]) h (stream, last) using (stream)"
        " where e.sequence > h.last and type = any($3)"
    )
    return len(await arena.sql("catalog", query, list(heads), list(heads.values()), OFFERED)) == len(OFFERED)


async def _heads(arena: Arena) -> dict[UUID, int]:
    rows = await arena.sql("catalog", "select stream, last_sequence from stream_head")
    return {row["stream"]: row["last_sequence"] for row in rows}


async def _put_back(arena: Arena, directory: Path, services: Sequence[str]) -> None:
    """Stops, puts back and starts; does not wait until they have settled with their readers."""
    await _stop(arena, services)
    for name in services:
        arena.interruptions.set_back(name)
    await asyncio.to_thread(backup.put_back, arena.stack, directory, services)
    for name in services:
        await arena.start_service(name, ready=False)


async def _stop(arena: Arena, services: Sequence[str]) -> None:
    await asyncio.gather(*(arena.stop(name) for name in services))


async def _until_ready(arena: Arena, services: Sequence[str]) -> None:
    for name in services:
        await arena.until_ready(name)


async def _put_back_alone(arena: Arena, directory: Path, service: str) -> None:
    """Puts back one service, whose readers remember: no number may come to mean something else."""
    await _stop(arena, [service])
    published, known = await _published(arena, service), await _order_ids(arena)
    await _put_back(arena, directory, [service])
    await _until_ready(arena, [service])
    lost = await _must_not_be_republished(arena, service, published)
    assert lost, f"{service} forgot nothing that was published"
    assert await arena.books.value(service, _LOST) == lost, f"{service} did not note what it lost"
    arena.expected.forgotten = known - await _order_ids(arena)


async def _published(arena: Arena, service: str) -> dict[Place, UUID]:
    return {(row["stream"], row["sequence"]): row["id"] for row in await arena.sql(service, _PUBLISHED)}


async def _must_not_be_republished(arena: Arena, service: str, before: Mapping[Place, UUID]) -> int:
    """Each number is still that of the same event, or of one that is lost; returns how many are lost."""
    rows = await arena.sql(service, "select stream, sequence, id, type from event_log")
    now = {(row["stream"], row["sequence"]): row for row in rows}
    free = [place for place in before if place not in now]
    assert not free, f"{len(free)} numbers of {service} could be published again, such as {free[0]}"
    lost = [place for place in before if now[place]["type"] == lost_type(service)]
    changed = [place for place, event in before.items() if now[place]["id"] != event and place not in set(lost)]
    assert not changed, f"{len(changed)} numbers of {service} mean another event, such as {changed[0]}"
    return len(lost)


# -- What people do afterwards ---------------------------------------------------------------------------------


async def _order_ids(arena: Arena) -> set[str]:
    return {row["order_id"] for row in await arena.sql("orders", "select order_id::text from customer_order")}


async def _push_again(arena: Arena) -> None:
    """Partners repeat their last word on every order, once the rest is said."""
    load, forgotten = arena.load, arena.expected.forgotten
    await load.finished()
    load.faults[:] = [it for it in load.faults if not any(form.fullmatch(it) for form in _TOLD_AFRESH)]
    await arena.until(
        "what forgotten orders were promised is given back", lambda: _nothing_is_held(arena, sorted(forgotten))
    )
    for key, push in load.acknowledged.items():
        certain = await patiently(partial(_send, arena, push), arena.random, load.answers)
        assert certain.answer.status_code in (200, 202), f"{key}: {certain.answer.text[:300]}"
        order_id = certain.answer.json()["order_id"]
        if load.order_ids[key] != order_id:
            assert load.order_ids[key] in forgotten, f"order {key} got another id without need"
        load.order_ids[key] = order_id


async def _send(arena: Arena, push: Push) -> httpx.Response:
    return await arena.client.push(push.partner.push_path, push.body, signed_now(push))


async def _nothing_is_held(arena: Arena, forgotten: Sequence[str]) -> bool:
    return not await arena.sql("allocation", _HELD, forgotten)


async def _state_again(arena: Arena) -> None:
    """Staff do once more what they have done with their offers, in its order, as far as it is forgotten."""
    for member in arena.world.members:
        for offer in member.withdrawn:
            await _post_again(arena, member, offer)
            await _ask(arena, member, "POST", f"/v1/offers/{offer.offer_id}/withdraw")
        for offer in member.offers.values():
            await _post_again(arena, member, offer)
            await _ask(arena, member, "PATCH", f"/v1/offers/{offer.offer_id}", pledges=offer.pledges)


async def _post_again(arena: Arena, member: Member, offer: LiveOffer) -> None:
    """Posts the offer if catalog does not know it; to everybody it is the one that it was."""
    if await arena.sql("catalog", "select from offer where offer_id = $1", UUID(offer.offer_id)):
        return
    body = arena.world.offer_body(member, offer.product, offer.pledges)
    posted = await _ask(arena, member, "POST", f"/v1/cooperatives/{member.seeded.slug}/offers", offers=[body])
    assert [it["offer_id"] for it in posted["offers"]] == [offer.offer_id], "it was posted as another offer"


async def _ask(arena: Arena, member: Member, method: str, path: str, **body: Any) -> Any:
    certain = await arena.load.ask_as_staff(member, method, path, lambda: body or None)
    assert certain is not None, arena.load.faults[-1]
    return certain.answer.json()


# -- What is true afterwards -----------------------------------------------------------------------------------


async def _made_again_or_refused(arena: Arena) -> None:
    """Tables can be made again from the logs, but for a reader of a service that has lost events: its are kept."""
    await arena.load.finished()
    await settled.until_settled(arena)
    poorer = {name for name in SERVICES if await arena.sql(name, "select from lost_events limit 1")}
    for name, producers in READS.items():
        if poorer.isdisjoint(producers):
            printed = await must(arena, name, "rebuild", "--check")
            assert printed.rstrip().endswith("tables: equal"), printed
        else:
            ended = await typed(arena, name, "rebuild")
            assert ended.code == 1, ended.printed
            assert " is lost since " in ended.printed, ended.printed


async def _baskets(arena: Arena) -> dict[str, str]:
    """Notice → state, of all baskets that notify knows of."""
    query = "select notice_id::text, state from notice where kind = 'basket'"
    return {row["notice_id"]: row["state"] for row in await arena.sql("notify", query)}


def _must_have_come(arena: Arena, times: int, notices: Collection[str]) -> None:
    """By mail, always the same. One copy of each is taken out of the mailbox: one that notify has forgotten."""
    box = mailbox.Maildir(arena.received.maildir, create=False)
    copies: dict[str, list[str]] = {}
    for key, mail in box.iteritems():
        copies.setdefault(str(mail["Message-ID"]).strip("<>").split("@")[0], []).append(key)
    for notice in notices:
        came = [box[key] for key in copies.get(notice, [])]
        assert len(came) == times, f"notice {notice} came {len(came)} times"
        for header in ("To", "From", "Subject", "Message-ID"):
            assert len({str(mail[header]) for mail in came}) == 1, f"notice {notice} came with another {header}"
        assert all(_text(mail) == _text(came[0]) for mail in came), f"notice {notice} came in other words"
        box.remove(copies[notice][0])


def _text(mail: Message) -> list[str]:
    """Without moments, and of links only whose they are: who is told later may answer until later."""
    parts = [part for part in mail.walk() if not part.is_multipart()]
    texts = [bytes(part.get_payload(decode=True)).decode("utf-8", "replace") for part in parts]
    return [re.sub(r"(/r/[\w-]{26})[\w-]+", r"\1", _MOMENT.sub("", text)) for text in texts]
