"""The call list at work: staff call whom no channel reaches, say so, and write down what they learn by that."""

from collections.abc import Mapping
from typing import Any

import httpx

from infra.demo.client import Client, Refused
from infra.demo.reach import CONSENT
from infra.demo.seed import Seed


async def call_everybody(client: Client, seed: Seed) -> list[str]:
    """Calls all who are on the lists of the cooperatives; returns who was told so."""
    called: list[str] = []
    for cooperative in seed.cooperatives:
        staff = client.speaking_as(cooperative.staff_key)
        path = f"/v1/cooperatives/{cooperative.cooperative_id}/call-list"
        for call in (await staff.ask("notify", "GET", path))["calls"]:
            await staff.ask("notify", "POST", f"{path}/{call['notice_id']}", {"outcome": "told"})
            await _record_answer(staff, cooperative.cooperative_id, call)
            called.append(call["household_code"])
        for code in called:
            if code in cooperative.households:
                await _write_number_down(staff, cooperative.households[code])
    return called


async def _record_answer(staff: Client, cooperative_id: str, call: Mapping[str, Any]) -> None:
    """Whoever is called says at once that it brings everything; a basket that asks nothing has no answer (409)."""
    path = f"/v1/cooperatives/{cooperative_id}/days/{call['delivery_day']}/replies"
    answer = {"household_code": call["household_code"], "version": call["version"], "answer": "confirm"}
    recorded = await staff.try_to("allocation", "POST", path, answer)
    if recorded.status_code not in (200, 409):
        raise Refused(f"the answer of {call['household_code']} is answered {recorded.status_code}")


async def _write_number_down(staff: Client, household_id: str) -> None:
    """Whoever answers the telephone agrees to be told by SMS from now on."""
    [contact] = (await staff.ask("notify", "GET", f"/v1/households/{household_id}/contacts"))["contacts"]
    phone = contact["addresses"][0]["address"]
    sms = {"channel": "sms", "address": phone, "consent": {**CONSENT, "source": "qua điện thoại"}}
    body = {"display_name": contact["display_name"], "language": contact["language"], "addresses": [sms]}
    await staff.ask("notify", "PUT", contact["url"], body)


async def write(http: httpx.AsyncClient, providers_url: str, channel: str, sender: str, text: str) -> int:
    """Somebody writes back from the own telephone; the status with which notify took it."""
    said = {"channel": channel, "sender": sender, "text": text}
    answer = await http.post(f"{providers_url}/answers", json=said)
    answer.raise_for_status()
    return int(answer.json()["status"])
