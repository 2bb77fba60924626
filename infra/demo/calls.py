"""The call list at work: staff call whom no channel reaches, say so, and write down what they learn by that."""

import httpx

from infra.demo.client import Client
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
            called.append(call["household_code"])
        for code in called:
            if code in cooperative.households:
                await _write_number_down(staff, cooperative.households[code])
    return called


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
