"""What trackers hold after a sweep: every ended trial once, with its settings, curve and figures."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from tests.recipes import write_recipe
from tests.report.synthetic import write_run

from interlaw.errors import InterlawError, MissingExtraError
from interlaw.runs import Record, RunFolder
from interlaw.sweep import Event, Logbook, parse_recipe, prepare_run, require_loggers
from interlaw.sweep.logs import LOGGERS, TrialLog, trial_log

STATUS = {(50_000, 3, 0): "diverged", (50_000, 4, 0): "pending"}


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    write_run(tmp_path / "run", budgets=(50_000,), depths=(2, 3, 4), seeds=(0,), views=("loss",), status=STATUS)
    return RunFolder(tmp_path / "run")


class Notebook:
    """A tracker that keeps what it is told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, trial: TrialLog) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "all.jsonl").open("a") as file:
            file.write(json.dumps([trial.key, trial.status]) + "\n")

    def close(self) -> None:
        (self.folder / "closed").touch()


def keys(run: RunFolder, status: str) -> list[str]:
    return [trial.key for trial in run.trials() if (record := trial.record()) and record.status == status]


def test_every_ended_trial_is_written_once(run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LOGGERS, "notebook", Notebook)
    (done,), (diverged,) = keys(run, "done"), keys(run, "diverged")
    folder = tmp_path / "logs"
    for _ in range(2):
        logbook = Logbook(run, folder, names=["notebook", "notebook"])
        logbook.listen(Event(kind="started", key=done))
        logbook.listen(Event(kind="ended", key=done, record=run.trial(done).record()))
        logbook.listen(Event(kind="ended", key=done, record=run.trial(done).record()))
        logbook.close()
    written = [json.loads(line) for line in (folder / "notebook" / "all.jsonl").read_text().splitlines()]
    assert written == [[done, "done"], [diverged, "diverged"]]
    assert (folder / "notebook" / "closed").exists()


def test_without_trackers_nothing_is_written(run: RunFolder, tmp_path: Path) -> None:
    logbook = Logbook(run, tmp_path / "logs", names=[])
    (done,) = keys(run, "done")
    logbook.listen(Event(kind="ended", key=done, record=run.trial(done).record()))
    logbook.close()
    assert not (tmp_path / "logs").exists()


def test_settings_are_what_was_chosen_and_figures_what_was_found(run: RunFolder) -> None:
    found = trial_log(run, run.trial(keys(run, "done")[0]))
    assert found is not None
    assert {"depth": 2, "learning_rate": 0.01, "seed": 0, "treatment": "fixed"}.items() <= found.settings.items()
    assert {"loss", "bits_per_byte", "loss_aofe_ratio", "loss_aofe_ratio_stderr", "seconds"} <= set(found.figures)
    assert not set(found.settings) & set(found.figures)
    assert len(found.curve) == 5
    assert set(found.curve[0]) == {"step", "units", "train_loss", "val_loss", "learning_rate"}
    diverged = trial_log(run, run.trial(keys(run, "diverged")[0]))
    assert diverged is not None
    assert "loss" not in diverged.figures
    pending = next(trial for trial in run.trials() if trial.record() is None)
    assert trial_log(run, pending) is None


def test_what_was_added_to_the_loss_is_a_setting(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, top={"depths": [1], "seeds": [0]})
    text = recipe.read_text() + '[intervention]\non = "trace"\nstrength = 0.5\n'
    planned, (trial,) = prepare_run(parse_recipe(text, source="r"), text, out=tmp_path / "run", folder=tmp_path)
    folder = planned.trial(trial.key)
    folder.write_record(Record(key=trial.key, status="failed", shape=trial.make_shape().to_dict()))
    found = trial_log(planned, folder)
    assert found is not None
    assert {"intervention": "trace", "strength": 0.5}.items() <= found.settings.items()
    assert "strength" not in found.figures


def test_unknown_and_missing_trackers(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InterlawError, match=r"expected --log among tensorboard, .*, found 'tensorbord'.*did you"):
        require_loggers(["tensorbord"])
    for name in ("tensorboard", "wandb", "mlflow"):
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(MissingExtraError, match=rf"--log {name} needs the extra '{name}'"):
            require_loggers([name])


def test_tensorboard_reads_them(run: RunFolder, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="tensorboard is not installed (pip install 'interlaw[tensorboard]')")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    Logbook(run, tmp_path / "logs", names=["tensorboard"]).close()
    folders = sorted((tmp_path / "logs" / "tensorboard").iterdir())
    assert [folder.name.rpartition("-")[0] for folder in folders] == [
        f"50000-{trial.depth}x{trial.width}-fixed-seed0"
        for trial in (run.trial(key).spec().make_shape() for key in (*keys(run, "done"), *keys(run, "diverged")))
    ]
    events = EventAccumulator(str(folders[0])).Reload()
    expected = trial_log(run, run.trial(keys(run, "done")[0]))
    assert expected is not None
    losses = events.Scalars("val_loss")
    assert [event.step for event in losses] == [row["step"] for row in expected.curve]
    assert [event.value for event in losses] == pytest.approx([row["val_loss"] for row in expected.curve])
    assert events.Scalars("final/loss")[0].value == pytest.approx(expected.figures["loss"])


@pytest.mark.slow  # wandb starts a process of its own for every run
def test_wandb_keeps_them_offline(run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="wandb is not installed (pip install 'interlaw[wandb]')")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    Logbook(run, tmp_path / "logs", names=["wandb"]).close()
    files = list((tmp_path / "logs" / "wandb").rglob("run-*.wandb"))
    assert len(files) == 2
    content = next(file for file in files if keys(run, "done")[0] in file.name).read_bytes()
    for word in (b"val_loss", b"loss_aofe_ratio", b"learning_rate"):
        assert word in content


@pytest.mark.slow  # mlflow makes a database
@pytest.mark.filterwarnings("ignore")  # its own, of what it calls in other packages
def test_mlflow_reads_them(run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed (pip install 'interlaw[mlflow]')")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    Logbook(run, tmp_path / "logs", names=["mlflow"]).close()
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'logs' / 'mlflow' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("synthetic")
    found = {each.data.tags["interlaw.key"]: each for each in client.search_runs([experiment.experiment_id])}
    (done,), (diverged,) = keys(run, "done"), keys(run, "diverged")
    assert {key: each.info.status for key, each in found.items()} == {done: "FINISHED", diverged: "FAILED"}
    assert found[done].data.params["depth"] == "2"
    history = client.get_metric_history(found[done].info.run_id, "val_loss")
    assert [each.step for each in history] == [20, 40, 60, 80, 100]
    expected = trial_log(run, run.trial(done))
    assert expected is not None
    assert found[done].data.metrics["final_loss"] == pytest.approx(expected.figures["loss"])
