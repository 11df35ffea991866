"""One trial from spec to record: whole, taken up again, or failed with a reason."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.recipes import write_recipe

from interlaw.runs import Record, RunFolder, TrialFolder, TrialSpec, load_curve
from interlaw.sweep import Conditions, measuring, plan_trials, read_recipe, run_trial
from interlaw.sweep.trial import record_death


def make_spec(folder: Path, **changes: dict[str, Any]) -> TrialSpec:
    path = write_recipe(folder, **changes)
    return plan_trials(read_recipe(path)[0], folder=folder)[0]


OFTEN = Conditions(checkpoint_seconds=0)


def run(spec: TrialSpec, path: Path, conditions: Conditions | None = None, **options: Any) -> Record:
    record = run_trial(spec, TrialFolder(path / spec.key), conditions=conditions, **options)
    assert record is not None
    return record


CLOCKS = {"seconds", "evaluation_seconds", "measure_seconds", "provenance"}


def facts(record: Record) -> dict[str, Any]:
    return {name: value for name, value in json.loads(record.model_dump_json()).items() if name not in CLOCKS}


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> TrialSpec:
    return make_spec(tmp_path_factory.mktemp("plan"))


@pytest.fixture(scope="module")
def whole(spec: TrialSpec, tmp_path_factory: pytest.TempPathFactory) -> tuple[Record, TrialFolder]:
    path = tmp_path_factory.mktemp("whole")
    return run(spec, path), TrialFolder(path / spec.key)


def test_a_whole_trial(spec: TrialSpec, whole: tuple[Record, TrialFolder]) -> None:
    record, folder = whole
    assert record.status == "done"
    assert record == folder.record()
    assert record.key == spec.key
    assert record.loss is not None
    assert 0 < record.loss < math.log(256) * 1.1
    assert record.shape == spec.make_shape().to_dict()
    assert record.units == 12 * 2 * 8
    assert set(record.measurements) == {"projected", "loss"}
    assert record.measurements["projected"]["dim"] == 64
    assert record.measurements["loss"]["dim"] == spec.shape["width"]
    assert record.measurements["loss"]["num_clusters"] == 8
    assert 0 < record.evaluation_seconds < record.seconds
    assert record.measure_seconds > 0
    assert record.unmeasured == {}
    assert record.provenance["torch"] == torch.__version__
    curve = load_curve(folder)
    assert curve["step"].tolist() == [4, 8, 12]
    assert curve["val_loss"].iloc[-1] == record.val_loss


def test_a_finished_trial_is_not_run_again(whole: tuple[Record, TrialFolder], spec: TrialSpec) -> None:
    stamp = (whole[1].path / "record.json").stat().st_mtime_ns
    assert run(spec, whole[1].path.parent) == whole[0]
    assert (whole[1].path / "record.json").stat().st_mtime_ns == stamp


class Killed(BaseException):
    """Like a signal: nothing in a trial may catch it."""


@pytest.mark.parametrize("when", ["training", "measuring", "saving", "recording"])
def test_a_trial_stopped_anywhere_ends_the_same(
    spec: TrialSpec, whole: tuple[Record, TrialFolder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    calls = {"n": 0}

    def killed(*arguments: Any, **options: Any) -> Any:
        calls["n"] += 1
        raise Killed

    def killed_at_step(values: dict[str, Any]) -> None:
        if values["step"] >= 7:
            killed()

    folder = TrialFolder(tmp_path / spec.key)
    with monkeypatch.context() as patch:
        patch.setattr("interlaw.sweep.trial.PROGRESS_SECONDS", -1.0)
        targets = {"measuring": "interlaw.sweep.measuring.measure", "saving": "interlaw.sweep.trial.save_weights"}
        if when in targets:
            patch.setattr(targets[when], killed)
        elif when == "recording":
            patch.setattr(TrialFolder, "write_record", killed)
        with pytest.raises(Killed):
            run_trial(spec, folder, conditions=OFTEN, progress=killed_at_step if when == "training" else None)
    assert calls["n"] == 1
    assert folder.record() is None
    assert not folder.is_running()
    steps: list[int] = []
    monkeypatch.setattr("interlaw.sweep.trial.PROGRESS_SECONDS", -1.0)
    record = run(spec, tmp_path, OFTEN, progress=lambda values: steps.append(values["step"]))
    # it went on: within training, at its end, or, trained already, with what was missing
    assert steps[:1] == {"training": [8], "saving": [12]}.get(when, [])
    assert facts(record) == facts(whole[0])
    assert folder.weights.read_bytes() == whole[1].weights.read_bytes()
    assert (folder.path / "curve.csv").read_bytes() == (whole[1].path / "curve.csv").read_bytes()


def test_what_a_killed_process_left_half_written_is_cleared(spec: TrialSpec, tmp_path: Path) -> None:
    folder = TrialFolder(tmp_path / spec.key)
    folder.checkpoints.mkdir(parents=True)
    for path in (folder.path / ".record.json.77.tmp", folder.checkpoints / ".step-1.safetensors.77.tmp"):
        path.write_bytes(b"half")
    run(spec, tmp_path, OFTEN)
    files = {path.relative_to(folder.path).as_posix() for path in folder.path.rglob("*") if path.is_file()}
    assert files == {"spec.json", "record.json", "curve.csv", "checkpoint/model.safetensors", ".lock"}


def test_a_trial_held_by_another_process_is_left_to_it(spec: TrialSpec, tmp_path: Path) -> None:
    folder = TrialFolder(tmp_path / spec.key)
    with folder.lock() as free:
        assert free
        assert run_trial(spec, folder, patience_seconds=0.05) is None
    assert not (folder.path / "record.json").exists()


def test_a_crash_is_a_record(spec: TrialSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any, **options: Any) -> None:
        raise ValueError("first line\nsecond line")

    monkeypatch.setattr("interlaw.sweep.trial.train", fail)
    record = run(spec, tmp_path)
    assert record.status == "failed"
    assert record.reason == "ValueError: first line"
    assert "in fail" in record.traceback
    assert "second line" in record.traceback
    assert record.loss is None
    assert record.shape["params"] == spec.make_shape().params
    assert not TrialFolder(tmp_path / spec.key).checkpoints.exists()


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), ValueError("not\nso")])
def test_a_view_that_fails_costs_neither_the_loss_nor_the_other_view(
    spec: TrialSpec,
    whole: tuple[Record, TrialFolder],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    real = measuring.measure

    def fail_on_loss(*arguments: Any, view: str, **options: Any) -> Any:
        if view == "loss":
            raise error
        return real(*arguments, view=view, **options)

    with monkeypatch.context() as patch:
        patch.setattr(measuring, "measure", fail_on_loss)
        record = run(spec, tmp_path)
    assert (record.status, record.loss, record.reason) == ("done", whole[0].loss, "")
    assert set(record.measurements) == {"projected"}
    expected = "out of memory (OutOfMemoryError: CUDA" if "CUDA" in str(error) else "ValueError: not"
    assert record.unmeasured["loss"].startswith(expected)
    folder = TrialFolder(tmp_path / spec.key)
    folder.forget_record()
    steps: list[int] = []
    again = run(spec, tmp_path, progress=lambda values: steps.append(values["step"]))
    assert steps == []  # nothing was trained again
    assert facts(again) == facts(whole[0])
    assert again.seconds == record.seconds
    assert not (folder.checkpoints / "trained.json").exists()


def test_damaged_weights_of_a_trained_trial_are_trained_again(
    spec: TrialSpec, whole: tuple[Record, TrialFolder], tmp_path: Path
) -> None:
    folder = TrialFolder(tmp_path / spec.key)
    run(spec, tmp_path)
    folder.forget_record()
    folder.weights.write_bytes(folder.weights.read_bytes()[:-3])
    assert facts(run(spec, tmp_path)) == facts(whole[0])
    assert folder.weights.read_bytes() == whole[1].weights.read_bytes()


def test_a_trained_trial_that_kills_its_workers_while_it_is_measured_keeps_its_loss(
    spec: TrialSpec, whole: tuple[Record, TrialFolder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*arguments: Any, **options: Any) -> None:
        raise Killed

    place = RunFolder(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(measuring, "measure", killed)
        with pytest.raises(Killed):
            run_trial(spec, place.trial(spec.key))
    record = record_death(place, spec, reason="its worker process died 3 times")
    assert record is not None
    assert (record.status, record.loss) == ("done", whole[0].loss)
    assert record.unmeasured == dict.fromkeys(("projected", "loss"), "its worker process died 3 times")


def test_divergence_is_a_record(tmp_path: Path) -> None:
    spec = make_spec(tmp_path, training={"steps": 60, "learning_rate": 1e6, "clip": 0.0})
    record = run(spec, tmp_path / "run")
    assert record.status == "diverged"
    assert record.reason.startswith("loss ")
    assert (record.loss, record.figures, record.measurements, record.traceback) == (None, {}, {}, "")
    assert 0 < record.units < 60 * 16
    folder = TrialFolder(tmp_path / "run" / spec.key)
    assert folder.record() == record
    assert not folder.checkpoints.exists()


@pytest.mark.parametrize("change", ["vanished", "changed"])
def test_another_text_than_planned_is_refused(tmp_path: Path, change: str) -> None:
    spec = make_spec(tmp_path)
    if change == "vanished":
        (tmp_path / "book.txt").unlink()
        message = "InterlawError: expected a corpus file, folder, .* found no such path"
    else:
        (tmp_path / "book.txt").write_text("something else\n" * 500)
        message = "InterlawError: expected corpus .*book.txt with digest .*, found .*; restore the text, or plan"
    record = run(spec, tmp_path / "run")
    assert record.status == "failed"
    import re

    assert re.match(message, record.reason)


def test_a_damaged_checkpoint_costs_time_but_not_the_result(
    spec: TrialSpec, whole: tuple[Record, TrialFolder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(values: dict[str, Any]) -> None:
        if values["step"] == 9:
            raise Killed

    monkeypatch.setattr("interlaw.sweep.trial.PROGRESS_SECONDS", -1.0)
    folder = TrialFolder(tmp_path / spec.key)
    with pytest.raises(Killed):
        run_trial(spec, folder, conditions=OFTEN, progress=stop)
    newest = max(folder.checkpoints.iterdir())
    newest.write_bytes(newest.read_bytes()[:-3])
    steps: list[int] = []
    record = run(spec, tmp_path, OFTEN, progress=lambda values: steps.append(values["step"]))
    assert steps[0] == 9
    assert facts(record) == facts(whole[0])


def test_progress_is_told_and_noted(spec: TrialSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interlaw.sweep.trial.PROGRESS_SECONDS", -1.0)
    folder = TrialFolder(tmp_path / spec.key)
    told: list[dict[str, Any]] = []
    noted: list[dict[str, Any]] = []

    def listen(values: dict[str, Any]) -> None:
        told.append(values)
        noted.append(folder.progress())

    run(spec, tmp_path, progress=listen)
    assert [values["step"] for values in told] == list(range(1, 13))
    assert all(values["steps"] == 12 and 0 < values["train_loss"] < 10 for values in told)
    assert [values["step"] for values in noted] == list(range(1, 13))
    assert not (folder.path / "progress.json").exists()


def test_progress_is_told_twice_a_second_at_most(spec: TrialSpec, tmp_path: Path) -> None:
    told: list[dict[str, Any]] = []
    record = run(spec, tmp_path, progress=told.append)
    assert len(told) <= record.seconds / 0.5 + 1


def test_equal_specs_give_equal_results_in_any_folder(
    spec: TrialSpec, whole: tuple[Record, TrialFolder], tmp_path: Path
) -> None:
    assert facts(run(spec, tmp_path / "elsewhere")) == facts(whole[0])
    shutil.rmtree(tmp_path)


def test_the_death_of_a_process_that_shares_the_trial_is_no_record(spec: TrialSpec, tmp_path: Path) -> None:
    def slicing(task: Any, model: Any) -> Any:
        raise RuntimeError("[/third_party/gloo/gloo/transport/tcp/pair.cc:537] Read error: Connection reset by peer")

    folder = TrialFolder(tmp_path / spec.key)
    with pytest.raises(RuntimeError, match="reset by peer"):
        run_trial(spec, folder, slicing=slicing)
    assert folder.record() is None
    assert run(spec, tmp_path).status == "done"
