"""`make chaos`: every scenario on a private stack of its own, some side by side, one line each as it ends.

Each one is a process of its own, so that nothing of it can reach the next, and whatever it started dies with it.
"""

import argparse
import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from infra.local.errors import LocalStackError
from infra.local.stack import delete_abandoned
from tests.chaos import template
from tests.chaos.run import LOCAL, Result, forget_failures, play
from tests.chaos.scenario import find_all

_RESULTS = LOCAL / "results.jsonl"
"""Of all runs, each line with its seed."""


def _run_apart(name: str, seed: int, patience: float, small: bool) -> Result:
    """The scenario in a process of its own."""
    command = [sys.executable, "-m", "tests.chaos", "--alone", name, "--seed", str(seed), "--patience", str(patience)]
    command += ["--small"] if small else []
    limit_s = find_all()[name].limit_s * patience
    try:
        done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=limit_s + 120)
        found = json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        return Result(name, seed, faults=["it did not end by itself"])
    except (IndexError, ValueError):
        return Result(name, seed, faults=[f"its process ended with {done.returncode}:\n{done.stderr[-3000:]}"])
    found.pop("verdict")
    return Result(**found)


def _plan(names: Sequence[str], seed: int, until: float) -> Iterator[tuple[str, int]]:
    """The listed scenarios with the seed, then random ones with new seeds until the time is over."""
    yield from ((name, seed) for name in names)
    rng = random.Random(seed)
    while names and time.monotonic() < until:
        yield rng.choice(names), rng.randrange(1, 1_000_000)


class _Places:
    """How many scenarios may still begin beside those that run."""

    def __init__(self, count: int) -> None:
        self._count = self._free = count
        self._changed = threading.Condition()

    def needed(self, name: str) -> int:
        """All of them for one that has the machine to itself."""
        return self._count if find_all()[name].alone else 1

    def take(self, needed: int) -> None:
        """Waits until so many are free. One caller at a time, or one that needs all might never get them."""
        with self._changed:
            self._changed.wait_for(lambda: self._free >= needed)
            self._free -= needed

    def give_back(self, needed: int) -> None:
        """The scenario has ended."""
        with self._changed:
            self._free += needed
            self._changed.notify_all()


def _run_all(names: Sequence[str], seed: int, minutes: float, jobs: int, patience: float, small: bool) -> Counter[str]:
    plan = _plan(names, seed, time.monotonic() + 60 * minutes)
    verdicts, next_one, said, places = Counter[str](), threading.Lock(), threading.Lock(), _Places(jobs)

    def work() -> None:
        while True:
            with next_one:
                following = next(plan, None)
                if following is None:
                    return
                needed = places.needed(following[0])
                places.take(needed)
            try:
                result = _run_apart(*following, patience, small)
            finally:
                places.give_back(needed)
            with said:
                verdicts[result.verdict] += 1
                print(result.lines(), flush=True)
                with _RESULTS.open("a") as file:
                    file.write(result.as_json() + "\n")

    with ThreadPoolExecutor(max_workers=jobs) as pool:
        for worker in [pool.submit(work) for _ in range(jobs)]:
            worker.result()
    return verdicts


def _is_abandoned(root: Path) -> bool:
    """The directory of a scenario whose process, named at its end, is gone."""
    pid = root.name.rpartition("-")[2]
    return root.is_dir() and not root.name.startswith("template-") and not Path("/proc", pid).exists()


def main(arguments: Sequence[str] | None = None) -> int:
    """Exits 1 if a scenario failed."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(1, 1_000_000), help="default: a random one")
    parser.add_argument("--only", action="append", default=[], metavar="WORD", help="scenarios named so; repeatable")
    parser.add_argument("--minutes", type=float, default=0, metavar="M", help="go on with random ones until then")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="scenarios side by side; default 2")
    parser.add_argument("--patience", type=float, default=1, metavar="X", help="times all limits, on a busy machine")
    parser.add_argument("--small", action="store_true", help="fewer cooperatives and shorter days, as in make test")
    parser.add_argument("--list", action="store_true", help="print the names and do nothing")
    parser.add_argument("--alone", metavar="NAME", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    scenarios = find_all()
    if options.alone:
        alone = scenarios[options.alone].patient(options.patience)
        print(play(alone.small() if options.small else alone, options.seed).as_json())
        return 0
    names = [name for name in scenarios if not options.only or any(word in name for word in options.only)]
    if options.list:
        print("\n".join(f"{name}{'  (short)' if scenarios[name].short else ''}" for name in names))
        return 0
    if not names:
        print(f"no scenario is named {' or '.join(options.only)}", file=sys.stderr)
        return 2
    LOCAL.mkdir(parents=True, exist_ok=True)
    delete_abandoned(it for it in LOCAL.glob("*-*") if _is_abandoned(it))
    forget_failures()
    try:
        template.prepare(LOCAL)
    except LocalStackError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"seed {options.seed}, {len(names)} scenarios, {options.jobs} side by side", flush=True)
    verdicts = _run_all(names, options.seed, options.minutes, options.jobs, options.patience, options.small)
    skipped = f", {verdicts['skipped']} skipped" if verdicts["skipped"] else ""
    print(f"{verdicts['passed']} passed, {verdicts['FAILED']} failed{skipped}")
    return 1 if verdicts["FAILED"] else 0


if __name__ == "__main__":
    sys.exit(main())
