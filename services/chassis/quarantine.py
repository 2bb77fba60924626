"""`quarantine list|show|retry|skip`: what an operator does about an event that failed too often.

Its stream waits behind it until the event is retried (after the cause is mended) or skipped. Each act is
recorded with who did it and why, together with the event itself.
"""

import argparse
import getpass
import json
from uuid import UUID

import asyncpg

from services.chassis import parking


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words after `quarantine`."""
    acts = parser.add_subparsers(dest="act", required=True)
    acts.add_parser("list", help="every quarantined event, oldest first")
    for name, text in (
        ("show", "one event with its error"),
        ("retry", "try the event again now"),
        ("skip", "pass over the event for good; its effect is lost here"),
    ):
        one = acts.add_parser(name, help=text)
        one.add_argument("producer")
        one.add_argument("stream", type=UUID)
        one.add_argument("sequence", type=int)
        if name != "show":
            one.add_argument("--reason", required=True, help="why; kept in quarantine_act")
            one.add_argument("--actor", help="who; the login name unless given")


async def run(url: str, options: argparse.Namespace) -> int:
    """Does one act and prints what it did; 1 where there is no such event."""
    conn = await asyncpg.connect(url, timeout=10)
    try:
        if options.act == "list":
            for found in await parking.list_quarantined(conn):
                print(
                    f"{found.producer} {found.stream} {found.sequence} attempts={found.attempts} "
                    f"since={found.parked_at.isoformat(timespec='seconds')} {found.error}"
                )
            return 0
        place = (options.producer, options.stream, options.sequence)
        chosen = [f for f in await parking.list_quarantined(conn) if (f.producer, f.stream, f.sequence) == place]
        if not chosen:
            print(
                f"nothing in quarantine is {options.producer} {options.stream} {options.sequence}; see: quarantine list"
            )
            return 1
        if options.act == "show":
            print(json.dumps(json.loads(chosen[0].event), ensure_ascii=False, indent=2))
            print(f"attempts: {chosen[0].attempts}\nerror: {chosen[0].error}")
            return 0
        actor = options.actor or _login_name()
        if actor is None:
            print("who are you? add --actor")
            return 2
        async with conn.transaction():
            done = await parking.resolve(conn, *place, options.act, options.reason, actor)
        print(
            f"{options.act}: {options.producer} {options.stream} {options.sequence}"
            if done
            else "someone else was faster"
        )
        return 0 if done else 1
    finally:
        await conn.close()


def _login_name() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return None
