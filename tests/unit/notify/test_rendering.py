"""`render` shows any notice without settings or a database."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from services.chassis.cli import main
from services.notify.app import service
from services.notify.domain import samples
from services.notify.domain.contacts import CHANNELS
from services.notify.domain.notices import CALL, KINDS
from services.notify.rendering import DRAWN, TEXTS, render_command
from services.notify.wording import LANGUAGES

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", sorted(samples.PERSONAL))
def test_every_kind_is_shown_in_every_language(kind: str, language: str, capsys: pytest.CaptureFixture[str]) -> None:
    for channel in (*TEXTS, *([CALL] if KINDS[kind].is_called else [])):
        assert render_command([kind, "--language", language, "--channel", channel]) == 0
        assert capsys.readouterr().out.strip()


def test_an_sms_says_how_many_segments_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(service, ["render", "reminder", "--channel", "sms"]) == 0
    assert capsys.readouterr().out.endswith("truoc 05:30.\n(111 characters, 1 segment)\n")


def test_a_basket_is_also_shown_as_page_and_picture(capsys: pytest.CaptureFixture[str]) -> None:
    assert render_command(["basket", "--channel", "page"]) == 0
    assert capsys.readouterr().out.startswith("<!doctype html>")
    assert render_command(["basket_confirmed", "--channel", "picture", "--language", "en"]) == 0
    assert capsys.readouterr().out.startswith("<svg ")


def shown(kind: str, channel: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert render_command([kind, "--channel", channel]) == 0
    return capsys.readouterr().out


def test_a_webhook_and_a_push_are_shown_as_they_go_out(capsys: pytest.CaptureFixture[str]) -> None:
    pushed = json.loads(shown("basket", "webhook", capsys))
    assert pushed["type"] == "notice.basket"
    assert pushed["data"]["fields"]["goods"] == "Cải mèo 12,5 kg, Rau mùi 3 bó"
    flashed = json.loads(shown("basket", "web_push", capsys))
    assert flashed["title"] == "Hàng cần mang thứ Ba, 24/11/2026"
    assert flashed["url"] == samples.LINK


def test_conversations_and_calls_are_shown_whole_and_only_a_call_without_the_link(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for channel in ("zalo_oa", "telegram"):
        text = shown("basket", channel, capsys)
        assert "- Rau mùi: 3 bó\n" in text
        assert samples.LINK in text
    said = shown("basket", "call", capsys)
    assert "- Rau mùi: 3 bó\n" in said
    assert samples.LINK not in said


@pytest.mark.parametrize("channel", [*DRAWN, CALL])
def test_what_there_is_none_of_is_refused_in_one_line(channel: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert render_command(["sold_out", "--channel", channel]) == 1
    out, err = capsys.readouterr()
    assert not out
    assert err.count("\n") == 1


def test_it_needs_no_environment() -> None:
    bare = {"PATH": os.environ["PATH"]}
    command = [sys.executable, "-m", "services.notify", "render", "basket", "--changed"]
    done = subprocess.run(command, cwd=ROOT, env=bare, capture_output=True, check=False, encoding="utf-8")
    assert done.stdout.startswith("== email\nSubject: Thay đổi: Hàng cần mang thứ Ba, 24/11/2026\n")
    shown = re.findall(r"^== (\w+)$", done.stdout, re.MULTILINE)
    assert set(shown) == {*CHANNELS, CALL}, "every way by which somebody can be told"
    assert (done.returncode, done.stderr) == (0, "")
