"""What each kind of notice says, in the words that its reader sees."""

from datetime import date, timedelta

import pytest
from msgspec.structs import replace

from services.notify.domain import partner_messages, samples
from services.notify.domain.facts import BasketFacts, ConfirmedFacts, DaySettlementFacts, ReminderFacts, SettledDay
from services.notify.domain.notices import KINDS
from services.notify.domain.staff_facts import CallListFacts, NotUnderstoodFacts, QuarantinedFacts, SoldOutFacts
from services.notify.wording import word

WHERE = (
    "\n"
    "- Cải mèo: 12,5 kg\n"
    "  Khách đặt 100 kg, chia đều theo phần của 8 hộ.\n"
    "- Rau mùi: 3 bó\n"
    "Nơi nhận: Nhà văn hóa bản Bó Nhàng\n"
    "Có mặt trước 05:30 sáng thứ Ba, 24/11/2026\n"
)
THANKS = "\nXin cảm ơn gia đình.\nHợp tác xã Rau Vân Hồ\n"

GOLDEN = {
    "basket_confirmed": (
        "Đã xác nhận: Hàng cần mang thứ Ba, 24/11/2026",
        "Kính gửi bà Dợ,\n\nHợp tác xã đã xác nhận theo câu trả lời của gia đình.\n\n"
        f"Gia đình mang cho ngày thứ Ba, 24/11/2026:\n{WHERE}{THANKS}",
        "HTX Rau Van Ho da xac nhan: T3 24/11 gia dinh mang Cai meo 12,5 kg, Rau mui 3 bo, den Nha van hoa ban Bo "
        "Nhang truoc 05:30.",
    ),
    "reminder": (
        "Nhắc lại: Hàng cần mang thứ Ba, 24/11/2026",
        "Kính gửi bà Dợ,\n\n"
        f"Hợp tác xã Rau Vân Hồ xin nhắc gia đình hàng cần mang cho ngày thứ Ba, 24/11/2026:\n{WHERE}{THANKS}",
        "HTX Rau Van Ho xin nhac: T3 24/11 mang Cai meo 12,5 kg, Rau mui 3 bo, den Nha van hoa ban Bo Nhang truoc "
        "05:30.",
    ),
    "arrival": (
        "Hàng đã nhận của gia đình thứ Ba, 24/11/2026",
        "Kính gửi bà Dợ,\n\n"
        "Hợp tác xã Rau Vân Hồ đã nhận của gia đình, ngày thứ Ba, 24/11/2026:\n\n"
        "- Cải mèo: nhận 11,5 kg (lô VH-241126-03)\n"
        "  Không nhận 1 kg: bị dập\n"
        "- Rau mùi: nhận 3 bó (lô VH-241126-04)\n\n"
        f"Nếu không đúng với hàng gia đình đã mang, xin gọi cho hợp tác xã.\n{THANKS}",
        "HTX Rau Van Ho da nhan T3 24/11: Cai meo 11,5 kg (lo VH-241126-03) khong nhan 1 kg: bi dap; Rau mui 3 bo "
        "(lo VH-241126-04).",
    ),
    "settlement_day": (
        "Quyết toán thứ Ba, 24/11/2026: 237.500 ₫",
        "Kính gửi bà Dợ,\n\n"
        "Hợp tác xã Rau Vân Hồ đã quyết toán với gia đình, ngày thứ Ba, 24/11/2026:\n\n"
        "- Tiền hàng: 250.000 ₫\n- Phí của hợp tác xã: 12.500 ₫\n- Gia đình nhận: 237.500 ₫\n"
        f"{THANKS}",
        "HTX Rau Van Ho quyet toan T3 24/11: tien hang 250.000d, phi 12.500d, gia dinh nhan 237.500d.",
    ),
    "settlement_month": (
        "Quyết toán tháng 11/2026: 617.025 ₫",
        "Kính gửi bà Dợ,\n\n"
        "Hợp tác xã Rau Vân Hồ đã quyết toán với gia đình 3 ngày của tháng 11/2026:\n\n"
        "- thứ Ba, 03/11/2026: 201.400 ₫\n- thứ Ba, 10/11/2026: 178.125 ₫\n- thứ Ba, 24/11/2026: 237.500 ₫\n\n"
        "Tiền hàng: 649.500 ₫\nPhí của hợp tác xã: 32.475 ₫\nGia đình nhận: 617.025 ₫\n"
        f"{THANKS}",
        "HTX Rau Van Ho, thang 11/2026: 3 ngay, tien hang 649.500d, phi 32.475d, gia dinh nhan 617.025d.",
    ),
}


@pytest.mark.parametrize("kind", sorted(GOLDEN))
def test_a_household_reads_exactly_this(kind: str) -> None:
    text = word(kind, samples.PERSONAL[kind], "bà Dợ", "vi")
    assert (text.subject, text.body, text.short) == GOLDEN[kind]


def test_there_is_a_sample_of_every_kind() -> None:
    every = samples.PERSONAL | samples.TO_PARTNERS
    assert {kind: type(facts) for kind, facts in every.items()} == {
        **{kind: of.facts for kind, of in KINDS.items()},
        **partner_messages.FACTS,
    }


@pytest.mark.parametrize(
    ("by", "sentence"),
    [
        ("reply", "as you answered"),
        ("silence", "No answer came in time"),
        ("staff", "staff have confirmed it with you"),
        ("oracle", "The cooperative has confirmed it."),
    ],
)
def test_a_confirmation_says_who_settled_it(by: str, sentence: str) -> None:
    facts = samples.PERSONAL["basket_confirmed"]
    assert isinstance(facts, ConfirmedFacts)
    assert sentence in word("basket_confirmed", replace(facts, by=by), "Mrs Dợ", "en").body
    nothing = word("basket_confirmed", replace(facts, by=by, items=()), "Mrs Dợ", "en")
    assert nothing.subject == "Confirmed: Nothing to bring on Tuesday, 24 November 2026"
    assert "need not come" in nothing.short


def test_what_is_corrected_says_that_it_replaces_the_earlier_word() -> None:
    for kind in ("basket", "arrival", "settlement_day", "settlement_month"):
        assert "replaces the earlier one" in word(kind, samples.PERSONAL[kind], "x", "en", replaces=True).body
        assert "replaces" not in word(kind, samples.PERSONAL[kind], "x", "en").body


def test_one_is_not_written_like_many() -> None:
    one = SoldOutFacts("Vân Hồ", samples.ZONE, samples.DAY, ("Su su",))
    assert word("sold_out", one, "Hà", "en").subject == "1 product is sold out on Tuesday, 24 November 2026"
    lines = word("shortfall", samples.PERSONAL["shortfall"], "Hà", "en").body.splitlines()
    assert "- Cải mèo: 4.5 kg missing, 4 orders get less" in lines
    assert "- Rau mùi: 1 bunch missing, 1 order gets less" in lines
    calls = CallListFacts("Vân Hồ", samples.ZONE, 1)
    assert word("call_list", calls, "Hà", "en").subject == "1 household must be called"


def test_staff_are_told_which_command_to_type() -> None:
    text = word("quarantined", QuarantinedFacts("Vân Hồ", samples.ZONE, "orders", 3), "Hà", "vi")
    assert "\n    python -m services.orders quarantine list\n" in text.body
    assert text.short == "Van Ho: 3 su kien dang cho. Go lenh: python -m services.orders quarantine list"


def test_staff_are_told_where_to_read_what_a_household_wrote() -> None:
    facts = NotUnderstoodFacts("Vân Hồ", samples.ZONE, samples.NOW)
    text = word("not_understood", facts, "Hà", "vi", link="https://cho.example/staff/said")
    assert "\nXin xem tại đây:\nhttps://cho.example/staff/said\n" in text.body
    assert text.short.endswith(" https://cho.example/staff/said")


def test_the_union_reads_each_cooperative_and_the_sum() -> None:
    body = word("daily_summary", samples.PERSONAL["daily_summary"], "chị Hà", "vi").body
    assert "Hợp tác xã Cà phê Chiềng Mai\n  Số đơn: 1.250\n" in body
    assert "Tất cả cộng lại\n  Số đơn: 1.292\n  Giao đủ như đã hứa: 1.289\n  Bị thiếu: 3\n  Hộ đã báo: 24\n" in body
    assert "Đã quyết toán: 25.825.000 ₫\n" in body


def test_money_that_is_owed_to_the_cooperative_has_a_minus() -> None:
    settled = SettledDay(date(2026, 11, 24), 0, 12_500, -12_500)
    text = word("settlement_day", DaySettlementFacts("Vân Hồ", samples.ZONE, settled), "bà Dợ", "vi")
    assert "Gia đình nhận: -12.500 ₫" in text.body
    assert text.fields["amount_vnd"] == "-12500"


def test_providers_templates_get_the_facts_piece_by_piece() -> None:
    basket = word("basket", samples.PERSONAL["basket"], "bà Dợ", "vi", link=samples.LINK).fields
    assert basket == {
        "name": "bà Dợ",
        "cooperative": "HTX Rau Vân Hồ",
        "goods": "Cải mèo 12,5 kg, Rau mùi 3 bó",
        "place": "Nhà văn hóa bản Bó Nhàng",
        "arrive_by": "05:30 sáng thứ Ba, 24/11/2026",
        "day": "thứ Ba, 24/11/2026",
        "reply_by": "20:00 tối thứ Hai, 23/11/2026",
        "link": samples.LINK,
    }
    money = word("settlement_day", samples.PERSONAL["settlement_day"], "bà Dợ", "vi").fields
    assert (money["amount"], money["amount_vnd"]) == ("237.500 ₫", "237500")


def test_of_several_stops_none_stands_for_all_and_each_load_says_where_and_by_when() -> None:
    basket = samples.PERSONAL["basket"]
    assert isinstance(basket, BasketFacts)
    first, other = basket.items
    later = replace(other, collection_point="Bản Hua Tạt", arrive_by_at=samples.ARRIVE_BY + timedelta(hours=1))
    facts = ReminderFacts(samples.COOPERATIVE, samples.ZONE, samples.DAY, (first, later))
    found = word("reminder", facts, "bà Dợ", "vi").fields
    assert not {"place", "arrive_by", "product", "quantity"} & found.keys()
    assert found["goods"] == (
        "Cải mèo 12,5 kg, đến Nhà văn hóa bản Bó Nhàng trước 05:30 T3 24/11; "
        "Rau mùi 3 bó, đến Bản Hua Tạt trước 06:30 T3 24/11"
    )


def test_facts_of_another_kind_are_refused() -> None:
    with pytest.raises(ValueError, match="SoldOutFacts is not what a notice of the kind basket says"):
        word("basket", samples.PERSONAL["sold_out"], "x", "vi")
