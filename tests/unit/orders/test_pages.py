"""Reading a list page by page."""

from collections.abc import Sequence
from uuid import UUID

import pytest

from services.orders.http.context import ROWS_PER_PAGE, pages


@pytest.mark.parametrize("count", [0, 1, ROWS_PER_PAGE - 1, ROWS_PER_PAGE, ROWS_PER_PAGE + 1, 3 * ROWS_PER_PAGE])
async def test_every_row_is_read_once(count: int) -> None:
    rows = [UUID(int=number) for number in range(count, 0, -1)]

    async def read(before: UUID | None) -> Sequence[UUID]:
        return [row for row in rows if before is None or row < before][:ROWS_PER_PAGE]

    assert [row async for page in pages(read, lambda row: row) for row in page] == rows
