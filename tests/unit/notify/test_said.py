"""What households write back is understood where it is certain, and left to a person where it is not."""

import unicodedata
from dataclasses import dataclass
from uuid import UUID

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from services.notify.domain.facts import Goods
from services.notify.domain.gsm7 import without_diacritics
from services.notify.domain.quantities import exact
from services.notify.domain.replies import Asked
from services.notify.domain.said import LONGEST, understand

CABBAGE = Asked(UUID(int=1), Goods("Cải mèo", "kg", 500), 25)
CORIANDER = Asked(UUID(int=2), Goods("Rau mùi", "bó", 1000), 3)
PERSIMMON = Asked(UUID(int=3), Goods("Hồng giòn", "kg", 1000), 40)
PAPAYA = Asked(UUID(int=4), Goods("Đu đủ", "yến", 1000), 3)
BEANS = Asked(UUID(int=5), Goods("Đậu cô ve", "kg", 1000), 8)
ORANGE = Asked(UUID(int=6), Goods("Cam", "kg", 1000), 9)
ONE, TWO = [CABBAGE], [CABBAGE, CORIANDER]

YES, SOLD_OUT, DAMAGED, CANNOT_COME, OTHER = "yes", "sold_out", "damaged", "cannot_come", "other"
UNCLEAR = None
Meaning = str | list[str] | None


def meaning(text: str, asked: list[Asked]) -> Meaning:
    """`yes`, the reason of a refusal, or the quantities in the products' units."""
    reply = understand(text, asked, version=7)
    if reply is None:
        return None
    assert reply.version == 7
    assert [line.offer_id for line in reply.lines] == [item.offer_id for item in asked]
    if reply.answer == "confirm":
        return YES
    if reply.answer == "cannot":
        assert not any(line.quantity_steps for line in reply.lines)
        return reply.reason
    return [exact(line.quantity_steps, line.goods.step_milliunits) for line in reply.lines]


@dataclass(frozen=True)
class Case:
    asked: list[Asked]
    means: Meaning
    texts: tuple[str, ...]


CASES = (
    Case(ONE, YES, (
        "được", "Được ạ", "ok", "OK", "Ok em", "okie", "oke nhé", "vâng", "Dạ vâng ạ", "đủ", "có đủ", "đủ rồi ạ",
        "đồng ý", "nhất trí", "Dạ em đồng ý ạ", "được rồi chị ạ", "mang đủ nhé", "em sẽ mang đủ ạ", "yes", "ok, thanks",
        "xác nhận", "duoc", "dc", "dc a", "vang a", "👍", "được 👍", "ok roi anh oi", "Dạ, được ạ. Cảm ơn chị",
        "12,5 kg", "có 12.5kg", "ok 12,5kg", "vâng em có 12,5 ký ạ", "1,25 yến", "co 12500 gam",
    )),
    Case(TWO, YES, ("được", "dạ đủ ạ", "12,5kg cải với 3 bó mùi", "cải mèo 12,5 kg, rau mùi 3 bó")),
    Case(ONE, ["5"], (
        "chỉ có 5kg", "chi co 5 ky", "có 5kg cải thôi", "co 5 kg cai meo thoi", "chỉ được 5 cân", "còn 5 kí",
        "5kg", "5 KG thôi ạ", "Dạ em chỉ có 5 kg thôi ạ", "chau con 5kg", "chỉ có 5", "cải có 5kg", "cải mèo: 5 kg",
        "nhà em chỉ còn 5 ký cải thôi", "có 0,5 yến", "chỉ mang được 5kg nhé", "only 5 kg", "I have 5kg", "5,0 kg",
        "5000g thôi", "được 5kg", "5 kilo thoi",
    )),
    Case(ONE, ["2.5"], ("chỉ có 2,5 kg", "co 2.5 ky thoi", "2,50 cân thôi ạ")),
    Case(TWO, ["5", "2"], (
        "5kg cải, 2 bó mùi", "chỉ có 5 kg cải mèo và 2 bó rau mùi", "cải 5kg mùi 2 bó", "mui 2 bo, cai 5 ky",
        "cải mèo chỉ có 5kg, rau mùi có 2 bó thôi ạ", "2 mùi 5 cải thôi",
    )),
    Case(TWO, ["12.5", "0"], ("12,5kg cải 0 bó mùi",)),
    Case([PERSIMMON, CABBAGE], ["30", "10"], ("30kg hồng giòn, 10kg cải", "hong gion 3 yen, cai 1 yen")),
    Case([PAPAYA], ["2"], ("chỉ có 2 yến", "co 20kg du du thoi", "0,2 tạ")),
    Case([BEANS, CABBAGE], ["5", "3"], ("có 5kg đậu và 3 kg cải", "đậu cô ve 5kg cải mèo 3kg")),
    Case(ONE, SOLD_OUT, (
        "không có", "khong co a", "ko có gì", "k còn", "hết rồi", "Dạ hết rồi chị ạ", "bán hết rồi", "hết hàng",
        "em không còn nữa ạ", "het sach roi", "sold out", "nothing left",
    )),
    Case(ONE, DAMAGED, ("hỏng hết", "hong het roi", "bị hỏng hết rồi ạ", "hư hết", "dập nát hết", "sâu ăn hết rồi")),
    Case(ONE, CANNOT_COME, (
        "bận không đi được", "khong mang duoc", "em ko đi được ạ", "không giao được", "ốm không đến được",
        "tôi không thể mang", "bận việc", "cannot come", "can't come",
    )),
    Case(ONE, OTHER, ("không được", "khong duoc a", "k được nhé")),
    Case(TWO, SOLD_OUT, ("không có", "hết rồi")),
    Case([BEANS], SOLD_OUT, ("không có ạ",)),
    Case(ONE, UNCLEAR, (
        "", "  ", "...", "dạ", "em", "ạ", "5", "không", "no", "k", "có", "ok?", "được không?", "được không", "?",
        "không được 5kg", "không có 5kg", "không đủ", "chưa đủ", "chưa có", "đủ 5kg", "thiếu 5kg", "hỏng 5kg",
        "khoảng 5kg", "~5kg", "5-6kg", "5/6 kg", "5 hoặc 6 kg", "hơn 5 kg", "50%", "5kg?", "năm ký", "có 5kg rồi",
        "20kg", "có 13kg", "5,3 kg", "1.000kg", "1.500 g", "5,125 kg", "5 bó", "5kg mùi", "-", "5h", "7 giờ mang 5kg",
        "ok 5kg", "vâng chỉ có 5kg", "vâng không có", "được, hết rồi", "không có, được", "ok không", "đúng", "đừng",
        "bận", "bận rồi", "bán rồi", "0 kg", "không, có", "Không, mang được", "ko. được", "5kg 3kg", "5kg cải 3kg cải",
        "mai em gọi lại", "giá bao nhiêu", "ngày mai không đi được", "thêm 5kg", "có thêm 5kg", "[voice]", "/start abc",
        "5kg5", "1 2 kg", "đủ mà hơi nhỏ", "ok nhưng đến muộn", "👎", "5️⃣ kg ư", "cải", "kg", "1e3 kg", "+5kg",
        "được 5kg không", "không biết", "hết 5kg", "lấy 5kg", "chị", "cô ạ", "chỉ được", "5kg rau", "5 chị ạ", "5 cô",
    )),
    Case(TWO, UNCLEAR, (
        "chỉ có 5kg", "5", "5kg", "có 5kg cải thôi", "3 bó", "5kg với 3 bó", "5kg rau", "5kg cải mùi", "cải mùi 5kg",
        "5kg cải mùi 3 bó", "5 bó cải 3kg mùi", "5kg cải 4 bó mùi", "5kg cải 1,5 bó mùi", "không có mùi", "mùi hết rồi",
        "có cải", "đủ cải", "0kg cải 0 bó mùi",
    )),
    Case([ORANGE, CABBAGE], ["5", "2"], (
        "5kg cam, 2kg cải. Cảm ơn", "cam on, cam 5 kg cai 2 kg", "cam , on, cam 5 kg cai 2 kg",
    )),
    Case([PERSIMMON], UNCLEAR, ("hong het", "hỏng hết rồi")),  # without diacritics, the persimmons are gone
    Case([PAPAYA], UNCLEAR, ("đủ", "du du", "dạ đủ ạ")),
    Case([CABBAGE, Asked(UUID(int=9), Goods("Cải ngồng", "kg", 500), 10)], UNCLEAR, ("5kg cải 5kg ngồng", "5kg cải")),
    Case([CABBAGE, Asked(UUID(int=9), Goods("Cải mèo", "kg", 500), 10)], UNCLEAR, ("5kg cải mèo", "5kg")),
    Case([CABBAGE, Asked(UUID(int=9), Goods("Cải mèo", "kg", 500), 10)], YES, ("đủ", "ok")),
    Case([], UNCLEAR, ("ok", "không có")),
)  # fmt: skip
TABLE = [(case.asked, text, case.means) for case in CASES for text in case.texts]
UNDERSTOOD = [(asked, text) for asked, text, means in TABLE if means is not None]


def test_the_table_is_a_long_one() -> None:
    assert len(UNDERSTOOD) >= 80
    assert len(TABLE) - len(UNDERSTOOD) >= 80


@pytest.mark.parametrize(("asked", "text", "means"), TABLE, ids=[text for _, text, _ in TABLE])
def test_it_means_what_people_mean_by_it(asked: list[Asked], text: str, means: Meaning) -> None:
    assert meaning(text, asked) == means


AVOCADO = Asked(UUID(int=7), Goods("Bơ", "kg", 1000), 20)
TOMATO = Asked(UUID(int=8), Goods("Cà chua", "kg", 1000), 20)
HONEY = Asked(UUID(int=9), Goods("Mật ong", "lít", 1000), 20)


@pytest.mark.parametrize(
    ("asked", "means", "texts"),
    [
        ([AVOCADO], ["5"], "bơ 5kg, BƠ 5KG, có 5kg bơ, chi co 5kg"),
        ([AVOCADO], UNCLEAR, "bỏ 5kg, bo 5kg, bớ 5kg, có 5kg bó, co 5kg bo, bỏ 5 kg thôi, bỏ"),
        ([TOMATO], ["5"], "cà chua 5kg, ca chua 5kg thoi, co 5kg ca chua"),
        ([TOMATO], UNCLEAR, "chưa có 5kg, chua co 5kg, cà chưa 5kg, ca chua chua co 5kg"),
        ([PERSIMMON], ["5"], "hồng 5kg, có 5kg hồng giòn, hong gion 5kg"),
        ([PERSIMMON], UNCLEAR, "hỏng 5kg, hong 5kg, có 5kg hỏng giòn, co 5kg hong"),
        ([HONEY], ["5"], "mật 5 lít, mat ong 5 lit, co 5 lit"),
        ([HONEY], UNCLEAR, "mất 5 lít, mat 5 lit"),
        ([PERSIMMON, CABBAGE], ["30", "10"], "30kg hồng và 10kg cải"),
        ([PERSIMMON, CABBAGE], UNCLEAR, "30kg hong va 10kg cai, 30kg hỏng và 10kg cải"),
        ([ORANGE], UNCLEAR, "cảm 5kg, cám 5kg"),
        (ONE, ["5"], "5kg thôi, 5kg thoi, thưa bác 5kg, thua bac 5kg, 5kg cám ơn"),
        (ONE, UNCLEAR, "thừa 5kg, thua 5kg, 5kg thừa, 5kg thua, thối 5kg, thoi 5kg, cần 5kg, đã 5kg, 5kg à, rơi 5kg"),
        ([PAPAYA], UNCLEAR, "có 2 yên, dư 2 yến, có 2 tá"),
        (ONE, YES, "đuợc, đựơc"),
    ],
)
def test_a_word_that_may_be_another_without_its_diacritics_is_left_to_a_person(
    asked: list[Asked], means: Meaning, texts: str
) -> None:
    assert {text: meaning(text, asked) for text in texts.split(", ")} == dict.fromkeys(texts.split(", "), means)


POLITE_BEFORE = ["", "dạ ", "Dạ, ", "em ", "cháu ", "dạ em ", "Dạ thưa bác ", "chị ơi, "]
POLITE_AFTER = ["", " ạ", " a!", " nhé", " em", " chị ạ", ". Cảm ơn", " cháu ạ."]


@given(
    st.sampled_from(TABLE),
    st.sampled_from(POLITE_BEFORE),
    st.sampled_from(POLITE_AFTER),
    st.sampled_from([str.upper, str.lower, str.title, str.capitalize]),
    st.sampled_from(["", ".", "!", "...", " ,", " - "]),
    st.sampled_from(["NFC", "NFD", "none"]),
)
@settings(max_examples=500, deadline=None)
def test_diacritics_case_marks_and_politeness_never_change_the_meaning(
    row: tuple[list[Asked], str, Meaning], before: str, after: str, case: object, mark: str, form: str
) -> None:
    asked, text, means = row
    if not text.strip(" .-") or text in ("kg", "cải"):
        before = after = ""
    assert callable(case)
    changed = case(before + text + mark + after)
    if form == "none":
        changed = without_diacritics(changed)
    else:
        changed = unicodedata.normalize("NFC" if form == "NFC" else "NFD", changed)
    assert meaning(changed, asked) == means


@given(st.sampled_from(UNDERSTOOD), st.data())
@settings(max_examples=200, deadline=None)
def test_marks_between_words_do_not_change_the_meaning(row: tuple[list[Asked], str], data: st.DataObject) -> None:
    """Except after a no."""
    asked, text = row
    words = text.split()
    place = data.draw(st.integers(0, len(words)))
    assume(place in (0, len(words)) or without_diacritics(words[place - 1]).lower() not in ("khong", "ko", "k"))
    words.insert(place, data.draw(st.sampled_from([",", ".", ";", "...", "–", "!"])))
    assert meaning(" ".join(words), asked) == meaning(text, asked)


WORDS = sorted({word for _, text, _ in TABLE for word in text.split()})


@given(st.lists(st.sampled_from(WORDS), max_size=6), st.sampled_from([ONE, TWO, [PERSIMMON], [BEANS, CABBAGE]]))
@settings(max_examples=200, deadline=None)
@example(["ok", "5kg"], ONE)
def test_a_number_never_confirms_more_than_it_says(words: list[str], asked: list[Asked]) -> None:
    """Whatever else is there: all is confirmed only by a text without numbers, or by the numbers that were asked."""
    text = " ".join(words)
    if any(letter.isdecimal() for letter in text) and meaning(text, asked) == YES:
        for item in asked:
            quantity = exact(item.quantity_steps, item.goods.step_milliunits)
            said = text.replace(",", ".").replace("12500", "12.5").replace("1.25", "12.5")
            assert quantity in said


@given(st.lists(st.sampled_from(WORDS), max_size=6), st.sampled_from(sorted({t for _, t in UNDERSTOOD})))
@settings(max_examples=200, deadline=None)
def test_an_unknown_word_leaves_it_to_a_person(words: list[str], text: str) -> None:
    assert meaning(" ".join([*words, "xyz", text]), ONE) is None


@given(st.integers(1, 200), st.sampled_from([500, 1000, 250, 1]), st.integers(1, 300), st.sampled_from(".,"))
@settings(max_examples=100, deadline=None)
def test_quantities_are_exact(asked_steps: int, step: int, steps: int, mark: str) -> None:
    asked = [Asked(UUID(int=1), Goods("Cải mèo", "kg", step), asked_steps)]
    written = exact(steps, step, mark)
    decimals = len(written.partition(mark)[2])
    expected: Meaning = [exact(steps, step)] if steps < asked_steps else YES if steps == asked_steps else None
    assert meaning(f"chỉ có {written} kg", asked) == (expected if decimals < 3 else None)
    assert meaning(f"có {steps * step} g", asked) == expected


@given(st.text(max_size=60))
@settings(max_examples=100, deadline=None)
def test_anything_may_be_written(text: str) -> None:
    meaning(text, TWO)


def test_a_long_text_is_read_by_a_person_however_it_is_made() -> None:
    assert meaning("ok " * (LONGEST // 3), ONE) == YES
    assert meaning("ok " * (LONGEST // 3 + 1), ONE) is None
    for words in ("anh a ", "a ", "chi a co a ", "ok roi ", "khong co ", "du ca du het "):
        assert meaning((words * LONGEST)[: LONGEST - 1] + "x", ONE) is None
