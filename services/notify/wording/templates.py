"""The templates, with one environment for each language, so that a template need not say which one it speaks."""

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from services.notify.wording.catalogues import spoken

NOTIFY = Path(__file__).parent.parent

FOLDERS = (NOTIFY / "wording" / "templates", NOTIFY / "wording" / "drawings", NOTIFY / "pages")


@cache
def environment(language: str) -> Environment:
    """Templates in which `gettext` and its sisters speak this language, and escape what HTML and SVG must not take."""
    made = Environment(
        loader=FileSystemLoader(FOLDERS),
        autoescape=select_autoescape(("html", "svg")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        extensions=["jinja2.ext.i18n"],
    )
    made.install_gettext_translations(spoken(language), newstyle=True)  # type: ignore[attr-defined]
    return made
