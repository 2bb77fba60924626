"""What a household sees on the page that its link leads to."""

import base64
import hashlib
import unicodedata
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from msgspec.structs import replace

from services.notify import reply_page
from services.notify.domain.facts import BasketFacts, BasketItem, Goods
from services.notify.domain.replies import (
    Closed,
    CurrentBasket,
    Faulty,
    Outdated,
    Reply,
    ReplyLine,
    Standing,
)
from services.notify.reply_page import Attempt
from services.notify.wording import LANGUAGES

REPLY_BY = datetime(2026, 11, 23, 13, 0, tzinfo=UTC)
ARRIVE_BY = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)
BEFORE, AFTER = REPLY_BY - timedelta(hours=2), REPLY_BY + timedelta(hours=2)
CABBAGE = Goods("Cải mèo", "kg", 500)
ITEM = BasketItem(
    UUID(int=9), CABBAGE, 25, "Nhà văn hóa bản Bó Nhàng", ARRIVE_BY, UUID(int=1),
    why_vi="Chia đều cho 8 hộ.", why_en="Shared evenly among 8 households.",
)  # fmt: skip
FACTS = BasketFacts("Hợp tác xã Rau Vân Hồ", "Asia/Ho_Chi_Minh", date(2026, 11, 24), (ITEM,), REPLY_BY)
BASKET = CurrentBasket(UUID(int=5), UUID(int=6), 2, 40, FACTS)
NEW = Standing(BASKET, None, None, None, None)
LESS = Reply(2, "less", None, (ReplyLine(UUID(int=1), CABBAGE, 25, 10),))


def answered(reply: Reply, **of_basket: object) -> Standing:
    return Standing(replace(BASKET, **of_basket), reply, BEFORE, 40, None)


def test_the_page_shows_what_where_when_why_and_until_when_to_answer() -> None:
    page = reply_page.basket(NEW, "vi", BEFORE)
    for words in (
        "Hàng cần mang thứ Ba, 24/11/2026", "Hợp tác xã Rau Vân Hồ", "Cải mèo: 12,5 kg",
        "Nơi nhận: Nhà văn hóa bản Bó Nhàng", "Có mặt trước 05:30 sáng thứ Ba, 24/11/2026", "Chia đều cho 8 hộ.",
        "Xin trả lời trước 20:00 tối thứ Hai, 23/11/2026.", "Mang đủ tất cả",
        'max="12.5" step="0.5" value="12.5"',
    ):  # fmt: skip
        assert words in page
    english = reply_page.basket(NEW, "en", BEFORE)
    for words in ("What to bring on Tuesday, 24 November 2026", "12.5 kg", "Shared evenly among 8 households."):
        assert words in english
    assert "Chia đều" not in english


def test_a_full_basket_stays_below_20_kb_in_every_language() -> None:
    items = tuple(replace(ITEM, offer_id=UUID(int=n), product_id=UUID(int=n), why_vi="lý do " * 30) for n in range(20))
    full = replace(NEW, basket=replace(BASKET, facts=replace(FACTS, items=items)))
    for language in LANGUAGES:
        assert len(reply_page.basket(full, language, BEFORE).encode()) < 20_000


def test_there_is_no_script_and_whatever_a_name_holds_stays_text() -> None:
    goods = Goods("<script>alert(1)</script>", '"><b', 500)
    strange = replace(ITEM, goods=goods, collection_point="<i>", why_vi="<img src=x>")
    standing = replace(NEW, basket=replace(BASKET, facts=replace(FACTS, items=(strange,), cooperative="<u>")))
    attempt = Attempt(Faulty([(f"q.{UUID(int=1)}", "not_a_quantity")]), {f"q.{UUID(int=1)}": '"><script>'})
    page = reply_page.basket(standing, "vi", BEFORE, attempt)
    for tag in ("<script", "<b", "<i>", "<img", "<u>", '"><'):
        assert tag not in page.replace("<body", "").replace("<button", "").replace("<b>N", "").replace("<br", "")
    assert "&lt;script&gt;alert(1)" in page


def test_an_answer_is_shown_and_fills_the_form_and_counts_only_once_it_is_confirmed() -> None:
    page = reply_page.basket(answered(LESS), "vi", BEFORE)
    assert "Đã nhận câu trả lời lúc 18:00 tối thứ Hai, 23/11/2026: gia đình mang ít hơn." in page
    assert "Cải mèo: 5 kg (hợp tác xã nhờ 12,5 kg)" in page
    assert "Hợp tác xã chưa xác nhận." in page
    assert "có thể đổi câu trả lời trước 20:00" in page
    assert 'value="5"' in page
    confirmed = (replace(ITEM, quantity_steps=10, confirmed_steps=10),)
    settled = answered(LESS, sequence=41, confirmed_by="reply", facts=replace(FACTS, items=confirmed))
    page = reply_page.basket(settled, "vi", AFTER)
    assert "Hợp tác xã đã xác nhận theo câu trả lời của gia đình." in page
    assert "Đã xác nhận: 5 kg" in page
    assert "Đã hết giờ trả lời" in page
    assert "<form" not in page


def test_an_answer_after_the_confirmation_waits_for_one_of_its_own() -> None:
    page = reply_page.basket(answered(LESS, confirmed_by="silence"), "vi", BEFORE)
    assert "Hợp tác xã chưa xác nhận." in page
    assert "đã chốt" not in page


@pytest.mark.parametrize(
    ("by", "words"),
    [("silence", "Hết giờ mà chưa có câu trả lời."), ("staff", "Cán bộ"), ("oracle", "Hợp tác xã đã xác nhận.")],
)
def test_who_settled_it_is_said_also_where_it_is_not_known(by: str, words: str) -> None:
    assert words in reply_page.basket(replace(NEW, basket=replace(BASKET, confirmed_by=by)), "vi", AFTER)


def test_a_basket_that_changed_since_the_answer_asks_again() -> None:
    page = reply_page.basket(answered(LESS, version=3, sequence=41), "vi", BEFORE)
    assert "đã thay đổi sau câu trả lời này. Xin trả lời lại trước 20:00" in page
    assert 'name="version" value="3"' in page
    assert 'value="12.5"' in page


def test_whoever_was_told_late_has_its_whole_time_to_answer() -> None:
    told_late = replace(BASKET, facts=replace(FACTS, reply_minutes=120), told_at=REPLY_BY + timedelta(hours=1))
    page = reply_page.basket(replace(NEW, basket=told_late), "vi", REPLY_BY + timedelta(hours=2))
    assert "Xin trả lời trước 23:00 đêm thứ Hai, 23/11/2026." in page
    assert "<form" in page
    assert "<form" not in reply_page.basket(replace(NEW, basket=told_late), "vi", REPLY_BY + timedelta(hours=3))


def test_nothing_to_bring_asks_nothing() -> None:
    page = reply_page.basket(replace(NEW, basket=replace(BASKET, facts=replace(FACTS, items=()))), "vi", BEFORE)
    assert "bà con không phải mang hàng" in page
    assert "<form" not in page
    assert "Xin trả lời" not in page


@pytest.mark.parametrize(("reason", "is_explained"), [("not_worthwhile", True), ("frost", False), (None, False)])
def test_a_household_that_is_spared_a_small_delivery_sees_why(reason: str | None, is_explained: bool) -> None:
    empty = replace(FACTS, items=(), reply_by_at=None, empty_reason=reason)
    page = reply_page.basket(replace(NEW, basket=replace(BASKET, facts=empty)), "vi", BEFORE)
    assert "bà con không phải mang hàng" in page
    assert ("không đáng một chuyến đi" in page) == is_explained


def test_an_answer_that_was_not_taken_says_why() -> None:
    name = f"q.{UUID(int=1)}"
    faulty = reply_page.basket(NEW, "vi", BEFORE, Attempt(Faulty([(name, "not_whole_steps")]), {name: "1.2"}))
    assert "Xin ghi tròn theo từng 0,5 kg." in faulty
    assert 'value="1.2"' in faulty
    no_reason = reply_page.basket(NEW, "vi", BEFORE, Attempt(Faulty([("reason", "missing")])))
    assert "Xin chọn một lý do." in no_reason
    assert "không còn nhận" in reply_page.basket(NEW, "vi", AFTER, Attempt(Closed()))
    assert "vì số hàng cần mang đã thay đổi" in reply_page.basket(NEW, "vi", BEFORE, Attempt(Outdated()))
    unknown = Attempt(Faulty([("version", "missing"), ("q.x", "unknown"), (name, "twice")]))
    assert "Xin sửa rồi gửi lại." in reply_page.basket(NEW, "vi", BEFORE, unknown)


def test_the_policy_lets_exactly_the_style_of_the_page_through() -> None:
    style = reply_page.basket(NEW, "vi", BEFORE).partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in reply_page.HEADERS["Content-Security-Policy"]


def test_only_languages_that_have_texts_are_offered_and_said_to_be_spoken() -> None:
    assert '<a href="?lang=en" lang="en">English</a>' in reply_page.basket(NEW, "vi", BEFORE)
    page = reply_page.basket(NEW, "blt", BEFORE)
    assert '<html lang="vi">' in page
    assert "?lang=twh" not in page
    assert "Hàng cần mang thứ Ba, 24/11/2026" in page


def test_the_basket_is_also_a_picture_with_a_title_for_those_who_do_not_see_it() -> None:
    page = reply_page.basket(NEW, "vi", BEFORE)
    assert 'role="img" aria-labelledby="picture-title"' in page
    title = "Cải mèo: 12,5 kg. Nơi nhận: Nhà văn hóa bản Bó Nhàng. Có mặt trước 05:30 sáng thứ Ba, 24/11/2026."
    assert f'<title id="picture-title">{title}</title>' in page
    nothing = replace(NEW, basket=replace(BASKET, facts=replace(FACTS, items=())))
    assert "<svg" not in reply_page.basket(nothing, "vi", BEFORE)


def test_pages_are_composed_unicode() -> None:
    decomposed = replace(ITEM, goods=replace(CABBAGE, name=unicodedata.normalize("NFD", "Cải mèo")))
    page = reply_page.basket(
        replace(NEW, basket=replace(BASKET, facts=replace(FACTS, items=(decomposed,)))), "vi", BEFORE
    )
    assert unicodedata.is_normalized("NFC", page)
    for status in (404, 410, 503, 418):
        assert unicodedata.is_normalized("NFC", reply_page.problem(status, "vi"))
