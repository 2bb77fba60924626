"""Bearer keys: `cp_<key id>_<secret>`; only the SHA-256 of the 256-bit secret is stored, in every service.

A key has a role and a scope: one stream, or null for all. The secret is random, so a plain hash is enough.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from services.chassis.ids import uuid7
from services.chassis.inbox import Received
from services.chassis.ledger import Connection, Transaction
from services.chassis.problems import Problem, not_found
from services.contracts.catalog import AccessKeyIssued, AccessKeyRevoked

_bearer = HTTPBearer(auto_error=False, description="A staff or operator key, issued by catalog.")


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: a key with its role and scope."""

    key_id: UUID
    role: str
    scope: UUID | None

    def must_see(self, owner: UUID | None, what: str) -> None:
        """Raises a 404 problem where the thing is not there (`owner` is None) or belongs to another tenant.

        Both get the same answer, or a key of one tenant could find out what the others have.
        """
        if owner is None or self.scope not in (None, owner):
            raise not_found(what)

    def may_act_for(self, stream: UUID) -> None:
        """Raises a 404 problem where the key is for another tenant: whether it exists is not this key's business."""
        if self.scope is not None and self.scope != stream:
            raise Problem(404, "not-found", "Not found", "There is nothing here that your key may see.")

    def must_be(self, role: str) -> None:
        """Raises a 403 problem where the key has another role."""
        if self.role != role:
            raise Problem(403, "forbidden", "Forbidden", f"This needs a key with the role {role}.")


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made; `token` is shown once and stored nowhere."""

    key_id: UUID
    token: str
    secret_sha256: str


def new_key() -> NewKey:
    """Makes a key."""
    key_id, secret = uuid7(), secrets.token_hex(32)
    return NewKey(key_id, f"cp_{key_id.hex}_{secret}", hashlib.sha256(secret.encode()).hexdigest())


async def save_key(
    conn: Connection, key_id: UUID, secret_sha256: str, role: str, scope: UUID | None, label: str
) -> None:
    """Stores a key's hash; a known key stays as it is."""
    await conn.execute(
        "insert into access_key (key_id, secret_sha256, role, scope, label) values ($1, $2, $3, $4, $5) "
        "on conflict do nothing",
        key_id,
        bytes.fromhex(secret_sha256),
        role,
        scope,
        label,
    )


async def revoke_key(conn: Connection, key_id: UUID) -> bool:
    """The key opens nothing from this transaction on; returns whether it was valid until now."""
    done = await conn.execute(
        "update access_key set revoked_at = now() where key_id = $1 and revoked_at is null", key_id
    )
    return bool(done != "UPDATE 0")


async def follow_keys(tx: Transaction, events: Sequence[Received[AccessKeyIssued | AccessKeyRevoked]]) -> None:
    """The handler of key events in every service: from this transaction on a key opens it, or nothing any more."""
    for key in (received.event for received in events):
        if isinstance(key, AccessKeyIssued):
            await save_key(tx.conn, key.key_id, key.secret_sha256, key.role, key.scope, key.label)
        else:
            await revoke_key(tx.conn, key.key_id)


def _parse(token: str) -> tuple[UUID, str] | None:
    prefix, _, rest = token.partition("_")
    key_hex, _, secret = rest.partition("_")
    if prefix != "cp" or len(key_hex) != 32 or not secret:
        return None
    try:
        return UUID(hex=key_hex), secret
    except ValueError:
        return None


async def authenticate(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Principal:
    """The principal of a request's bearer key. Raises a 401 problem that does not say which part was wrong."""
    parsed = _parse(credentials.credentials) if credentials else None
    if parsed is not None:
        key_id, secret = parsed
        row = await request.app.state.runtime.pool.fetchrow(
            "select secret_sha256, role, scope from access_key where key_id = $1 and revoked_at is null",
            key_id,
        )
        given = hashlib.sha256(secret.encode()).digest()
        if row is not None and hmac.compare_digest(row["secret_sha256"], given):
            return Principal(key_id, row["role"], row["scope"])
    raise Problem(
        401,
        "unauthorized",
        "Unauthorized",
        "Send a valid key as 'Authorization: Bearer cp_…'.",
        headers={"WWW-Authenticate": "Bearer"},
    )


Authenticated = Annotated[Principal, Depends(authenticate)]
"""Parameter type of a route that needs a key."""
