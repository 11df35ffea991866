"""Worker processes: they may die at any moment, and the trials go on."""

from __future__ import annotations

import json
import multiprocessing
import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.processes import said_by
from tests.recipes import write_recipe

from interlaw.errors import InterlawError
from interlaw.runs import RunFolder
from interlaw.sweep import Conditions, Event, planned_flops, prepare_run, read_recipe, run_trials, workers

CLOCKS = {"seconds", "evaluation_seconds", "measure_seconds", "provenance"}


def records(run: RunFolder) -> dict[str, Any]:
    found = {trial.key: trial.record() for trial in run.trials()}
    return {key: record and json.loads(record.model_dump_json(exclude=CLOCKS)) for key, record in found.items()}


def test_workers_may_die(quick_workers: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One worker: killed during the first trial, killed again while it has nothing to do; the second trial kills every
    worker it gets until it is given up."""
    monkeypatch.setattr("interlaw.sweep.workers.DEATHS_ALLOWED", 2)
    path = write_recipe(tmp_path, top={"seeds": [0]}, training={"steps": 300}, measure={"views": []})
    recipe, text = read_recipe(path)
    untouched, trials = prepare_run(recipe, text, out=tmp_path / "untouched", folder=tmp_path)
    run_trials(untouched, trials, executor="local", listen=lambda event: None)
    run, _ = prepare_run(recipe, text, out=tmp_path / "run", folder=tmp_path)
    first, second = sorted(trials, key=planned_flops, reverse=True)
    events: list[tuple[str, str]] = []

    def listen(event: Event) -> None:
        events.append((event.kind, event.key))
        (worker,) = multiprocessing.active_children()
        first_attempt = event.key == first.key and events.count(("started", first.key)) == 1
        if event.kind == "progress" and (first_attempt or event.key == second.key):
            worker.kill()
        elif (event.kind, event.key) == ("ended", first.key):
            worker.kill()
            worker.join()

    with monkeypatch.context() as patch:
        # the last death leaves no worker for the listener to look at
        patch.setattr(multiprocessing, "active_children", lambda kept=multiprocessing.active_children: kept() or [None])
        run_trials(run, trials, executor="processes", num_workers=1, checkpoint_seconds=0.1, listen=listen)

    assert [event for event in events if event[0] != "progress"] == [
        ("started", first.key),
        ("started", first.key),
        ("ended", first.key),
        ("started", second.key),
        ("started", second.key),
        ("ended", second.key),
    ]
    found = records(run)
    assert found[first.key] == records(untouched)[first.key]
    assert run.trial(first.key).weights.read_bytes() == untouched.trial(first.key).weights.read_bytes()
    assert found[second.key]["status"] == "failed"
    assert found[second.key]["reason"].startswith("its worker process died 2 times (exit code -9; -9 is often lack of")
    assert multiprocessing.active_children() == []


def test_two_workers_share_the_trials(quick_workers: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interlaw.sweep.workers.num_cores", lambda: 4)
    path = write_recipe(tmp_path, measure={"views": []})
    recipe, text = read_recipe(path)
    run, trials = prepare_run(recipe, text, out=tmp_path / "run", folder=tmp_path)
    events: list[Event] = []
    run_trials(run, trials, executor="processes", num_workers=2, listen=events.append)
    statuses = [event.record.status for event in events if event.record]
    assert statuses == ["done"] * 4
    threads = [record.provenance["threads"] for trial in trials if (record := run.trial(trial.key).record())]
    assert threads == [torch.get_num_threads()] * 4 == [1] * 4, "no more than this process has, though cores are free"
    started = [event.key for event in events if event.kind == "started"]
    assert len(set(started)) == 4
    cost = [planned_flops(run.trial(key).spec()) for key in started]
    assert cost == sorted(cost, reverse=True)  # so that the end is not waited for


@pytest.mark.slow  # three fresh interpreters
def test_a_worker_that_dies_disturbs_no_other(tmp_path: Path) -> None:
    """Pools of libraries end all workers, or lose what the others do."""
    path = write_recipe(tmp_path, top={"seeds": [0]}, training={"steps": 3000}, measure={"views": []})
    recipe, text = read_recipe(path)
    run, trials = prepare_run(recipe, text, out=tmp_path / "run", folder=tmp_path)
    started: list[str] = []
    under_way: set[str] = set()
    killed: list[int | None] = []

    def listen(event: Event) -> None:
        if event.kind == "started":
            started.append(event.key)
        if event.kind == "progress":
            under_way.add(event.key)
        if len(under_way) == 2 and not killed:
            worker = multiprocessing.active_children()[0]
            killed.append(worker.pid)
            worker.kill()

    run_trials(run, trials, executor="processes", num_workers=2, checkpoint_seconds=0.1, listen=listen)
    assert len(killed) == 1
    assert sorted(started.count(trial.key) for trial in trials) == [1, 2]
    assert {record and record["status"] for record in records(run).values()} == {"done"}


def test_threads_do_not_depend_on_how_much_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results differ in their last bits with the threads, which are the cores divided by the workers: a sweep that
    goes on with its last trial must take as many of each as before."""
    asked: list[int] = []
    monkeypatch.setattr(
        "interlaw.sweep.driver.run_in_processes", lambda *_, num_workers, **options: asked.append(num_workers)
    )
    monkeypatch.setattr("interlaw.sweep.workers.num_cores", lambda: 12)
    recipe, text = read_recipe(write_recipe(tmp_path, top={"seeds": [0], "depths": [1]}))
    run, trials = prepare_run(recipe, text, out=tmp_path / "run", folder=tmp_path)
    for num_workers, device in ((None, "cpu"), (2, "cpu"), (None, "cuda"), (12, "cuda")):
        options = {"num_workers": num_workers, "device": device}
        run_trials(run, trials, executor="processes", listen=lambda event: None, **options)
    assert asked == [12, 2, 1, 12]  # one process keeps several groups in flight on an accelerator


def setting_at(folder: Path) -> workers._Setting:
    threads = torch.get_num_threads()
    return workers._Setting(location=str(folder), num_workers=1, threads=threads, conditions=Conditions(), plan=())


def test_a_fault_of_the_work_is_not_taken_for_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pipe's end is an `OSError` too."""
    ours, theirs = multiprocessing.Pipe()
    ours.send(())

    def fails(*arguments: Any, **options: Any) -> None:
        raise OSError("the file is gone")

    monkeypatch.setattr("interlaw.sweep.workers.fly", fails)
    monkeypatch.setattr("signal.signal", lambda *arguments: None)
    with pytest.raises(OSError, match="the file is gone"):
        workers._work(theirs, setting_at(tmp_path))


def test_a_run_that_cannot_be_opened_is_told_to_the_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exit without a word would be taken for a script that Python cannot read again."""
    ours, theirs = multiprocessing.Pipe()

    def refuses(location: str) -> None:
        raise InterlawError("the storage is away")

    monkeypatch.setattr("interlaw.sweep.workers.open_run", refuses)
    monkeypatch.setattr("signal.signal", lambda *arguments: None)
    workers._work(theirs, setting_at(tmp_path))
    events = [ours.recv(), ours.recv()]
    assert [event.kind for event in events] == ["ready", "stopped"]
    assert events[-1].values == {"reason": "the storage is away"}


def test_a_listener_that_raises_leaves_no_worker_behind(quick_workers: None, tmp_path: Path) -> None:
    path = write_recipe(tmp_path, top={"seeds": [0]}, training={"steps": 2000})
    recipe, text = read_recipe(path)
    run, trials = prepare_run(recipe, text, out=tmp_path / "run", folder=tmp_path)

    def interrupt(event: Event) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_trials(run, trials, executor="processes", num_workers=1, listen=interrupt)
    assert multiprocessing.active_children() == []
    assert all(record is None for record in records(run).values())


def run_script(path: Path) -> None:
    runpy.run_path(str(path), run_name="__main__")


@pytest.mark.parametrize("source", [pytest.param("-", marks=pytest.mark.slow), "unguarded.py"])
def test_a_script_that_workers_cannot_import_fails_no_trial(source: str, tmp_path: Path) -> None:
    """Python starts each worker by reading the script again, which a pipe or a missing guard does not survive."""
    path = write_recipe(tmp_path, top={"seeds": [0]})
    folder, run = str(tmp_path), str(tmp_path / "run")
    code = (
        "from pathlib import Path\nfrom interlaw.sweep import prepare_run, read_recipe, run_trials\n"
        f"recipe, text = read_recipe(Path({str(path)!r}))\n"
        f"run, trials = prepare_run(recipe, text, out=Path({run!r}), folder=Path({folder!r}))\n"
        'run_trials(run, trials, executor="processes", num_workers=1, listen=lambda event: None)\n'
    )
    (tmp_path / "unguarded.py").write_text(code)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    if source == "-":
        done = subprocess.run([sys.executable, "-"], input=code, env=environment, capture_output=True, text=True)
        complained = done.stderr
    else:
        _, _, complained = said_by(run_script, tmp_path / source, environment=environment)
    assert "expected a script that worker processes can import" in complained, complained[-800:]
    assert list(tmp_path.glob("run/trials/*/record.json")) == []
