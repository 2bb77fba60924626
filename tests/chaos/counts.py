"""What happened during a scenario, counted: our own acts, and the services' counters, sampled every second.

A counter dies with its process, so what it said last is kept by process; at most a second of it is lost to a kill.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable

import httpx

from infra.local.processes import ServiceProcess


class Counts:
    """`kills` counts processes that died by SIGKILL, by whatever hand; `total` sums a counter of the services.

    What was counted before `begin` (a service that starts asks for what it may have missed) is left out.
    """

    def __init__(self, processes: Callable[[], Iterable[ServiceProcess]]) -> None:
        self.kills = 0
        self._processes = processes
        self._last: dict[tuple[str, int], Counter[str]] = {}
        self._at_first: Counter[str] = Counter()

    async def begin(self, http: httpx.AsyncClient) -> None:
        """Nothing counts so far."""
        await self.sample(http)
        for found in self._last.values():
            self._at_first += found

    async def sample_forever(self) -> None:
        """Until cancelled."""
        async with httpx.AsyncClient(timeout=2, trust_env=False) as http:
            while True:
                await self.sample(http)
                await asyncio.sleep(1)

    async def sample(self, http: httpx.AsyncClient) -> None:
        """Reads the counters of every process that answers."""
        await asyncio.gather(*(self._read(http, process) for process in list(self._processes())))

    async def _read(self, http: httpx.AsyncClient, process: ServiceProcess) -> None:
        pid = process.pid
        if pid is None:
            return
        try:
            answer = await http.get(f"{process.url}/metrics")
        except httpx.TransportError:
            return
        found: Counter[str] = Counter()
        for line in answer.text.splitlines():
            name, _, value = line.rpartition(" ")
            family = name.partition("{")[0]
            if family.endswith("_total") and not line.startswith("#"):
                found[family.removesuffix("_total")] += int(float(value))
        if found:
            self._last[process.name, pid] = found

    def total(self, counter: str) -> int:
        """The sum over all processes that there were."""
        return sum(found[counter] for found in self._last.values()) - self._at_first[counter]

    def of(self, name: str, counter: str) -> int:
        """The same of the processes of this name, from their first start."""
        return sum(found[counter] for (process, _), found in self._last.items() if process == name)

    def of_process(self, process: ServiceProcess, counter: str) -> int:
        """The same since its last start."""
        return self._last.get((process.name, process.pid or 0), Counter())[counter]
