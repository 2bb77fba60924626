"""`python -m tests.perf.notices`: a day of notices with failing providers, an outage and a kill, counted by receivers.

Exits 1 where a household was told twice, or neither told nor put on the call list.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence

from infra.local.errors import LocalStackError
from tests.perf.figures import RESULTS
from tests.perf.notices.day import Found, Plan, Run
from tests.perf.subject import servers


def figures(found: Found) -> list[dict[str, object]]:
    """What was found, one figure each; `must_be` where it is a law."""
    counted, metric = found.count, found.metric
    waits = sorted(counted.waits_s)
    return [
        {"name": "households", "value": counted.households},
        {"name": "changes", "value": counted.changes},
        *({"name": f"told by {channel}", "value": counted.told[channel]} for channel in ("zalo", "sms", "email")),
        {"name": "overtaken by a newer change", "value": counted.overtaken},
        {"name": "on the call list", "value": counted.on_call_list.total()},
        {"name": "of these perhaps told", "value": counted.on_call_list["unknown"]},
        {"name": "of these told indeed", "value": counted.may_know},
        {"name": "refused by providers", "value": found.refused},
        {"name": "lost answers", "value": found.lost},
        {"name": "under way at the kill", "value": found.cut_off},
        *({"name": name.replace("_", " "), "value": value, "must_be": 0} for name, value in counted.broken.items()),
        {"name": "basket to told p50", "value": round(_quantile(waits, 0.5), 2), "unit": "s", "by": "receivers"},
        {"name": "basket to told p99", "value": round(_quantile(waits, 0.99), 2), "unit": "s", "by": "receivers"},
        {"name": "basket to receipt p50", "value": round(metric.quantile(0.5), 2), "unit": "s", "by": "metrics"},
        {"name": "basket to receipt p99", "value": round(metric.quantile(0.99), 2), "unit": "s", "by": "metrics"},
        {"name": "whole day", "value": round(found.seconds, 1), "unit": "s"},
    ]


def table(lines: Sequence[dict[str, object]]) -> str:
    """The same for people."""
    rows = []
    for line in lines:
        law = "" if "must_be" not in line else "  holds" if line["value"] == line["must_be"] else "  BROKEN"
        said = " ".join(str(line[key]) for key in ("unit",) if key in line)
        by = f"  ({line['by']})" if "by" in line else ""
        rows.append(f"{line['name']!s:<30}{line['value']!s:>8} {said}{by}{law}".rstrip())
    return "\n".join(rows)


def _quantile(values: Sequence[float], part: float) -> float:
    return values[min(int(part * len(values)), len(values) - 1)] if values else 0.0


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.perf.notices", description=__doc__)
    parser.add_argument("--cooperatives", type=int, default=50)
    parser.add_argument("--households", type=int, default=20, help="of each cooperative")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    began_s = time.monotonic()

    def say(line: str) -> None:
        print(f"[{time.monotonic() - began_s:5.1f} s] {line}", file=sys.stderr, flush=True)

    plan = Plan(options.cooperatives, options.households, options.seed)
    try:
        with servers(RESULTS / "notices", settings={}) as found_servers:
            found = asyncio.run(Run(found_servers.stack, plan, say).run())
    except (LocalStackError, TimeoutError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    lines = figures(found)
    for line in lines:
        print(json.dumps(line), flush=True)
    print(f"\n{table(lines)}")
    return 0 if found.count.holds else 1


if __name__ == "__main__":
    sys.exit(main())
