"""`interlaw reproduce`: JSON alone on stdout, mistakes in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from interlaw.cli import run
from interlaw_paper.bottleneck_training import BottleneckSettings
from interlaw_paper.double_descent import PROGRAMS, Dataset, Program


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    program = Program(
        sizes=(3, 4, 5, 6, 8, 10),
        seeds=(0, 1),
        settings=BottleneckSettings(steps=10),
        data=Dataset(dim=30, density=0.1, test_points=50),
    )
    monkeypatch.setitem(PROGRAMS, "tiny", program)


@pytest.mark.usefixtures("small")
def test_json_holds_experiment_and_agreement(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["reproduce", "double-descent", "--out", str(tmp_path), "--json"]) == 0
    printed = capsys.readouterr()
    outcome = json.loads(printed.out)
    assert outcome["experiment"] == "double-descent"
    assert {"figure", "at", "published", "ours", "verdict", "differs"} <= set(outcome["agreement"][0])
    assert "3 training points: test loss" in printed.err
    assert outcome == json.loads((tmp_path / "outcome.json").read_text())


@pytest.mark.usefixtures("small")
def test_people_get_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["reproduce", "double-descent", "--out", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "AOFE-ratio" in shown
    assert "What differs from the published setting: other random data" in shown
    assert "Agreement means (test loss; AOFE; AOFE-ratio): within the published standard deviation" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "expected an experiment of double-descent, mlp"),
        (["mlp", "--scale", "huge"], "expected --scale tiny or paper for mlp, found 'huge'"),
        (["mlp", "--text", "book.txt"], "expected no --text for mlp"),
        (["gpt-depth", "--models", "gpt2"], "expected no --models for gpt-depth"),
        (["double-descent", "--workers", "2"], "expected no --workers for double-descent"),
        (["double-descent", "--device", "meta"], "expected no --device for double-descent"),
        (["mlp", "--device", "nowhere"], "expected a device that torch can use"),
    ],
)
def test_mistakes_end_in_one_line(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["reproduce", *arguments, "--out", str(tmp_path)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert message in printed.err
    assert len(printed.err.strip().splitlines()) == 1
