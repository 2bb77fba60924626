"""When a service was interrupted: what it had in hand then may come again, or nobody may know what became of it."""

import asyncio
import contextlib
import json
import time
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

_SAID = ("the database is away", "the database is not the one that was settled")
"""What a service logs when it cannot save what came of what it did, and when its database was set back."""
_BLINK_S, _HELD_UP_S = 0.5, 3
"""How often we look, and how late that may be: a receiver that sleeps for longer may lose a connection."""
SLACK = timedelta(seconds=2)
"""A moment is noted when it is noticed, and a receiver takes what a process sent just before it died."""


class Interruptions:
    """The moments at which processes died, stopped, froze or lost a connection, by service."""

    def __init__(self) -> None:
        self._moments: defaultdict[str, set[datetime]] = defaultdict(set)
        self._backed_up_at = datetime.now(UTC)
        self._forgotten: dict[str, tuple[datetime, datetime]] = {}

    def note(self, service: str) -> None:
        """Now. A scenario that cuts a connection of the service notes it when it cuts it and when it mends it."""
        self._moments[service].add(datetime.now(UTC))

    def backed_up(self) -> None:
        """A backup begins now, to which services may be set back."""
        self._backed_up_at = datetime.now(UTC)

    def set_back(self, service: str) -> None:
        """Its database forgets what it has noted since the backup; its process stands still."""
        self._forgotten[service] = (self._backed_up_at, datetime.now(UTC))

    async def watch_ourselves(self, service: str) -> None:
        """Notes when this process, which receives what the service sends, was held up itself. Until cancelled."""
        while True:
            began = time.monotonic()
            await asyncio.sleep(_BLINK_S)
            if time.monotonic() > began + _BLINK_S + _HELD_UP_S:
                self.note(service)

    def read_log(self, service: str, path: Path) -> None:
        """Adds the moments at which by its own account the service lost its database."""
        for line in path.read_text().splitlines() if path.exists() else ():
            if any(said in line for said in _SAID):
                with contextlib.suppress(ValueError):  # a line that its process did not live to end
                    self._moments[service].add(datetime.fromisoformat(json.loads(line)["time"]))

    def within(self, service: str, began: datetime, ended: datetime) -> bool:
        """Whether the service was interrupted between these moments."""
        return any(began - SLACK <= moment <= ended + SLACK for moment in self._moments[service])

    def forgot(self, service: str, moment: datetime) -> bool:
        """Whether the service was set back to before what it noted at this moment."""
        period = self._forgotten.get(service)
        return period is not None and period[0] - SLACK <= moment <= period[1] + SLACK

    def may_have_missed(self, service: str, moment: datetime, held: timedelta) -> bool:
        """Whether the service may not know what came of what arrived at this moment, having `held` it so long."""
        return self.within(service, moment, moment + held) or self.forgot(service, moment)

    def in_hand(self, service: str, claims: Iterable[tuple[str, datetime]], held: timedelta, most: int) -> set[str]:
        """What was in hand: of each interruption at most so many of what was claimed not longer than `held` before."""
        found: set[str] = set()
        listed = sorted(claims, key=lambda claim: claim[1])
        for moment in self._moments[service]:
            at_once = [one for one, at in listed if at - SLACK <= moment <= at + held]
            found.update(at_once[-most:])
        return found
