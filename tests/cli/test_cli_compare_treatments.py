from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.report.synthetic import write_run

from interlaw.cli import run


def test_one_run_of_two_treatments_or_two_runs_of_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    together = write_run(tmp_path / "both", treatments=("fixed", "search"))
    assert run(["compare-treatments", str(together), "--json", "--resamples", "200"]) == 0
    one = json.loads(capsys.readouterr().out)
    assert one["treatments"] == ["fixed", "search"]
    assert len(one["budgets"]) == 6
    assert len(one["differences"]) == 3
    assert one["differences"][1]["factor"] == pytest.approx(1.5, rel=0.25)  # as the synthetic law says

    apart = [write_run(tmp_path / name, treatments=(name,)) for name in ("fixed", "search")]
    assert run(["compare-treatments", *map(str, apart), "--json", "--resamples", "200"]) == 0
    assert json.loads(capsys.readouterr().out)["treatments"] == ["fixed", "search"]


def test_table_and_figure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = write_run(tmp_path / "both", treatments=("fixed", "search"), budgets=(50_000, 100_000))
    figure = tmp_path / "treatments.svg"
    assert run(["compare-treatments", str(both), "--resamples", "200", "--figure", str(figure)]) == 0
    out = capsys.readouterr().out
    for words in ("R* under each treatment", "How it moves", "fixed", "search", "50k", "trials"):
        assert words in out
    assert b"<svg" in figure.read_bytes()[:200]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fixed"], "expected at least two treatments, found fixed"),
        (["fixed", "fixed2"], "expected each treatment in one run, found fixed"),
        (["fixed", "nothing"], "expected a run folder"),
        (["fixed", "search", "--figure", "x.jpeg"], "expected a figure named"),
    ],
)
def test_mistakes_get_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, treatment in (("fixed", "fixed"), ("fixed2", "fixed"), ("search", "search")):
        write_run(tmp_path / name, budgets=(50_000,), seeds=(0,), treatments=(treatment,))
    assert run(["compare-treatments", *arguments, "--resamples", "100"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert len(captured.err.splitlines()) == 1
