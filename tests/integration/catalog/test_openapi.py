"""Whatever fits the OpenAPI document of catalog, or just does not, gets an answer of which the document tells."""

import pytest

from tests.integration.catalog.conftest import Catalog, local_day, offer, publish
from tests.support.openapi import Asker


@pytest.fixture
async def asker(catalog: Catalog) -> Asker:
    """Knows Vân Hồ with its households, its products and an offer."""
    known = {
        "slug": ["van-ho"],
        "cooperative": ["van-ho"],
        "code": ["VH-01", "VH-02", "cai-meo", "su-su"],
        "household_code": ["VH-01", "VH-02"],
        "product_code": ["cai-meo", "su-su"],
        "offer_id": await publish(catalog, offer()),
        "delivery_day": [local_day(1).isoformat(), local_day(2).isoformat()],
    }
    return Asker(catalog.running.client, [catalog.staff, catalog.operator], known)


def test_every_answer_is_one_of_which_the_document_tells(asker: Asker, subtests: pytest.Subtests) -> None:
    asker.ask_all("catalog", subtests)
