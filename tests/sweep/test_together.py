"""Which trials train together, and that each ends as it would have alone, whatever happens to the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from interlaw.runs import RunFolder, TrialSpec
from interlaw.sweep import Event, parse_recipe, prepare_run, rerun_trial, run_trials
from interlaw.sweep.conditions import Conditions
from interlaw.sweep.together import TrialGroup, group_trials, run_group

RECIPE = """
name = "replicas"
family = "{family}"
depths = "{depths}"
seeds = {seeds}

[budget]
amounts = ["{amount}"]
multiple_of = 4

[shape]
{shape}

[task]
kind = "{kind}"

[training]
steps = {steps}
batch_size = 8
{rates}
evaluations = 3
evaluation_samples = 16
test_samples = 16
blow_up = 1e9

[measure]
views = {views}
samples = 16
"""


def replicas(**changes: Any) -> str:
    """The recipe with other values."""
    values = {
        "family": "mlp",
        "depths": "1,2",
        "steps": 24,
        "amount": "2k",
        "shape": "",
        "seeds": [0, 1, 2],
        "kind": "vectors",
        "views": ["input"],
        "rates": "learning_rate = 1e-2",
    }
    return RECIPE.format(**values | changes).replace("'", '"')


def prepare(folder: Path, **changes: Any) -> tuple[RunFolder, list[TrialSpec]]:
    text = replicas(**changes)
    return prepare_run(parse_recipe(text, source="r"), text, out=folder / "run", folder=folder)


def results(run: RunFolder) -> dict[str, dict[str, Any]]:
    """The records without times and machine."""
    found = {}
    for trial in run.trials():
        record = trial.record()
        assert record is not None
        found[trial.key] = record.model_dump(exclude={"seconds", "evaluation_seconds", "measure_seconds", "provenance"})
    return found


def shape_of(group: TrialGroup) -> tuple[int, int, bool]:
    return (int(group.specs[0].shape["depth"]), len(group.specs), group.stacked)


@pytest.mark.parametrize(
    ("changes", "conditions", "workers", "expected"),
    [
        ({}, {}, 1, [(1, 3, True), (2, 3, True)]),
        ({}, {}, 3, [(1, 2, True), (1, 1, True), (2, 2, True), (2, 1, True)]),
        ({"seeds": [0, 1]}, {}, 1, [(1, 1, False), (1, 1, False), (2, 1, False), (2, 1, False)]),
        ({}, {"compiled": True}, 1, 3 * [(1, 1, False)] + 3 * [(2, 1, False)]),
        (
            {"rates": "treatment = 'search'\nlearning_rates = [1e-3, 2e-3, 4e-3]", "seeds": [0]},
            {},
            1,
            [(1, 3, True), (2, 3, True)],
        ),
        ({"family": "cnn", "kind": "images", "views": ["patch"]}, {}, 1, 3 * [(1, 1, False)] + 3 * [(2, 1, False)]),
        ({"rates": "learning_rate = 1e-2\nkeeps = 'best'"}, {}, 1, 3 * [(1, 1, False)] + 3 * [(2, 1, False)]),
    ],
)
def test_who_trains_together(
    changes: dict[str, Any], conditions: dict[str, Any], workers: int, expected: list[Any], tmp_path: Path
) -> None:
    _, trials = prepare(tmp_path, **changes)
    groups = group_trials(trials, trials, conditions=Conditions(**conditions), num_workers=workers)
    assert sorted(spec.key for group in groups for spec in group.specs) == sorted(trial.key for trial in trials)
    assert [shape_of(group) for group in groups] == expected


def test_how_a_trial_trains_does_not_depend_on_what_has_ended(tmp_path: Path) -> None:
    _, trials = prepare(tmp_path)
    assert [shape_of(group) for group in group_trials(trials[2:3], trials, conditions=Conditions())] == [(1, 1, True)]


def test_on_an_accelerator_more_families_train_together(tmp_path: Path) -> None:
    _, trials = prepare(tmp_path, family="cnn", kind="images", views=["patch"])
    groups = group_trials(trials, trials, conditions=Conditions(device="cuda", memory_limit=10**9))
    assert [shape_of(group) for group in groups] == [(1, 3, True), (2, 3, True)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    run, trials = prepare(tmp_path_factory.mktemp("whole"))
    heard: list[Event] = []
    run_trials(run, trials, executor="local", listen=heard.append)
    assert [event.kind for event in heard if event.key == trials[0].key][:1] == ["started"]
    assert sorted(event.key for event in heard if event.kind == "ended") == sorted(trial.key for trial in trials)
    return run


def test_each_ends_as_it_would_have_apart(whole: RunFolder, tmp_path: Path) -> None:
    run, trials = prepare(tmp_path)
    for spec in trials:
        run_group(TrialGroup(specs=(spec,)), run, conditions=Conditions(), listen=lambda event: None)
    together, apart = results(whole), results(run)
    for key, record in together.items():
        assert record["status"] == "done"
        assert record["loss"] == pytest.approx(apart[key]["loss"], rel=1e-4)  # float32: other kernels, 24 steps
        value = record["measurements"]["input"]["aofe_ratio"]["value"]
        assert value == pytest.approx(apart[key]["measurements"]["input"]["aofe_ratio"]["value"], rel=1e-3)
    stacked = [trial.record().provenance["stacked"] for trial in (*whole.trials(), *run.trials())]  # type: ignore[union-attr]
    assert stacked == 6 * [True] + 6 * [False]


def test_worker_processes_give_the_same_bits(quick_workers: None, whole: RunFolder, tmp_path: Path) -> None:
    run, trials = prepare(tmp_path)
    run_trials(run, trials, executor="processes", num_workers=2, listen=lambda event: None)
    assert results(run).keys() == results(whole).keys()
    for key, record in results(run).items():
        assert record["loss"] == pytest.approx(results(whole)[key]["loss"], rel=1e-4)  # another number of threads
    assert all(trial.record().provenance["stacked"] for trial in run.trials())  # type: ignore[union-attr]


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_stopped_group_resumes_to_the_same_bits(
    whole: RunFolder, tmp_path: Path, lost: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlaw.sweep.trial.PROGRESS_SECONDS", 0.0)
    run, trials = prepare(tmp_path)
    told = 0

    def stop(event: Event) -> None:
        nonlocal told
        told += event.kind == "progress"
        if told == 30:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_trials(run, trials, executor="local", checkpoint_seconds=0, listen=stop)
    kept = sorted((run.trial(trials[lost].key).checkpoints).glob("*"))
    for path in kept[-1:]:  # as if it had been stopped between two members' checkpoints
        path.unlink()
    run_trials(run, trials, executor="local", listen=lambda event: None)
    assert results(run) == results(whole)


def test_a_trial_runs_again_as_it_ran(whole: RunFolder) -> None:
    assert rerun_trial(whole.trials()[0].path).verdict == "bit-equal"


def test_one_that_diverges_leaves_its_record_and_the_others_be(whole: RunFolder, tmp_path: Path) -> None:
    run, trials = prepare(tmp_path)
    changes: list[dict[str, Any]] = [{}, {}, {"learning_rate": 1e9}]
    specs = [
        spec.model_copy(update={"training": spec.training.model_copy(update={"blow_up": 1e4, **change})})
        for spec, change in zip(trials[:3], changes, strict=True)
    ]
    heard: list[Event] = []
    run_group(TrialGroup(specs=tuple(specs), stacked=True), run, conditions=Conditions(), listen=heard.append)
    ended = {event.key: event.record for event in heard if event.kind == "ended"}
    statuses = [record.status for record in ended.values() if record is not None]
    assert statuses == ["done", "done", "diverged"]
    for spec, plain in zip(specs[:2], trials, strict=False):
        assert ended[spec.key].loss == results(whole)[plain.key]["loss"]  # type: ignore[union-attr]


def test_a_group_that_fails_is_run_apart_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, trials = prepare(tmp_path)

    def fail(*arguments: Any, **options: Any) -> None:
        raise MemoryError("too large")

    monkeypatch.setattr("interlaw.sweep.together.train_together", fail)
    run_trials(run, trials, executor="local", listen=lambda event: None)
    for trial in run.trials():
        record = trial.record()
        assert record is not None
        assert record.status == "done"
        assert record.provenance["not_stacked"] == "MemoryError: too large"
        assert record.provenance["stacked"] is False


def test_a_trial_that_another_process_holds_is_left_to_it(tmp_path: Path) -> None:
    run, trials = prepare(tmp_path)
    heard: list[Event] = []
    with run.trial(trials[0].key).lock(patience_seconds=0) as free:
        assert free
        group = TrialGroup(specs=tuple(trials[:3]), stacked=True)
        run_group(group, run, conditions=Conditions(), patience_seconds=0.05, listen=heard.append)
    ended = [event.record for event in heard if event.kind == "ended"]
    assert [record and record.status for record in ended] == [None, "done", "done"]


@pytest.mark.parametrize("stacked", [True, False])
def test_a_trial_is_given_back_before_its_end_is_told(tmp_path: Path, stacked: bool) -> None:
    """A driver that has heard of the last end ends its workers: what they have not put away would stay as it is."""
    run, trials = prepare(tmp_path)
    running: list[bool] = []

    def listen(event: Event) -> None:
        if event.kind == "ended":
            running.append(run.trial(event.key).is_running())

    group = TrialGroup(specs=tuple(trials[:3]), stacked=stacked)
    run_group(group, run, conditions=Conditions(), listen=listen)
    assert running == [False, False, False]
