"""What Zalo's answers mean, code by code; and how facts are brought into the places of a template."""

import json
import unicodedata
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.channels.zalo import LENGTHS, Template, filled, fitted
from services.notify.channels.zalo_api import CODES, Request, judge, judge_code, until_morning
from services.notify.channels.zalo_oauth import ZaloOauth
from services.notify.domain.delivery import Failed, Outcome, Refused, Sent, Throttled, Unknown
from services.notify.store.provider_tokens import Stored
from services.notify.tokens import Pair

NOW = datetime(2026, 11, 23, 16, 0, tzinfo=UTC)
"""23:00 in Vietnam."""
MORNING = timedelta(hours=7, minutes=1)
SAMPLES = Path(__file__).resolve().parents[3].parent / "shared" / "samples"


def answer(error: object, data: object = None, status: int = 200, retry_after: str = "") -> Outcome:
    headers = {"retry-after": retry_after} if retry_after else {}
    body = json.dumps({"error": error, "message": "about 84912345678", "data": data}).encode()
    return judge(status, httpx.Headers(headers), body, NOW)


EXPECTED: dict[int, Outcome] = {
    -32: Throttled("zalo_rate", timedelta(minutes=1), asked=True),
    -100: Failed("zalo_unknown_error"),
    -108: Refused("zalo_bad_phone"),
    -109: Refused("zalo_template_unknown", ours=True),
    -110: Refused("zalo_app_too_old"),
    -114: Refused("zalo_cannot_receive"),
    -115: Refused("zalo_no_balance", ours=True),
    -117: Refused("zalo_template_not_ours", ours=True),
    -118: Refused("zalo_no_account"),
    -119: Refused("zalo_cannot_receive"),
    -124: Refused("zalo_token", ours=True),
    -131: Refused("zalo_template_not_approved", ours=True),
    -133: Throttled("zalo_night", MORNING, asked=True),
    -137: Refused("zalo_no_balance", ours=True),
    -139: Refused("zalo_declined"),
    -141: Refused("zalo_declined"),
    -144: Refused("zalo_daily_quota", ours=True),
    -146: Refused("zalo_template_disabled", ours=True),
    -147: Refused("zalo_daily_quota", ours=True),
    -213: Refused("zalo_not_following"),
    -216: Refused("zalo_token", ours=True),
    -220: Refused("zalo_token", ours=True),
    -230: Refused("zalo_silent_for_a_week"),
    -234: Throttled("zalo_night", MORNING, asked=True),
    -244: Refused("zalo_declined"),
    -1121: Refused("zalo_template_data", ours=True),
    -1122: Refused("zalo_template_data", ours=True),
}


def test_every_code_of_the_table_has_its_outcome() -> None:
    assert {code: answer(code) for code in CODES} == EXPECTED


def test_a_code_that_nobody_knows_is_for_the_operator_and_the_message_goes_another_way() -> None:
    assert answer(-9999) == Refused("zalo_9999", ours=True)


def test_success_is_the_promise_of_a_receipt_under_the_id_that_it_names() -> None:
    assert answer(0, {"msg_id": "a4d0243feee163bd3af2"}) == Sent("a4d0243feee163bd3af2")
    assert answer(0, {"message_id": "96d3cdf3af150460909", "user_id": "1"}) == Sent("96d3cdf3af150460909")


@pytest.mark.skipif(not SAMPLES.exists(), reason="the samples are not here")
def test_the_documented_answer_is_read() -> None:
    body = (SAMPLES / "zalo_02_zns_send_response.json").read_bytes()
    assert judge(200, httpx.Headers(), body, NOW) == Sent("a4d0243feee163bd3af2")


@pytest.mark.parametrize("data", [None, {}, [], "text", {"msg_id": ""}, {"msg_id": None}])
def test_success_without_an_id_leaves_it_open(data: object) -> None:
    assert answer(0, data) == Unknown("answer_not_understood")


@pytest.mark.parametrize(
    "body", [b"", b"[" * 2000, b'{"data":' * 2000, b"<html>", b"[]", b'{"message": "ok"}', b'{"error": "no"}', b"\xff"]
)
def test_an_answer_that_cannot_be_read_leaves_it_open(body: bytes) -> None:
    assert judge(200, httpx.Headers(), body, NOW) == Unknown("answer_not_understood")


def test_the_status_of_something_in_between_is_minded() -> None:
    assert answer(0, status=502) == Unknown("http_502")
    assert answer(0, status=504) == Unknown("http_504")
    assert answer(0, status=302) == Unknown("http_302")
    assert answer(0, status=403) == Refused("http_403", ours=True)
    assert answer(0, status=503) == Throttled("http_503", timedelta(minutes=1), asked=False)
    assert answer(0, status=429, retry_after="7") == Throttled("http_429", timedelta(seconds=7), asked=True)


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("30", 30),
        ("0", 1),
        ("99999", 3600),
        (str(int(NOW.timestamp()) + 45), 45),
        (str(int(NOW.timestamp() * 1000) + 45_000), 45),
        ("9" * 40, 60),
        ("-5", 60),
        ("soon", 60),
        ("", 60),
    ],
)
def test_the_wait_that_a_header_names_is_kept_within_reason(told: str, seconds: int) -> None:
    headers = httpx.Headers({"x-ratelimit-reset": told})
    assert judge_code(-32, headers, NOW) == Throttled("zalo_rate", timedelta(seconds=seconds), asked=True)


@given(st.timedeltas(timedelta(), timedelta(days=400)))
def test_the_night_ends_at_six_in_vietnam(since: timedelta) -> None:
    now = NOW + since
    pause = until_morning(now)
    assert timedelta() < pause <= timedelta(days=1)
    assert (now + pause).time().isoformat("minutes") == "23:01"  # UTC


# -- Places of a template ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fact", "kind", "text", "fits"),
    [
        ("name", "name", "Giàng Thị Mỷ", "Giàng Thị Mỷ"),
        ("name", "name", unicodedata.normalize("NFD", "Giàng Thị Mỷ"), "Giàng Thị Mỷ"),
        ("name", "name", "  hai\n dòng ", "hai dòng"),
        ("cooperative", "name", "Hợp tác xã rau hữu cơ bản Bó Nhàng", "Hợp tác xã rau hữu cơ bản Bó…"),
        ("name", "name", "Hộ gia đình bà Giàng Thị Mỷ bản Bó Nhàng", "Hộ gia đình bà Giàng Thị Mỷ…"),
        ("goods", "label", "Cải mèo 12,5 kg, Rau mùi 30 bó, Su su 4 kg", None),
        ("goods", "product", "Cải mèo 12,5 kg, " * 20, None),
        ("rejected", "label", "Cải mèo 12,5 kg, Rau mùi 30 bó, Su su 4 kg", None),
        ("place", "name", "Nhà văn hóa bản Bó Nhàng, cạnh trường học", None),
        ("arrive_by", "label", "05:30 sáng Chủ nhật, 29/11/2026", None),
        ("reply_by", "label", "20:00 tối Chủ nhật, 29/11/2026 ", "20:00 tối Chủ nhật, 29/11/2026"),
        ("amount", "currency", "120.000 ₫", "120000"),
        ("amount", "currency", "120 000 đ", "120000"),
        ("amount", "currency", "0", None),
        ("amount", "currency", "-5", None),
        ("amount", "currency", "1234567890123", None),
        ("arrive_by", "time", "05:30 24/11/2026", "05:30 24/11/2026"),
        ("arrive_by", "time", "thứ Ba ngày 24 tháng 11", None),
        ("amount", "amount", "1" * 21, None),
        ("link", "url", "https://cho.example/" + "x" * 200, None),
        ("name", "name", " ", None),
    ],
)
def test_nothing_is_cut_but_who_is_greeted_and_who_speaks(fact: str, kind: str, text: str, fits: str | None) -> None:
    assert fitted(fact, kind, text) == fits


@given(st.sampled_from(["name", "goods"]), st.sampled_from(sorted(LENGTHS)), st.text(max_size=300))
def test_what_is_sent_always_fits_and_is_one_line_of_nfc(fact: str, kind: str, text: str) -> None:
    value = fitted(fact, kind, text)
    if value is not None:
        assert 1 <= len(value) <= LENGTHS[kind]
        assert len(value.splitlines()) == 1
        assert unicodedata.is_normalized("NFC", value)


@given(st.text(min_size=31, max_size=60))
def test_what_is_cut_begins_as_the_text_does(text: str) -> None:
    line = unicodedata.normalize("NFC", " ".join(text.split()))
    value = fitted("name", "name", text)
    assert value is None or value == line or (value.endswith("…") and line.startswith(value[:-1]))


@given(st.sampled_from(["goods", "rejected", "place", "arrive_by", "reply_by", "day"]), st.text(max_size=300))
def test_what_must_be_whole_is_whole_or_refused(fact: str, text: str) -> None:
    assert fitted(fact, "label", text) in (None, unicodedata.normalize("NFC", " ".join(text.split())))


BASKETS = [
    Template("full", {"name": "name", "goods": "product", "place": "address", "arrive_by": "contact"}),
    Template("empty", {"name": "name", "day": "label"}),
]


def test_a_basket_of_several_stops_is_never_told_as_an_empty_one() -> None:
    stops = {"name": "bà Dợ", "day": "24/11", "goods": "Cải mèo 1 kg, đến Bó Nhàng; Rau mùi 3 bó, đến Hua Tạt"}
    assert filled(BASKETS, stops) == Refused("zalo_fact_does_not_fit", ours=True)
    stated = Template("stops", {"name": "name", "goods": "product"})
    assert filled([*BASKETS, stated], stops) == (stated, {"name": "bà Dợ", "goods": stops["goods"]})
    assert filled(BASKETS, {"name": "bà Dợ", "day": "24/11"}) == (BASKETS[1], {"name": "bà Dợ", "day": "24/11"})


def test_whoever_is_asked_something_reads_until_when() -> None:
    asking = Template("asking", {"goods": "product", "place": "address", "reply_by": "contact", "link": "url"})
    known = Template("known", {"goods": "product"})
    facts = {"goods": "Cải mèo 1 kg, đến Bó Nhàng", "reply_by": "20:00", "link": "https://cho.example/r/abc"}
    assert filled([asking, known], facts) == Refused("zalo_fact_does_not_fit", ours=True)
    assert filled([asking, known], {"goods": "Cải mèo 1 kg"}) == (known, {"goods": "Cải mèo 1 kg"})


def test_what_was_rejected_is_not_left_out_where_a_template_names_it() -> None:
    accepted = Template("1", {"goods": "product"})
    both = Template("2", {"goods": "product", "rejected": "product", "reason": "product"})
    facts = {"goods": "Cải mèo 11,5 kg", "rejected": "Cải mèo 1 kg"}
    assert filled([accepted, both], facts) == Refused("zalo_fact_does_not_fit", ours=True)
    assert filled([accepted, both], {"goods": "Cải mèo 11,5 kg"}) == (accepted, {"goods": "Cải mèo 11,5 kg"})


def test_goods_that_are_too_many_for_a_template_are_nobodys_fault() -> None:
    one = {"name": "bà Dợ", "goods": "Cải mèo 12,5 kg, " * 20, "place": "Bó Nhàng", "arrive_by": "05:30"}
    assert filled(BASKETS, one) == Refused("zalo_fact_does_not_fit")
    assert filled(BASKETS, one | {"goods": "x", "arrive_by": "x" * 51}) == Refused("zalo_fact_does_not_fit", ours=True)


def test_a_type_that_zalo_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="weight"):
        Template("1", {"a": "weight"})


def test_neither_a_secret_nor_a_message_is_ever_printed() -> None:
    secret = "bí-mật-84912345678"
    shown = (
        ZaloOauth("https://oauth.example", "1", secret),
        Pair(secret, secret, timedelta(hours=25)),
        Stored(secret, NOW, secret, secret),
        Request("/message/template", {"phone": secret}),
    )
    assert all(secret not in repr(one) for one in shown)
