"""Every command of infra/runbook.md is run, in its order, on a stack of its own that has a really quarantined event.

A `text` block that follows a command says what its output holds; variables in it are filled in.
"""

import asyncio
import os
import re
import signal
import string
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from infra.rabbitmq.definitions import SERVICES
from tests.e2e.runbook_bench import ROOT, Bench, set_up
from tests.e2e.runbook_requests import REQUESTS
from tests.support.node import until

NOT_MADE = {
    "docker compose exec allocation …",
    "docker compose up -d allocation",
    "python -m services.allocation …",
    "make up",
    "make backup",
    "make restore",
}
"""Commands named in the text that are not for the stack of these tests."""
BLOCK = re.compile(r"^```sh\n(?P<command>.*?)^```\n(?:```text\n(?P<output>.*?)^```\n)?", re.M | re.S)


@dataclass(frozen=True)
class Block:
    """A command of the runbook, what it is said to print, and where it stands."""

    section: str
    command: str
    promised: tuple[str, ...]


def blocks() -> list[Block]:
    found = []
    for section in re.split(r"^## ", (ROOT / "infra/runbook.md").read_text(), flags=re.M)[1:]:
        for match in BLOCK.finditer(section):
            promised = tuple((match["output"] or "").splitlines())
            found.append(Block(section.partition("\n")[0], match["command"], promised))
    return found


BLOCKS = blocks()


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with set_up(tmp_path_factory.mktemp("runbook")) as made:
        yield made


@pytest.fixture(scope="module")
def started() -> Iterator[list[int]]:
    """The sessions of commands that leave something running in the background; it ends before the stack does."""
    sessions: list[int] = []
    yield sessions
    for session in sessions:
        try:
            os.killpg(session, signal.SIGKILL)
        except ProcessLookupError:
            continue


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.section)
def test_a_command_of_the_runbook_works_and_prints_what_it_is_said_to(
    block: Block, bench: Bench, started: list[int]
) -> None:
    if re.search(r"quarantine (show|retry|skip)", block.command):
        asyncio.run(until(bench.quarantined, timeout_s=120))
    with subprocess.Popen(
        ["bash", "-euo", "pipefail", "-c", block.command],
        cwd=ROOT, env=os.environ | bench.variables, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        if "nohup" in block.command:
            started.append(process.pid)
        printed, _ = process.communicate(timeout=180)
    assert process.returncode == 0, printed
    for line in block.promised:
        wanted = string.Template(line).substitute(bench.variables)
        assert wanted in printed, f"{wanted!r} is not in:\n{printed}"


async def test_a_partner_that_is_enabled_again_gets_what_is_resent(bench: Bench) -> None:
    """After the commands of its section."""

    async def has_come() -> bool:
        return bench.variables["MESSAGE"] in bench.endpoint.taken

    await until(has_come, timeout_s=60)


@pytest.mark.parametrize("request_", REQUESTS)
async def test_what_the_text_tells_to_ask_for_has_its_effect(request_: str, bench: Bench) -> None:
    async with bench.client() as client:
        await REQUESTS[request_](bench, client.speaking_as(bench.seeded.cooperatives[1].staff_key))


def test_every_command_in_the_text_is_one_that_is_made_here() -> None:
    prose = re.sub(r"^```.*?^```\n", "", (ROOT / "infra/runbook.md").read_text(), flags=re.M | re.S)
    named = re.findall(r"`((?:GET|PUT|POST|PATCH|DELETE) /[^`]+|python -m [^`]+ set [^`]+)`", prose)
    assert set(named) == REQUESTS.keys()
    others = re.findall(r"`((?:make|python|psql|curl|docker) [^`]+)`", prose)
    assert set(others) - REQUESTS.keys() == NOT_MADE


def test_every_variable_in_a_command_is_explained_or_set_by_the_command_itself() -> None:
    text = (ROOT / "infra/runbook.md").read_text()
    explained = set(re.findall(r"`([A-Z_]+)`", text.partition("\n## ServiceDown")[0]))
    explained |= {f"{service.upper()}_{what}" for service in SERVICES for what in ("URL", "DATABASE_URL")}
    for block in BLOCKS:
        used = set(re.findall(r"\$\{?([A-Z_]+)", block.command)) - {"TMPDIR"}
        assert used <= explained, block.command


def test_every_section_about_an_alert_says_what_it_means_what_to_do_and_when_it_is_over() -> None:
    sections = re.split(r"^## ", (ROOT / "infra/runbook.md").read_text(), flags=re.M)[1:]
    about_alerts = [it for it in sections if "**For people.**" in it]
    assert len(about_alerts) >= 18
    for section in about_alerts:
        for part in ("**Look.**", "**Do", "**Over"):
            assert part in section, section.partition("\n")[0]
        assert "```sh" in section, section.partition("\n")[0]
