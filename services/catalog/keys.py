"""Issuing and revoking access keys, over HTTP and, for the first one, on the command line.

A key and its event are one transaction: where the key opens something, the other services will know it.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from uuid import UUID

from services.catalog.settings import CatalogSettings
from services.catalog.store.cooperatives import get_cooperative
from services.catalog.store.keys import IssuedKey
from services.chassis.access import NewKey, new_key, revoke_key, save_key
from services.chassis.database import open_pool
from services.chassis.lanes import shared_lane
from services.chassis.ledger import Ledger, Transaction
from services.contracts.base import UNION_STREAM
from services.contracts.catalog import AccessKeyIssued, AccessKeyRevoked

ROLES = ("staff", "operator")
MOST_LABEL = 100


def scope_fault(role: str, cooperative: str | None) -> str | None:
    """What is wrong with a key of this role for this cooperative: staff serve one, operators the union."""
    if role == "staff" and cooperative is None:
        return "a staff key needs the slug of its cooperative"
    if role == "operator" and cooperative is not None:
        return "an operator key is for the whole union and takes no cooperative"
    return None


async def issue(tx: Transaction, role: str, scope: UUID | None, label: str) -> NewKey:
    """Makes a key that is valid from this transaction on; `scope` is its cooperative, None for an operator."""
    key = new_key()
    await save_key(tx.conn, key.key_id, key.secret_sha256, role, scope, label)
    event = AccessKeyIssued(key_id=key.key_id, secret_sha256=key.secret_sha256, role=role, scope=scope, label=label)
    tx.append(scope or UNION_STREAM, event)
    return key


async def revoke(tx: Transaction, key: IssuedKey) -> None:
    """The key opens nothing from this transaction on; nothing happens if it was revoked before."""
    if await revoke_key(tx.conn, key.key_id):
        tx.append(key.scope or UNION_STREAM, AccessKeyRevoked(key_id=key.key_id))


def key_command(settings: CatalogSettings, words: Sequence[str]) -> int:
    """`key issue`: prints the token, and nothing else, on standard output. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m services.catalog key")
    commands = parser.add_subparsers(dest="command", required=True)
    issuing = commands.add_parser("issue", help="make an access key and print it once")
    issuing.add_argument("--role", choices=ROLES, required=True)
    issuing.add_argument("--label", required=True, help="whose key it is, to recognise it by")
    issuing.add_argument("--cooperative", metavar="SLUG", help="the cooperative of a staff key")
    options = parser.parse_args(words)
    if fault := scope_fault(options.role, options.cooperative):
        issuing.error(fault)
    if not 1 <= len(options.label) <= MOST_LABEL or not options.label.isprintable():
        issuing.error(f"a label has 1 to {MOST_LABEL} printable characters")
    token = asyncio.run(_issue_alone(settings, options.role, options.label, options.cooperative))
    if token is None:
        print(f"there is no cooperative {options.cooperative}", file=sys.stderr)
        return 1
    print(token)
    return 0


async def _issue_alone(settings: CatalogSettings, role: str, label: str, slug: str | None) -> str | None:
    """The token of a new key; None if there is no such cooperative. The relay of a running service sends the event."""
    pool = await open_pool(settings.database_url, 1, "catalog key")
    async with pool:
        cooperative = await get_cooperative(pool, slug) if slug else None
        if slug and cooperative is None:
            return None
        scope = cooperative.cooperative_id if cooperative else None
        ledger = Ledger(pool, lambda stream: shared_lane(stream, settings.shared_lanes), lambda touched: None)
        key = await ledger.transact(lambda tx: issue(tx, role, scope, label))
        return key.token
