"""Tables as CSV files."""

import csv
import io
from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.responses import StreamingResponse

from services.chassis.csv_files import Row, download, plain, whole

texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)
cells = st.one_of(st.none(), st.integers(), texts, st.sampled_from(["=1+1", "-2", "+84912345678", "@x", "\t=1", "＝1"]))


async def content(response: StreamingResponse) -> bytes:
    return b"".join([part async for part in response.body_iterator if isinstance(part, bytes)])


@given(st.lists(st.lists(cells, min_size=2, max_size=2), max_size=5))
@settings(max_examples=300)
def test_no_cell_begins_a_formula_and_every_other_text_comes_back(rows: list[list[str | int | None]]) -> None:
    file = whole(("a", "b"), rows)
    assert file.startswith(b"\xef\xbb\xbf")
    read = list(csv.reader(io.StringIO(file.decode("utf-8-sig"), newline="")))
    assert read[0] == ["a", "b"]
    for row, written in zip(rows, read[1:], strict=True):
        for cell, text in zip(row, written, strict=True):
            if isinstance(cell, str):
                assert not text.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"))
                assert text in (cell, f"'{cell}")
            else:
                assert text == ("" if cell is None else str(cell))


def test_numbers_below_zero_stay_numbers() -> None:
    assert (plain(-5), plain("-5"), plain("5")) == (-5, "'-5", "5")


async def test_a_file_is_sent_page_by_page() -> None:
    read = []

    async def pages() -> AsyncIterator[Sequence[Row]]:
        for number in range(3):
            read.append(number)
            yield [(number, "Cải mèo"), (number, None)]

    answer = await download("x", ("số", "tên"), pages())
    assert read == [0]
    assert answer.headers["content-disposition"] == 'attachment; filename="x.csv"'
    assert (await content(answer)).decode("utf-8-sig").splitlines() == [
        "số,tên", "0,Cải mèo", "0,", "1,Cải mèo", "1,", "2,Cải mèo", "2,",
    ]  # fmt: skip


async def test_a_file_without_rows_has_its_names() -> None:
    async def nothing() -> AsyncIterator[Sequence[Row]]:
        for _ in ():
            yield []

    assert await content(await download("x", ("a", "b"), nothing())) == b"\xef\xbb\xbfa,b\r\n"


async def test_what_is_wrong_with_the_first_page_can_still_be_refused() -> None:
    async def away() -> AsyncIterator[Sequence[Row]]:
        raise ConnectionError
        yield []

    with pytest.raises(ConnectionError):
        await download("x", ("a",), away())
