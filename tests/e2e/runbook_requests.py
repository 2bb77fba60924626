"""The commands that infra/runbook.md names in its text, made on a running stack, and what is different afterwards."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from infra.demo.client import Client
from services.chassis.ids import uuid7
from tests.e2e.runbook_bench import ROOT, Bench, connected, told_partner

Act = Callable[[Bench, Client], Awaitable[None]]
"""Makes the request, as who is meant to; the client speaks as staff of the second cooperative."""


async def _say(bench: Bench, cooperative_id: str | None, became: str) -> str:
    """Somebody has written; the id of it."""
    words_id = uuid7()
    async with connected(bench.stack, "notify") as conn:
        await conn.execute(
            "insert into words (words_id, channel, said_id, cooperative_id, text, said_at, became, received_at,"
            " sender) values ($1, 'zalo_oa', $2, $3::text::uuid, 'mai mưa to', now(), $4, now(), '246845883529197922')",
            words_id, words_id.hex, cooperative_id, became,
        )  # fmt: skip
    return str(words_id)


async def words_of_a_cooperative(bench: Bench, staff: Client) -> None:
    cooperative = bench.seeded.cooperatives[1].cooperative_id
    said = await _say(bench, cooperative, "not_understood")
    read = await staff.ask("notify", "GET", f"/v1/cooperatives/{cooperative}/words?unread=true")
    assert said in {one["words_id"] for one in read["words"]}


async def words_of_strangers(bench: Bench, staff: Client) -> None:
    said, operator = await _say(bench, None, "stranger"), staff.speaking_as(bench.seeded.operator_key)
    read = await operator.ask("notify", "GET", "/v1/words?unread=true")
    assert ("246845883529197922", said) in {(one["sender"], one["words_id"]) for one in read["words"]}


async def strangers_are_seen_to(bench: Bench, staff: Client) -> None:
    said, operator = await _say(bench, None, "stranger"), staff.speaking_as(bench.seeded.operator_key)
    await operator.ask("notify", "POST", "/v1/words/read", {"words_ids": [said]})
    left = await operator.ask("notify", "GET", "/v1/words?unread=true")
    assert said not in {one["words_id"] for one in left["words"]}


async def an_address_is_written_down(bench: Bench, staff: Client) -> None:
    household = next(iter(bench.seeded.cooperatives[1].households.values()))
    listed = await staff.ask("notify", "GET", f"/v1/households/{household}/contacts")
    contact = listed["contacts"][0]
    consent = {"purposes": ["work"], "source": "nói qua điện thoại"}
    addresses = [{"channel": it["channel"], "address": it["address"]} for it in contact["addresses"]]
    addresses.append({"channel": "zalo_oa", "address": "246845883529197922", "consent": consent})
    body = {"display_name": contact["display_name"], "language": contact["language"], "addresses": addresses}
    await staff.ask("notify", "PUT", f"/v1/contacts/{contact['contact_id']}", body)
    async with connected(bench.stack, "notify") as conn:
        kept = "select count(*) from contact_address where address like '%246845883529197922%'"
        assert await conn.fetchval(kept) == 1


async def the_call_list_opens(bench: Bench, staff: Client) -> None:
    cooperative = bench.seeded.cooperatives[1].cooperative_id
    link = await staff.ask("notify", "GET", f"/v1/cooperatives/{cooperative}/call-list/link")
    assert (await staff.http.get(link["url"])).status_code == 200


async def amqp_access_ends(bench: Bench, staff: Client) -> None:
    path = f"/v1/partners/{told_partner(bench.seeded).partner_id}/amqp-account"
    await staff.ask("orders", "POST", path)
    await staff.ask("orders", "DELETE", path)
    async with connected(bench.stack, "orders") as conn:
        assert await conn.fetchval("select count(*) from amqp_account") == 0


async def _platform(bench: Bench, staff: Client) -> str:
    """A partner whose platform tells of an order without its lines, with one that was given up; its id."""
    settings = {"partner_id": "1000639", "shop_id": "226354663"}
    body = {"cooperative": bench.seeded.cooperatives[1].slug, "name": "Shopee", "adapter": "shopee"}
    made = await staff.ask("orders", "POST", "/v1/partners", body | {"secret": "a-partner-key", "settings": settings})
    async with connected(bench.stack, "orders") as conn:
        await conn.execute(
            "insert into pull (partner_id, partner_ref, updated_at, status, keys, told_at, attempts, last_error,"
            " gave_up_at) values ($1::text::uuid, '2412', now(), 'READY_TO_SHIP', '{}', now() - interval '4 days', 20,"
            " 'http_500', now())",
            made["partner_id"],
        )
    return str(made["partner_id"])


async def _due(bench: Bench, partner_id: str) -> list[bool]:
    query = "select due_at is not null as due from pull where partner_id = $1::text::uuid"
    async with connected(bench.stack, "orders") as conn:
        return [row["due"] for row in await conn.fetch(query, partner_id)]


async def new_credentials_are_handed_over(bench: Bench, staff: Client) -> None:
    partner_id = await _platform(bench, staff)
    await staff.ask("orders", "PUT", f"/v1/partners/{partner_id}/api-credentials", {"refresh_token": "a-token"})
    assert await _due(bench, partner_id) == [True]


async def pulls_are_listed(bench: Bench, staff: Client) -> None:
    listed = await staff.ask("orders", "GET", f"/v1/partners/{await _platform(bench, staff)}/pulls")
    assert [(one["partner_ref"], one["reason"]) for one in listed["orders"]] == [("2412", "http_500")]


async def pulls_are_asked_for_again(bench: Bench, staff: Client) -> None:
    partner_id = await _platform(bench, staff)
    assert await staff.ask("orders", "POST", f"/v1/partners/{partner_id}/pulls/retry", {}) == {"retried": 1}
    assert await _due(bench, partner_id) == [True]


async def a_pull_is_taken_off_the_list(bench: Bench, staff: Client) -> None:
    partner_id = await _platform(bench, staff)
    await staff.ask("orders", "DELETE", f"/v1/partners/{partner_id}/pulls/2412")
    assert await _due(bench, partner_id) == []


async def a_shop_gets_another_address(bench: Bench, staff: Client) -> None:
    body = {"cooperative": bench.seeded.cooperatives[1].slug, "name": "Cửa hàng", "adapter": "woocommerce"}
    made = await staff.ask("orders", "POST", "/v1/partners", body)
    words = ["-m", "services.orders", "partner", "set", made["partner_id"], "shop_url=https://shop.example"]
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, *words], cwd=ROOT, env=os.environ | bench.variables,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "set        shop_url" in done.stdout
    async with connected(bench.stack, "orders") as conn:
        settings: Any = await conn.fetchval(
            "select settings->>'shop_url' from partner where partner_id = $1::text::uuid", made["partner_id"]
        )
    assert settings == "https://shop.example"


REQUESTS: dict[str, Act] = {
    "GET /v1/cooperatives/{cooperative_id}/words?unread=true": words_of_a_cooperative,
    "GET /v1/words?unread=true": words_of_strangers,
    "POST /v1/words/read": strangers_are_seen_to,
    "PUT /v1/contacts/{contact_id}": an_address_is_written_down,
    "GET /v1/cooperatives/{cooperative_id}/call-list/link": the_call_list_opens,
    "DELETE /v1/partners/{partner_id}/amqp-account": amqp_access_ends,
    "PUT /v1/partners/{partner_id}/api-credentials": new_credentials_are_handed_over,
    "GET /v1/partners/{partner_id}/pulls": pulls_are_listed,
    "POST /v1/partners/{partner_id}/pulls/retry": pulls_are_asked_for_again,
    "DELETE /v1/partners/{partner_id}/pulls/{partner_ref}": a_pull_is_taken_off_the_list,
    "python -m services.orders partner set PARTNER shop_url=https://…": a_shop_gets_another_address,
}
"""By what stands in the runbook."""
