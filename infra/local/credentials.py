"""The passwords of one local stack: generated once, kept in a file only its owner can read."""

import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from infra.rabbitmq.definitions import SERVICES


@dataclass(frozen=True)
class Credentials:
    """URL-safe passwords; `postgres` and `rabbit` hold one per service, `links` signs those in notices."""

    postgres_admin: str
    rabbit_admin: str
    postgres: dict[str, str]
    rabbit: dict[str, str]
    links: str

    def __repr__(self) -> str:
        return "Credentials(…)"


def load_or_create(path: Path) -> tuple[Credentials, bool]:
    """The stored credentials and False, or new ones and True. What older ones lack is added to them."""
    new = not path.exists()
    stored = {} if new else json.loads(path.read_text())
    made = Credentials(
        postgres_admin=secrets.token_urlsafe(24),
        rabbit_admin=secrets.token_urlsafe(24),
        postgres={name: secrets.token_urlsafe(24) for name in SERVICES},
        rabbit={name: secrets.token_urlsafe(24) for name in SERVICES},
        links=secrets.token_urlsafe(24),
    )
    credentials = Credentials(**(asdict(made) | stored))
    if asdict(credentials) != stored:
        path.touch(mode=0o600)
        path.write_text(json.dumps(asdict(credentials), indent=2))
    return credentials, new
