"""The catalogues: one `notify.po` per language, read at start-up as translators wrote it; nothing is compiled into git.

What a language does not say is said in Vietnamese, message by message, so that a catalogue may grow slowly.
"""

from functools import cache
from gettext import GNUTranslations
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

FIRST = "vi"
"""What is spoken where nothing else is known."""

LANGUAGES = (FIRST, "en", "mww", "blt", "twh")
"""Vietnamese, English, White Hmông, Thái Đen and Thái Trắng."""

LOCALE = Path(__file__).parent / "locale"

_NAME = "this language, in its own words"


def path(language: str) -> Path:
    """Where the language's catalogue is."""
    return LOCALE / language / "LC_MESSAGES" / "notify.po"


def read(language: str) -> Catalog:
    """The catalogue as it was written. Raises PoFileError for one that is malformed."""
    with path(language).open("rb") as file:
        return read_po(file, abort_invalid=True)


def is_translated(message: Message) -> bool:
    """Whether every form of it is there."""
    forms = message.string
    return all(forms) if forms else False


@cache
def spoken(language: str) -> GNUTranslations:
    """The language's messages and, behind them, the Vietnamese ones."""
    catalog, compiled = read(language), BytesIO()
    for message in [message for message in catalog if message.id and not is_translated(message)]:
        catalog.delete(message.id, message.context)  # else its plural would be said in the words of the code
    write_mo(compiled, catalog)
    compiled.seek(0)
    translations = GNUTranslations(compiled)
    if language != FIRST:
        translations.add_fallback(spoken(FIRST))
    return translations


def name(language: str) -> str:
    """The language's name in its own words."""
    return spoken(language).pgettext("this language, in its own words", "English")


@cache
def has_texts(language: str) -> bool:
    """Whether anything but its name is translated: otherwise all that is said in it is Vietnamese."""
    return any(message.id and is_translated(message) and message.context != _NAME for message in read(language))


def choose(*wanted: str | None) -> str:
    """The first that there is, else Vietnamese."""
    return next((code for code in wanted if code in LANGUAGES), FIRST)
