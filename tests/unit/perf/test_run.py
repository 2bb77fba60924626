"""A benchmark that fails takes nothing away from the others."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.perf import __main__ as bench
from tests.perf import figures
from tests.perf.figures import Figure


@contextmanager
def no_servers(**_: Any) -> Iterator[None]:
    yield None


async def works(*_: Any) -> AsyncIterator[Figure]:
    yield Figure("works", "orders/s", 20, 10, 2.0, ">= 2")


async def fails(*_: Any) -> AsyncIterator[Figure]:
    yield Figure("begins", "orders/s", 20, 10, 2.0, ">= 2")
    raise AssertionError("orders were lost")


async def test_the_others_are_measured_and_the_run_has_failed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(bench, "servers", no_servers)
    monkeypatch.setattr(figures, "RESULTS", tmp_path)
    assert await bench.run({"fails": fails, "works": works}, rounds=1) == 1
    said = capsys.readouterr()
    assert "orders were lost" in said.err
    assert [line.split()[0] for line in said.out.splitlines()[-4:]] == ["figure", "begins", "works", "failed:"]
    assert await bench.run({"works": works}, rounds=1) == 0
