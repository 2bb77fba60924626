"""Brings the broker's users of partners in step with the table of accounts.

What the broker has is read and compared, and only what differs is changed; so doing it again changes nothing, and a
wiped broker gets everything back. Users that do not begin with `partner-` are nobody's business here.
"""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx
from msgspec import Struct

from services.orders.amqp import topology
from services.orders.amqp.passwords import ALGORITHM

LIMITS = {"max-connections": 10, "max-channels": 50}
"""Of each partner."""

_CONNECTIONS = "/connections/username/"


class Access(Struct, frozen=True):
    """What the broker knows of a user; `permissions` are those in the partners' virtual host, if it has any there."""

    password_hash: str
    tags: tuple[str, ...] = ()
    permissions: Mapping[str, str] | None = None
    limits: Mapping[str, int] = {}


class Change(Struct, frozen=True):
    """One request to the broker's management."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None


def permissions(partner_id: UUID) -> dict[str, str]:
    """RabbitMQ's three regular expressions: declare nothing, publish to the own exchange, read the own rejects."""
    return {
        "configure": "^$",
        "write": _only(topology.exchange(partner_id)),
        "read": _only(topology.reject_queue(partner_id)),
    }


def _only(name: str) -> str:
    dots = name.replace(".", r"\.")
    return f"^{dots}$"


def changes(wanted: Mapping[UUID, str], found: Mapping[str, Access], vhost: str) -> list[Change]:
    """What has to be changed so that the broker has these password hashes, by partner, and no other partner's user.

    Withdrawals come first, and a new user's permissions last: none of them is ever without limits. A user that gets a
    new password is made anew, since with a user its connections go.
    """
    users = {topology.user(partner_id) for partner_id in wanted}
    done = [change for name in sorted(found.keys() - users) for change in _withdrawal(name)]
    for partner_id, password_hash in sorted(wanted.items()):
        name = topology.user(partner_id)
        done += _renewal(name, partner_id, Access(password_hash), found.get(name), vhost)
    return done


def _withdrawal(name: str) -> list[Change]:
    place = quote(name, safe="")
    return [Change("DELETE", f"/users/{place}"), Change("DELETE", f"{_CONNECTIONS}{place}")]


def _renewal(name: str, partner_id: UUID, wanted: Access, found: Access | None, vhost: str) -> Iterator[Change]:
    if found is not None and (found.password_hash, found.tags) != (wanted.password_hash, wanted.tags):
        yield from _withdrawal(name)
        found = None
    if found is None:
        body = {"password_hash": wanted.password_hash, "hashing_algorithm": ALGORITHM, "tags": ""}
        yield Change("PUT", f"/users/{name}", body)
    for limit, value in LIMITS.items():
        if found is None or found.limits.get(limit) != value:
            yield Change("PUT", f"/user-limits/{name}/{limit}", {"value": value})
    if found is None or found.permissions != permissions(partner_id):
        yield Change("PUT", f"/permissions/{quote(vhost, safe='')}/{name}", permissions(partner_id))


class BrokerUsers:
    """The users of partners at the broker. Raises httpx.HTTPError where it is away or refuses."""

    def __init__(self, client: httpx.AsyncClient, vhost: str) -> None:
        self._client, self._vhost = client, vhost

    async def read(self) -> dict[str, Access]:
        """By name."""
        users = [it for it in await self._get("/users") if it["name"].startswith(topology.PREFIX)]
        allowed = {it["user"]: it for it in await self._get(f"/vhosts/{quote(self._vhost, safe='')}/permissions")}
        limits = {it["user"]: it["value"] for it in await self._get("/user-limits")}
        return {
            name: Access(
                it.get("password_hash", ""),
                tuple(it["tags"]),
                {key: allowed[name][key] for key in ("configure", "write", "read")} if name in allowed else None,
                limits.get(name, {}),
            )
            for it in users
            for name in [it["name"]]
        }

    async def apply(self, change: Change) -> None:
        """Carries out one change; what is to be deleted may be gone already.

        The broker itself closes the connections of a user that is deleted, and says 500 to whoever closes one of them
        at the same moment.
        """
        answer = await self._client.request(change.method, f"/api{change.path}", json=change.body)
        gone = answer.status_code == httpx.codes.NOT_FOUND or change.path.startswith(_CONNECTIONS)
        if not (change.method == "DELETE" and gone):
            answer.raise_for_status()

    async def _get(self, path: str) -> list[dict[str, Any]]:
        answer = await self._client.get(f"/api{path}")
        answer.raise_for_status()
        found: list[dict[str, Any]] = answer.json()
        return found
