"""A run folder: made, opened again, guarded against strangers, and read for its status."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.recipes import recipe_text, write_recipe

from interlaw.errors import InterlawError
from interlaw.runs import RunFolder, TrialSpec, require_run
from interlaw.sweep import Event, parse_recipe, planned_flops, prepare_run, run_status, run_trials
from interlaw.sweep.together import run_group


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_recipe(tmp_path).parent


def prepare(folder: Path, **changes: dict[str, Any]) -> tuple[RunFolder, list[TrialSpec]]:
    text = recipe_text(**changes)
    return prepare_run(parse_recipe(text, source="r"), text, out=folder / "run", folder=folder)


def test_a_prepared_run_holds_its_plan(folder: Path) -> None:
    run, trials = prepare(folder)
    assert run.recipe.read_text() == recipe_text()
    assert {trial.key: trial.spec() for trial in run.trials()} == {trial.key: trial for trial in trials}
    assert require_run(folder / "run") == run
    again, trials_again = prepare(folder)
    assert (again, trials_again) == (run, trials)


def test_trials_of_another_recipe_are_not_mixed_in(folder: Path) -> None:
    prepare(folder)
    with pytest.raises(
        InterlawError, match=r"expected a new folder or one of this recipe, found 2 trials in '.*run' that"
    ):
        prepare(folder, top={"depths": [1]})
    run, trials = prepare(folder, top={"depths": [1, 2, 3]})  # more is no stranger
    assert len(run.trials()) == len(trials) == 6


def test_a_refused_recipe_writes_nothing(folder: Path) -> None:
    before = prepare(folder)[0].recipe.read_text()
    with pytest.raises(InterlawError, match=r"\(its recipe's training.learning_rate was 0.01, is 0.5\)"):
        prepare(folder, training={"learning_rate": 0.5})
    assert RunFolder(folder / "run").recipe.read_text() == before
    assert len(RunFolder(folder / "run").trials()) == 4


def test_a_file_in_the_way_is_named(folder: Path) -> None:
    (folder / "run").write_text("")
    with pytest.raises(InterlawError, match=r"expected a folder for --out, found the file '.*run'; name another place"):
        prepare(folder)


def test_a_place_that_cannot_be_written_is_named(folder: Path) -> None:
    recipe = parse_recipe(recipe_text(), source="r")
    (folder / "file").write_text("")
    for out in (folder / "file" / "run", Path("/proc/run")):
        with pytest.raises(InterlawError, match=r"expected to write to '.*run', found: .*; choose another --out"):
            prepare_run(recipe, "", out=out, folder=folder)


def test_only_what_is_missing_runs(finished_run: Path, folder: Path) -> None:
    shutil.copytree(finished_run, folder / "run")
    run = RunFolder(folder / "run")
    trials = [trial.spec() for trial in run.trials()]
    stamps = {trial.key: (trial.path / "record.json").stat().st_mtime_ns for trial in run.trials()}
    (run.trial(trials[0].key).path / "record.json").unlink()
    # the runs were planned on another copy of the text; these specs name it
    events: list[Event] = []
    run_trials(run, trials, executor="local", listen=events.append)
    assert {event.key for event in events} == {trials[0].key}
    run_trials(run, trials, executor="processes", listen=lambda event: pytest.fail("nothing is missing"))
    for trial in run.trials()[1:]:
        assert (trial.path / "record.json").stat().st_mtime_ns == stamps[trial.key]


def test_a_local_sweep_tells_each_step_of_the_way(folder: Path) -> None:
    run, trials = prepare(folder, measure={"views": []})
    events: list[Event] = []
    run_trials(run, trials, executor="local", listen=events.append)
    kinds = [(event.kind, event.key) for event in events if event.kind != "progress"]
    order = [trial.key for trial in sorted(trials, key=planned_flops, reverse=True)]
    assert kinds == [(kind, key) for key in order for kind in ("started", "ended")]
    for event in events:
        if event.kind == "ended":
            assert event.record == run.trial(event.key).record()
            assert event.record is not None


def test_a_trial_held_elsewhere_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interlaw.sweep.driver.run_group", partial(run_group, patience_seconds=0.05))
    run, trials = prepare(folder, top={"depths": [1], "seeds": [0]}, measure={"views": []})
    events: list[Event] = []
    with run.trial(trials[0].key).lock():
        run_trials(run, trials, executor="local", listen=events.append)
    assert events[-1] == Event(kind="ended", key=trials[0].key, record=None)


@pytest.mark.parametrize("num_workers", [0, -1])
def test_less_than_one_worker_is_refused(folder: Path, num_workers: int) -> None:
    run, trials = prepare(folder)
    with pytest.raises(
        InterlawError, match=f"expected at least 1 worker, found {num_workers}; choose a positive number"
    ):
        run_trials(run, trials, num_workers=num_workers, listen=lambda event: None)


def test_status_counts_every_trial_once(finished_run: Path, tmp_path: Path) -> None:
    shutil.copytree(finished_run, tmp_path / "run")
    run = RunFolder(tmp_path / "run")
    whole = run_status(run)
    assert (whole.done, whole.failed, whole.diverged, whole.running, whole.pending) == (4, 0, 0, 0, 0)
    assert whole.seconds_left == 0
    assert whole.reasons == {}
    failed, diverged, running, done = run.trials()
    for trial, status in ((failed, "failed"), (diverged, "diverged")):
        record = trial.record()
        assert record is not None
        trial.write_record(record.model_copy(update={"status": status, "loss": None, "reason": f"it {status}"}))
    (running.path / "record.json").unlink()
    record = done.record()
    assert record is not None
    with running.lock():
        running.write_progress({"step": 9, "steps": 12, "seconds": 3})
        state = run_status(run)
    assert (state.done, state.failed, state.diverged, state.running, state.pending) == (1, 2, 1, 1, 0)
    assert state.reasons == {failed.key: "it failed", diverged.key: "it diverged"}
    pace = (record.seconds + record.measure_seconds) / record.train_flops
    assert state.underway == {running.key: "step 9 of 12"}
    flops = planned_flops(running.spec())
    seconds = record.seconds + record.measure_seconds + 3
    assert state.seconds_left == pytest.approx(seconds / (record.train_flops + 0.75 * flops) * 0.25 * flops)
    state = run_status(run)
    assert (state.running, state.pending) == (0, 1)
    assert state.seconds_left == pytest.approx(pace * planned_flops(running.spec()))


def test_time_left_is_unknown_until_something_has_run(folder: Path) -> None:
    run, _ = prepare(folder)
    state = run_status(run)
    assert (state.pending, state.seconds_left) == (4, None)
    first = run.trials()[0]
    with first.lock():
        assert run_status(run).seconds_left is None
        first.write_progress({"step": 6, "steps": 12, "seconds": 5.0})
        state = run_status(run)
    flops = [planned_flops(trial.spec()) for trial in run.trials()]
    assert state.seconds_left == pytest.approx(5.0 * (sum(flops) - flops[0] / 2) / (flops[0] / 2))


def test_planned_flops_are_those_spent(finished_run: Path) -> None:
    for trial in RunFolder(finished_run).trials():
        record = trial.record()
        assert record is not None
        assert planned_flops(trial.spec()) == record.train_flops
