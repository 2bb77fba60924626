"""Plays one scenario on a stack of its own: load, fault, healing, the day's end, the checks."""

import asyncio
import contextlib
import json
import os
import shutil
import time
import traceback
from collections.abc import Callable, Coroutine
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from infra.local import owned, places
from infra.local.errors import LocalStackError
from services.contracts.flow import SERVICES
from tests.chaos import settled, template
from tests.chaos.arena import Arena, entered
from tests.chaos.checks import check_all
from tests.chaos.evening import Evening
from tests.chaos.scenario import Scenario

LOCAL = Path(__file__).resolve().parents[2] / ".local" / "chaos"


@dataclass
class Result:
    """What came of one scenario; `faults` is empty where it passed, `skipped` says why it could not run."""

    name: str
    seed: int
    seconds: float = 0
    events: int = 0
    kills: int = 0
    duplicates: int = 0
    gaps: int = 0
    """Streams that were asked to be sent again since the load began."""
    repeats: int = 0
    """Webhooks that came again under the same id."""
    heal_s: float | None = None
    """From the end of the fault."""
    faults: list[str] = field(default_factory=list)
    skipped: str | None = None
    logs: str | None = None
    answers: dict[str, int] = field(default_factory=dict)
    phases_s: dict[str, float] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    """What the scenario measured, in words."""

    @property
    def verdict(self) -> str:
        """One word for it."""
        return "skipped" if self.skipped else "FAILED" if self.faults else "passed"

    def lines(self) -> str:
        """For people: one line, with what went wrong below it."""
        if self.skipped:
            return f"skipped  {self.name}  {self.skipped}"
        healed = "" if self.heal_s is None else f"  healed in {self.heal_s:.1f} s"
        line = (
            f"{self.verdict}  {self.name}  seed {self.seed}  {self.seconds:.0f} s  events {self.events}"
            f"  kills {self.kills}  duplicates {self.duplicates}  gaps asked for {self.gaps}"
            f"  webhooks again {self.repeats}{healed}"
        )
        below = [*self.said, *([*self.faults, f"logs: {self.logs}"] if self.faults else [])]
        return "\n".join([line, *("    " + text.replace("\n", "\n    ") for text in below)])

    def as_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self) | {"verdict": self.verdict}, ensure_ascii=False)


def play(scenario: Scenario, seed: int, local: Path = LOCAL) -> Result:
    """Runs the scenario to its end, whatever happens, and cleans up behind it."""
    result, began = Result(scenario.name, seed), time.monotonic()
    result.skipped = scenario.cannot_run()
    if result.skipped:
        return result
    root = local / f"{_file_name(scenario.name)}-{os.getpid()}"
    try:
        asyncio.run(_play(scenario, seed, root, template.prepare(local), result))
    except TimeoutError as error:
        said = str(error) or f"it did not end within {scenario.limit_s:.0f} s"
        result.faults.append(f"{said} (done so far, in seconds: {result.phases_s})")
    except (LocalStackError, AssertionError) as error:
        result.faults.append(f"{type(error).__name__}: {error}")
    except Exception:  # noqa: BLE001 - a scenario that breaks is one that failed
        result.faults.append(traceback.format_exc())
    result.seconds = time.monotonic() - began
    kept = local / "failed" / root.name if result.faults else None
    clean_up(root, keep_logs_as=kept)
    if kept is not None:
        result.logs = str(kept)
        (kept / "result.json").write_text(result.as_json() + "\n")
    return result


async def _play(scenario: Scenario, seed: int, root: Path, template_root: Path, result: Result) -> None:
    began = time.monotonic()

    def note(phase: str) -> None:
        result.phases_s[phase] = round(time.monotonic() - began - sum(result.phases_s.values()), 1)

    async with asyncio.timeout(scenario.limit_s), entered(scenario, seed, root, template_root) as arena:
        note("start")
        try:
            await live_through(arena, result, note)
        except BaseException:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(_keep_evidence(arena), 30)
            raise
        finally:
            result.kills, result.said = arena.counts.kills, arena.said
            result.answers = dict(arena.load.answers)
            result.faults += [f"wrong answer: {it}" for it in arena.load.faults[:5] if result.events == 0]


async def live_through(arena: Arena, result: Result, note: Callable[[str], None]) -> None:
    """The scenario's day from its first push to its last check; `note` is told when a phase is over."""
    loading = asyncio.create_task(arena.load.run())
    healing = asyncio.create_task(_heal(arena))
    try:
        await _until_first(arena.scenario.act(arena), loading)
        note("fault")
        arena.fault_ends()
        arena.load.finish()
        result.heal_s = await healing
        note("heal")
        await loading
        note("load")
        await settled.until_settled(arena)
        note("settle")
    finally:
        for task in (loading, healing):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(loading, healing, return_exceptions=True)
    await arena.load.close_day()
    await settled.until_closed(arena)
    await settled.until_settled(arena)
    note("close")
    result.faults += await check_all(arena)
    if arena.scenario.evening and not result.faults:
        await (arena.evening or Evening(arena)).to_its_end()
        note("evening")
        result.faults += await check_all(arena)
    result.faults += [f"{name} ended {n} times by itself" for name, n in arena.deaths.unexplained.items()]
    await arena.counts.sample(arena.client.http)
    result.duplicates = arena.counts.total("consumer_duplicate_events")
    result.gaps = arena.counts.total("consumer_resends_requested")
    result.repeats = len(arena.received.repeats())
    if result.faults:
        await _keep_evidence(arena)
    for name in SERVICES:
        result.events += await arena.books.value(name, "select count(*) from event_log")
    note("check")


async def _heal(arena: Arena) -> float:
    """Seconds from the end of the fault until all that there was then is settled."""
    await arena.over.wait()
    return await settled.until_healed(arena, await settled.moment(arena))


async def _until_first(act: Coroutine[Any, Any, None], loading: "asyncio.Task[None]") -> None:
    """Runs the act to its end; ends it as well if the load breaks, and raises what broke."""
    acting = asyncio.create_task(act)
    await asyncio.wait({acting, loading}, return_when=asyncio.FIRST_COMPLETED)
    if loading.done() and loading.exception():
        acting.cancel()
        await loading
    try:
        await acting
    finally:
        acting.cancel()


async def _keep_evidence(arena: Arena) -> None:
    """Every row of every table, a file for each, beside the logs: the databases themselves are deleted."""
    for name in SERVICES:
        tables = await arena.books.fetch(name, "select tablename from pg_tables where schemaname = 'public'")
        for table in [row["tablename"] for row in tables]:
            rows = await arena.books.fetch(name, f"select to_jsonb(t)::text from {table} t")  # noqa: S608 - our own
            (arena.stack.log_directory / f"{name}.{table}.jsonl").write_text("".join(f"{row[0]}\n" for row in rows))


def clean_up(root: Path, *, keep_logs_as: Path | None = None) -> None:
    """Ends what still runs below `root` and deletes it all, but for the logs that are to be kept."""
    if keep_logs_as is not None:
        keep_logs_as.mkdir(parents=True, exist_ok=True)
    if not root.exists():
        return
    owned.kill_all(root / "run")
    for server in ("postgres", "rabbitmq"):
        places.delete(root, server)
    if keep_logs_as is not None and (root / "logs").exists():
        shutil.copytree(root / "logs", keep_logs_as, dirs_exist_ok=True)
    shutil.rmtree(root)


def forget_failures(local: Path = LOCAL, but: int = 50) -> None:
    """Deletes the logs of failed scenarios, but for those of the last."""
    for old in sorted((local / "failed").glob("*"), key=lambda it: it.stat().st_mtime)[:-but]:
        shutil.rmtree(old)


def _file_name(name: str) -> str:
    return "".join(it if it.isalnum() else "-" for it in name)[:60]
