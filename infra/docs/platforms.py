"""The table "Platforms" of README, from what the adapters of `orders` declare of themselves."""

from collections.abc import Iterable

from services.orders.adapters.base import Declaration

BEGIN = "<!-- platforms: written by `make docs` -->"
END = "<!-- /platforms -->"
_COLUMNS = {
    "Platform": "title",
    "Format": "format",
    "Signature": "signature",
    "Dedupe key": "dedupe_key",
    "Answer within": "answer_within",
    "Tested against": "tested_against",
}


class WithoutMarkers(Exception):
    """The text does not say where the table belongs."""


def table(declarations: Iterable[Declaration]) -> str:
    """A row for each, in Markdown. The name under which a partner is registered stands with the platform's."""
    rows = [_row(_COLUMNS), _row("---" for _ in _COLUMNS)]
    for one in declarations:
        first, *others = (getattr(one, field) for field in _COLUMNS.values())
        rows.append(_row([f"{first} (`{one.name}`)", *others]))
    return "\n".join(rows)


def with_table(text: str, declarations: Iterable[Declaration]) -> str:
    """The text with the table between its markers. Raises WithoutMarkers."""
    before, begun, rest = text.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not begun or not ended:
        raise WithoutMarkers(f"put {BEGIN} and {END} where the table of platforms belongs")
    return f"{before}{BEGIN}\n{table(declarations)}\n{END}{after}"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"
