"""What fits into an SMS."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from services.notify.domain import samples
from services.notify.domain.facts import BasketFacts, BasketItem, Goods
from services.notify.domain.gsm7 import is_gsm7, segments
from services.notify.wording import short, word

LINK = samples.LINK


def basket(*items: BasketItem) -> BasketFacts:
    facts = samples.PERSONAL["basket"]
    assert isinstance(facts, BasketFacts)
    return replace(facts, items=items)


def item(number: int, name: str, place: str = "Bản Hua Tạt") -> BasketItem:
    return BasketItem(UUID(int=number), Goods(name, "kg", 500), 25, place, samples.ARRIVE_BY, UUID(int=number))


def test_a_small_basket_goes_out_as_one_segment_with_its_link() -> None:
    link = "https://cho.example/r/" + "a" * 56
    text = word("basket", basket(item(1, "Cải mèo")), "bà Dợ", "vi", link=link).short
    assert text == f"HTX Rau Van Ho T3 24/11: Cai meo 12,5 kg, den Ban Hua Tat truoc 05:30. Tra loi: {link}"
    assert segments(text) == 1


def test_one_segment_goes_before_a_richer_wording_in_two() -> None:
    assert short.choose(lambda _: f"{'a' * 161}\n{'b' * 160}\n", None) == "b" * 160
    assert short.choose(lambda _: f"{'a' * 150}\n{'b' * 100}\n", None) == "a" * 150
    assert short.choose(lambda _: f"{'a' * 161}\n{'b' * 100}\n", "c" * 60) == f"{'a' * 161} {'c' * 60}"


def test_what_leaves_something_out_is_only_for_what_fits_no_other_way() -> None:
    assert short.choose(lambda _: f"{'a' * 300}\n---\nb\n", None) == "a" * 300
    assert short.choose(lambda _: f"{'a' * 307}\n---\nb\n", None) == "b"


def test_names_are_cut_before_anything_is_left_out() -> None:
    def wordings(longest: int | None) -> str:
        return f"{'a' * (longest or 400)}\n---\nb\n"

    assert short.choose(wordings, None) == "a" * 24


def test_many_goods_are_counted_where_they_cannot_be_listed() -> None:
    many = [item(number, f"Rau thơm loại {number}") for number in range(1, 30)]
    text = word("basket", basket(*many), "bà Dợ", "vi", link=LINK).short
    assert text == f"HTX Rau Van Ho: T3 24/11 xin mang 29 mat hang, den Ban Hua Tat truoc 05:30. {LINK}"


@given(st.text(max_size=500), st.integers(min_value=0, max_value=300))
def test_whatever_it_says_it_is_two_segments_and_the_link_is_whole(said: str, length: int) -> None:
    link = "l" * length or None
    text = short.choose(lambda _: f"{said.replace(chr(10), ' ')}x\n", link)
    assert segments(text) <= short.MOST_SEGMENTS
    assert is_gsm7(text)
    assert link is None or text.endswith(f" {link}")


@pytest.mark.parametrize("kind", sorted(samples.PERSONAL))
@pytest.mark.parametrize("language", ["vi", "en"])
def test_without_a_link_every_sample_is_one_segment(kind: str, language: str) -> None:
    assert segments(word(kind, samples.PERSONAL[kind], "bà Dợ", language).short) == 1
