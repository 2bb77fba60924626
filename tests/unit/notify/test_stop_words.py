"""By which words somebody wants no more messages."""

import unicodedata

import pytest

from services.notify.domain.stop_words import said_stop


@pytest.mark.parametrize(
    "text",
    [
        "STOP", "stop", " Stop. ", "stop!", "TC", "Dừng", "NGỪNG", "ngưng", "ngừng gửi", "Đừng gửi nữa", "dung gui nua",
        "không nhận tin nữa", "Khong nhan tin nua", "Hủy đăng ký", "huỷ đăng ký", "từ chối nhận tin", "unsubscribe",
        "Xóa số tôi", "stop  all", "dừng\nnhắn tin",
    ],
)  # fmt: skip
def test_plain_words_for_no_more_are_understood_in_any_form(text: str) -> None:
    assert said_stop(text)
    assert said_stop(unicodedata.normalize("NFD", text))


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "được", "ok", "đúng", "dung", "Dung", "chỉ có 5kg", "không có", "huy", "hủy", "từ chối", "không",
        "stop cái xe tải lại", "bus stop", "khi nào dừng nhận hàng?", "tôi tên Dung", "START", "không mang được",
    ],
)  # fmt: skip
def test_what_may_be_an_answer_to_a_basket_is_not_taken_for_it(text: str) -> None:
    assert not said_stop(text)
