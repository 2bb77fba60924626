"""Who may pledge what, and what a step weighs, against plain statements of the rules."""

from dataclasses import replace
from fractions import Fraction
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.catalog.domain.eligibility import allowed_pledges, lacking
from services.catalog.domain.values import Faulty, Household, Pledge, Product
from services.catalog.domain.weights import resolve_step_grams

PRODUCT = Product(UUID(int=1), "cai-meo", "Cải mèo", "cải mèo", "A", "kg", 500, None, ("VietGAP", "Hữu cơ PGS"))
HOUSEHOLD = Household(UUID(int=2), "VH-03", "Vàng A Páo", 1)
CROPS, GRADES, CERTIFICATES = ("cải mèo", "su su", "bí đỏ"), ("A", "B"), ("VietGAP", "Hữu cơ PGS", "OCOP")


def some_of(names: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    """Any of the names, in any order."""
    return st.lists(st.sampled_from(names), unique=True).map(tuple)


households = st.builds(
    Household,
    st.integers(1, 5).map(lambda number: UUID(int=number)),
    st.just("VH-03"),
    st.just("Vàng A Páo"),
    st.just(1),
    some_of(CROPS),
    some_of(GRADES),
    some_of(CERTIFICATES),
)
products = st.builds(
    lambda crop, grade, certificates: replace(PRODUCT, crop=crop, grade=grade, certificates=certificates),
    st.sampled_from(CROPS),
    st.sampled_from(GRADES),
    some_of(CERTIFICATES),
)


def may(household: Household, product: Product) -> bool:
    """The rule in other words: by sets, where naming none is naming all."""
    return (
        product.crop in (set(household.crops) or set(CROPS))
        and product.grade in (set(household.grades) or set(GRADES))
        and set(product.certificates) <= set(household.certificates)
    )


@settings(max_examples=300, deadline=None, derandomize=True)
@given(households, products)
def test_a_household_lacks_nothing_exactly_when_it_may_pledge(household: Household, product: Product) -> None:
    assert (lacking(household, product) == []) == may(household, product)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(households, unique_by=lambda household: household.household_id), products)
def test_the_pledges_of_those_who_may_stay_as_they_are(members: list[Household], product: Product) -> None:
    pledges = [Pledge(household.household_id, steps) for steps, household in enumerate(members)]
    by_id = {household.household_id: household for household in members}
    kept = allowed_pledges(pledges, product, by_id)
    assert list(kept) == [pledge for pledge in pledges if may(by_id[pledge.household_id], product)]


def test_every_lack_is_named() -> None:
    household = replace(HOUSEHOLD, crops=("su su",), grades=("B",), certificates=("OCOP",))
    assert lacking(household, PRODUCT) == [
        "does not grow cải mèo",
        "does not bring grade A",
        "does not hold VietGAP, Hữu cơ PGS",
    ]
    assert lacking(replace(HOUSEHOLD, certificates=("VietGAP",)), PRODUCT) == ["does not hold Hữu cơ PGS"]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.sampled_from(["kg", "g", "bó"]),
    st.one_of(st.integers(1, 5000), st.integers(1, 1000).map(lambda grams: grams * 1000)),
    st.one_of(st.none(), st.integers(1, 5000)),
)
def test_the_weight_of_a_step_is_that_of_its_unit_or_what_staff_say(
    unit: str, milliunits: int, said: int | None
) -> None:
    exact = {"kg": Fraction(milliunits), "g": Fraction(milliunits, 1000)}.get(unit)
    if exact is None:
        assert resolve_step_grams(unit, milliunits, said) == said
    elif said is None:
        assert resolve_step_grams(unit, milliunits, said) == (exact if exact.denominator == 1 else None)
    elif said == exact:
        assert resolve_step_grams(unit, milliunits, said) == said
    else:
        with pytest.raises(Faulty) as refused:
            resolve_step_grams(unit, milliunits, said)
        assert [field for field, _ in refused.value.faults] == ["step_grams"]


@pytest.mark.parametrize(("unit", "milliunits", "weight"), [("kg", 500, "500 g"), ("g", 1500, "1.500 g")])
def test_a_weight_that_contradicts_the_unit_is_told_the_right_one(unit: str, milliunits: int, weight: str) -> None:
    with pytest.raises(Faulty, match=f"a step weighs {weight}"):
        resolve_step_grams(unit, milliunits, 499)
