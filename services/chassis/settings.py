"""Settings from the environment, read once; a missing or wrong one is named in one line."""

import os
import socket
from typing import Annotated, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """What every service needs; each service subclasses it with its own `env_prefix`."""

    model_config = SettingsConfigDict(frozen=True)

    database_url: SecretStr
    """postgresql://user:password@host:port/database"""
    database_connections: Annotated[int, Field(ge=2, le=200)] = 10
    """The connections that one process opens at its start; PostgreSQL must allow those of all processes."""
    amqp_url: SecretStr
    """amqp://user:password@host:port/vhost; the user is named like the service."""
    http_host: str = "127.0.0.1"
    http_port: Annotated[int, Field(ge=0, le=65_535)]
    http_max_body_bytes: Annotated[int, Field(ge=1024)] = 1_048_576
    log_level: Annotated[str, Field(pattern="(?i)^(debug|info|warning|error)$")] = "info"
    shared_lanes: Annotated[int, Field(ge=1, le=1024)] = 8
    """The number of shared lanes; the same in every service."""
    instance: str = Field(default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}")
    """Names this process as a holder of relay leases."""
    prefetch: Annotated[int, Field(ge=1, le=1000)] = 16
    """Messages per lane that the broker hands out before they are acknowledged; most wait as they came, compressed."""
    lease_s: Annotated[int, Field(ge=1)] = 10
    """How long a relay lease lasts without renewal; a killed relay is replaced after this."""
    heads_every_s: Annotated[int, Field(ge=1)] = 10
    """How often producers publish how far their streams reach."""
    gap_patience_s: Annotated[int, Field(ge=1)] = 10
    """How long a gap may stay before a resend is requested."""
    max_attempts: Annotated[int, Field(ge=1)] = 8
    """Failures of one event before it is quarantined."""
    retry_first_s: Annotated[int, Field(ge=1)] = 1
    """The wait before the first retry of a failed event; it doubles up to retry_most_s."""
    retry_most_s: Annotated[int, Field(ge=1)] = 300
    drain_s: Annotated[int, Field(ge=1)] = 20
    """How long a stopping process finishes what it has begun."""
    database_timeout_s: Annotated[int, Field(ge=1)] = 30
    """The longest that one statement may take; above it the connection is given up."""
    amqp_heartbeat_s: Annotated[int, Field(ge=1, le=600)] = 10
    """A broker that is silent for twice this long counts as gone."""
    fault_point: str | None = None
    """Only in tests: the step at which the process kills itself, see chassis/faultpoints.py."""


S = TypeVar("S", bound=ServiceSettings)


class WrongSettings(Exception):
    """Some settings are missing or wrong; the message has one line for each."""


def load(kind: type[S]) -> S:
    """Reads the settings. Raises WrongSettings; never repeats a value, since it may be a secret."""
    try:
        return kind()
    except ValidationError as error:
        prefix = kind.model_config.get("env_prefix", "").upper()
        lines = []
        for fault in error.errors(include_input=False, include_url=False):
            name = prefix + "_".join(str(part) for part in fault["loc"]).upper()
            missing = fault["type"] == "missing"
            lines.append(f"{name} is not set" if missing else f"{name} is wrong: {fault['msg']}")
        raise WrongSettings("\n".join(lines)) from None
