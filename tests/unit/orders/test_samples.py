"""Sample pushes: what is sent as a trial is what the platform would send."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from services.chassis import standard_webhooks
from services.orders.adapters import ADAPTERS
from services.orders.adapters.base import BadSignature, Batch, Credentials, Read, Request
from services.orders.domain.command import Kind, OrderCommand
from services.orders.samples import EVENTS, SAMPLES, Make, NoSample, SampleOrder, Shop, sample_of
from tests.support.platforms import PLATFORMS, THIN
from tests.support.platforms.base import URL, commands, pulls

NOW = datetime(2026, 11, 23, 6, 0, 0, 123456, tzinfo=UTC)
SECRET = standard_webhooks.new_secret()
OLDER = standard_webhooks.new_secret()
ORDER = SampleOrder(1_764_000_000_000, "CẢI-300G", 5)
FAT = sorted(set(SAMPLES) - set(THIN))


def shop(adapter: str, secret: str = SECRET, now: datetime = NOW) -> Shop:
    """A partner with two secrets that registered all that its adapter can use."""
    return Shop(Credentials((secret, OLDER), PLATFORMS[adapter].credentials.settings), URL, now)


def read(adapter: str, make: Make, pushing: Shop, order: SampleOrder) -> Read:
    """What the adapter makes of the sample, once it is sure who sent it."""
    request = make(pushing, order)
    assert set(request.headers) == {name.lower() for name in request.headers}
    asked = Request("POST", pushing.url, request.query, request.headers, request.raw, pushing.now)
    ADAPTERS[adapter].verify(pushing.credentials, asked, pushing.now)
    found = ADAPTERS[adapter].read(pushing.credentials, asked)
    refs = [command.partner_ref for command in commands(found)] + [pull.partner_ref for pull in pulls(found)]
    assert refs == [request.ref]
    return found


def command(adapter: str, make: Make, order: SampleOrder, now: datetime = NOW) -> OrderCommand:
    """The order of the sample."""
    (found,) = commands(read(adapter, make, shop(adapter, now=now), order))
    return found


def test_every_adapter_has_a_sample() -> None:
    assert set(SAMPLES) == set(ADAPTERS)


@pytest.mark.parametrize(
    ("adapter", "make"),
    [*((name, SAMPLES[name]) for name in FAT), *(("canonical", make) for make in EVENTS.values())],
    ids=[*FAT, *EVENTS],
)
def test_the_adapter_takes_the_sample_and_its_cancellation(adapter: str, make: Make) -> None:
    placed = command(adapter, make, ORDER)
    assert placed.kind is Kind.UPSERT
    assert [(line.sku, line.quantity) for line in placed.lines] == [("CẢI-300G", Decimal(5))]
    assert placed.contact is None or not any(placed.contact.content)
    can_cancel = make(shop(adapter), ORDER).can_cancel
    for later in (timedelta(0), timedelta(milliseconds=20), timedelta(seconds=30)):
        cancelled = command(adapter, make, replace(ORDER, cancelled=True), NOW + later)
        assert cancelled.kind is Kind.CANCEL if can_cancel else not cancelled.lines
        assert cancelled.partner_ref == placed.partner_ref
        assert cancelled.follows(placed)


@pytest.mark.parametrize("adapter", THIN)
def test_what_has_no_lines_is_to_be_pulled(adapter: str) -> None:
    assert not SAMPLES[adapter](shop(adapter), ORDER).has_lines
    (pull,) = pulls(read(adapter, SAMPLES[adapter], shop(adapter), ORDER))
    assert str(ORDER.number) in pull.partner_ref


@pytest.mark.parametrize("adapter", sorted(SAMPLES))
def test_a_sample_proves_who_sent_it_to_nobody_else(adapter: str) -> None:
    request = SAMPLES[adapter](shop(adapter), ORDER)
    asked = Request("POST", URL, request.query, request.headers, request.raw, NOW)
    other = Credentials((standard_webhooks.new_secret(),), PLATFORMS[adapter].credentials.settings)
    with pytest.raises(BadSignature):
        ADAPTERS[adapter].verify(other, asked, NOW)


@pytest.mark.parametrize("adapter", sorted(SAMPLES))
def test_a_sample_needs_no_more_than_what_must_be_registered(adapter: str) -> None:
    needed = [name for name in ADAPTERS[adapter].DECLARATION.settings if not name.endswith("?")]
    settings = {name: PLATFORMS[adapter].credentials.settings[name] for name in needed}
    read(adapter, SAMPLES[adapter], Shop(Credentials((SECRET,), settings), URL, NOW), ORDER)


def test_a_woocommerce_secret_with_escaped_characters_signs_as_wordpress_does() -> None:
    read("woocommerce", SAMPLES["woocommerce"], shop("woocommerce", "a&amp;b&quot;c d"), ORDER)


def test_a_shopee_app_with_a_push_key_of_its_own_signs_the_body_alone() -> None:
    settings = {**PLATFORMS["shopee"].credentials.settings, "signature_base": "body"}
    read("shopee", SAMPLES["shopee"], Shop(Credentials((SECRET,), settings), "https://elsewhere.example", NOW), ORDER)


def test_a_batch_of_cloudevents_is_a_batch() -> None:
    assert isinstance(read("canonical", EVENTS["batch"], shop("canonical"), ORDER), Batch)


def test_what_cannot_be_made_is_said() -> None:
    with pytest.raises(NoSample, match="push no CloudEvents"):
        sample_of("shopify", "batch")
    with pytest.raises(NoSample, match="shop_id is no number"):
        SAMPLES["shopee"](Shop(Credentials((SECRET,), {"shop_id": "mine"}), URL, NOW), ORDER)
