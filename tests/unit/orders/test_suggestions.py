"""What an unknown SKU may mean."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.orders.domain.suggestions import Known, suggest

PRODUCTS = (
    Known("bap-cai", "Bắp cải", "kg", 500),
    Known("ca-chua", "Cà chua", "kg", 500),
    Known("cai-meo", "Cải mèo", "kg", 100),
    Known("dau-tay", "Dâu tây", "hộp", 1000),
    Known("su-su", "Su su", "bó", 1000),
    Known("ca-phe-arabica", "Cà phê Arabica rang xay", "g", 250_000),
)


@pytest.mark.parametrize(
    ("sku", "code", "factor"),
    [
        ("CAI-MEO-300G", "cai-meo", "0.3"),
        ("caimeo_0.5kg", "cai-meo", "0.5"),
        ("Cải mèo 0,5 KG", "cai-meo", "0.5"),
        ("RAU-CAI-MEO-HUU-CO-1KG", "cai-meo", "1"),
        ("CAI-MEO", "cai-meo", "1"),
        ("CAI MEO HOP12-300G", "cai-meo", "3.6"),
        ("SUSU-X6", "su-su", "6"),
        ("su su 10 bó", "su-su", "10"),
        ("DAU-TAY-HOP12", "dau-tay", "12"),
        ("DAUTAY500G", "dau-tay", "1"),
        ("CP-ARABICA-250G", "ca-phe-arabica", "250"),
        ("BC-2KG", "bap-cai", "2"),
        ("CAPCHUA1KG", "ca-chua", "1"),
    ],
)
def test_a_sku_suggests_the_product_that_it_reads_like(sku: str, code: str, factor: str) -> None:
    found = suggest(sku, PRODUCTS)
    assert found is not None
    assert (found.product_code, found.factor) == (code, factor)


def test_the_suggestion_says_what_it_was_read_from() -> None:
    found = suggest("BAP-CAI-300G", PRODUCTS)
    assert found is not None
    assert found.why == ("it reads like Bắp cải (100 %); 300 g is 0.3 kg; no whole number of steps of 0.5 kg")
    box = suggest("DAUTAY500G", PRODUCTS)
    assert box is not None
    assert box.why.endswith("it says 500 g, and the product is counted in hộp")


@pytest.mark.parametrize("sku", ["XYZ-9000", "", "12345", "product:4711", "🥬"])
def test_what_reads_like_nothing_has_no_suggestion(sku: str) -> None:
    assert suggest(sku, PRODUCTS) is None
    assert suggest("CAI-MEO", ()) is None


def test_initials_that_two_products_share_suggest_none_of_them() -> None:
    two = (Known("cai-meo", "Cải mèo", "kg", 100), Known("ca-mau", "Cà mau", "kg", 100))
    assert suggest("CM-1KG", two) is None
    assert suggest("CM-1KG", two[:1]) is not None


@given(st.text(max_size=30), st.integers(1, 5000), st.sampled_from(["G", "KG", "HOP12", ""]))
@settings(max_examples=300)
def test_every_suggestion_can_be_sent_as_a_mapping(words: str, number: int, size: str) -> None:
    for sku in (words, f"{words}-{number}{size}", f"CAI MEO {number}{size}"):
        found = suggest(sku, PRODUCTS)
        if found is not None:
            assert found.product_code in {one.code for one in PRODUCTS}
            assert Fraction(Decimal(found.factor)) > 0
            assert 60 <= found.likeness_percent <= 100
