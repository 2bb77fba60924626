"""What the process of a peer is told by its environment; see `base.command`."""

import os


def database_url(service: str) -> str:
    """The database of the service."""
    return os.environ[f"{service.upper()}_DATABASE_URL"]


def amqp_url() -> str:
    """The broker."""
    return os.environ["AMQP_URL"]


def http_port() -> int:
    """Where HTTP is answered."""
    return int(os.environ["HTTP_PORT"])
