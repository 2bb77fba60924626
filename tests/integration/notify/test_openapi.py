"""Whatever fits the OpenAPI document of notify, or just does not, gets an answer of which the document tells."""

from datetime import UTC, datetime, timedelta

import pytest

from services.notify.domain.links import Link
from tests.integration.notify.world import DAY, LINKS, World
from tests.support.openapi import Asker


@pytest.fixture
async def asker(world: World) -> Asker:
    """Knows a household with a basket and a contact, and a partner with an endpoint and a message that waits for it."""
    await world.reach()
    await world.listen("https://shop.example/hooks")
    await world.apply(world.basket(), world.promised())
    (message,) = await world.messages()
    now = datetime.now(UTC)
    known = {
        "cooperative_id": [str(world.cooperative)],
        "cooperative": [str(world.cooperative)],
        "household_id": [str(world.household), str(world.neighbour)],
        "partner_id": [str(world.partner)],
        "notice_id": [message["notice_id"]],
        "delivery_day": [DAY.isoformat()],
        "token": [LINKS.token(Link(world.household, DAY, now + timedelta(hours=hours))) for hours in (1, 1, -1)],
        "version": [1],
    }
    return Asker(world.service.client, [await world.staff(), await world.service.key("operator")], known)


def test_every_answer_is_one_of_which_the_document_tells(asker: Asker, subtests: pytest.Subtests) -> None:
    asker.ask_all("notify", subtests)
