"""Notify killed in the middle of what it sends to partners and households, by mail, Zalo and SMS.

The receivers' own count is what counts: none of them may have the same message twice, webhooks aside, which come again
under their id. What nobody knows the outcome of is not sent again by any way; a person calls.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any
from uuid import UUID

from tests.chaos import settled
from tests.chaos.arena import Arena
from tests.chaos.proxy import Proxy
from tests.chaos.scenario import scenario

_IN_HAND = "select delivery_id, notice_id, attempts from delivery where state = 'sending' and channel = $1"
_PARTNERS_IN_HAND = "select message_id::text from partner_message where state = 'sending'"
_OVERTAKEN = "select message_id::text from partner_message where state = 'superseded'"
_AFTER = """
select d.delivery_id, d.state, d.attempts, n.notice_id, n.state as notice, n.kind, n.cooperative_id::text,
    (select count(*) from delivery other where other.notice_id = d.notice_id) as ways
from delivery d join notice n using (notice_id) where d.delivery_id = any($1)
"""


@scenario("killed while it tells partners")
async def webhooks(arena: Arena) -> None:
    """Webhooks are in hand, and then answered but not noted: these come again under the same id.

    Only what a newer one overtakes meanwhile does not.
    """
    await arena.load.until(0.15)
    await _die(arena, "begun")
    await arena.until_ready("notify")
    await _die(arena, "partner")
    in_hand = {row["message_id"] for row in await arena.sql("notify", _PARTNERS_IN_HAND)}
    came = {id: count for id, count in _times_come(arena).items() if id in in_hand}
    assert came, "nothing that had come was in hand"
    await arena.until("what was not noted has come again", partial(_have_come_again, arena, came))


async def _die(arena: Arena, step: str) -> None:
    await arena.kill("notify")
    await arena.start_service("notify", ready=False, fault_point=f"mid_send={step}*{arena.random.randint(1, 20)}")
    await arena.until_died("notify")


def _times_come(arena: Arena) -> Counter[str]:
    return Counter(arrival.message_id for arrival in arena.received.arrivals)


async def _have_come_again(arena: Arena, came: Mapping[str, int]) -> bool:
    overtaken = {row["message_id"] for row in await arena.sql("notify", _OVERTAKEN)}
    now = _times_come(arena)
    return all(now[id] > count or id in overtaken for id, count in came.items())


@scenario("killed while it tells households")
async def mails(arena: Arena) -> None:
    """Mails are in hand: none comes twice, and one that nobody knows of counts as not told."""
    await arena.load.finished()
    await settled.until_settled(arena)
    await arena.kill("notify")
    # From 2 on: were it to die before the first mail, nobody might have a link, and the evening would show nothing.
    await arena.start_service("notify", fault_point=f"mid_send*{arena.random.randint(2, 12)}")
    await arena.load.close_day()
    await arena.until_died("notify")


# -- Over HTTP -------------------------------------------------------------------------------------------------


PATIENT = {"notify": {"NOTIFY_PROVIDER_TIMEOUT_S": "10", "NOTIFY_UNKNOWN_AFTER_S": "60"}}
"""Zalo may be asked twice, with a new token between, before it is known that nobody knows."""


async def _with_providers(arena: Arena) -> None:
    arena.stack.with_providers = True


@scenario("killed while it sends SMS", before_servers=_with_providers, environment=PATIENT, heal_s=260)
async def sms(arena: Arena) -> None:
    """The provider has the message, its answer is on its way: it names no number of ours, and a person calls."""
    for one in await _killed_in_requests(arena, "sms"):
        assert one["state"] in ("unknown", "lapsed"), f"SMS {one['delivery_id']} is {one['state']}"
        await _must_be_on_the_call_list(arena, one)


@scenario("killed while it sends by Zalo", before_servers=_with_providers, environment=PATIENT, heal_s=260)
async def zalo(arena: Arena) -> None:
    """The same: what has arrived is told by its report, which bears our id, and a person calls about the others."""
    found = await _killed_in_requests(arena, "zalo")
    arrived = {UUID(one.our_id) for one in await asyncio.to_thread(arena.received.delivered) if one.our_id}
    for one in found:
        if one["delivery_id"] in arrived:
            assert one["state"] == "told", f"Zalo message {one['delivery_id']} has arrived and is {one['state']}"
        else:
            await _must_be_on_the_call_list(arena, one)
    assert any(one["state"] == "told" for one in found), "no report came for what was under way"


async def _killed_in_requests(arena: Arena, channel: str) -> list[Any]:
    """Kills notify over the requests that tell households of their baskets; what became of these deliveries."""
    await arena.load.finished()
    await settled.until_settled(arena)
    await _short_steps(arena)
    providers = arena.stack.providers
    assert providers
    usual = dict(arena.environment["notify"])
    async with Proxy(providers.port) as proxy:
        there, here = f":{providers.port}/", f":{proxy.port}/"
        arena.environment["notify"] |= {key: url.replace(there, here) for key, url in providers.settings.items()}
        await arena.restart("notify")
        await proxy.delay(1)
        await arena.load.close_day()
        await arena.until(f"{channel} is on telephones and notify does not know", partial(_arrived, arena, channel))
        arena.pause("notify")
        in_hand = await arena.sql("notify", _IN_HAND, channel)
        await arena.kill("notify")
        await proxy.heal()
        await asyncio.sleep(2)  # what was under way gets through
    assert in_hand, "the messages' outcome was known when notify was killed"
    arena.environment["notify"] = usual
    await arena.start_service("notify")
    arena.fault_ends()
    await settled.until_closed(arena)
    await settled.until_settled(arena)
    await _must_have_come_once(arena)
    after = await arena.sql("notify", _AFTER, [row["delivery_id"] for row in in_hand])
    for one in after:
        assert one["attempts"] == 1, f"delivery {one['delivery_id']} was attempted {one['attempts']} times"
    return after


async def _short_steps(arena: Arena) -> None:
    """What waits for its receipt waits two minutes, which is the shortest that a cooperative may set."""
    for member in arena.world.members:
        staff = arena.client.speaking_as(member.seeded.staff_key)
        path = f"/v1/cooperatives/{member.seeded.cooperative_id}/notice-policy"
        await staff.ask("notify", "PUT", path, {"step_minutes": 2})


async def _arrived(arena: Arena, channel: str) -> bool:
    """Whether a telephone has some, and their senders still wait for an answer."""
    delivered = await asyncio.to_thread(arena.received.delivered)
    return any(one.channel == channel for one in delivered) and bool(await arena.sql("notify", _IN_HAND, channel))


async def _must_have_come_once(arena: Arena) -> None:
    """To no telephone the same words twice: each message has a link of its own household and day."""
    delivered = await asyncio.to_thread(arena.received.delivered)
    times = Counter((one.to, one.text) for one in delivered)
    twice = [place for place, count in times.items() if count > 1]
    assert not twice, f"{twice[0][0]} was told twice: {twice[0][1]}"


async def _must_be_on_the_call_list(arena: Arena, one: Any) -> None:
    """It stands there as what may have arrived, and no other way was taken."""
    assert (one["notice"], one["ways"]) == ("unknown", 1), dict(one)
    member = next(it for it in arena.world.members if it.seeded.cooperative_id == one["cooperative_id"])
    staff = arena.client.speaking_as(member.seeded.staff_key)
    path = f"/v1/cooperatives/{member.seeded.cooperative_id}/call-list"
    listed = {UUID(call["notice_id"]): call["state"] for call in (await staff.ask("notify", "GET", path))["calls"]}
    assert listed.get(one["notice_id"]) == "unknown", f"notice {one['notice_id']} is not on the call list"
