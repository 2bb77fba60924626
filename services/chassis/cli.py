"""The command line of every service: `serve`, `migrate`, `quarantine`, `rebuild`, `settle`, and what it adds."""

import argparse
import asyncio
import sys
from collections.abc import Sequence

import asyncpg
import uvloop

from services.chassis import faultpoints, incarnation, logs, migrate, quarantine, rebuild
from services.chassis.faults import is_weather
from services.chassis.lanes import parse_lanes
from services.chassis.runtime import S, Service
from services.chassis.serve import Process
from services.chassis.settings import WrongSettings, load
from services.contracts.flow import read_by


def main(service: Service[S], arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code: 0 done, 1 refused or failed, 2 wrong words or settings."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words and words[0] in service.tools:
        return service.tools[words[0]](words[1:])
    try:
        if words and words[0] in service.cli:
            return _run_own(service, words)
        return _run(service, words)
    except WrongSettings as error:
        print(error, file=sys.stderr)
        return 2
    except migrate.WrongMigrations as error:
        print(error, file=sys.stderr)
        return 1


def _run_own(service: Service[S], words: list[str]) -> int:
    """A command that the service adds; what it finds missing in the database is told in one line."""
    try:
        return service.cli[words[0]](load(service.settings), words[1:])
    except asyncpg.UndefinedTableError:
        print("the database has no tables yet: run migrate first", file=sys.stderr)
    except Exception as error:
        if not is_weather(error):
            raise
        print(f"the database is away ({type(error).__name__})", file=sys.stderr)
    return 1


def _run(service: Service[S], words: list[str]) -> int:
    options = _parser(service).parse_args(words)
    settings = load(service.settings)
    logs.set_up(service.name, settings.log_level)
    url = settings.database_url.get_secret_value()
    if options.command == "migrate":
        done = asyncio.run(migrate.migrate(url, service.migrations()))
        print(f"{service.name}: {len(done)} migrations applied")
        return 0
    if options.command == "quarantine":
        return asyncio.run(quarantine.run(url, options))
    if options.command == "rebuild":
        return asyncio.run(rebuild.run(service, settings, options.check, options.without_lost))
    if options.command == "settle":
        count = asyncio.run(incarnation.settle_without(url, options.without, settings.shared_lanes))
        print(f"{service.name}: {f'goes on without {options.without} for {count} lanes' if count else 'is settled'}")
        return 0
    faultpoints.arm(settings.fault_point)
    lanes = options.lanes or tuple(range(settings.shared_lanes))
    uvloop.run(Process(service, settings, options.role, lanes).run_until_signal())
    return 0


def _parser(service: Service[S]) -> argparse.ArgumentParser:
    own = [*service.cli, *service.tools]
    parser = argparse.ArgumentParser(
        prog=f"python -m services.{service.name}",
        description=service.title,
        epilog=f"Also: {', '.join(own)} (--help after each)" if own else None,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="run until SIGTERM")
    serve.add_argument("--role", choices=("all", "http", "worker"), default="all")
    serve.add_argument("--lanes", type=_lanes, help="lanes that this process works for, such as 0-7 or 0-3,9")
    commands.add_parser("migrate", help="bring the database up to date")
    quarantine.add_arguments(
        commands.add_parser("quarantine", help="look at and decide on events that failed too often")
    )
    rebuild.add_arguments(commands.add_parser("rebuild", help="make the tables anew that events alone make"))
    settle = commands.add_parser("settle", help="after a restore: go on although a reader cannot be asked")
    settle.add_argument("--without", required=True, choices=read_by(service.name), metavar="READER")
    return parser


def _lanes(text: str) -> tuple[int, ...]:
    try:
        return parse_lanes(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
