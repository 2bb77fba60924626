"""`make bench`: what our services reach, against what a competent team would write first.

Everything of one figure is interleaved in one run, since a machine is another one an hour later. Prints a JSON line
per figure as it comes and a table at the end; keeps the lines in .local/bench. A benchmark that fails says why, and
the others go on.
"""

import argparse
import sys
import traceback
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import uvloop

from tests.perf import against, amqp_single, chain, door, floor, growth, isolation, lanes, latency
from tests.perf.figures import Figure, Report
from tests.perf.memory import Peaks
from tests.perf.subject import Servers, servers

Benchmark = Callable[[Servers, int], AsyncIterator[Figure]]

BENCHMARKS: dict[str, Benchmark] = {
    "chain": chain.run,
    "floor": floor.run,
    "http_single": door.run_single,
    "http_batch": door.run_batch,
    "amqp_single": amqp_single.run,
    "latency": latency.run,
    "isolation": isolation.run,
    "growth": growth.run,
    "lanes": lanes.run,
}


async def run(benchmarks: Mapping[str, Benchmark], rounds: int) -> int:
    """Returns the exit code: 1 where a goal is missed or a benchmark failed."""
    report, peaks, failed = Report(rounds), Peaks(), []
    for name, benchmark in benchmarks.items():
        try:
            with servers(name=name, peaks=peaks) as found:
                async for figure in benchmark(found, rounds):
                    report.add(figure)
        except Exception:  # noqa: BLE001 - whatever it is, the others are measured
            failed.append(name)
            print(f"{name} failed:\n{traceback.format_exc()}", file=sys.stderr, flush=True)
    if "growth" in benchmarks:
        for figure in peaks.figures():
            report.add(figure)
    print(report.table())
    if failed:
        print(f"failed: {', '.join(failed)}")
    return 1 if failed or not all(figure.met for figure in report.figures) else 0


def _rounds(text: str) -> int:
    rounds = int(text)
    if rounds < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return rounds


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=BENCHMARKS, help="repeatable; default: all")
    parser.add_argument("--rounds", type=_rounds, default=3, help="of each figure")
    parser.add_argument(
        "--against", type=Path, metavar="PATH", help="only the chain, next to that of another checkout of the services"
    )
    options = parser.parse_args(arguments)
    benchmarks = {name: BENCHMARKS[name] for name in options.only or BENCHMARKS}
    if options.against:
        if not (options.against / "services").is_dir():
            parser.error(f"{options.against} is no checkout")
        benchmarks = {"chain": partial(against.run, other=options.against.resolve())}
    return uvloop.run(run(benchmarks, options.rounds))


if __name__ == "__main__":
    sys.exit(main())
