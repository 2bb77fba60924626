"""`python -m infra.catalogues`: brings the catalogues of notify up to date with what its code and templates say.

New messages come in untranslated (in English as they are), those that nothing says any more go, and what is still to
be done is listed. With `--check` nothing is written, and what is wrong fails.
"""

import argparse
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.pofile import write_po

from services.notify.wording import catalogues

FOLDER = Path(__file__).parent.parent / "services" / "notify"

COMPLETE = ("vi", "en")
"""In these nothing may be missing; the others grow."""

_METHODS = [("**.py", "python"), ("**.txt", "jinja2.ext:babel_extract"), ("**.html", "jinja2.ext:babel_extract")]
_OPTIONS = {"**.txt": {"silent": "false"}, "**.html": {"silent": "false"}}
_KEYWORDS = {**DEFAULT_KEYWORDS, "forms": ((1, "c"), 2, 3)}
_PLACE = re.compile(r"%\((\w+)\)s")


def said() -> Catalog:
    """Every message that code and templates ask for."""
    found = Catalog()
    for file, _, message, comments, context in extract_from_dir(FOLDER, _METHODS, _OPTIONS, _KEYWORDS):
        found.add(message, None, [(f"services/notify/{file}", 1)], auto_comments=comments, context=context)
    return found


def update() -> None:
    """Writes every catalogue anew."""
    for language in catalogues.LANGUAGES:
        catalog = catalogues.read(language)
        created = catalog.creation_date
        catalog.update(said(), no_fuzzy_matching=True)  # takes over the messages themselves, so each gets its own
        catalog.creation_date = created  # so that a file in which nothing changed stays as it is
        catalog.obsolete.clear()
        if language == "en":
            for message in _empty(catalog):
                message.string = message.id
        with catalogues.path(language).open("wb") as file:
            write_po(file, catalog, width=120, sort_by_file=True, include_lineno=False)


def faults(language: str, template: Catalog) -> Iterator[str]:
    """What is wrong with a catalogue, each in one line."""
    catalog = catalogues.read(language)
    asked = {(message.id, message.context) for message in _messages(template)}
    there = {(message.id, message.context) for message in _messages(catalog)}
    yield from (f"{language}: is not asked for: {id_!r}" for id_, _ in sorted(there - asked, key=repr))
    if language in COMPLETE:
        yield from (f"{language}: is not there: {id_!r}" for id_, _ in sorted(asked - there, key=repr))
        yield from (f"{language}: is not translated: {message.id!r}" for message in _empty(catalog))
    for message in _messages(catalog):
        if message.fuzzy:
            yield f"{language}: is fuzzy: {message.id!r}"
        if catalogues.is_translated(message) and _places_differ(message):
            yield f"{language}: has other places than it should: {message.id!r}"


def _messages(catalog: Catalog) -> Iterable[Message]:
    return (message for message in catalog if message.id)


def _empty(catalog: Catalog) -> list[Message]:
    return [message for message in _messages(catalog) if not catalogues.is_translated(message)]


def _places_differ(message: Message) -> bool:
    asked = {place for form in _forms(message.id) for place in _PLACE.findall(form)}
    return any(set(_PLACE.findall(form)) != asked for form in _forms(message.string or ""))


def _forms(text: str | list[str] | tuple[str, ...]) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)


def main() -> int:
    """The command line; 1 where something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m infra.catalogues", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    if not parser.parse_args().check:
        update()
    template = said()
    found = [fault for language in catalogues.LANGUAGES for fault in faults(language, template)]
    print("\n".join(found), file=sys.stderr)
    for language in catalogues.LANGUAGES:
        print(f"{language}: {len(_empty(catalogues.read(language)))} of {len(template)} not translated")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
