"""The same sweep on a real Ray cluster: same keys, same bits; a killed worker costs nothing."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import psutil
import pytest
from tests.recipes import write_recipe

from interlaw.errors import InterlawError
from interlaw.runs import Record, RunFolder
from interlaw.sweep import Event, RayOptions, parse_resources, prepare_run, read_recipe, run_trials


def sweep(recipe_path: Path, out: Path, *, executor: str, **options: object) -> tuple[RunFolder, list[Event]]:
    recipe, text = read_recipe(recipe_path)
    run, trials = prepare_run(recipe, text, out=out, folder=recipe_path.parent)
    events: list[Event] = []
    run_trials(run, trials, executor=executor, listen=events.append, **options)  # type: ignore[arg-type]
    return run, events


def results(run: RunFolder) -> dict[str, tuple[dict[str, object], bytes]]:
    """Record without times and machine, and weights, by key."""
    found = {}
    for trial in run.trials():
        record = trial.record()
        assert isinstance(record, Record)
        plain = record.model_dump(exclude={"seconds", "measure_seconds", "provenance"})
        found[trial.key] = (plain, trial.weights.read_bytes())
    return found


@pytest.mark.ray
@pytest.mark.filterwarnings("default")
def test_ray_gives_the_bits_of_the_local_executor(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="the extra 'ray' is not installed")
    path = write_recipe(tmp_path)
    local, _ = sweep(path, tmp_path / "local", executor="local")
    on_ray, events = sweep(path, tmp_path / "ray", executor="ray")
    assert results(on_ray) == results(local)
    assert [event.kind for event in events if event.kind == "ended"] == ["ended"] * len(local.trials())


@pytest.mark.ray
@pytest.mark.filterwarnings("default")
def test_a_killed_ray_worker_starts_again(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="the extra 'ray' is not installed")
    path = write_recipe(tmp_path, training={"steps": 4000}, top={"depths": [1], "seeds": [0]})
    killed: list[int] = []

    def kill_once() -> None:
        deadline = time.monotonic() + 60
        while not killed and time.monotonic() < deadline:
            for process in psutil.process_iter(["cmdline"]):
                if process.info["cmdline"] and process.info["cmdline"][0] == "ray::_trial":
                    time.sleep(1.0)  # let it train a little
                    os.kill(process.pid, signal.SIGKILL)
                    killed.append(process.pid)
                    return
            time.sleep(0.1)

    killer = threading.Thread(target=kill_once)
    killer.start()
    run, _ = sweep(path, tmp_path / "ray", executor="ray", checkpoint_seconds=0.2)
    killer.join()
    local, _ = sweep(path, tmp_path / "local", executor="local")
    assert killed
    assert results(run) == results(local)


def test_resources_are_read() -> None:
    assert parse_resources("cpu=2,gpu=0.5") == RayOptions(num_cpus=2.0, num_gpus=0.5)


@pytest.mark.parametrize("text", ["", "cpu", "cpu=two", "cpu=-1", "tpu=1", "cpu=nan"])
def test_wrong_resources_are_refused(text: str) -> None:
    with pytest.raises(InterlawError, match=r"expected resources such as cpu=2,gpu=0\.5"):
        parse_resources(text)
