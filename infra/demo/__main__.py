"""`make demo`: a private stack, one market day, a report, and an exit code that says whether the invariants held."""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from infra.demo import invariants, report
from infra.demo.client import Client
from infra.demo.day import Day, connect_all
from infra.demo.peers import Received, WebhookReceiver
from infra.demo.seed import first_operator_key, seed
from infra.local.errors import LocalStackError
from infra.local.processes import ServiceProcesses
from infra.local.stack import Stack
from services.contracts.flow import SERVICES

_ROOT = Path(__file__).resolve().parents[2] / ".local" / "demo"


async def run_day(stack: Stack, say: Any, random_seed: int = 1) -> dict[str, Any]:
    """Seeds a fresh running stack, runs the day and returns its report."""
    received = Received(stack.mail_directory, stack.providers.url if stack.providers else None)
    databases = await connect_all({name: stack.postgres.dsn(name) for name in SERVICES})
    try:
        async with httpx.AsyncClient(timeout=30, trust_env=False) as http, WebhookReceiver(received) as receiver:
            client = Client(stack, http)
            say("seeding two cooperatives: Vân Hồ (8 households) and Chiềng Mai (18 households)")
            seeded = await seed(client, await asyncio.to_thread(first_operator_key, stack))
            day = Day(client, seeded, databases, receiver, say, random_seed)
            result = await day.run()
            found = await invariants.check_all(databases, result.refs, received, result.set_aside)
            return await report.build(databases, result, found, received)
    finally:
        for database in databases.values():
            await database.close()


def broken(result: dict[str, Any]) -> list[str]:
    """Why the day was not a good one; an empty list means that it was."""
    reasons = [
        f"invariant broken: {name}: {'; '.join(it['faults'])}"
        for name, it in result["invariants"].items()
        if not it["holds"]
    ]
    reasons += [f"wrong answer: {wrong}" for wrong in result["wrong_answers"]]
    return reasons


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the demo; exits 0 when everything held, 1 with the reasons otherwise."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="another seed, other orders")
    options = parser.parse_args(arguments)
    began_s = time.monotonic()

    def say(line: str) -> None:
        print(f"[{time.monotonic() - began_s:5.1f} s] {line}", flush=True)

    try:
        say("starting private PostgreSQL, RabbitMQ, a mail server and providers of Zalo, SMS and Telegram")
        with Stack(_ROOT, fresh=True, with_providers=True) as stack:
            say("migrating and starting the four services")
            with ServiceProcesses(stack):
                result = asyncio.run(run_day(stack, say, options.seed))
            say("stopping everything")
    except (LocalStackError, TimeoutError) as error:
        print(f"the day did not come to its end: {error}", file=sys.stderr)
        return 1
    path = _ROOT / "report.json"
    path.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", "utf-8")
    print(report.text(result))
    reasons = broken(result)
    print(f"\nreport: {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")
    for reason in reasons:
        print(reason, file=sys.stderr)
    return 1 if reasons else 0


if __name__ == "__main__":
    sys.exit(main())
