"""A fault point kills where it is armed, and says so last."""

import json
import subprocess
import sys

import pytest

from services.chassis import faultpoints

_PROGRAM = """
from services.chassis import faultpoints, logs
logs.set_up("orders", "info")
faultpoints.arm({text!r})
for _ in range(3):
    print("there", flush=True)
    faultpoints.reach("mid_answer", "GET")
    faultpoints.reach("mid_answer", "POST")
"""


def _run(text: str) -> subprocess.CompletedProcess[str]:
    program = _PROGRAM.format(text=text)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("text", "times"), [("mid_answer", 1), ("mid_answer=POST*2", 2), ("mid_answer*5", 3)])
def test_the_process_kills_itself_and_its_log_names_the_step(text: str, times: int) -> None:
    ended = _run(text)
    assert ended.returncode == -9
    assert ended.stdout.count("there") == times
    assert json.loads(ended.stderr.splitlines()[-1])["fault_point"] == "mid_answer"


@pytest.mark.parametrize("text", ["before_commit", "mid_answer=PUT", "mid_answer*7"])
def test_what_is_not_reached_kills_nobody(text: str) -> None:
    ended = _run(text)
    assert ended.returncode == 0
    assert "fault_point" not in ended.stderr


@pytest.mark.parametrize("text", ["somewhere", "mid_answer*0"])
def test_only_named_steps_are_fault_points(text: str) -> None:
    with pytest.raises(ValueError, match="a fault point looks like"):
        faultpoints.arm(text)
