"""Quantities reach people exactly as the books have them."""

from datetime import UTC, datetime
from fractions import Fraction
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.allocation.domain import explain
from services.allocation.domain.told import ToldItem
from services.notify.domain.facts import Goods
from services.notify.domain.quantities import exact
from services.notify.wording.speech import Speech
from services.notify.wording.units import UNITS
from services.orders.domain.order import Product

VIETNAMESE, ENGLISH = Speech("vi", "Asia/Ho_Chi_Minh"), Speech("en", "Asia/Ho_Chi_Minh")


def quantity(steps: int, step_milliunits: int, unit: str, speech: Speech = VIETNAMESE) -> str:
    return speech.quantity(Goods("Cải mèo", unit, step_milliunits), steps)


STEPS = st.integers(min_value=0, max_value=10**12)
MILLIUNITS = st.integers(min_value=1, max_value=10**7)


@given(STEPS, MILLIUNITS)
def test_a_written_quantity_is_exactly_the_steps_times_the_step(steps: int, step_milliunits: int) -> None:
    assert Fraction(exact(steps, step_milliunits)) == Fraction(steps * step_milliunits, 1000)


@given(STEPS, MILLIUNITS)
def test_a_written_quantity_has_no_more_digits_than_it_needs(steps: int, step_milliunits: int) -> None:
    text = exact(steps, step_milliunits)
    assert "." not in text or not text.endswith(("0", "."))
    assert text == "0" or not text.startswith("0") or text.startswith("0.")


@given(STEPS, MILLIUNITS)
def test_vietnamese_differs_only_in_the_comma(steps: int, step_milliunits: int) -> None:
    assert quantity(steps, step_milliunits, "kg") == exact(steps, step_milliunits).replace(".", ",") + " kg"


@pytest.mark.parametrize(
    ("steps", "step_milliunits", "unit", "text"),
    [
        (25, 500, "kg", "12,5 kg"),
        (3, 1000, "bó", "3 bó"),
        (2500, 500, "kg", "1250 kg"),
        (1, 50, "kg", "0,05 kg"),
        (1, 1, "tấn", "0,001 tấn"),
    ],
)
def test_quantities_are_written_as_households_write_them(
    steps: int, step_milliunits: int, unit: str, text: str
) -> None:
    assert quantity(steps, step_milliunits, unit) == text


@pytest.mark.parametrize(
    ("steps", "step_milliunits", "unit", "text"),
    [
        (0, 1000, "bó", "0 bunches"),
        (1, 1000, "bó", "1 bunch"),
        (2, 500, "Bó", "1 bunch"),
        (3, 500, "bó", "1.5 bunches"),
        (1, 500, "bó", "0.5 bunches"),
        (21, 1000, "hộp", "21 boxes"),
        (25, 500, "kg", "12.5 kg"),
        (1, 1000, "tạ", "1 quintal"),
        (3, 1000, "tấn", "3 tonnes"),
        (2, 1000, "lọ", "2 jars"),
        (2, 1000, "gùi", "2 gùi"),
    ],
)
def test_english_knows_one_from_many_and_leaves_strange_units_alone(
    steps: int, step_milliunits: int, unit: str, text: str
) -> None:
    assert quantity(steps, step_milliunits, unit, ENGLISH) == text


@given(STEPS, MILLIUNITS, st.sampled_from(["mww", "blt", "twh"]), st.sampled_from([*UNITS, "gùi"]))
def test_a_language_without_units_of_its_own_uses_the_vietnamese_ones(
    steps: int, step_milliunits: int, language: str, unit: str
) -> None:
    speech = Speech(language, "Asia/Ho_Chi_Minh")
    assert quantity(steps, step_milliunits, unit, speech) == quantity(steps, step_milliunits, unit)


@given(STEPS, MILLIUNITS)
def test_all_services_write_a_quantity_alike(steps: int, step_milliunits: int) -> None:
    """Domains share no code, and a partner or a household must not read two numbers for the same thing."""
    assert Product(UUID(int=1), "kg", step_milliunits).quantity_text(steps) == exact(steps, step_milliunits)
    item = ToldItem(UUID(int=2), UUID(int=1), steps, steps, UUID(int=3), datetime(2026, 11, 24, tzinfo=UTC), None)
    goods = explain.Goods("Cải mèo", "kg", step_milliunits)
    for language, speech in ((explain.Language.VI, VIETNAMESE), (explain.Language.EN, ENGLISH)):
        assert quantity(steps, step_milliunits, "kg", speech) in explain.explain_told(item, goods, language)
