"""Only a kill at the armed step is a death that a scenario wanted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.chaos.deaths import Deaths


@dataclass
class _Ended:
    log_path: Path
    exit_code: int | None
    extra_environment: Mapping[str, str] = field(default_factory=dict)
    name: str = "orders-2"
    service: str = "orders"


_ARMED = {"ORDERS_FAULT_POINT": "mid_answer=POST*3"}


@pytest.mark.parametrize(
    ("code", "environment", "said", "explained"),
    [
        (-9, _ARMED, '{"fault_point": "mid_answer"}', True),
        (-9, _ARMED, "", False),
        (-9, _ARMED, '{"fault_point": "before_ack"}', False),
        (1, _ARMED, '{"fault_point": "mid_answer"}', False),
        (1, _ARMED, "no module named uvloop", False),
        (-9, {}, '{"fault_point": "mid_answer"}', False),
    ],
    ids=["at the point", "killed elsewhere", "another point", "no kill", "crash at the start", "not armed"],
)
def test_what_explains_a_death(
    tmp_path: Path, code: int, environment: Mapping[str, str], said: str, explained: bool
) -> None:
    process, deaths = _Ended(tmp_path / "log", code, environment), Deaths()
    deaths.starts(process)
    process.log_path.write_text(said + "\n")
    assert deaths.note(process) == (code == -9)
    assert (deaths.at_points.total(), deaths.unexplained.total()) == (explained, not explained)


def test_what_an_earlier_start_said_explains_nothing(tmp_path: Path) -> None:
    process, deaths = _Ended(tmp_path / "log", -9, _ARMED), Deaths()
    process.log_path.write_text('{"fault_point": "mid_answer"}\n')
    deaths.starts(process)
    deaths.note(process)
    assert deaths.unexplained == {"orders-2": 1}
