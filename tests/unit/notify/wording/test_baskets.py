"""What a household reads about its basket, and staff about a partner's server."""

import unicodedata
from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from msgspec.structs import replace

from services.notify.domain.facts import BasketFacts, BasketItem, EndpointFacts, Goods
from services.notify.domain.messages import Text
from services.notify.wording import LANGUAGES, word
from services.notify.wording.speech import Speech

DAY = date(2026, 11, 24)
AT_HALF_PAST_FIVE = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)  # 05:30 on the 24th in Sơn La
REPLY_BY = datetime(2026, 11, 23, 13, 0, tzinfo=UTC)  # 20:00 on the 23rd
LINK = "https://cho.example/r/abc"
CABBAGE, CORIANDER = Goods("Cải mèo", "kg", 500), Goods("Rau mùi", "bó", 1000)


def item(number: int, goods: Goods, steps: int, point: str = "Nhà văn hóa bản Bó Nhàng") -> BasketItem:
    return BasketItem(UUID(int=number), goods, steps, point, AT_HALF_PAST_FIVE)


def basket(*items: BasketItem) -> BasketFacts:
    return BasketFacts("Hợp tác xã Rau Vân Hồ", "Asia/Ho_Chi_Minh", DAY, items)


def told(facts: BasketFacts, to_name: str, language: str, replaces: bool, link: str | None) -> Text:
    return word("basket", facts, to_name, language, replaces, link)


def test_a_basket_reads_in_vietnamese_exactly_like_this() -> None:
    text = told(basket(item(2, CORIANDER, 3), item(1, CABBAGE, 25)), "gia đình bà Mùa Thị Dợ", "vi", False, None)
    assert text.subject == "Hàng cần mang thứ Ba, 24/11/2026"
    assert text.body == (
        "Kính gửi gia đình bà Mùa Thị Dợ,\n"
        "\n"
        "Hợp tác xã Rau Vân Hồ kính nhờ gia đình mang hàng cho ngày thứ Ba, 24/11/2026:\n"
        "\n"
        "- Cải mèo: 12,5 kg\n"
        "- Rau mùi: 3 bó\n"
        "Nơi nhận: Nhà văn hóa bản Bó Nhàng\n"
        "Có mặt trước 05:30 sáng thứ Ba, 24/11/2026\n"
        "\n"
        "Xin cảm ơn gia đình.\n"
        "Hợp tác xã Rau Vân Hồ\n"
    )


def test_it_says_why_so_much_and_how_to_answer_until_when() -> None:
    because = replace(item(1, CABBAGE, 25), why_vi="Chia đều cho 8 hộ.", why_en="Shared evenly among 8.")
    asked = replace(basket(because, item(2, CORIANDER, 3)), reply_by_at=REPLY_BY)
    assert (
        "- Cải mèo: 12,5 kg\n"
        "  Chia đều cho 8 hộ.\n"
        "- Rau mùi: 3 bó\n"
        "Nơi nhận: Nhà văn hóa bản Bó Nhàng\n"
        "Có mặt trước 05:30 sáng thứ Ba, 24/11/2026\n"
        "\n"
        "Xin trả lời trước 20:00 tối thứ Hai, 23/11/2026: mang đủ, mang ít hơn hay không mang được:\n"
        "https://cho.example/r/abc\n"
        "\n"
        "Xin cảm ơn gia đình.\n"
    ) in told(asked, "bà Dợ", "vi", False, LINK).body
    assert told(asked, "Mrs Dợ", "en", True, LINK).body == (
        "Dear Mrs Dợ,\n"
        "\n"
        "This notice replaces the earlier one about Tuesday, 24 November 2026.\n"
        "\n"
        "Hợp tác xã Rau Vân Hồ asks you to bring for Tuesday, 24 November 2026:\n"
        "\n"
        "- Cải mèo: 12.5 kg\n"
        "  Shared evenly among 8.\n"
        "- Rau mùi: 3 bunches\n"
        "Where: Nhà văn hóa bản Bó Nhàng\n"
        "Be there before 05:30 on Tuesday, 24 November 2026\n"
        "\n"
        "Please answer before 20:00 on Monday, 23 November 2026: all of it, less, or nothing:\n"
        "https://cho.example/r/abc\n"
        "\n"
        "Thank you.\n"
        "Hợp tác xã Rau Vân Hồ\n"
    )


def test_a_changed_basket_says_that_it_replaces_the_notice_before() -> None:
    text = told(basket(item(1, CABBAGE, 4)), "bà Dợ", "vi", True, None)
    assert text.subject == "Thay đổi: Hàng cần mang thứ Ba, 24/11/2026"
    assert "Thông báo này thay cho thông báo trước về ngày thứ Ba, 24/11/2026.\n" in text.body


def test_an_empty_basket_says_that_there_is_nothing_to_bring() -> None:
    text = told(basket(), "bà Dợ", "vi", False, None)
    assert text.subject == "Không phải mang hàng thứ Ba, 24/11/2026"
    assert text.body == (
        "Kính gửi bà Dợ,\n"
        "\n"
        "Ngày thứ Ba, 24/11/2026, bà con không phải mang hàng. Gia đình không cần ra điểm nhận hàng.\n"
        "\n"
        "Xin cảm ơn gia đình.\n"
        "Hợp tác xã Rau Vân Hồ\n"
    )


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("vi", "Phần của gia đình lần này quá ít, không đáng một chuyến đi, nên các hộ khác mang thay."),
        ("en", "Your part would have been too small to be worth the way, so others bring it."),
    ],
)
def test_a_household_that_is_spared_a_small_delivery_reads_why(language: str, sentence: str) -> None:
    spared = replace(basket(), empty_reason="not_worthwhile")
    with_why = told(spared, "bà Dợ", language, False, None)
    without = told(basket(), "bà Dợ", language, False, None)
    assert with_why.subject == without.subject
    assert [line for line in with_why.body.splitlines() if line not in without.body.splitlines()] == [sentence]
    assert told(replace(basket(), empty_reason="frost"), "bà Dợ", language, False, None) == without


def test_a_product_that_stands_in_two_offers_is_added_up() -> None:
    text = told(basket(item(1, CABBAGE, 3), item(1, CABBAGE, 4)), "bà Dợ", "vi", False, None)
    assert "- Cải mèo: 3,5 kg\n" in text.body
    assert text.body.count("Cải mèo") == 1


def test_each_collection_point_has_its_own_list() -> None:
    text = told(basket(item(1, CABBAGE, 2, "Bản Hua Tạt"), item(2, CORIANDER, 5)), "bà Dợ", "vi", False, None)
    assert text.body.index("Cải mèo") < text.body.index("Bản Hua Tạt") < text.body.index("Rau mùi")


def test_text_is_composed_unicode_whatever_form_the_names_came_in() -> None:
    decomposed = unicodedata.normalize("NFD", "Cải mèo")
    text = told(basket(item(1, Goods(decomposed, "kg", 500), 2)), "bà Dợ", "vi", False, None)
    assert unicodedata.is_normalized("NFC", text.subject + text.body)
    assert "Cải mèo" in text.body


def test_a_name_with_line_breaks_cannot_write_lines_of_its_own() -> None:
    goods = Goods("Cải mèo\nNơi nhận: chỗ khác", "kg\u2028", 500)
    text = told(basket(item(1, goods, 2)), "bà Dợ\r\n\r\nXin chào", "vi", False, None)
    assert "- Cải mèo Nơi nhận: chỗ khác: 1 kg\n" in text.body
    assert text.body.startswith("Kính gửi bà Dợ Xin chào,\n")


@pytest.mark.parametrize(
    ("hour", "words"),
    [
        (0, "00:15 sáng"),
        (5, "05:15 sáng"),
        (11, "11:15 trưa"),
        (13, "13:15 chiều"),
        (19, "19:15 tối"),
        (23, "23:15 đêm"),
    ],
)
def test_a_time_carries_its_part_of_the_day(hour: int, words: str) -> None:
    assert Speech("vi", "UTC").moment(datetime(2026, 11, 29, hour, 15, tzinfo=UTC)) == f"{words} Chủ nhật, 29/11/2026"


def test_every_language_has_its_templates_and_its_speech() -> None:
    for language in LANGUAGES:
        assert told(replace(basket(item(1, CABBAGE, 1)), reply_by_at=REPLY_BY), "bà Dợ", language, True, LINK).body


GIVEN_UP = EndpointFacts(
    "Hợp tác xã Rau Vân Hồ", "Asia/Ho_Chi_Minh", UUID(int=9), "shop.example", "lasting_failure", "http_500", 12,
    datetime(2026, 11, 18, 22, 30, tzinfo=UTC), AT_HALF_PAST_FIVE,
)  # fmt: skip


def test_staff_read_in_vietnamese_that_a_partner_is_told_nothing_any_more() -> None:
    text = word("endpoint_disabled", GIVEN_UP, "chị Hà", "vi")
    assert text.subject == "Đã ngừng gửi thông báo đơn hàng đến shop.example"
    assert text.body.startswith(
        "Kính gửi chị Hà,\n"
        "\n"
        "Từ 05:30 sáng thứ Năm, 19/11/2026, máy chủ shop.example của một đối tác của Hợp tác xã Rau Vân Hồ không nhận "
        "được thông báo đơn hàng nào: đã thử liên tiếp 12 lần, lỗi lần cuối là http_500.\n"
        "\n"
        "Vì vậy lúc 05:30 sáng thứ Ba, 24/11/2026 chúng tôi đã ngừng gửi"
    )
    assert unicodedata.is_normalized("NFC", text.body)


def test_staff_read_in_english_that_a_partner_wants_nothing_more() -> None:
    text = word("endpoint_disabled", replace(GIVEN_UP, reason="endpoint_gone"), "Hà", "en")
    assert text.subject == "Messages about orders are no longer sent to shop.example"
    assert "(410 Gone)" in text.body
    assert "attempts in a row" not in text.body
    assert "So at 05:30 on Tuesday, 24 November 2026 we stopped" in text.body
