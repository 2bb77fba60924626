"""Quantities reach people exactly as the books have them."""

from datetime import UTC, datetime
from fractions import Fraction
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.allocation.domain import explain
from services.allocation.domain.told import ToldItem
from services.notify.domain import english, vietnamese
from services.notify.domain.quantities import exact
from services.notify.domain.vietnamese import quantity
from services.orders.domain.order import Product

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


@given(STEPS, MILLIUNITS)
def test_all_services_write_a_quantity_alike(steps: int, step_milliunits: int) -> None:
    """Domains share no code, and a partner or a household must not read two numbers for the same thing."""
    assert Product(UUID(int=1), "kg", step_milliunits).quantity_text(steps) == exact(steps, step_milliunits)
    item = ToldItem(UUID(int=2), UUID(int=1), steps, steps, UUID(int=3), datetime(2026, 11, 24, tzinfo=UTC), None)
    goods = explain.Goods("Cải mèo", "kg", step_milliunits)
    for language, written in ((explain.Language.VI, vietnamese.quantity), (explain.Language.EN, english.quantity)):
        assert written(steps, step_milliunits, "kg") in explain.explain_told(item, goods, language)
