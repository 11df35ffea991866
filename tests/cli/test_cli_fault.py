"""The last resort: no command ends in a traceback, whoever is to blame."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from interlaw import cli

INTERLAW = [sys.executable, "-c", "from interlaw.cli import main; main()"]


class OutOfMemoryError(RuntimeError):
    """Named as torch's."""


def ends(monkeypatch: pytest.MonkeyPatch, error: Exception, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    def broken(*args: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(cli, "app", broken)
    status = cli.run(["shapes", "--params", "3M"])
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    return status, said.err


@pytest.mark.parametrize(
    "error", [KeyError("x"), RuntimeError("a\nb"), AssertionError(), ZeroDivisionError("by zero"), RecursionError()]
)
def test_an_unforeseen_error_is_one_line_and_a_file(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    status, said = ends(monkeypatch, error, capsys)
    assert status == 1
    assert said.startswith(f"interlaw: this is a fault of interlaw, not of yours: {type(error).__name__}")
    saved = Path(re.search(r"please send (\S+),", said)[1])  # type: ignore[index]
    assert "command: interlaw shapes --params 3M" in saved.read_text()
    assert "Traceback (most recent call last)" in saved.read_text()


def test_a_fault_that_cannot_be_saved(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    status, said = ends(monkeypatch, KeyError("x"), capsys)
    assert status == 1
    assert "its traceback could not be saved (No such file or directory)" in said


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(28, "No space left on device", "x.json"), "expected room to write, found: .*No space left on device"),
        (MemoryError("9 TiB"), "expected more memory: 9 TiB; give fewer or shorter samples"),
        (OutOfMemoryError("CUDA"), "expected more memory: CUDA"),
    ],
)
def test_a_machine_that_is_too_small_is_nobodys_fault(
    error: Exception, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    status, said = ends(monkeypatch, error, capsys)
    assert status == 2
    assert re.match(f"interlaw: {message}", said)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize(
    "words",
    [
        ["shapes", "--params", "3M"],
        ["--version"],
        *(
            pytest.param(words, marks=pytest.mark.slow)
            for words in (["shapes", "--params", "3M", "--json"], ["--help"])
        ),
    ],
)
def test_a_full_disk_behind_the_output(words: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*INTERLAW, *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "No space left on device" in done.stderr


def test_a_reader_that_leaves_early_hears_nothing() -> None:
    done = subprocess.run(
        [
            "bash",
            "-c",
            '"$@" | head -1',
            "bash",
            *INTERLAW,
            "shapes",
            "--params",
            "3M",
            "--depths",
            "2-24",
            "--rule",
            "nearest",
            "--json",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "{\n"
    assert done.stderr == ""


def test_a_reader_that_has_left_and_an_output_that_was_closed_are_no_failure() -> None:
    words = [*INTERLAW, "shapes", "--params", "3M", "--depths", "2-24"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as left:
        assert left.stdout is not None
        left.stdout.close()
    assert left.returncode == 0
    closed = subprocess.run(["bash", "-c", '"$@" >&-', "bash", *words, "--json"], stderr=subprocess.PIPE, check=False)
    assert (closed.returncode, b"fault" in closed.stderr) == (0, False)


@pytest.mark.parametrize("encoding", ["ascii", pytest.param("cp1252", marks=pytest.mark.slow)])  # a fresh process each
def test_a_narrow_encoding_gets_escapes(encoding: str, tmp_path: Path) -> None:
    table = tmp_path / "\u6df1\u3055.csv"
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run([*INTERLAW, "fit", str(table)], capture_output=True, env=environment, check=False)
    assert done.returncode == 2
    assert rb"\u6df1\u3055.csv" in done.stderr
    assert b"Traceback" not in done.stderr
