"""The basket for those who read little."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from services.notify.domain import samples
from services.notify.domain.facts import BasketItem, Goods, stops
from services.notify.wording import picture
from services.notify.wording.crops import CROPS, crop_of
from services.notify.wording.speech import Speech

VIETNAMESE = Speech("vi", "Asia/Ho_Chi_Minh")
ITEM = BasketItem(UUID(int=1), Goods("Cải mèo", "kg", 500), 25, "Nhà văn hóa bản Bó Nhàng", samples.ARRIVE_BY)


@pytest.mark.parametrize(
    ("product", "crop"),
    [
        ("Cải mèo", "leaf"), ("Bắp cải", "cabbage"), ("Súp lơ xanh", "cabbage"), ("Cà chua", "tomato"),
        ("Dưa chuột", "gourd"), ("Bí đỏ", "pumpkin"), ("Bí xanh", "gourd"), ("Su su", "gourd"), ("Ngọn su su", "leaf"),
        ("Su hào", "root"), ("Đậu cô ve", "beans"), ("Rau mùi", "leaf"), ("Hành", "leaf"), ("Khoai sọ", "root"),
        ("Ngô nếp", "grain"), ("Sắn", "root"), ("Mận hậu", "fruit"), ("Na", "fruit"), ("Nhãn", "fruit"),
        ("Chanh leo", "fruit"), ("Bơ", "fruit"), ("Dâu tây", "fruit"), ("Cà phê Arabica nhân", "coffee"),
        ("Chè Shan tuyết", "tea"), ("Mật ong rừng", "honey"), ("CÀ CHUA BI", "tomato"), ("Thịt trâu gác bếp", "sack"),
        ("Nam dược", "sack"), ("", "sack"),
    ],
)  # fmt: skip
def test_a_product_is_drawn_as_what_its_name_says(product: str, crop: str) -> None:
    assert crop_of(product) == crop


@given(st.text())
def test_every_name_has_a_drawing(name: str) -> None:
    assert crop_of(name) in CROPS


@given(st.integers(min_value=0, max_value=23), st.integers(min_value=0, max_value=59))
def test_the_clock_shows_the_time(hour: int, minute: int) -> None:
    at = replace(ITEM, arrive_by_at=datetime(2026, 11, 24, hour, minute, tzinfo=UTC))
    (section,) = picture.draw(stops([at]), Speech("en", "UTC")).sections
    assert section.time.text == f"{hour:02d}:{minute:02d}"
    assert divmod(section.minute_hand, 6) == (minute, 0)
    assert section.hour_hand == (hour % 12 * 60 + minute) // 2


def test_everything_to_bring_is_drawn_place_by_place() -> None:
    other = replace(ITEM, product_id=UUID(int=2), goods=Goods("Bí đỏ", "quả", 1000), quantity_steps=3,
                    collection_point="Bản Hua Tạt")  # fmt: skip
    drawn = picture.draw(stops([ITEM, other]), VIETNAMESE)
    said = [(row.crop, row.quantity.text) for section in drawn.sections for row in section.rows]
    assert sorted(said) == [("leaf", "12,5 kg"), ("pumpkin", "3 quả")]
    assert [" ".join(line.text for line in section.place) for section in drawn.sections] == [
        "Bản Hua Tạt", "Nhà văn hóa bản Bó Nhàng",
    ]  # fmt: skip
    assert drawn.height > max(line.y for line in drawn.sections[-1].place)


def test_long_names_stay_inside_the_picture() -> None:
    long = replace(ITEM, goods=Goods("Cà phê " * 20, "thùng lớn", 1), collection_point="Trụ sở " * 20)
    (section,) = picture.draw(stops([long]), VIETNAMESE).sections
    (row,) = section.rows
    assert len(row.product) == 2
    assert len(section.place) == 3
    for line in (row.quantity, *row.product, *section.place, section.time):
        assert len(line.text) * line.size * 66 <= 228 * 100
