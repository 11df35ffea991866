"""`interlaw report`: writes the page, names it, and fails in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from tests.report.synthetic import write_run
from typer.testing import CliRunner

from interlaw.cli.report import report
from interlaw.errors import InterlawError

APP = typer.Typer()
APP.command()(report)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cli") / "run"
    return write_run(path, budgets=(50_000,), depths=(2, 3, 4), seeds=(0,), views=())


def test_prints_the_page(run: Path) -> None:
    result = CliRunner().invoke(APP, [str(run)])
    assert (result.exit_code, result.stdout) == (0, f"{run / 'report.html'}\n")
    assert (run / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_json_names_page_and_figures(run: Path, tmp_path: Path) -> None:
    arguments = [str(run), "--out", str(tmp_path / "a.html"), "--figures", str(tmp_path / "figures"), "--json"]
    result = CliRunner().invoke(APP, arguments)
    assert result.exit_code == 0, result.output
    written = json.loads(result.stdout)
    assert written["report"] == str(tmp_path / "a.html")
    assert sorted(written["figures"]) == sorted(str(path) for path in (tmp_path / "figures").iterdir())
    assert {Path(path).suffix for path in written["figures"]} == {".png", ".svg", ".pdf"}


def test_no_run(tmp_path: Path) -> None:
    result = CliRunner().invoke(APP, [str(tmp_path)])
    assert isinstance(result.exception, InterlawError)
    assert "expected a run folder" in str(result.exception)
