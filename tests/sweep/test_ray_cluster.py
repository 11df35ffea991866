"""Sweeps on real Ray clusters of several nodes: same keys, same bits; a killed worker or node costs nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from tests.recipes import write_recipe
from tests.sweep.clusters import Nodes, at_work, checkpoints, is_alive, results, sweep, trial_processes, wait_until
from tests.sweep.test_together import replicas

from interlaw.errors import InterlawError
from interlaw.runs import RunFolder
from interlaw.sweep import RayOptions

pytestmark = [pytest.mark.ray, pytest.mark.filterwarnings("default")]
pytest.importorskip("ray", reason="the extra 'ray' is not installed")
ONE_CORE = {"num_cpus": 1}
# the command itself, with checkpoints much more often than a user needs them
COMMAND = """
import functools, sys, interlaw.sweep
interlaw.sweep.run_trials = functools.partial(interlaw.sweep.run_trials, checkpoint_seconds=0.2)
from interlaw.cli import run
sys.exit(run(sys.argv[1:]))
"""


def write_long_recipe(folder: Path, *, steps: int = 2500) -> Path:
    """One trial of many steps: time enough to be killed in the middle."""
    return write_recipe(folder, training={"steps": steps}, top={"depths": [1], "seeds": [0]})


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    """The long recipe, and what the local executor makes of it."""
    folder = tmp_path_factory.mktemp("untouched")
    path = write_long_recipe(folder)
    return path, results(sweep(path, folder / "local", executor="local")[0])


def test_two_nodes_give_the_bits_of_the_local_executor(nodes: Nodes, tmp_path: Path) -> None:
    path = write_recipe(tmp_path)
    local, _ = sweep(path, tmp_path / "local", executor="local")
    options = nodes.have(ONE_CORE, ONE_CORE)
    on_ray, events = sweep(path, tmp_path / "ray", executor="ray", ray=options)
    again, later = sweep(path, tmp_path / "ray", executor="ray", ray=options)
    assert results(on_ray) == results(local) == results(again)
    assert sorted(event.key for event in events if event.kind == "ended") == sorted(results(local))
    assert later == []


def test_trials_that_train_together_are_one_task(nodes: Nodes, tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(replicas())
    local, _ = sweep(path, tmp_path / "local", executor="local")
    on_ray, events = sweep(path, tmp_path / "ray", executor="ray", ray=nodes.have(ONE_CORE, ONE_CORE))
    assert results(on_ray) == results(local)
    assert sorted(event.key for event in events if event.kind == "ended") == sorted(results(local))
    assert {trial.record().provenance["stacked"] for trial in on_ray.trials()} == {True}  # type: ignore[union-attr]


def test_a_group_whose_worker_dies_resumes_trial_by_trial(nodes: Nodes, tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(replicas(depths=1, steps=2000))
    local, _ = sweep(path, tmp_path / "local", executor="local")
    options = nodes.have(ONE_CORE)
    watcher, found = at_work(tmp_path / "ray", lambda process: process.kill())
    run, events = sweep(path, tmp_path / "ray", executor="ray", ray=options, checkpoint_seconds=0.2)
    watcher.join()
    assert len(found) == 1
    assert results(run) == results(local)
    assert [event.kind for event in events if event.kind == "ended"] == ["ended"] * 3
    assert {trial.record().provenance["stacked"] for trial in run.trials()} == {True}  # type: ignore[union-attr]


def kill_worker(process: psutil.Process, nodes: Nodes) -> None:
    process.kill()


def kill_raylet(process: psutil.Process, nodes: Nodes) -> None:
    assert process.ppid() in nodes.raylets()
    psutil.Process(process.ppid()).kill()


def remove_node(process: psutil.Process, nodes: Nodes) -> None:
    nodes.remove(nodes.raylets()[process.ppid()])


@pytest.mark.parametrize("deed", [kill_worker, kill_raylet, remove_node])
def test_a_death_in_the_middle_of_a_trial_costs_nothing(
    nodes: Nodes,
    tmp_path: Path,
    untouched: tuple[Path, dict[str, object]],
    deed: Callable[[psutil.Process, Nodes], None],
) -> None:
    path, expected = untouched
    options = nodes.have(ONE_CORE, ONE_CORE)
    watcher, found = at_work(tmp_path, lambda process: deed(process, nodes))
    run, events = sweep(path, tmp_path, executor="ray", ray=options, checkpoint_seconds=0.2)
    watcher.join()
    assert len(found) == 1
    wait_until(lambda: not is_alive(found[0]))
    assert results(run) == expected
    told = [event.kind for event in events if event.kind != "progress"]
    assert told[-2:] == ["started", "ended"]
    assert told[:-2] in ([], ["started"])  # it may have died before it was seen to start
    assert [event for event in events if event.kind == "progress"]


def test_a_trial_that_kills_its_workers_is_a_failed_record(nodes: Nodes, tmp_path: Path) -> None:
    path = write_long_recipe(tmp_path, steps=200_000)
    options = nodes.have(ONE_CORE)
    killed: set[int] = set()

    def kill_each() -> None:
        while len(killed) < 3:
            for process in wait_until(lambda: [p for p in trial_processes() if p.pid not in killed]):
                process.kill()
                killed.add(process.pid)

    watcher = threading.Thread(target=kill_each)
    watcher.start()
    run, events = sweep(path, tmp_path / "ray", executor="ray", ray=options)
    watcher.join()
    record = run.trials()[0].record()
    assert record is not None
    assert record.status == "failed"
    assert record.reason.startswith("its Ray worker died 3 times")
    assert events[-1].record is not None
    assert events[-1].record.status == "failed"


def test_half_a_gpu_lets_two_trials_share_one(nodes: Nodes, tmp_path: Path) -> None:
    path = write_recipe(tmp_path, training={"steps": 300})
    most = 0
    over = threading.Event()

    def count() -> None:
        nonlocal most
        while not over.wait(0.05):
            most = max(most, sum(trial.is_running() for trial in RunFolder(tmp_path / "ray").trials()))

    options = replace(nodes.have({"num_cpus": 4, "num_gpus": 1}), num_gpus=0.5)
    counter = threading.Thread(target=count)
    counter.start()
    run, _ = sweep(path, tmp_path / "ray", executor="ray", ray=options)
    over.set()
    counter.join()
    assert len(results(run)) == 4
    assert most == 2


def test_interrupted_it_cancels_its_tasks_and_leaves_the_cluster(
    nodes: Nodes, tmp_path: Path, untouched: tuple[Path, dict[str, object]]
) -> None:
    path, expected = untouched
    options = nodes.have(ONE_CORE, ONE_CORE)
    arguments = ["sweep", str(path), "--out", str(tmp_path), "--executor", "ray", "--address", nodes.address]
    driver = subprocess.Popen([sys.executable, "-c", COMMAND, *arguments], stderr=subprocess.PIPE, text=True)
    wait_until(lambda: checkpoints(tmp_path))
    driver.send_signal(signal.SIGINT)
    _, complaint = driver.communicate(timeout=120)
    assert driver.returncode == 130, complaint
    assert "run the same command again" in complaint
    assert "Traceback" not in complaint
    assert trial_processes() == []
    assert not any(trial.is_running() for trial in RunFolder(tmp_path).trials())
    assert checkpoints(tmp_path)
    assert len(nodes.raylets()) == 2
    run, _ = sweep(path, tmp_path, executor="ray", ray=options)
    assert results(run) == expected


def test_a_cluster_that_runs_here_is_joined_without_being_named(
    nodes: Nodes, tmp_path: Path, untouched: tuple[Path, dict[str, object]]
) -> None:
    path, expected = untouched
    nodes.have(ONE_CORE)
    parents: list[int] = []
    watcher, _ = at_work(tmp_path, lambda process: parents.append(process.ppid()))
    arguments = ["sweep", str(path), "--out", str(tmp_path), "--executor", "ray"]
    plain = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    driver = subprocess.run(
        [sys.executable, "-c", COMMAND, *arguments], env=plain, capture_output=True, text=True, timeout=300
    )
    watcher.join()
    assert driver.returncode == 0, driver.stderr
    assert parents
    assert set(parents) <= set(nodes.raylets())  # and they stay
    assert results(RunFolder(tmp_path)) == expected


def test_a_memory_limit_reaches_the_worker(nodes: Nodes, tmp_path: Path) -> None:
    path = write_recipe(tmp_path, top={"depths": [1], "seeds": [0]}, training={"steps": 5})
    options = nodes.have({"num_cpus": 2})
    run, events = sweep(path, tmp_path / "tight", executor="ray", ray=options, memory_limit=1000)
    record = run.trials()[0].record()
    assert record is not None
    assert record.status == "failed"
    assert "memory" in record.reason
    assert [event.kind for event in events] == ["started", "ended"]


def test_a_trial_that_no_node_can_hold_is_refused(nodes: Nodes, tmp_path: Path) -> None:
    options = replace(nodes.have(ONE_CORE), num_gpus=2.0)
    with pytest.raises(InterlawError, match=r"expected a node with 1 CPUs and 2 GPUs .* lower --resources-per-trial"):
        sweep(write_recipe(tmp_path), tmp_path / "ray", executor="ray", ray=options)
    options = RayOptions(address=nodes.address, num_cpus=2, num_devices=2)
    with pytest.raises(InterlawError, match="expected nodes with 2 CPUs and 0 GPUs for a trial"):
        sweep(write_recipe(tmp_path), tmp_path / "ray", executor="ray", ray=options)
