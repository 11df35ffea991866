"""Whatever is wrong with an input: status 2, one line that helps, no traceback, nothing printed, nothing written."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from tests.bad_inputs import COMMANDS, damaged_runs, files

from interlaw.cli import run

SHORTEST_HELP = 25
LEAST_TOLD = 15  # characters of a message; "expected" alone is no message
# a folder that is named by bytes that are no text
NO_TEXT = os.fsdecode(b"caf\xe9")

Tree = dict[str, tuple[int, int]]  # size and time of every path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, finished_run: Path) -> Path:
    path = tmp_path_factory.mktemp("bad")
    files(path)
    damaged_runs(finished_run, path)
    return path


def tree(folder: Path) -> Tree:
    found = {}
    for path in folder.rglob("*"):
        if path.name != ".lock" and "__pycache__" not in path.parts:
            found[str(path)] = (path.lstat().st_size if path.is_file() else 0, path.lstat().st_mtime_ns)
    return found


@pytest.fixture(scope="module")
def last(folder: Path) -> list[Tree]:
    """What the folder held after the case before, so that a case answers for its own traces alone."""
    return [tree(folder)]


def complaint(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> str:
    """The one line that a wrong input gets."""
    status = run(arguments)
    captured = capfd.readouterr()
    assert status == 2, captured
    assert captured.out == ""
    assert captured.err.startswith("interlaw: "), captured.err
    assert captured.err.count("\n") == 1, captured.err
    assert captured.err.endswith("\n")
    assert len(captured.err) > SHORTEST_HELP
    assert "Traceback" not in captured.err
    assert re.search(r"[\x00-\x08\x0b-\x1f\x7f]", captured.err) is None
    return captured.err


@pytest.mark.parametrize(
    ("arguments", "says"), COMMANDS, ids=[f"{i}-{' '.join(each)[:60]}" for i, (each, _) in enumerate(COMMANDS)]
)
def test_a_wrong_input_gets_one_line(
    folder: Path,
    last: list[Tree],
    arguments: list[str],
    says: str,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = next((folder / "trial").iterdir()).name
    places = {"d": str(folder), "k": key, "t": str(folder / "trial" / key)}
    monkeypatch.chdir(folder)
    try:
        found = complaint([argument.format(**places) if "{" in argument else argument for argument in arguments], capfd)
    finally:
        before, last[0] = last[0], tree(folder)
    place = 0
    for part in says.split(" ... "):
        assert part in found[place:], (part, found)
        place = found.index(part, place) + len(part)
    assert last[0] == before


def test_every_message_is_told_in_its_own_words() -> None:
    assert len(COMMANDS) > 150
    assert len({tuple(arguments) for arguments, _ in COMMANDS}) == len(COMMANDS)
    assert all(len(says) >= LEAST_TOLD for _, says in COMMANDS)
    assert len({says for _, says in COMMANDS}) > 0.95 * len(COMMANDS)


@pytest.mark.parametrize("command", ["status", "export", "fit", "report", "rerun", "measure", "layers", "sweep"])
def test_a_name_that_is_no_text_is_shown_in_escapes(
    tmp_path: Path, command: str, capfd: pytest.CaptureFixture[str]
) -> None:
    rest = ["--out", str(tmp_path / "out")] if command == "sweep" else []
    name = str(tmp_path / NO_TEXT) + (".py:model" if command in ("measure", "layers") else "")
    assert r"\udce9" in complaint([command, name, *rest], capfd)
