"""The broker's definitions: users, permissions and exchanges, so that a wiped broker comes back whole.

The rule: a service configures and writes only names that begin with its own, and reads its own queues, the
exchanges of the services whose events it consumes, and those of the services that consume its events (where
requests to resend come from). In the partners' virtual host there is `orders` alone; who else may go there is kept by
`python -m services.orders accounts`. `python -m infra.rabbitmq.definitions` prints them as JSON.
"""

import argparse
import base64
import hashlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

READS: Mapping[str, tuple[str, ...]] = {
    "catalog": ("allocation",),
    "orders": ("catalog", "allocation"),
    "allocation": ("catalog", "orders", "notify"),
    "notify": ("catalog", "orders", "allocation"),
}
"""Each service with the services whose events it consumes."""

SERVICES = tuple(READS)
ADMIN = "admin"
PARTNERS_VHOST = "partners"
PARTNERS_DOOR = "orders"
"""The service that takes in what partners publish."""


def definitions(
    service_passwords: Mapping[str, str], admin_password: str, vhosts: Sequence[str] = ("/",)
) -> dict[str, Any]:
    """Everything a broker needs before the services connect; the same input gives the same definitions."""
    users = [_user(ADMIN, admin_password, ["administrator"])]
    users += [_user(name, service_passwords[name], []) for name in SERVICES]
    wanted = topology(vhosts)
    wanted["permissions"] += partners(PARTNERS_VHOST)
    return {"users": users, "vhosts": [{"name": vhost} for vhost in (*vhosts, PARTNERS_VHOST)], **wanted}


def topology(vhosts: Sequence[str]) -> dict[str, Any]:
    """Permissions and exchanges in these vhosts, for users that exist."""
    return {
        "permissions": [
            {"user": user, "vhost": vhost, **allowed}
            for vhost in vhosts
            for user, allowed in ((ADMIN, _everything()), *((it, permissions(it)) for it in SERVICES))
        ],
        "exchanges": [
            {
                "name": f"{service}.events",
                "vhost": vhost,
                "type": "direct",
                "durable": True,
                "auto_delete": False,
                "internal": False,
                "arguments": {},
            }
            for vhost in vhosts
            for service in SERVICES
        ],
    }


def partners(vhost: str) -> list[dict[str, str]]:
    """Permissions in a virtual host that partners publish in, for users that exist."""
    own = r"^(orders|partner)\."
    return [
        {"user": ADMIN, "vhost": vhost, **_everything()},
        {"user": PARTNERS_DOOR, "vhost": vhost, "configure": own, "write": own, "read": own},
    ]


def permissions(service: str) -> dict[str, str]:
    """RabbitMQ's three regular expressions for one service."""
    consumers = [name for name, producers in READS.items() if service in producers]
    neighbours = sorted({*READS[service], *consumers})
    readable = "|".join([rf"{service}\..*", *(rf"{name}\.events" for name in neighbours)])
    return {"configure": rf"^{service}\.", "write": rf"^{service}\.", "read": f"^({readable})$"}


def password_hash(user: str, password: str) -> str:
    """RabbitMQ's `rabbit_password_hashing_sha256`: base64(salt + sha256(salt + password)).

    The salt is derived, not random: the definitions of an unchanged password stay the same file.
    """
    salt = hashlib.sha256(f"{user}\0{password}".encode()).digest()[:4]
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def _user(name: str, password: str, tags: list[str]) -> dict[str, Any]:
    return {
        "name": name,
        "password_hash": password_hash(name, password),
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": tags,
    }


def _everything() -> dict[str, str]:
    return {"configure": ".*", "write": ".*", "read": ".*"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Passwords come from <SERVICE>_AMQP_PASSWORD and RABBITMQ_ADMIN_PASSWORD in the environment."""
    parser = argparse.ArgumentParser(prog="python -m infra.rabbitmq.definitions", description=__doc__)
    parser.add_argument("--output", type=Path, help="write to this file instead of printing")
    parser.add_argument("--mode", type=lambda it: int(it, 8), default=0o600, help="of that file; 600 if not given")
    parser.add_argument("--vhost", action="append", help="may be repeated; / when not given")
    options = parser.parse_args(arguments)
    variables = {name: f"{name.upper()}_AMQP_PASSWORD" for name in SERVICES}
    missing = [it for it in (*variables.values(), "RABBITMQ_ADMIN_PASSWORD") if not os.environ.get(it)]
    if missing:
        print(f"missing in the environment: {', '.join(missing)}", file=sys.stderr)
        return 2
    text = json.dumps(
        definitions(
            {name: os.environ[variable] for name, variable in variables.items()},
            os.environ["RABBITMQ_ADMIN_PASSWORD"],
            options.vhost or ("/",),
        ),
        indent=2,
    )
    if options.output:
        options.output.touch(mode=0o600)
        options.output.write_text(text + "\n")
        options.output.chmod(options.mode)
    else:
        print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
