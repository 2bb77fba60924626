"""The services' command lines, typed as an operator types them: in a process of their own, with their settings."""

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.arena import Arena, settings_of

_CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Ended:
    """How a command ended and all that it printed."""

    code: int
    printed: str


async def typed(arena: Arena, service: str, *words: str) -> Ended:
    """`python -m services.<service> <words>`, to its end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"services.{service}", *words,
        cwd=_CHECKOUT, env=settings_of(arena, service),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        printed, _ = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        raise
    assert process.returncode is not None
    return Ended(process.returncode, printed.decode())


async def must(arena: Arena, service: str, *words: str) -> str:
    """The same; AssertionError with what it printed where it does not end with 0."""
    ended = await typed(arena, service, *words)
    assert ended.code == 0, f"{service} {' '.join(words)} ended with {ended.code}:\n{ended.printed[-3000:]}"
    return ended.printed
