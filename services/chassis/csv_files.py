"""Tables as CSV files: RFC 4180, UTF-8 with a byte order mark, so that spreadsheets read Vietnamese.

A text that a spreadsheet would take for a formula is marked as text by an apostrophe, since most of what stands in our
tables was written by somebody else.
"""

import csv
import io
from collections.abc import AsyncIterator, Iterable, Sequence

from starlette.responses import StreamingResponse

CSV_TYPE = "text/csv; charset=utf-8"
BOM = b"\xef\xbb\xbf"
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

Cell = str | int | None
Row = Sequence[Cell]


def plain(value: Cell) -> Cell:
    """The cell as it may be written."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def lines(rows: Iterable[Row]) -> bytes:
    """Rows as lines of a file."""
    file = io.StringIO(newline="")
    csv.writer(file).writerows([plain(value) for value in row] for row in rows)
    return file.getvalue().encode()


def whole(columns: Sequence[str], rows: Iterable[Row]) -> bytes:
    """A small file at once: a row of names, then the rows."""
    return BOM + lines([columns, *rows])


async def download(name: str, columns: Sequence[str], pages: AsyncIterator[Sequence[Row]]) -> StreamingResponse:
    """A file of any length, a page of rows after the other: nobody has to hold all of it.

    The first page is read before the answer begins, so that what is wrong can still be refused. Where a later one fails
    the connection ends without the end of the answer, and the client knows that something is missing.
    """
    first = await anext(pages, None) or ()

    async def parts() -> AsyncIterator[bytes]:
        yield whole(columns, first)
        async for rows in pages:
            yield lines(rows)

    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return StreamingResponse(parts(), media_type=CSV_TYPE, headers=headers)
