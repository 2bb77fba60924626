"""What is read alike on every platform: numbers above all."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.orders.adapters.base import Malformed
from services.orders.adapters.fields import Lenient, Quantity, UnixMoment, load, parse, undiscounted_vnd, unix


class _Line(Lenient):
    quantity: Quantity


@pytest.mark.parametrize("number", ["1." + "0" * 900_000, "1" + "0" * 40, "0." + "0" * 39, "-" + "1" * 4000])
def test_a_number_that_nobody_means_is_refused_before_it_is_read(number: str) -> None:
    with pytest.raises(Malformed) as caught:
        load(f'{{"note": [{number}]}}'.encode())
    assert caught.value.fields == (("body", "has a number of more than 40 characters"),)


@pytest.mark.parametrize(
    ("written", "quantity"),
    [("2.500", "2.5"), ("2.5e0", "2.5"), ('"2.50"', "2.5"), ("100", "1E+2"), ("0e999999", "0"), ("0e-999999", "0")],
)
def test_equal_quantities_are_the_same_however_they_are_written(written: str, quantity: str) -> None:
    found = parse(_Line, f'{{"quantity": {written}}}'.encode()).quantity
    assert found.as_tuple() == Decimal(quantity).as_tuple()


class _At(Lenient):
    at: UnixMoment


@given(st.integers(1_000_000_001, 7_258_118_399), st.integers(0, 999))
def test_a_time_is_written_as_it_was_read(seconds: int, milliseconds: int) -> None:
    written = seconds * 1000 + milliseconds if milliseconds else seconds
    found = parse(_At, f'{{"at": {written}}}'.encode()).at
    assert unix(found) == written
    assert parse(_At, f'{{"at": {seconds * 1000 + milliseconds}}}'.encode()).at == found


@pytest.mark.parametrize("number", [0, 1, 10**12, 10**13, 10**15, 10**16 - 1, 10**16, 10**30])
def test_a_time_that_no_shop_can_mean_is_refused_by_name(number: int) -> None:
    with pytest.raises(Malformed) as caught:
        parse(_At, f'{{"at": {number}}}'.encode())
    assert [name for name, _ in caught.value.fields] == ["at"]


def test_a_price_is_known_only_where_there_is_no_discount() -> None:
    assert [undiscounted_vnd(Decimal(9000), one) for one in (None, Decimal(0), Decimal(500))] == [9000, 9000, None]
