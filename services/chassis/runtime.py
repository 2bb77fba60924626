"""What a service is made of, and what it may use while it runs."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import asyncpg
from fastapi import APIRouter

from services.chassis.commands import Commands
from services.chassis.inbox import Handler
from services.chassis.jobs import Job
from services.chassis.ledger import Ledger
from services.chassis.metrics import Metrics
from services.chassis.migrate import Migration, find
from services.chassis.settings import ServiceSettings
from services.contracts.base import Event

S = TypeVar("S", bound=ServiceSettings)


@dataclass(frozen=True, slots=True)
class Runtime(Generic[S]):
    """The technical parts, handed to the composition root of a service."""

    settings: S
    pool: "asyncpg.Pool[asyncpg.Record]"
    ledger: Ledger
    metrics: Metrics
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the process begins to drain: whoever waits for something should answer now."""


class Door(Protocol):
    """A way in beside routes and events, open in every process that works for lanes."""

    waits_for: list[str]
    """What keeps it closed, in words; a part of the process's readiness."""

    async def run(self) -> None:
        """Takes in until `stop`, and then finishes what it has begun; no fault of database or broker ends it."""

    def stop(self) -> None:
        """Ends `run`."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a service plugs in: handlers of events, jobs, doors, what its routes find in `app.state`, what to close."""

    handlers: Mapping[type[Event], Handler] = field(default_factory=dict)
    commands: Commands | None = None
    """Where people and the clock decide something in this service."""
    jobs: Sequence[Job] = ()
    doors: Sequence[Door] = ()
    state: Mapping[str, Any] = field(default_factory=dict)
    close: Sequence[Callable[[], Awaitable[None]]] = ()
    """Called when neither routes, handlers nor jobs run any more."""


@dataclass(frozen=True, slots=True)
class Service(Generic[S]):
    """A service as its `app.py` describes it."""

    name: str
    title: str
    folder: Path
    settings: type[S]
    publishes: Sequence[type[Event]]
    wire: Callable[[Runtime[S]], Parts]
    routers: Sequence[APIRouter] = ()
    gathers_s: float = 0
    """For how long events that follow one another closely are gathered, where no customer waits for what they do."""
    derived: Sequence[str] = ()
    """Tables that are a function of the streams that the service reads and of its commands alone, parents first."""
    cli: Mapping[str, Callable[[S, Sequence[str]], int]] = field(default_factory=dict)
    """Further commands of `python -m services.<name>`, by their first word."""
    tools: Mapping[str, Callable[[Sequence[str]], int]] = field(default_factory=dict)
    """The same, for commands that need neither settings nor a database."""

    def migrations(self) -> list[Migration]:
        """Those of the chassis, then the service's own."""
        chassis = Path(__file__).parent / "migrations"
        return find("chassis", chassis) + find(self.name, self.folder / "migrations")
