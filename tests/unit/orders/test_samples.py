"""Sample pushes: what is sent as a trial is what the platform would send."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from services.chassis import standard_webhooks
from services.orders.adapters import ADAPTERS
from services.orders.adapters.base import Credentials, Request
from services.orders.domain.command import Kind, OrderCommand
from services.orders.samples import SAMPLES, NoSample, SampleOrder, sample

NOW = datetime(2026, 11, 23, 6, 0, 0, 123456, tzinfo=UTC)
SECRET = standard_webhooks.new_secret()


def read(adapter: str, order: SampleOrder, secret: str = SECRET) -> OrderCommand:
    """What the adapter makes of the sample, once it is sure who sent it."""
    request = sample(adapter, (secret, "whsec_old"), {}, NOW, order)
    credentials = Credentials((secret,), {})
    asked = Request("POST", "https://orders.example.vn/", {}, request.headers, request.raw)
    ADAPTERS[adapter].verify(credentials, asked, NOW)
    command = ADAPTERS[adapter].read(credentials, asked)
    assert isinstance(command, OrderCommand)
    assert command.partner_ref == request.ref
    return command


@pytest.mark.parametrize("adapter", sorted(SAMPLES))
def test_the_adapter_takes_the_sample_and_its_cancellation(adapter: str) -> None:
    placed = read(adapter, SampleOrder(1_764_000_000_000, "CẢI-300G", 5))
    assert placed.kind is Kind.UPSERT
    assert [(line.sku, line.quantity) for line in placed.lines] == [("CẢI-300G", Decimal(5))]
    assert placed.contact is None or not any(placed.contact.content)
    cancelled = read(adapter, SampleOrder(1_764_000_000_000, "CẢI-300G", 5, cancelled=True))
    assert cancelled.kind is Kind.CANCEL
    assert cancelled.partner_ref == placed.partner_ref
    assert cancelled.follows(placed)


def test_a_woocommerce_secret_with_escaped_characters_signs_as_wordpress_does() -> None:
    assert read("woocommerce", SampleOrder(7, "A", 1), "a&amp;b&quot;c d").partner_ref == "7"


def test_an_adapter_without_a_sample_says_which_have_one() -> None:
    with pytest.raises(NoSample, match="canonical"):
        sample("carrier-pigeon", (SECRET,), {}, NOW, SampleOrder(1, "A", 1))
