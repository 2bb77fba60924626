"""Periodic jobs: what a service does because time passes. Each run is given `now`; a failed run is tried again."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from services.chassis.faults import describe, is_weather
from services.chassis.metrics import Metrics

log = logging.getLogger(__name__)

COUNTING_RESTS = 20
"""So many times as long as a run took rests a job that only counts."""
LONGEST_REST_S = 60.0
"""But no longer for that, since alerts stand on what was counted."""


@dataclass(frozen=True, slots=True)
class Job:
    """`run(now)` every `every_s` seconds; several processes may run it at once, so it claims what it works on.

    It returns whether there is more to do at once. What `only_counts` takes the longer the more waits, so it rests the
    longer, and leaves the time to those who work on it. Where `is_due` is given, it says first, in one statement,
    whether there is anything to do: mostly there is not, and a transaction takes three.
    """

    name: str
    every_s: float
    run: Callable[[datetime], Awaitable[bool]]
    only_counts: bool = False
    is_due: Callable[[datetime], Awaitable[bool]] | None = None

    async def run_if_due(self, now: datetime) -> bool:
        """Returns whether there is more to do at once."""
        if self.is_due is not None and not await self.is_due(now):
            return False
        return await self.run(now)

    def rest_s(self, took_s: float) -> float:
        """Seconds from the end of a run to the next one, where there is no more to do."""
        return max(self.every_s, min(COUNTING_RESTS * took_s, LONGEST_REST_S)) if self.only_counts else self.every_s


async def run_for_ever(job: Job, metrics: Metrics) -> None:
    """Runs the job until cancelled. Weather is a warning, anything else an error in the log; both are counted."""
    while True:
        more, began_s = False, time.monotonic()
        try:
            more = await job.run_if_due(datetime.now(UTC))
            metrics.jobs.labels(job.name, "done").inc()
        except Exception as error:
            outcome = "weather" if is_weather(error) else "failed"
            metrics.jobs.labels(job.name, outcome).inc()
            if outcome == "failed":
                log.exception("job failed", extra={"job": job.name})
            else:
                log.warning("job waits: %s", describe(error), extra={"job": job.name})
        if not more:
            await asyncio.sleep(job.rest_s(time.monotonic() - began_s))
