"""What becomes of a form that a household sends."""

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from services.notify.domain.facts import BasketFacts, BasketItem, Goods
from services.notify.domain.quantities import exact, milliunits
from services.notify.domain.replies import (
    Closed,
    CurrentBasket,
    Faulty,
    Form,
    Outdated,
    Reply,
    Telling,
    decide,
    is_spoken_of,
    judge,
    read_form,
)

REPLY_BY = datetime(2026, 11, 23, 13, 0, tzinfo=UTC)
BEFORE = REPLY_BY - timedelta(seconds=1)
CABBAGE, CORIANDER = UUID(int=1), UUID(int=2)


def item(offer_id: UUID, goods: Goods, steps: int) -> BasketItem:
    return BasketItem(UUID(int=9), goods, steps, "Bản Bó Nhàng", REPLY_BY, offer_id)


BASKET = CurrentBasket(
    UUID(int=5),
    UUID(int=6),
    version=2,
    sequence=40,
    facts=BasketFacts(
        "Hợp tác xã Rau Vân Hồ",
        "Asia/Ho_Chi_Minh",
        date(2026, 11, 24),
        (item(CABBAGE, Goods("Cải mèo", "kg", 500), 25), item(CORIANDER, Goods("Rau mùi", "bó", 1000), 3)),
        REPLY_BY,
    ),
)


def less(cabbage: str, coriander: str = "3", version: str = "2") -> list[tuple[str, str]]:
    return [("version", version), ("answer", "less"), (f"q.{CABBAGE}", cabbage), (f"q.{CORIANDER}", coriander)]


def steps(reply: Reply) -> list[int]:
    return [line.quantity_steps for line in reply.lines]


def taken(fields: list[tuple[str, str]], last: Reply | None = None) -> Reply:
    reply = decide(BASKET, last, read_form(fields), BEFORE)
    assert reply is not None
    return reply


def faults(fields: list[tuple[str, str]]) -> set[tuple[str, str]]:
    with pytest.raises(Faulty) as refused:
        judge(read_form(fields), BASKET.asked)
    return set(refused.value.faults)


@given(st.integers(0, 10**6), st.integers(1, 10**5), st.sampled_from([".", ","]))
@settings(max_examples=300)
def test_what_is_written_as_a_quantity_is_read_as_the_same(count: int, step_milliunits: int, mark: str) -> None:
    whole = count * step_milliunits // 1000
    if whole < 10**9:
        assert milliunits(exact(count, step_milliunits, mark)) == count * step_milliunits


@given(st.text(alphabet="0123456789.,-+eE ", max_size=14) | st.text(max_size=6))
@settings(max_examples=300)
def test_a_text_is_a_quantity_of_whole_steps_up_to_what_was_asked_or_a_fault(text: str) -> None:
    """Against decimal arithmetic, which the product does without."""
    try:
        plain = text.strip().replace(",", ".")
        value = Decimal(plain) if plain.isascii() and not set(plain) - set("0123456789.") else Decimal("NaN")
    except InvalidOperation:
        value = Decimal("NaN")
    fine = not value.is_nan() and value % Decimal("0.5") == 0 and value <= Decimal("12.5")
    try:
        reply = taken(less(text))
    except Faulty:
        odd = len(text.strip().partition(".")[0].partition(",")[0]) > 9 or text.strip()[-1:] in (".", ",")
        assert not fine or odd or len(text.strip().replace(",", ".").partition(".")[2]) > 3
    else:
        assert fine
        assert steps(reply) == [int(value / Decimal("0.5")), 3]


@given(st.integers(0, 25), st.integers(0, 3))
@settings(max_examples=300)
def test_every_quantity_up_to_what_was_asked_can_be_answered_exactly(cabbage: int, coriander: int) -> None:
    reply = taken(less(exact(cabbage, 500), exact(coriander, 1000, ",")))
    assert steps(reply) == [cabbage, coriander]
    assert reply.answer == ("confirm" if (cabbage, coriander) == (25, 3) else "less")
    assert [line.asked_steps for line in reply.lines] == [25, 3]
    assert decide(BASKET, reply, read_form(less(exact(cabbage, 500), exact(coriander, 1000))), BEFORE) is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "missing"),
        ("  ", "missing"),
        ("-1", "not_a_quantity"),
        ("1e1", "not_a_quantity"),
        ("1.000,5", "not_a_quantity"),
        ("mười", "not_a_quantity"),
        ("١٢", "not_a_quantity"),
        ("12.25", "not_whole_steps"),
        ("0,001", "not_whole_steps"),
        ("13", "more_than_asked"),
    ],
)
def test_a_quantity_that_cannot_be_is_named(text: str, code: str) -> None:
    assert faults(less(text)) == {(f"q.{CABBAGE}", code)}


def test_all_faults_are_named_at_once() -> None:
    strange = UUID(int=77)
    assert faults([*less("13", "0.5"), (f"q.{strange}", "1")]) == {
        (f"q.{CABBAGE}", "more_than_asked"), (f"q.{CORIANDER}", "not_whole_steps"), (f"q.{strange}", "unknown"),
    }  # fmt: skip
    assert faults([("version", "2"), ("answer", "less")]) == {
        (f"q.{CABBAGE}", "missing"), (f"q.{CORIANDER}", "missing"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ([("answer", "confirm")], ("version", "missing")),
        ([("version", "-2"), ("answer", "confirm")], ("version", "missing")),
        ([("version", "²"), ("answer", "confirm")], ("version", "missing")),
        ([("version", "9" * 5000), ("answer", "confirm")], ("version", "missing")),
        ([("version", "2")], ("answer", "missing")),
        ([("version", "2"), ("answer", "maybe")], ("answer", "missing")),
        ([("version", "2"), ("version", "2"), ("answer", "confirm")], ("version", "twice")),
        ([("version", "2"), ("answer", "less"), ("q.cabbage", "2")], ("q.cabbage", "unknown")),
    ],
)
def test_a_form_that_is_not_ours_is_faulty(fields: list[tuple[str, str]], fault: tuple[str, str]) -> None:
    with pytest.raises(Faulty) as refused:
        read_form(fields)
    assert fault in refused.value.faults


@given(
    st.lists(st.tuples(st.sampled_from(["version", "answer", "reason", "q.1", f"q.{CABBAGE}"]) | st.text(), st.text()))
)
@settings(max_examples=300)
def test_whatever_is_sent_is_a_form_or_faulty(fields: list[tuple[str, str]]) -> None:
    with suppress(Faulty):
        assert read_form(fields).answer in ("confirm", "less", "cannot")


def test_cannot_needs_a_reason_and_no_quantities() -> None:
    cannot = [("version", "2"), ("answer", "cannot")]
    assert faults(cannot) == {("reason", "missing")}
    assert faults([*cannot, ("reason", "lazy")]) == {("reason", "missing")}
    assert faults([*cannot, ("reason", "damaged"), (f"q.{CABBAGE}", "1")]) == {(f"q.{CABBAGE}", "unknown")}
    reply = taken([*cannot, ("reason", "damaged")])
    assert (reply.answer, reply.reason, steps(reply)) == ("cannot", "damaged", [0, 0])


def test_a_reason_belongs_to_cannot_alone() -> None:
    reply = taken([("version", "2"), ("answer", "confirm"), ("reason", "damaged")])
    assert (reply.answer, reply.reason, steps(reply)) == ("confirm", None, [25, 3])


def test_no_answer_is_taken_from_the_deadline_on_or_where_none_is_asked_for() -> None:
    form = Form(2, "confirm", {})
    never, empty = replace(BASKET.facts, reply_by_at=None), replace(BASKET.facts, items=())
    for facts, now in ((BASKET.facts, REPLY_BY), (never, BEFORE), (empty, BEFORE)):
        with pytest.raises(Closed):
            decide(replace(BASKET, facts=facts), None, form, now)


@pytest.mark.parametrize("version", ["1", "3"])
def test_an_answer_to_another_version_is_not_taken(version: str) -> None:
    with pytest.raises(Outdated):
        decide(BASKET, None, read_form(less("5", version=version)), BEFORE)


def test_the_same_answer_again_is_none_also_when_it_is_late_or_has_changed_the_basket() -> None:
    reply, again = taken(less("5")), read_form(less("5,0"))
    assert decide(BASKET, reply, again, REPLY_BY) is None
    assert decide(replace(BASKET, version=3), reply, again, BEFORE) is None
    with pytest.raises(Closed):
        decide(BASKET, reply, read_form(less("4")), REPLY_BY)
    with pytest.raises(Outdated):
        decide(replace(BASKET, version=3), reply, read_form(less("4")), BEFORE)


def test_another_answer_while_there_is_time_is_a_new_reply() -> None:
    first = taken(less("5"))
    assert steps(taken(less("6"), first)) == [12, 3]
    assert taken([("version", "2"), ("answer", "confirm")], first).answer == "confirm"


SAID = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
BEFORE_IT, AFTER_IT = SAID - timedelta(seconds=1), SAID + timedelta(seconds=1)
READ = Telling(1, True, BEFORE_IT, BEFORE_IT)


@pytest.mark.parametrize(
    ("tellings", "is_meant"),
    [
        ([], False),
        ([Telling(2)], False),
        ([Telling(2, is_tried=True)], False),
        ([Telling(2, True, sent_at=AFTER_IT)], False),
        ([Telling(2, True, sent_at=SAID)], True),
        ([Telling(2, True, sent_at=BEFORE_IT, told_at=AFTER_IT)], True),
        ([Telling(2, True, told_at=SAID)], True),
        ([Telling(2, True, told_at=AFTER_IT)], False),
        ([Telling(1), Telling(2, True, sent_at=BEFORE_IT)], True),
        ([READ], False),
        ([READ, Telling(2)], False),
        ([READ, Telling(2, True, sent_at=BEFORE_IT)], False),
        ([READ, Telling(2, True, sent_at=BEFORE_IT, told_at=AFTER_IT)], False),
        ([READ, Telling(2, True, sent_at=BEFORE_IT, told_at=SAID)], True),
        ([Telling(1, is_tried=True), Telling(2, True, sent_at=BEFORE_IT)], False),
        ([Telling(2, True, BEFORE_IT), READ], False),
        ([Telling(2, True, BEFORE_IT, BEFORE_IT), Telling(3, True, BEFORE_IT)], True),
    ],
)
def test_words_are_for_a_version_that_was_told_and_no_older_one_may_have_been_meant(
    tellings: list[Telling], is_meant: bool
) -> None:
    assert is_spoken_of(2, tellings, SAID) is is_meant
