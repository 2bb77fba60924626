"""The table of platforms in README."""

import pytest

from infra.docs.platforms import BEGIN, END, WithoutMarkers, table, with_table
from services.orders.adapters import ADAPTERS
from services.orders.adapters.base import Declaration

SHOP = Declaration("shop", "A shop", "JSON", "hex | base64", "`id`", "5 s", "nothing yet")


def test_each_platform_has_a_row_and_a_bar_in_a_cell_does_not_end_it() -> None:
    assert table([SHOP]).splitlines() == [
        "| Platform | Format | Signature | Dedupe key | Answer within | Tested against |",
        "| --- | --- | --- | --- | --- | --- |",
        "| A shop (`shop`) | JSON | hex &#124; base64 | `id` | 5 s | nothing yet |",
    ]


def test_the_table_stands_between_its_markers_and_writing_it_again_changes_nothing() -> None:
    text = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    written = with_table(text, [SHOP])
    assert written == f"before\n{BEGIN}\n{table([SHOP])}\n{END}\nafter\n"
    assert with_table(written, [SHOP]) == written


@pytest.mark.parametrize("text", ["", BEGIN, END, f"{END}{BEGIN}"])
def test_a_text_without_markers_is_left_alone(text: str) -> None:
    with pytest.raises(WithoutMarkers):
        with_table(text, [SHOP])


def test_every_declaration_fills_its_row() -> None:
    for adapter in ADAPTERS.values():
        row = table([adapter.DECLARATION]).splitlines()[2]
        assert row.count(" | ") == 5
        assert "|  |" not in row
