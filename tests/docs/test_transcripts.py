"""What README and the pages show of a command is what the command says today."""

from __future__ import annotations

import html
import re
import shlex
from pathlib import Path

import pytest
from tests.docs.pages import ROOT

from interlaw.cli import run
from interlaw.cli.quickstart import larger_evidence
from interlaw.report import demo_page

CONSOLE = re.compile(r"^```console\n(.*?)^```", re.DOTALL | re.MULTILINE)


def transcripts(path: Path) -> list[tuple[str, str]]:
    """Commands with what is shown below them; a command alone shows nothing."""
    found = []
    for block in CONSOLE.findall(path.read_text(encoding="utf-8")):
        for command, shown in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
            if shown.strip():
                found.append((command, shown))
    return found


SHOWN = [pair for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))) for pair in transcripts(path)]


def test_there_are_transcripts() -> None:
    assert any(command.startswith("interlaw recommend") for command, _ in SHOWN)


@pytest.mark.parametrize(("command", "shown"), SHOWN, ids=[command for command, _ in SHOWN])
def test_a_command_says_what_the_page_shows(
    command: str, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    name, *arguments = shlex.split(command)
    assert name == "interlaw"
    assert run(arguments) == 0
    said = capsys.readouterr()
    if shown.endswith("...\n"):  # the page shows the beginning
        assert said.out.startswith(shown.removesuffix("...\n"))
    else:
        assert shown in (said.out, said.err)


def test_the_verdict_in_the_readme_is_that_of_the_packaged_report() -> None:
    (quoted,) = re.findall(r"((?:^>.*\n)+)", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    page = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", demo_page())).split())
    for paragraph in quoted.replace("> ", "").split(">\n"):
        words = " ".join(paragraph.partition("** ")[2].split())
        assert words in page


def test_the_optima_of_larger_networks_in_the_readme_are_those_at_the_end_of_the_quickstart() -> None:
    said = larger_evidence()
    smallest, largest, _ = re.findall(r"0\.\d{4}", said)
    assert [size in said for size in ("at 573k", "at 2.94M", "at 1B")] == [True] * 3
    told = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert f"R\\* = {smallest}, and at 3M at {largest} (" in told


def test_the_packaged_page_names_no_folder_of_the_machine_that_made_it() -> None:
    assert "interlaw sweep runs/waves/" in demo_page()
    assert not re.search(r"(?<![\w:/.])/(?:tmp|work|home|root|Users)/", demo_page())
