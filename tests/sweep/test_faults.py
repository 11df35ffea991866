"""Faults of disk, clock, corpus and company: each ends in one line or one record, and the next sweep fixes it."""

from __future__ import annotations

import errno
import itertools
import multiprocessing
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.recipes import write_book, write_recipe
from tests.report.synthetic import write_run
from tests.sweep.killing import half_written, outcome

from interlaw.cli import run as interlaw
from interlaw.runs import Record, RunFolder, StorageError, TrialFolder, storage_faults
from interlaw.sweep import Event, prepare_run, read_recipe, run_status, run_trials
from interlaw.sweep.trial import Attempt

ONE_TRIAL: dict[str, dict[str, Any]] = {"top": {"depths": [1], "seeds": [0]}, "measure": {"views": []}}


def sweep(recipe: Path, out: Path, *more: str) -> int:
    return interlaw(["sweep", str(recipe), "--out", str(out), "--executor", "local", *more])


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    return write_recipe(tmp_path, **ONE_TRIAL)


@pytest.fixture
def whole(recipe: Path) -> dict[str, Any]:
    """What the sweep leaves behind when nothing goes wrong."""
    assert sweep(recipe, recipe.parent / "untouched") == 0
    return outcome(recipe.parent / "untouched")


def refuse_from(count: int, code: int) -> Callable[[int], None]:
    """An fsync that fails from its count-th call on."""
    calls = itertools.count()

    def fsync(descriptor: int) -> None:
        if next(calls) >= count:
            raise OSError(code, os.strerror(code))

    return fsync


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_disk_that_fails_at_any_write_stops_the_sweep_with_one_line(
    recipe: Path, whole: dict[str, Any], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    out = recipe.parent / "run"
    for count in itertools.count():
        capfd.readouterr()
        with monkeypatch.context() as patch:
            patch.setattr("interlaw.files.os.fsync", refuse_from(count, code))
            status = sweep(recipe, out)
        line = capfd.readouterr().err
        assert list(half_written(out, recipe.read_text())) == []
        if status == 0:
            break
        assert status == 2
        said = [one for one in line.splitlines() if not one.startswith(("note: ", "starting: "))]
        assert len(said) == 1
        assert f"found: {os.strerror(code)}" in line
        assert not [trial for trial in RunFolder(out).trials() if trial.record() is not None]
        assert sweep(recipe, out) == 0
        assert outcome(out) == whole
        shutil.rmtree(out)
    assert count == 6  # spec, recipe, curve, weights, how training ended, record


def test_a_disk_that_fails_at_the_record_costs_no_training(
    recipe: Path, whole: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = recipe.parent / "run"
    with monkeypatch.context() as patch:
        patch.setattr("interlaw.files.os.fsync", refuse_from(5, errno.ENOSPC))
        assert sweep(recipe, out) == 2
    (trial,) = RunFolder(out).trials()
    assert trial.trained() is not None
    monkeypatch.setattr("interlaw.sweep.trial.train", None)
    assert sweep(recipe, out) == 0
    assert outcome(out) == whole


def limited(recipe: Path, out: Path, executor: str, log: Path) -> None:
    """A sweep in a process that may write no file above two kilobytes; the kernel refuses, as for a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048))
    with log.open("w") as sys.stderr:
        os.dup2(sys.stderr.fileno(), 2)
        status = interlaw(["sweep", str(recipe), "--out", str(out), "--executor", executor, "--workers", "1"])
    os._exit(status)


@pytest.mark.parametrize(
    "executor",
    ["local", pytest.param("processes", marks=pytest.mark.slow)],  # slow: a worker is a fresh interpreter
)
def test_a_write_that_the_kernel_refuses_is_no_result_of_a_trial(
    recipe: Path, whole: dict[str, Any], executor: str
) -> None:
    out, log = recipe.parent / "run", recipe.parent / "log"
    process = multiprocessing.get_context("fork").Process(target=limited, args=(recipe, out, executor, log))
    process.start()
    process.join(120)
    assert process.exitcode == 2
    *before, said = log.read_text().splitlines()  # that the sweep starts and, where that takes long, how far it is
    assert not [line for line in before if line.startswith("interlaw: ")]
    assert said.startswith("interlaw: expected to write to")
    assert "File too large" in said
    assert run_status(RunFolder(out)).pending == 1
    assert sweep(recipe, out) == 0
    assert outcome(out) == whole


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 kilobytes."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    command = [str(mount), "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a file system needs privileges")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_disk_without_room_and_one_without_leave_to_write(
    recipe: Path, whole: dict[str, Any], small_disk: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out, filler = small_disk / "run", small_disk / "filler"
    filler.write_bytes(b"\0" * 50_000)  # room for the spec, not for the weights
    assert sweep(recipe, out) == 2
    assert "No space left on device" in capfd.readouterr().err
    filler.unlink()
    assert sweep(recipe, out) == 0
    assert outcome(out) == whole
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert interlaw(["status", str(out)]) == 0
    assert interlaw(["export", str(out)]) == 0
    assert sweep(recipe, out) == 0  # nothing is missing, nothing is written
    capfd.readouterr()
    assert interlaw(["report", str(out)]) == 2
    assert "Read-only file system" in capfd.readouterr().err


def test_only_faults_of_the_folder_are_told_as_such(tmp_path: Path) -> None:
    def write(error: OSError) -> None:
        with storage_faults(tmp_path):
            raise error

    with pytest.raises(StorageError, match=r"expected to write to '.*', found: No space left on device; make room"):
        write(OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(StorageError, match="found: Permission denied; make room or give write access"):
        write(PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "record.json")))
    with pytest.raises(FileNotFoundError, match="No such file"):  # of a corpus, say
        write(FileNotFoundError(errno.ENOENT, "No such file", "/nowhere/book.txt"))


def test_a_corpus_that_vanishes_fails_its_trials_until_it_is_back(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write_recipe(tmp_path, measure={"views": []})
    assert sweep(path, tmp_path / "untouched") == 0
    recipe, text = read_recipe(path)
    run, trials = prepare_run(recipe, text, out=tmp_path / "run", folder=tmp_path)

    def listen(event: Event) -> None:
        if event.kind == "ended":
            (tmp_path / "book.txt").unlink(missing_ok=True)

    run_trials(run, trials, executor="local", listen=listen)
    state = run_status(run)
    assert (state.done, state.failed) == (1, 3)
    assert all("expected a corpus file, folder" in reason for reason in state.reasons.values())
    write_book(tmp_path)
    assert sweep(path, tmp_path / "run", "--retry", "failed") == 0
    assert outcome(tmp_path / "run") == outcome(tmp_path / "untouched")


def test_a_clock_that_goes_backwards_changes_nothing(
    recipe: Path, whole: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = itertools.count(2_000_000_000, -3600)
    monkeypatch.setattr(time, "time", lambda: float(next(ticks)))
    out = recipe.parent / "run"
    assert sweep(recipe, out) == 0
    for path in out.rglob("*"):  # written in the future, and read now
        os.utime(path, (4_000_000_000, 4_000_000_000))
    assert sweep(recipe, out) == 0
    assert outcome(out) == whole
    (record,) = [trial.record() for trial in RunFolder(out).trials()]
    assert record is not None
    assert record.seconds > 0
    assert run_status(RunFolder(out)).seconds_left == 0


def test_two_drivers_share_a_folder_and_run_no_trial_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interlaw.sweep.trial.LOCK_PATIENCE_SECONDS", 0.01)
    path = write_recipe(tmp_path, training={"steps": 30}, measure={"views": []})
    recipe, text = read_recipe(path)
    alone, trials = prepare_run(recipe, text, out=tmp_path / "alone", folder=tmp_path)
    run_trials(alone, trials, executor="local", listen=lambda event: None)
    begun: list[str] = []
    original = Attempt.finish

    def counted(one: Attempt, **options: Any) -> Record:
        begun.append(one.spec.key)
        return original(one, **options)

    monkeypatch.setattr(Attempt, "finish", counted)

    def drive() -> None:
        torch.set_num_threads(1)
        run, planned = prepare_run(recipe, text, out=tmp_path / "shared", folder=tmp_path)
        while any(run.trial(trial.key).record() is None for trial in planned):
            run_trials(run, planned, executor="local", listen=lambda event: None)

    drivers = [threading.Thread(target=drive) for _ in range(2)]
    for driver in drivers:
        driver.start()
    for driver in drivers:
        driver.join(120)
    assert sorted(begun) == sorted(trial.key for trial in trials)
    assert outcome(tmp_path / "shared") == outcome(tmp_path / "alone")


def test_what_a_process_left_between_record_and_tidying_is_tidied(recipe: Path, whole: dict[str, Any]) -> None:
    out = recipe.parent / "run"
    assert sweep(recipe, out) == 0
    (trial,) = RunFolder(out).trials()
    for name in ("progress.json", ".curve.csv.7.tmp", "checkpoint/step-000000004-" + "0" * 64 + ".safetensors"):
        (trial.path / name).write_text("left")
    assert outcome(out) != whole
    assert sweep(recipe, out) == 0
    assert outcome(out) == whole


def test_a_copied_trial_does_not_count_twice(finished_run: Path, tmp_path: Path, capsys: Any) -> None:
    shutil.copytree(finished_run, tmp_path / "run")
    first = RunFolder(tmp_path / "run").trials()[0]
    shutil.copytree(first.path, first.path.with_name("copy"))
    for command in ("status", "export", "fit", "report"):
        assert interlaw([command, str(tmp_path / "run")]) == 2
        assert f"expected the record of trial copy in {first.path.with_name('copy')}" in capsys.readouterr().err


def test_progress_that_is_no_progress_is_not_counted(tmp_path: Path) -> None:
    folder = TrialFolder(tmp_path)
    for text in ("[]", "3", '{"step": "many"}', '{"step": NaN}', '{"step": null}', "[" * 100_000, '{"a": {}}'):
        (tmp_path / "progress.json").write_text(text)
        assert folder.progress() == {}


def test_a_sweep_with_failures_fits_and_says_what_it_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = {(50_000, depth, seed): "failed" for depth in (6, 8) for seed in (0, 1)}
    lost[(100_000, 8, 0)] = "diverged"
    out = write_run(tmp_path / "run", status=lost)
    assert interlaw(["status", str(out)]) == 0
    assert "31 done, 5 failed (1 diverged)" in capsys.readouterr().out
    assert interlaw(["fit", str(out), "--resamples", "100"]) == 0
    told = capsys.readouterr().out
    assert "5 runs without a usable loss lie mostly deeper and narrower than the kept ones" in told
    assert "the optimum may be pulled towards shallow shapes" in told
    assert "no run left of 6 x" in told
    assert interlaw(["report", str(out)]) == 0
    page = (out / "report.html").read_text()
    assert "5 of 36 ended trials have no loss and are in no figure" in page
    assert "5 runs without a usable loss lie mostly deeper and narrower than the kept ones" in page
