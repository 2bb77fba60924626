"""The registry of scenarios: `@scenario("name")` over `async def f(arena)`, which injects a fault while the load runs.

How to add one: write a module in tests/chaos/scenarios/ (one subject per file; it is found by itself) with functions
like this one. The load runs already when the function is called, and its return is the end of the fault, unless it
says earlier that the `fault_ends`: from there on it is counted how long everything takes to heal.

    @scenario("the broker is killed", short=True)
    async def killed(arena: Arena) -> None:
        await arena.load.until(0.3)                      # a third of the pushes are answered
        await asyncio.to_thread(arena.stack.rabbit.kill)
        arena.counts.kills += 1
        await asyncio.to_thread(arena.stack.rabbit.start)

Conventions:
- All randomness comes from `arena.random`, so that a seed repeats a run as far as scheduling allows.
- Act on the stack through the arena (kill, stop, start_service, pause ...): it counts, and its supervisor starts
  again whatever died without being told to.
- Nothing of the checks is switched off. What a scenario injects and nobody can apply it names beforehand in
  `arena.expected`; everything else must be as if nothing had happened.
- What a service had in hand may come again, or stay unknown, only where `arena.interruptions` knows of a moment. Kills,
  deaths and pauses are noted by the arena, losses of the database by the service's log; whoever cuts the connection to
  a provider or a partner says `arena.interruptions.note("notify")` when it is cut and when it is mended.
- The day goes on to its settlement behind every scenario, and is checked again then.
- A scenario that would pass with the fault left out proves nothing: assert that the fault took hold. A process that
  was to die at a fault point died there (`until_died`): by SIGKILL, with the step's name in its log.
- `before_servers` changes the stack before anything runs (a volume, a cluster, a proxy's port), `before_services`
  what the services are told (`arena.environment`), with the servers running.
"""

import importlib
import pkgutil
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.chaos.arena import Arena

Act = Callable[["Arena"], Coroutine[Any, Any, None]]


@dataclass(frozen=True)
class Scenario:
    """One fault, and the day into which it falls."""

    name: str
    act: Act
    short: bool = False
    """Also part of `make test`, with fewer cooperatives and a shorter day."""
    cooperatives: int = 6
    pushes_per_s: int = 15
    load_s: float = 6
    durable: bool = False
    """PostgreSQL waits for the disk; needed only where the machine itself is thought to die."""
    environment: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """service → variables beyond those of every scenario"""
    before_servers: Act | None = None
    before_services: Act | None = None
    after: Act | None = None
    """Undoes what outlives the stack's processes (a mount); called in any case."""
    cannot_run: Callable[[], str | None] = lambda: None
    """Why it cannot run on this machine."""
    limit_s: float = 600
    heal_s: float = 90
    """The longest that everything may take to be settled again."""
    evening: bool = True
    """The day goes on to its settlement, and no law may find nothing to compare."""
    alone: bool = False
    """Nothing runs beside it: its processes fill a machine of two cores by themselves."""
    patience: float = 1
    """How many times as long everything may take as on a quiet machine; the limits count it already."""

    def small(self) -> "Scenario":
        """The same with fewer cooperatives and a short, calm day, for a quick look and for `make test`."""
        return replace(self, cooperatives=4, pushes_per_s=15, load_s=4)

    def patient(self, factor: float) -> "Scenario":
        """The same with its limits so many times as long."""
        return replace(self, limit_s=self.limit_s * factor, heal_s=self.heal_s * factor, patience=factor)


SCENARIOS: dict[str, Scenario] = {}


def scenario(
    name: str,
    *,
    short: bool = False,
    cooperatives: int = 6,
    pushes_per_s: int = 15,
    load_s: float = 6,
    durable: bool = False,
    environment: Mapping[str, Mapping[str, str]] | None = None,
    before_servers: Act | None = None,
    before_services: Act | None = None,
    after: Act | None = None,
    cannot_run: Callable[[], str | None] = lambda: None,
    limit_s: float = 600,
    heal_s: float = 90,
    evening: bool = True,
    alone: bool = False,
) -> Callable[[Act], Act]:
    """Registers the function under this name; see Scenario for the options."""

    def register(act: Act) -> Act:
        if name in SCENARIOS:
            raise ValueError(f"two scenarios are called {name!r}")
        SCENARIOS[name] = Scenario(
            name, act, short, cooperatives, pushes_per_s, load_s, durable, environment or {}, before_servers,
            before_services, after, cannot_run, limit_s, heal_s, evening, alone,
        )  # fmt: skip
        return act

    return register


def find_all() -> dict[str, Scenario]:
    """Every scenario by name, in the order of files and lines."""
    from tests.chaos import scenarios

    for module in sorted(it.name for it in pkgutil.iter_modules(scenarios.__path__)):
        importlib.import_module(f"{scenarios.__name__}.{module}")
    return SCENARIOS
