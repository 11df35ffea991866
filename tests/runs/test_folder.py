"""A run on disk: what is there is whole, and a trial has one holder at a time."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
import time
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from interlaw.errors import InterlawError
from interlaw.runs import Record, RunFolder, TrialFolder, load_curve, require_run


def make_record(**changes: object) -> Record:
    return Record(**{"key": "k", "status": "done", "shape": {"depth": 1}, "loss": 1.5, **changes})  # type: ignore[arg-type]


def test_a_record_reads_back(tmp_path: Path) -> None:
    folder = TrialFolder(tmp_path / "k")
    assert folder.record() is None
    record = make_record(
        loss=0.1 + 0.2, figures={"bits_per_byte": 1 / 3}, measurements={"loss": {"aofe": {"value": 1e-30}}}
    )
    folder.write_record(record)
    assert folder.record() == record
    assert json.loads((folder.path / "record.json").read_text())["status"] == "done"


@pytest.mark.parametrize(
    "text", ["", "{", '{"status": "done"}', '{"key": "k", "status": "ok", "shape": {}}', '{"key": "k", "more": 1}']
)
def test_a_damaged_record_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "record.json").write_text(text)
    with pytest.raises(InterlawError, match=r"expected a trial's record in .*record.json, found: .*; delete the file"):
        TrialFolder(tmp_path).record()
    with pytest.raises(InterlawError, match="expected a trial's record in there"):
        Record.read(text, source="there")


def test_a_record_of_before_the_lowest_validation_loss_was_kept_is_read() -> None:
    content = json.loads(make_record(val_loss=2.0, min_val_loss=1.5).model_dump_json())
    assert Record.read(json.dumps(content), source="r").min_val_loss == 1.5
    del content["min_val_loss"]
    older = Record.read(json.dumps(content), source="r")
    assert (older.val_loss, older.min_val_loss) == (2.0, None)


def test_a_missing_or_unreadable_spec_is_named(tmp_path: Path) -> None:
    with pytest.raises(InterlawError, match=r"expected .*spec.json, found nothing there; give a trial's folder"):
        TrialFolder(tmp_path).spec()
    (tmp_path / "spec.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(InterlawError, match=r"expected to read .*spec.json, found: .*can't decode"):
        TrialFolder(tmp_path).spec()


def test_a_run_is_a_folder_with_a_recipe(tmp_path: Path, finished_run: Path) -> None:
    assert require_run(str(finished_run)) == RunFolder(finished_run)
    for path in (tmp_path, tmp_path / "missing", finished_run / "recipe.toml"):
        with pytest.raises(
            InterlawError, match=r"expected a run folder with recipe.toml, found none in .*; give the folder of a sweep"
        ):
            require_run(path)


def test_a_folder_of_runs_names_them(tmp_path: Path) -> None:
    for name in ("full", "product"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "recipe.toml").write_text("")
    expected = rf"found none in .*; the runs below it are '{tmp_path}/full', '{tmp_path}/product': give one of these"
    with pytest.raises(InterlawError, match=expected):
        require_run(tmp_path)
    for number in range(5):
        (tmp_path / f"x{number}").mkdir()
        (tmp_path / f"x{number}" / "recipe.toml").write_text("")
    five = ", ".join(f"'{tmp_path}/{name}'" for name in ("full", "product", "x0", "x1", "x2"))
    with pytest.raises(InterlawError, match=rf"; there are {five}, \.\.\."):
        require_run(tmp_path / "nope")
    with pytest.raises(InterlawError, match=f"did you mean '{tmp_path}/product'"):
        require_run(tmp_path / "produtc")


def test_a_finished_trial_leaves_only_what_is_promised(finished_run: Path) -> None:
    for trial in RunFolder(finished_run).trials():
        files = {path.relative_to(trial.path).as_posix() for path in trial.path.rglob("*") if path.is_file()}
        assert files == {"spec.json", "record.json", "curve.csv", "checkpoint/model.safetensors", ".lock"}


def test_trials_are_those_with_a_spec(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / "trials" / name).mkdir(parents=True)
        (tmp_path / "trials" / name / "spec.json").write_text("{}")
    (tmp_path / "trials" / "c").mkdir()
    assert [trial.key for trial in RunFolder(tmp_path).trials()] == ["a", "b"]


def test_curves_read_back(tmp_path: Path) -> None:
    folder = TrialFolder(tmp_path)
    assert load_curve(folder).empty
    rows = [{"step": 3, "units": 6, "train_loss": 1 / 3, "val_loss": float("nan"), "learning_rate": 1e-3}]
    folder.write_curve(rows)
    curve = load_curve(folder)
    assert list(curve.columns) == ["step", "units", "train_loss", "val_loss", "learning_rate"]
    assert curve["train_loss"].tolist() == [1 / 3]
    assert curve["val_loss"].isna().all()


def test_progress_is_lost_without_harm(tmp_path: Path) -> None:
    folder = TrialFolder(tmp_path)
    assert folder.progress() == {}
    folder.write_progress({"step": 3})
    assert folder.progress()["step"] == 3
    assert folder.progress()["pid"] == os.getpid()
    (tmp_path / "progress.json").write_text("{half")
    assert folder.progress() == {}


def test_a_spec_is_written_once(finished_run: Path, tmp_path: Path) -> None:
    spec = RunFolder(finished_run).trials()[0].spec()
    folder = TrialFolder(tmp_path / spec.key)
    folder.write_spec(spec)
    stamp = (folder.path / "spec.json").stat().st_mtime_ns
    folder.write_spec(spec)
    assert (folder.path / "spec.json").stat().st_mtime_ns == stamp
    assert folder.spec() == spec


def test_what_a_killed_driver_left_of_a_spec_goes_with_the_trials_end(finished_run: Path, tmp_path: Path) -> None:
    spec = RunFolder(finished_run).trials()[0].spec()
    folder = TrialFolder(tmp_path / spec.key)
    folder.write_spec(spec)
    (folder.path / ".spec.json.0123456789abcdef.tmp").write_text("half")
    folder.tidy()
    assert [path.name for path in folder.path.iterdir()] == ["spec.json"]


def test_a_driver_that_was_tidied_away_while_it_wrote_the_same_spec_goes_on(
    finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = RunFolder(finished_run).trials()[0].spec()
    mine, others = TrialFolder(tmp_path / spec.key), TrialFolder(tmp_path / spec.key)
    mine.path.mkdir()
    rename = Path.replace

    def overtaken(self: Path, target: Path) -> Path:
        monkeypatch.setattr(Path, "replace", rename)
        others.write_spec(spec)
        others.tidy()
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", overtaken)
    mine.write_spec(spec)
    assert mine.spec() == spec
    monkeypatch.setattr(Path, "replace", lambda self, target: self.unlink() or rename(self, target))
    (mine.path / "spec.json").unlink()
    with pytest.raises(InterlawError, match="No such file"):
        mine.write_spec(spec)


def hold(path: str, holding: Event) -> None:
    """Holds a trial until killed."""
    with TrialFolder(Path(path)).lock() as free:
        assert free
        holding.set()
        time.sleep(60)


def test_a_trial_has_one_holder_and_its_death_frees_it(tmp_path: Path) -> None:
    folder = TrialFolder(tmp_path / "k")
    assert not folder.is_running()
    context = multiprocessing.get_context("fork")
    holding = context.Event()
    process = context.Process(target=hold, args=(str(folder.path), holding))
    process.start()
    assert holding.wait(10)
    assert folder.is_running()
    with folder.lock() as free:
        assert not free
    assert process.pid
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert not folder.is_running()
    with folder.lock() as free:
        assert free
        assert folder.is_running()
        with folder.lock() as again:
            assert not again
    assert not folder.is_running()


def test_patience_outlasts_a_short_holder(tmp_path: Path) -> None:
    folder = TrialFolder(tmp_path / "k")
    held, release = threading.Event(), threading.Event()

    def holder() -> None:
        with folder.lock():
            held.set()
            release.wait(10)

    thread = threading.Thread(target=holder)
    thread.start()
    held.wait(10)
    with folder.lock() as free:
        assert not free
    threading.Timer(0.1, release.set).start()
    with folder.lock(patience_seconds=10) as free:
        assert free
    thread.join()


def test_asking_who_runs_does_not_take_the_trial(tmp_path: Path) -> None:
    """A status command that asks without pause, from four threads, costs a patient trial nothing."""
    folder = TrialFolder(tmp_path / "k")
    with folder.lock():
        pass
    stop = threading.Event()
    answers: set[bool] = set()

    def ask() -> None:
        while not stop.is_set():
            answers.add(folder.is_running())

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.05)
    seen = set(answers)
    for _ in range(20):
        with folder.lock(patience_seconds=10) as free:
            assert free
    stop.set()
    for thread in threads:
        thread.join()
    assert seen == {False}  # the askers did not take one another for a running trial
