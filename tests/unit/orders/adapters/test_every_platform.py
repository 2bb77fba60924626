"""What holds on every platform: signatures, rotation, and that no order of arrival changes where an order ends."""

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.orders.adapters import ADAPTERS
from services.orders.adapters.base import BadSignature
from services.orders.domain.command import Kind, OrderCommand
from services.orders.domain.intake import Books, Offers, decide
from services.orders.domain.order import Order, Product, SkuMapping
from tests.support.platforms import PLATFORMS, THIN
from tests.support.platforms.base import NOW, Platform, commands, pulls, who
from tests.unit.orders.books import CAI_MEO, CAI_MEO_TOMORROW, ORDER_ID, TOMORROW, live, offer

OTHER_SECRET = "whsec_" + "A" * 32
ALL = pytest.mark.parametrize("platform", PLATFORMS.values(), ids=lambda platform: platform.name)
FAT = pytest.mark.parametrize(
    "platform", [one for one in PLATFORMS.values() if one.name not in THIN], ids=lambda platform: platform.name
)


class _EverySku(dict[str, SkuMapping]):
    """Every SKU is the same product, in steps that fit any quantity of the stories."""

    def __missing__(self, sku: str) -> SkuMapping:
        return SkuMapping(Product(CAI_MEO.product_id, "kg", 1), Fraction(1))

    def get(self, sku: str, default: object = None) -> SkuMapping:
        return self[sku]


WORLD = Books(_EverySku(), Offers.of([offer(CAI_MEO_TOMORROW, CAI_MEO, TOMORROW)]))


def told(platform: Platform) -> list[OrderCommand]:
    """The commands of the story, in the right order."""
    adapter = ADAPTERS[platform.name]
    found = [adapter.read(platform.credentials, platform.push(push)) for push in platform.story]
    return [command for one in found for command in commands(one)]


def end(pushes: list[OrderCommand]) -> tuple[object, ...]:
    """What becomes of the order, as its partner and the households see it."""
    order = Order(ORDER_ID)
    for push in pushes:
        order = decide(order, push, WORLD, NOW).order
    assert order.command is not None
    contact = order.command.contact if order.command.kind is Kind.UPSERT else None  # a cancellation need not tell it
    return live(order), order.command.kind, contact, order.state


def test_every_adapter_has_a_story_and_is_declared_under_its_own_name() -> None:
    assert set(PLATFORMS) == set(ADAPTERS)
    assert all(adapter.DECLARATION.name == name for name, adapter in ADAPTERS.items())


@ALL
def test_what_the_platform_signs_is_accepted_with_either_of_two_secrets(platform: Platform) -> None:
    secret, kept = platform.credentials.secrets[0], dict(platform.credentials.settings)
    for push in map(platform.push, platform.story):
        for secrets in ((secret,), (OTHER_SECRET, secret), (secret, OTHER_SECRET)):
            ADAPTERS[platform.name].verify(who(*secrets, **kept), push, NOW)


@ALL
def test_nobody_else_is_believed(platform: Platform) -> None:
    adapter, kept = ADAPTERS[platform.name], dict(platform.credentials.settings)
    push = platform.push(platform.story[0])
    wrong = who(OTHER_SECRET, **kept)
    bare = type(push)(push.method, push.url, {}, {"content-type": "application/json"}, b'{"x": 1}', NOW)
    for credentials, request in ((wrong, push), (platform.credentials, bare), (who(**kept), push)):
        with pytest.raises(BadSignature):
            adapter.verify(credentials, request, NOW)


@FAT
def test_the_story_ends_as_it_was_told(platform: Platform) -> None:
    pushes = told(platform)
    assert len({push.partner_ref for push in pushes}) == 1
    assert pushes[-1].kind is (Kind.UPSERT if platform.name == "meta" else Kind.CANCEL)
    assert pushes[0].kind is Kind.UPSERT
    assert all(line.quantity > 0 for push in pushes for line in push.lines)
    assert all(isinstance(line.quantity, Decimal) for push in pushes for line in push.lines)
    assert all(push.revision.updated_at.tzinfo is not None for push in pushes)
    assert all(push.revision.updated_at >= datetime(2000, 1, 1, tzinfo=UTC) for push in pushes)


@pytest.mark.parametrize("name", THIN)
def test_a_story_without_lines_is_of_one_order_and_no_two_of_its_pushes_are_taken_for_one(name: str) -> None:
    platform = PLATFORMS[name]
    read = [ADAPTERS[name].read(platform.credentials, platform.push(push)) for push in platform.story]
    to_pull = [pull for one in read for pull in pulls(one)]
    refs = {pull.partner_ref for pull in to_pull} | {command.partner_ref for one in read for command in commands(one)}
    assert len(refs) == 1
    assert len(to_pull) >= 2
    assert len({pull.key for pull in to_pull}) == len(to_pull)


@pytest.mark.parametrize("until", [2, 3, 4])
@FAT
@settings(max_examples=60)
@given(st.data())
def test_late_early_and_repeated_pushes_end_where_the_right_order_ends(
    platform: Platform, until: int, data: st.DataObject
) -> None:
    pushes = told(platform)[:until]
    shuffled = data.draw(st.permutations(pushes * 2))
    assert end(shuffled) == end(pushes)
    assert end([*shuffled, pushes[0]]) == end(pushes)


@pytest.mark.parametrize("name", ["shopify", "woocommerce", "haravan", "sapo", "kiotviet", "meta"])
def test_a_faulty_order_does_not_end_the_feed_of_a_platform_that_stops_after_refusals(name: str) -> None:
    assert ADAPTERS[name].DECLARATION.on_malformed == 200
