"""A short run of the mutated pushes; `python -m tests.fuzz_adapters` is the long one."""

import random

import pytest

from tests.fuzz_adapters import outcomes
from tests.support.platforms import PLATFORMS, THIN

EXAMPLES = 1500


@pytest.mark.parametrize("name", sorted(PLATFORMS))
def test_no_mutated_push_breaks_an_adapter_or_is_read_as_nonsense(name: str) -> None:
    found = list(outcomes(PLATFORMS[name], random.Random(name), lambda count: count < EXAMPLES))
    assert len(found) == EXAMPLES
    assert "refused without a reason" not in found
    usual = "Batch" if name in ("kiotviet", "meta") else "Thin" if name in THIN else "OrderCommand"
    assert {"malformed", usual} <= set(found)
