"""Whatever names people choose, a notice stays what it is."""

import unicodedata
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest
from defusedxml.ElementTree import fromstring
from hypothesis import given, settings
from hypothesis import strategies as st

from services.notify import reply_page
from services.notify.domain import samples
from services.notify.domain.facts import BasketFacts, stops
from services.notify.domain.gsm7 import is_gsm7, segments
from services.notify.domain.notices import KINDS, Facts
from services.notify.domain.replies import CurrentBasket, Standing
from services.notify.wording import LANGUAGES, picture, word
from services.notify.wording.speech import Speech

CODES = {"timezone", "service", "by", "empty_reason"}
"""Texts that are ours."""

HOSTILE = st.one_of(
    st.sampled_from(
        [
            "<script>alert(1)</script>",
            "]]><svg/onload=alert(1)>&amp;\"'",
            "Cải\r\n\r\nBcc: x@example.com\u2028mèo",
            "\u202e\u200fabc\u202c\u2066def",
            "Cải mèo " * 60,
            "%(name)s %s %% {{ name }} {% if %}",
            unicodedata.normalize("NFD", "Hợp tác xã Rưỡi"),
            "שלום عليكم 🥬 ꪼꪕ",
            "~^{}[]|\\€" * 20,
            "",
            "\x00\ud800\ufffe",
        ]
    ),
    st.text(max_size=60),
)


def with_names(facts: Facts, name: str) -> Any:
    """The facts, in which every name that somebody else chose is this one."""

    def changed(of: Any, key: str) -> Any:
        if isinstance(of, dict):
            return {inner: changed(value, inner) for inner, value in of.items()}
        if isinstance(of, list | tuple):
            return [changed(value, key) for value in of]
        return name if isinstance(of, str) and key not in CODES else of

    # Ids and times are kept as they are, so that every text that is left is a name.
    plain = msgspec.to_builtins(facts, builtin_types=(date, datetime, UUID))
    return msgspec.convert(changed(plain, ""), type(facts))


LINKS = (None, samples.LINK, samples.LINK + "a" * 100)

WORST = "<b>Cải\r\n\u2028\u202e&amp; %(name)s {{ name }} " * 20 + "\x00\ud800"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", sorted(samples.PERSONAL))
def test_a_notice_keeps_its_form_under_the_worst_of_names(kind: str, language: str) -> None:
    keeps_its_form(kind, language, WORST, True, LINKS[2])


@settings(max_examples=150)
@given(
    st.sampled_from(sorted(samples.PERSONAL)),
    st.sampled_from(LANGUAGES),
    HOSTILE,
    st.booleans(),
    st.sampled_from(LINKS),
)
def test_a_notice_keeps_its_form(kind: str, language: str, name: str, replaces: bool, link: str | None) -> None:
    keeps_its_form(kind, language, name, replaces, link)


def keeps_its_form(kind: str, language: str, name: str, replaces: bool, link: str | None) -> None:
    facts = with_names(samples.PERSONAL[kind], name)
    text = word(kind, facts, name, language, replaces, link)
    assert text.subject
    for line in (text.subject, text.short, *text.fields.values()):
        assert not any(unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp") for letter in line)
    for said in (text.subject, text.body, text.short, *text.fields.values()):
        assert unicodedata.is_normalized("NFC", said)
        assert "&lt;" not in said or "&lt;" in name
    assert is_gsm7(text.short)
    assert segments(text.short) <= 2
    assert link is None or (text.short.endswith(f" {link}") and f"\n{link}\n" in text.body)
    plain = word(kind, with_names(samples.PERSONAL[kind], "Vân Hồ"), "Vân Hồ", language, replaces, link)
    assert len(text.body.splitlines()) <= len(plain.body.splitlines())  # an empty name may leave a line out


@given(st.sampled_from(LANGUAGES), HOSTILE)
def test_page_and_picture_hold_nothing_but_our_own_elements(language: str, name: str) -> None:
    facts = with_names(samples.PERSONAL["basket"], name)
    assert isinstance(facts, BasketFacts)
    drawn = fromstring(picture.svg(stops(facts.items), Speech(language, facts.timezone)))
    tags = {element.tag.rpartition("}")[2] for element in drawn.iter()}
    assert tags <= {"svg", "title", "defs", "g", "use", "text", "circle", "ellipse", "path", "rect"}
    nobody = UUID(int=0)
    standing = Standing(CurrentBasket(nobody, nobody, 1, 1, facts), None, None, None, language)
    page = reply_page.basket(standing, language, samples.NOW)
    assert "<script" not in page
    assert "onload=alert(1)>" not in page


def test_every_kind_that_people_are_told_is_tried() -> None:
    assert KINDS.keys() == samples.PERSONAL.keys()
