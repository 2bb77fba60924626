"""Webhooks to people's own programs, verified by a library that is not ours."""

import json
from datetime import UTC, datetime
from ipaddress import ip_network
from uuid import UUID

from standardwebhooks import Webhook

from services.chassis.outbound import OutboundClient
from services.notify.channels import Batch
from services.notify.channels.person_webhook import PersonWebhookChannel
from services.notify.domain.delivery import Accepted, Failed, Outcome, Refused
from services.notify.domain.messages import Message, Text
from tests.integration.notify.peers import Receiver

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


async def sent(to: dict[str, str], number: int = 1) -> Outcome | None:
    client = OutboundClient((ip_network("127.0.0.0/8"),), 2, 5, 1)
    text = Text("Hàng cần mang", "Cải mèo: 12,5 kg\n", fields={"day": "24/11"}, link="https://cho.example/r/abc")
    message = Message(UUID(int=number), UUID(int=7), "basket", json.dumps(to), "bà Dợ", "HTX", "vi", text, "basket")
    batch = Batch(lambda: True)
    await PersonWebhookChannel(lambda: datetime.now(UTC), client).send([message], batch)
    await client.close()
    return batch.outcomes.get(message.message_id)


async def test_a_program_verifies_what_it_gets_and_its_answer_is_the_receipt(shop: Receiver) -> None:
    outcome = await sent({"url": shop.url, "secret": SECRET})
    assert isinstance(outcome, Accepted)
    (request,) = shop.pushed
    said = Webhook(SECRET).verify(request.body, request.headers)
    assert said["type"] == "notice.basket"
    assert said["data"]["subject"] == "Hàng cần mang"
    assert said["data"]["link"] == "https://cho.example/r/abc"
    assert request.headers["webhook-id"] == str(UUID(int=1))


async def test_a_program_that_is_gone_or_broken_decides_what_is_next(shop: Receiver) -> None:
    shop.say("410 Gone")
    assert await sent({"url": shop.url, "secret": SECRET}) == Refused("endpoint_gone", gone=True)
    shop.say("500 Broken")
    assert await sent({"url": shop.url, "secret": SECRET}) == Failed("http_500")
