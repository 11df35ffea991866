"""What the pages show works: Python blocks run, commands are commands, make targets exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import torch
import typer.main
from tests.docs.pages import ROOT, blocks, commands, make_targets, name_of, pages

import interlaw as il
from interlaw.cli import app

# the README has a test of its own
PAGES_WITH_PYTHON = [name_of(page) for page in pages() if page.name != "README.md" and blocks(page, "python")]
COMMANDS = sorted(
    {(name_of(page), line) for page in pages() for line in commands(page) if line.startswith("interlaw ")}
)
TARGETS = sorted({line for page in pages() for line in commands(page) if re.fullmatch(r"make [\w-]+", line)})


def names_at_hand() -> dict[str, Any]:
    """What pages about measuring take as given: two small models measured on the same inputs."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.GELU(), torch.nn.Linear(16, 4))
    other = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.GELU(), torch.nn.Linear(16, 4))
    inputs = torch.randn(64, 8)
    a, b = il.measure(model, inputs, view="input"), il.measure(other, inputs, view="input")
    return {"model": model, "inputs": inputs, "x": inputs, "a": a, "b": b, "other": b}


@pytest.mark.parametrize("page", PAGES_WITH_PYTHON)
def test_python_blocks_run(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """The blocks of a page run one after another, in a folder with the docs and, where one is named, a finished run."""
    code = "\n".join(blocks(ROOT / page, "python"))
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    (tmp_path / "runs").mkdir()
    for name in sorted(set(re.findall(r"\bruns/(\w+)", code))):
        (tmp_path / "runs" / name).symlink_to(request.getfixturevalue("finished_run"))
    monkeypatch.chdir(tmp_path)
    exec(compile(code, page, "exec"), {**names_at_hand(), "__file__": str(ROOT / page)})


@pytest.mark.parametrize(("page", "line"), COMMANDS)
def test_commands_are_understood(page: str, line: str) -> None:
    """Every option exists and takes what it is given; nothing is run."""
    words = shlex.split(line)[1:]
    group = typer.main.get_command(app)
    context = group.make_context("interlaw", words[:1], resilient_parsing=True)
    if words[0].startswith("-"):
        return
    _, command, rest = group.resolve_command(context, words)  # type: ignore[attr-defined]
    if rest and "..." not in rest and not {"NAME", "COMMAND"} & set(rest[1:]):
        command.make_context(words[0], rest, parent=context)


@pytest.mark.parametrize("line", TARGETS)
def test_make_targets_exist(line: str) -> None:
    assert line.removeprefix("make ") in make_targets()


def test_there_are_examples() -> None:
    """The net itself."""
    assert len(PAGES_WITH_PYTHON) >= 3
    assert len(COMMANDS) > 30
    assert "make quickstart" in TARGETS
