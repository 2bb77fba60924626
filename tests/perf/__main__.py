"""`make bench`: what our services reach, against what a competent team would write first.

Everything of one figure is interleaved in one run, since a machine is another one an hour later. Prints a JSON line
per figure as it comes and a table at the end; keeps the lines in .local/bench.
"""

import argparse
import sys
from collections.abc import Awaitable, Callable, Sequence

import uvloop

from infra.local.errors import LocalStackError
from tests.perf import amqp_single, chain, door, floor, growth, isolation, lanes, latency
from tests.perf.figures import Figure, Report
from tests.perf.subject import Servers, servers

Benchmark = Callable[[Servers, int], Awaitable[Sequence[Figure]]]

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


async def _run(names: Sequence[str], rounds: int) -> int:
    report = Report()
    for name in names:
        with servers() as found:
            report.add(await BENCHMARKS[name](found, rounds))
    print(report.table())
    return 0 if all(figure.met for figure in report.figures) else 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Exits 1 where a goal is missed."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=BENCHMARKS, help="repeatable; default: all")
    parser.add_argument("--rounds", type=int, default=3, help="of each figure")
    options = parser.parse_args(arguments)
    try:
        return uvloop.run(_run(options.only or [*BENCHMARKS], options.rounds))
    except LocalStackError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
