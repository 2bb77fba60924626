"""Translators and code agree on every message."""

from pathlib import Path
from typing import get_args

import pytest
from babel.messages.pofile import read_po

from infra import catalogues as tool
from services.notify.http.contact_bodies import Language
from services.notify.wording import LANGUAGES, catalogues
from services.notify.wording.crops import CROPS

TEMPLATE = tool.said()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_catalogue_has_what_is_asked_for_with_the_same_places(language: str) -> None:
    assert list(tool.faults(language, TEMPLATE)) == []


def test_the_messages_of_code_templates_pages_and_tables_are_all_found() -> None:
    found = {(message.id, message.context) for message in TEMPLATE}
    for message in (
        ("What to bring on %(day)s", None),
        ("Thank you.", "to a household"),
        ("Bring all of it", None),
        (("%(number)s bunch", "%(number)s bunches"), "unit: tied (bó)"),
        ("Sold already", "reason"),
    ):
        assert message in found


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ('msgstr "Nơi nhận: %(place)s"', 'msgstr ""', "is not translated"),
        ('msgstr "Nơi nhận: %(place)s"', 'msgstr "Nơi nhận: %(point)s"', "has other places"),
        ('msgid "Where: %(place)s"', 'msgid "Where is: %(place)s"', "is not asked for"),
        ('msgid "Where: %(place)s"', 'msgid "Where is: %(place)s"', "is not there"),
        ('#, python-format\nmsgid "Where:', '#, fuzzy, python-format\nmsgid "Where:', "is fuzzy"),
        ('msgstr[0] "%(number)s bó"', 'msgstr[0] "bó"', "has other places"),
    ],
)
def test_what_is_wrong_in_a_catalogue_is_found(
    before: str, after: str, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, good = tmp_path / "notify.po", catalogues.path("vi").read_text()
    assert good.count(before) == 1
    broken.write_text(good.replace(before, after))
    monkeypatch.setattr(catalogues, "path", lambda _: broken)
    assert any(fault in line for line in tool.faults("vi", TEMPLATE))


def test_catalogues_are_as_the_tool_would_write_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {language: catalogues.path(language).read_bytes() for language in LANGUAGES}
    for language, content in before.items():
        (tmp_path / language).write_bytes(content)
    monkeypatch.setattr(catalogues, "path", lambda language: tmp_path / language)
    tool.update()
    assert {language: (tmp_path / language).read_bytes() for language in LANGUAGES} == before


def test_a_language_says_in_vietnamese_what_it_does_not_say_itself() -> None:
    for language in ("mww", "blt", "twh"):
        said = catalogues.spoken(language)
        assert said.gettext("Bring less") == "Mang ít hơn"
        assert said.npgettext("unit: tied (bó)", "%(number)s bunch", "%(number)s bunches", 1) == "%(number)s bó"
        assert not catalogues.has_texts(language)


def test_languages_are_called_by_their_own_names() -> None:
    assert [catalogues.name(language) for language in LANGUAGES] == [
        "Tiếng Việt", "English", "Hmoob Dawb", "ꪼꪕꪒꪾ (Táy Đăm)", "Táy Khao",
    ]  # fmt: skip


def test_a_language_that_there_is_not_is_vietnamese() -> None:
    assert catalogues.choose("tlh", None) == "vi"
    assert catalogues.choose(None, "mww") == "mww"


def test_every_crop_has_its_drawing_and_every_drawing_its_crop() -> None:
    drawings = Path(catalogues.__file__).parent / "drawings"
    assert {path.stem for path in drawings.iterdir()} == set(CROPS)


def test_every_catalogue_names_its_language_and_its_plurals() -> None:
    for language in LANGUAGES:
        with catalogues.path(language).open("rb") as file:
            catalog = read_po(file, abort_invalid=True)
        headers = dict(catalog.mime_headers)
        assert headers["Language"] == language
        assert catalog.num_plurals == (2 if language == "en" else 1)


def test_people_may_be_told_in_every_language_that_there_is_a_catalogue_of() -> None:
    assert get_args(Language) == LANGUAGES
