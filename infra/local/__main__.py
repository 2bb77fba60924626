"""`up` leaves a seeded stack running below .local/up and says where; `down` stops that, and only that.

`backup` and `restore` are for its databases, while it runs.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from infra.local import backup
from infra.local.errors import LocalStackError
from infra.local.processes import ServiceProcesses, accounts_process
from infra.local.stack import Stack
from infra.rabbitmq.definitions import ADMIN, PARTNERS_VHOST, SERVICES

_CHECKOUT = Path(__file__).resolve().parents[2]
_ROOT = _CHECKOUT / ".local" / "up"
_BACKUPS = _CHECKOUT / ".local" / "backups"
_SETTLE_S = 300
"""The longest that services may need to ask their readers after a restore."""
_HTTP_PORTS = {"catalog": 8001, "orders": 8002, "allocation": 8003, "notify": 8004}


def up() -> None:
    """Start what does not run yet, seed it, print addresses and credentials."""
    stack = Stack.attach(_ROOT)
    if stack and all(process.pid for process in (*ServiceProcesses(stack), accounts_process(stack))):
        _print_addresses(stack)
        return
    if stack:  # half of it runs: a service ended
        stack.stop()
    stack = Stack(_ROOT, detached=True, preferred_http_ports=_HTTP_PORTS, with_providers=True)
    _say("starting PostgreSQL and RabbitMQ")
    stack.start()
    from infra.demo.seed import seed_path, seed_running_stack  # the demo imports this package

    try:
        services = ServiceProcesses(stack)
        _say("migrating the databases")
        services.migrate()
        _say("starting the services")
        services.start()
        accounts_process(stack).start()
        _say("seeding the cooperatives")
        seed_running_stack(stack)
    except BaseException:
        stack.stop(remove=not seed_path(stack).exists())  # half a seed is worth nothing
        raise
    _print_addresses(stack)


def down(*, wipe: bool) -> None:
    """Stop the stack; its data stays unless `wipe`."""
    stack = Stack.attach(_ROOT)
    if stack:
        stack.stop(remove=wipe)
        _say("stopped and deleted" if wipe else "stopped; the data is kept for the next `make up`")
    elif wipe and _ROOT.exists():
        Stack(_ROOT).delete()
        _say("deleted")
    else:
        _say("nothing of `make up` is running")


def back_up() -> None:
    """Dump every database of the running stack into a new directory."""
    directory = backup.new_directory(_BACKUPS)
    for path in backup.back_up(_running(), directory, SERVICES):
        _say(f"{path.name:<16} {path.stat().st_size:>10} bytes")
    print(directory)


def restore(services: Sequence[str], directory: Path | None) -> None:
    """Bring databases back from a backup, the newest unless another is named, and wait for the services that ran."""
    stack, source = _running(), directory or backup.newest_directory(_BACKUPS)
    _say(f"restoring {', '.join(services)} from {source}")
    backup.restore(stack, source, services)
    _say("asking the readers how far they know what was published")
    for process in ServiceProcesses(stack, services):
        if process.pid:
            process.wait_until_ready(_SETTLE_S)
        else:
            _say(f"{process.name} does not run, and asks its readers when it is started")
    _say("ready; what is lost for good stands in lost_events, see infra/runbook.md")


def _running() -> Stack:
    stack = Stack.attach(_ROOT)
    if stack is None:
        raise LocalStackError("nothing runs; start it with `make up`")
    return stack


def _print_addresses(stack: Stack) -> None:
    for service in SERVICES:
        print(f"{service:<11} {stack.base_url(service)}   documents: /docs /asyncapi   metrics: /metrics")
    print(f"RabbitMQ    {stack.rabbit.management.url}   user {ADMIN}, password {stack.credentials.rabbit_admin}")
    print(f"            127.0.0.1:{stack.rabbit.ports.amqp} for AMQP, partners in the virtual host {PARTNERS_VHOST}")
    print(f"PostgreSQL  {stack.postgres.admin_dsn()}")
    for service in SERVICES:
        print(f"            {stack.postgres.dsn(service)}")
    print(f"keys        {stack.root / 'seed.json'}   of operators, staff and partners")
    print(f"mail        {stack.mail_directory}   a Maildir with all that is sent")
    if stack.providers:
        print(f"messages    {stack.providers.url}/   what every household has on its screen, and how it answers")
    print(f"logs        {stack.log_directory}")
    print("stop with   make down")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. An error that the user can understand is one line, not a traceback."""
    parser = argparse.ArgumentParser(prog="python -m infra.local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="start, seed and leave running")
    commands.add_parser("down", help="stop").add_argument("--wipe", action="store_true", help="also delete the data")
    commands.add_parser("backup", help="dump all databases, services running")
    restoring = commands.add_parser("restore", help="bring databases back from a backup")
    restoring.add_argument("services", nargs="*", choices=[*SERVICES, []], help="all if none is named")
    restoring.add_argument(
        "--from", dest="directory", type=Path, help="a directory of `backup`; the newest if not given"
    )
    options = parser.parse_args(arguments)
    try:
        if options.command == "up":
            up()
        elif options.command == "backup":
            back_up()
        elif options.command == "restore":
            restore(options.services or SERVICES, options.directory)
        else:
            down(wipe=options.wipe)
    except LocalStackError as error:
        _say(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
