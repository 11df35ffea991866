"""`interlaw watch` as a process: it says where it serves, serves, and ends on Ctrl-C."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest
from tests.report.synthetic import write_run

from interlaw.cli import run


def test_serves_until_interrupted(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", budgets=(50_000,), depths=(2,), seeds=(0,), status={(50_000, 2, 0): "pending"})
    command = [str(Path(sys.executable).with_name("interlaw")), "watch", str(folder), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = ""
        while not said.endswith("}\n"):
            said += process.stdout.readline()
        with urlopen(json.loads(said)["address"]) as answer:
            assert b"The sweep now" in answer.read()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")


def test_no_run_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["watch", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("interlaw: expected a run folder with recipe.toml")
