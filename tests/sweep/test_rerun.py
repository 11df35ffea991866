"""A trial run again equals its record, or is told apart from it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load, save_file

from interlaw.cli import run as interlaw
from interlaw.errors import InterlawError, WorkFailedError
from interlaw.runs import RunFolder, TrialFolder
from interlaw.sweep import rerun_trial
from interlaw.sweep.trial import Attempt


@pytest.fixture
def trial(finished_run: Path, tmp_path: Path) -> TrialFolder:
    first = RunFolder(finished_run).trials()[0]
    shutil.copytree(first.path, tmp_path / first.key)
    return TrialFolder(tmp_path / first.key)


def change(trial: TrialFolder, **changes: Any) -> None:
    record = trial.record()
    assert record is not None
    trial.write_record(record.model_copy(update=changes))


def test_a_trial_run_again_is_the_same_to_the_last_bit(trial: TrialFolder, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in trial.path.rglob("*")}
    assert interlaw(["rerun", str(trial.path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["verdict"], found["differences"], found["versions"]) == ("bit-equal", [], {})
    assert found["num_compared"] > 50
    assert {path: path.stat().st_mtime_ns for path in trial.path.rglob("*")} == before


def test_what_differs_is_told_with_the_versions_that_do(trial: TrialFolder, capsys: pytest.CaptureFixture[str]) -> None:
    record = trial.record()
    assert record is not None
    assert record.loss is not None
    change(trial, loss=record.loss * 1.01, provenance={**record.provenance, "torch": "1.0"})
    assert interlaw(["rerun", str(trial.path)]) == 1
    captured = capsys.readouterr()
    assert "different; " in captured.out
    assert "loss" in captured.out
    assert f"torch: 1.0 recorded, {torch.__version__} here" in captured.out
    assert captured.err.splitlines()[-1].endswith("differs from its record by more than 0.001")
    assert interlaw(["rerun", str(trial.path), "--tolerance", "0.1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["verdict"] == "equal within tolerance"
    assert found["differences"][0]["name"] == "loss"
    assert found["differences"][0]["relative"] == pytest.approx(0.01 / 1.01)


def test_other_weights_and_other_measurements_are_noticed(trial: TrialFolder) -> None:
    weights = load(trial.weights.read_bytes())
    name = sorted(weights)[0]
    weights[name] = weights[name] + 1e-6
    save_file(weights, trial.weights)
    found = rerun_trial(trial.path)
    assert [difference.name for difference in found.differences] == [f"weights.{name}"]
    assert found.verdict == "equal within tolerance"
    del weights[name]
    save_file(weights, trial.weights)
    assert rerun_trial(trial.path).verdict == "different"


def test_a_missing_measurement_is_a_difference(trial: TrialFolder) -> None:
    record = trial.record()
    assert record is not None
    change(trial, measurements={"loss": record.measurements["loss"]})
    found = rerun_trial(trial.path)
    assert found.verdict == "different"
    assert all(difference.name.startswith("measurements.projected") for difference in found.differences)


def test_what_cannot_be_run_again_says_why(trial: TrialFolder, tmp_path: Path) -> None:
    with pytest.raises(InterlawError, match="expected a tolerance of at least 0, found -1"):
        rerun_trial(trial.path, tolerance=-1)
    spec = trial.spec()
    lost = spec.model_copy(update={"task": spec.task.model_copy(update={"corpus": str(tmp_path / "nowhere")})})
    other = TrialFolder(tmp_path / "other" / trial.key)
    shutil.copytree(trial.path, other.path)
    (other.path / "spec.json").write_text(lost.canonical())
    with pytest.raises(WorkFailedError, match=rf"the rerun of {trial.key} failed: .*expected a corpus"):
        rerun_trial(other.path)
    (trial.path / "record.json").unlink()
    with pytest.raises(InterlawError, match=r"expected a trial that has ended in .*, found no record.json"):
        rerun_trial(trial.path)


@pytest.mark.parametrize("place", ["", "s3://bucket/run/trials/0123456789abcdef"])
def test_a_place_that_is_no_folder_here_is_refused(place: str) -> None:
    with pytest.raises(InterlawError, match="expected a trial's folder on this machine, found"):
        rerun_trial(place)


def test_how_sums_were_formed_is_told_where_it_differs(trial: TrialFolder) -> None:
    record = trial.record()
    assert record is not None
    change(trial, provenance={**record.provenance, "micro_batch": 1, "processes": 2})
    found = rerun_trial(trial.path)
    assert {name: old for name, (old, _) in found.versions.items()} == {"micro_batch": 1, "processes": 2}


def test_a_compiled_trial_is_compiled_again(trial: TrialFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    record = trial.record()
    assert record is not None
    change(trial, provenance={**record.provenance, "compiled": True})
    asked: list[Any] = []

    def finish(attempt: Attempt, **options: Any) -> Any:
        asked.append(attempt.conditions.compiled)
        attempt.folder.write_record(record)
        return record

    monkeypatch.setattr(Attempt, "finish", finish)
    rerun_trial(trial.path)
    assert asked == [True]
