"""Programs that only some tests need: found, or installed as root, and of use for what they are wanted for."""

import json
import os
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest

from infra.local import binaries
from infra.local.errors import LocalStackError

# What a service does with time: dates from the clock, waiting from the event loop.
_TELL_THE_TIME = """
import asyncio, datetime, json, time, uvloop

async def main():
    started = time.monotonic()
    await asyncio.sleep(0.2)
    try:
        async with asyncio.timeout(0.2):
            await asyncio.Event().wait()
    except TimeoutError:
        waited_s = time.monotonic() - started
    now = datetime.datetime.now(datetime.UTC).isoformat()
    print(json.dumps({"now": now, "waited_s": waited_s, "monotonic_s": time.monotonic()}))

uvloop.run(main())
"""


@pytest.mark.parametrize("minutes", [10, -10])
def test_a_wrong_clock_moves_dates_and_neither_timers_nor_the_monotonic_clock(minutes: int) -> None:
    told = subprocess.run(
        [sys.executable, "-c", _TELL_THE_TIME],
        env={**os.environ, **binaries.clock_moved_by(timedelta(minutes=minutes))},
        stdout=subprocess.PIPE,
        check=True,
        timeout=30,
    )
    said = json.loads(told.stdout)
    off = datetime.fromisoformat(said["now"]) - datetime.now(UTC)
    assert abs(off - timedelta(minutes=minutes)) < timedelta(seconds=30)
    assert 0.39 <= said["waited_s"] < 30
    assert abs(time.monotonic() - said["monotonic_s"]) < 30


def test_promtool_and_the_backup_programs_run() -> None:
    postgres, _ = binaries.find_or_install()
    for program in (binaries.promtool(), postgres.pg_dump, postgres.pg_restore, postgres.pg_basebackup):
        assert subprocess.run([program, "--version"], stdout=subprocess.DEVNULL, check=False).returncode == 0


@pytest.mark.parametrize(
    ("wanted", "package"), [("promtool", "prometheus"), ("faketime", "libfaketime")], ids=["promtool", "faketime"]
)
def test_a_normal_user_is_told_the_line_to_type(wanted: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(binaries, "_FAKETIME_PLACES", "nowhere/*")
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/apt-get" if name == "apt-get" else None)
    with pytest.raises(LocalStackError, match=f"^missing: {package}; install with:  sudo apt-get install {package}$"):
        getattr(binaries, wanted)()
