"""A whole sweep, killed without warning and started again, ends as one left alone."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.recipes import write_recipe

from interlaw.runs import RunFolder
from interlaw.sweep import prepare_run, read_recipe, run_trials

CLOCKS = {"seconds", "measure_seconds", "provenance"}
# the command itself, with checkpoints much more often than a user needs them
COMMAND = """
import functools, os, sys
import interlaw.sweep
os.cpu_count = lambda: 1  # one thread a worker, as in the process of the tests
interlaw.sweep.run_trials = functools.partial(interlaw.sweep.run_trials, checkpoint_seconds=0.05)
from interlaw.cli import run
sys.exit(run(sys.argv[1:]))
"""


def start(recipe: Path, out: Path, *, executor: str, workers: int) -> subprocess.Popen[str]:
    arguments = ["sweep", str(recipe), "--out", str(out), "--executor", executor, "--workers", str(workers), "--json"]
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, *arguments],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def kill(process: subprocess.Popen[str], *, whole_group: bool) -> None:
    """Without warning: the driver alone, or it and its workers."""
    if whole_group:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.communicate()


def wait_for_work(out: Path, process: subprocess.Popen[str], *, more_than: set[Path]) -> None:
    """Until a checkpoint or a record appears that was not there before."""
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        if {*out.glob("trials/*/checkpoint/*.safetensors"), *out.glob("trials/*/record.json")} - more_than:
            return
        time.sleep(0.005)
    assert process.poll() == 0, "the sweep ended before anything was to be seen"


def outcome(out: Path) -> dict[str, Any]:
    """Records without their clocks, weights, curves, and the names of all files."""
    found: dict[str, Any] = {}
    for trial in RunFolder(out).trials():
        record = trial.record()
        assert record is not None, f"trial {trial.key} was left undone"
        files = sorted(path.relative_to(trial.path).as_posix() for path in trial.path.rglob("*") if path.is_file())
        found[trial.key] = {
            "record": json.loads(record.model_dump_json(exclude=CLOCKS)),
            "weights": trial.weights.read_bytes(),
            "curve": (trial.path / "curve.csv").read_bytes(),
            "files": files,
        }
    return found


def untouched(recipe: Path) -> dict[str, Any]:
    parsed, text = read_recipe(recipe)
    out = recipe.parent / "untouched"
    run, trials = prepare_run(parsed, text, out=out, folder=recipe.parent)
    run_trials(run, trials, executor="local", listen=lambda event: None)
    return outcome(out)


def kill_and_go_on(recipe: Path, *, kills: int, executor: str, workers: int, source: random.Random) -> dict[str, Any]:
    """Kills a sweep `kills` times at moments of work, starting it again at once each time, and lets it end."""
    out = recipe.parent / "killed"
    for _ in range(kills):
        seen = {*out.glob("trials/*/checkpoint/*.safetensors"), *out.glob("trials/*/record.json")}
        process = start(recipe, out, executor=executor, workers=workers)
        wait_for_work(out, process, more_than=seen)
        time.sleep(source.random() * 0.3)
        kill(process, whole_group=executor == "local" or source.random() < 0.3)
    process = start(recipe, out, executor=executor, workers=workers)
    printed, complaint = process.communicate(timeout=300)
    assert process.returncode == 0, complaint
    answer = json.loads(printed)
    trials = len(RunFolder(out).trials())
    assert (answer["done"], answer["failed"]) == (trials, 0)
    return outcome(out)


def test_a_killed_sweep_ends_as_one_left_alone(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, top={"seeds": [0]}, training={"steps": 300})
    found = kill_and_go_on(recipe, kills=1, executor="processes", workers=1, source=random.Random(1))
    assert found == untouched(recipe)


@pytest.mark.slow
@pytest.mark.parametrize(("executor", "workers"), [("local", 1), ("processes", 1), ("processes", 2)])
def test_a_sweep_killed_many_times_ends_as_one_left_alone(tmp_path: Path, executor: str, workers: int) -> None:
    recipe = write_recipe(tmp_path, top={"seeds": [0, 1, 2]}, training={"steps": 400})
    found = kill_and_go_on(recipe, kills=8, executor=executor, workers=workers, source=random.Random(workers))
    assert found == untouched(recipe)
