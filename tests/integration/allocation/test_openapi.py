"""Whatever fits the OpenAPI document of allocation, or just does not, gets an answer of which the document tells."""

from collections.abc import Sequence

import pytest

from tests.integration.allocation.conftest import Allocation
from tests.integration.allocation.market import CAI_MEO, DAY
from tests.integration.allocation.test_replies import asked
from tests.support.openapi import Asker


@pytest.fixture
async def asker(allocation: Allocation) -> Asker:
    """Knows a day whose households were told of their baskets and can answer."""
    stream = await asked(allocation, {0: 6, 1: 6}, 8)
    running = allocation.running
    known: dict[str, Sequence[object]] = {
        "cooperative_id": [str(stream.cooperative_id)],
        "delivery_day": [DAY.isoformat()],
        "month": [DAY.isoformat()[:7]],
        "offer_id": [str(stream.id_of(1))],
        "order_id": [str(stream.id_of(11))],
        "household_code": ["VH-01", "VH-02"],
        "product_code": [CAI_MEO],
        "version": [1],
    }
    keys = [await running.key("staff", stream.cooperative_id), await running.key("operator")]
    return Asker(running.client, keys, known)


def test_every_answer_is_one_of_which_the_document_tells(asker: Asker, subtests: pytest.Subtests) -> None:
    asker.ask_all("allocation", subtests)
