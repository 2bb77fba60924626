"""What fits into an SMS."""

import re
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from services.notify.domain import samples
from services.notify.domain.facts import BasketFacts, BasketItem, ConfirmedFacts, Goods, ReminderFacts
from services.notify.domain.gsm7 import is_gsm7, segments
from services.notify.wording import short, word
from services.notify.wording.speech import one_line

LINK = samples.LINK


def basket(*items: BasketItem) -> BasketFacts:
    facts = samples.PERSONAL["basket"]
    assert isinstance(facts, BasketFacts)
    return replace(facts, items=items)


def item(number: int, name: str, place: str = "Bản Hua Tạt") -> BasketItem:
    return BasketItem(UUID(int=number), Goods(name, "kg", 500), 25, place, samples.ARRIVE_BY, UUID(int=number))


CROWD = ("Su su non", "Cải mèo", "Rau mùi", "Cà chua bi", "Hành lá", "Cải ngồng", "Rau muống")


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


HEART, VAN_HO = "Bắp cải trái tim", "Bắp cải trắng Vân Hồ"


def test_two_products_that_a_cut_would_make_one_are_counted_instead() -> None:
    def told(*names: str) -> str:
        crowd = [item(number, name) for number, name in enumerate((*names, *CROWD), 1)]
        return word("basket", basket(*crowd), "bà Dợ", "vi", link=LINK).short

    counted = f"HTX Rau Van Ho: T3 24/11 xin mang 9 mat hang, den Ban Hua Tat truoc 05:30. {LINK}"
    assert told(HEART, VAN_HO) == counted
    assert "Bap cai tra. 12,5 kg, " in told("Cà rốt bản địa", VAN_HO)


def test_two_places_that_a_cut_would_make_one_are_not_both_named() -> None:
    crowd = [item(number, name, "Nhà văn hóa bản Bó Nhàng") for number, name in enumerate(CROWD, 1)]
    other = item(9, "Su su", "Nhà văn hóa bản Hua Tạt")
    text = word("basket", basket(*crowd, other), "bà Dợ", "vi", link=LINK).short
    assert "xin mang 8 mat hang, truoc het den Nha van hoa ban Bo Nhang truoc 05:30" in text


def test_only_where_there_are_several_places_one_is_the_first() -> None:
    many = [item(number, f"Rau thơm loại {number}") for number in range(1, 30)]
    one = word("basket", basket(*many), "Mrs Dợ", "en", link=LINK).short
    assert "29 products on Tue 24 Nov, to Ban Hua Tat before 05:30" in one
    several = word("basket", basket(*many, item(30, "Su su", "Bản Lũng")), "Mrs Dợ", "en", link=LINK).short
    assert "30 products on Tue 24 Nov, first to Ban Hua Tat before 05:30" in several


@pytest.mark.parametrize(("one", "other"), [("Dâu", "Đậu"), ("Mận", "Mẫn")])
def test_what_only_diacritics_tell_apart_is_not_listed_without_them(one: str, other: str) -> None:
    text = word("basket", basket(item(1, one), item(2, other)), "bà Dợ", "vi", link=LINK).short
    assert "xin mang 2 mat hang" in text
    assert text.endswith(LINK)


NAMES = st.lists(
    st.builds(
        "{} {}".format,
        st.sampled_from(["Bắp cải", "Bắp cải trái tim", "Bắp cải trắng Vân Hồ", "Rau cải ngồng Hua Tạt", "Đậu", "Dâu"]),
        st.text("aáâdđ ", max_size=12),
    ),
    min_size=2,
    max_size=6,
    unique_by=one_line,
)


@given(
    NAMES,
    st.lists(
        st.sampled_from(["Nhà văn hóa bản Bó Nhàng", "Nhà văn hóa bản Hua Tạt", "Bản Lũng"]), min_size=6, max_size=6
    ),
    st.sampled_from(["basket", "basket_confirmed", "reminder"]),
    st.sampled_from([None, "https://cho.example/r/a", LINK]),
)
def test_names_that_are_different_stay_different(names: list[str], at: list[str], kind: str, link: str | None) -> None:
    facts = samples.PERSONAL[kind]
    assert isinstance(facts, BasketFacts | ConfirmedFacts | ReminderFacts)
    items = tuple(item(number, name, at[number]) for number, name in enumerate(names))
    text = word(kind, replace(facts, items=items), "bà Dợ", "vi", link=link).short
    listed = [one.rpartition(" mang ")[2].strip() for one in re.findall(r"([^,;:]+) 12,5 kg", text)]
    assert len(listed) in (0, len(names))
    assert len(set(listed)) == len(listed)
    if listed:
        assert len(set(re.findall(r", den ([^,;:]+) truoc \d", text))) == len(set(at[: len(names)]))


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
