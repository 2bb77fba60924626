"""A complete .env for docker-compose.yml: `(umask 077; python3 -m infra.compose_env > .env)`.

It is .env.example, where each variable without a value gets a new random secret.
"""

import re
import secrets
import sys
from pathlib import Path

TEMPLATE = Path(__file__).parent.parent / ".env.example"


def fill(template: str) -> str:
    """The text with secrets of 192 random bits, in characters that may stand in an address."""
    return re.sub(r"^[A-Z_]+=$", lambda line: line[0] + secrets.token_urlsafe(24), template, flags=re.MULTILINE)


def main() -> None:
    """Print it."""
    sys.stdout.write(fill(TEMPLATE.read_text()))


if __name__ == "__main__":
    main()
