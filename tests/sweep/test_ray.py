"""What needs no cluster: the resources of a trial, and whether a folder and its locks are shared."""

from __future__ import annotations

import fcntl
import os
import subprocess
import time
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.processes import loaded
from tests.recipes import write_recipe

from interlaw.errors import InterlawError
from interlaw.runs import RunFolder
from interlaw.sweep import (
    Conditions,
    Event,
    RayOptions,
    cluster,
    parse_resources,
    prepare_run,
    read_recipe,
    require_supported,
)
from interlaw.sweep import ray as executor
from interlaw.sweep.spanning import end_with_node


def test_resources_are_read() -> None:
    assert parse_resources("cpu=2,gpu=0.5") == RayOptions(num_cpus=2.0, num_gpus=0.5)
    assert parse_resources("gpu=4", num_devices=4) == RayOptions(num_gpus=4.0, num_devices=4)


@pytest.mark.parametrize("text", ["", "cpu", "cpu=two", "cpu=-1", "tpu=1", "cpu=nan"])
def test_wrong_resources_are_refused(text: str) -> None:
    with pytest.raises(InterlawError, match=r"expected resources such as cpu=2,gpu=0\.5"):
        parse_resources(text)


def test_no_device_is_refused() -> None:
    with pytest.raises(InterlawError, match="expected at least 1 device per trial, found 0"):
        parse_resources("cpu=1", num_devices=0)


class FakeRay:
    """A cluster of nodes with these resources."""

    def __init__(self, *resources: dict[str, float]) -> None:
        self._resources = resources

    def nodes(self) -> list[dict[str, object]]:
        return [{"Alive": True, "Resources": found, "NodeID": i} for i, found in enumerate(self._resources)]

    def get_runtime_context(self) -> SimpleNamespace:
        return SimpleNamespace(get_node_id=lambda: 0)


@pytest.mark.parametrize(
    ("options", "room"),
    [
        (RayOptions(), 12),
        (RayOptions(num_cpus=3), 3),
        (RayOptions(num_cpus=0.5, num_gpus=0.5), 6),
        (RayOptions(num_cpus=16), 0),
        (RayOptions(num_gpus=3, num_devices=3), 1),  # spans both nodes
        (RayOptions(num_cpus=6, num_devices=2), 1),
        (RayOptions(num_gpus=4, num_devices=4), 0),
    ],
)
def test_how_many_trials_fit(options: RayOptions, room: int) -> None:
    assert cluster.room(FakeRay({"CPU": 8, "GPU": 2}, {"CPU": 4, "GPU": 1}), options) == room


@pytest.mark.parametrize(
    ("options", "device", "share"),
    [
        (RayOptions(), "cpu", 8),
        (RayOptions(num_cpus=3), "cpu", 2),
        (RayOptions(num_cpus=16), "cpu", 1),
        (RayOptions(num_gpus=0.25), "cuda", 4),
        (RayOptions(num_gpus=2), "cuda", 1),
    ],
)
def test_how_many_trials_share_memory(options: RayOptions, device: str, share: int) -> None:
    assert cluster.trials_beside(FakeRay({"CPU": 8, "GPU": 2}, {"CPU": 4, "GPU": 1}), options, device=device) == share


def test_a_divided_trial_takes_no_memory_limit_and_is_not_compiled() -> None:
    divided = partial(require_supported, executor="ray", ray=RayOptions(num_devices=2))
    require_supported(Conditions(memory_limit=1, compiled=True), executor="ray", ray=RayOptions())
    divided(Conditions())
    for memory_limit, compiled in ((1, False), (None, True)):
        with pytest.raises(InterlawError, match="belong to trials on one device, found --devices-per-trial 2"):
            divided(Conditions(memory_limit=memory_limit, compiled=compiled))


def test_what_becomes_of_a_cluster_is_one_line() -> None:
    class RayError(Exception):
        pass

    ray = SimpleNamespace(exceptions=SimpleNamespace(RayError=RayError))
    stay = "expected the Ray cluster to stay, found RayError: gone; run the same command again"
    with pytest.raises(InterlawError, match=stay), executor._faults(ray):
        raise RayError("gone\nand more")
    with pytest.raises(InterlawError, match="found RayError: RayError; run the same"), executor._faults(ray):
        raise RayError


def test_a_trial_starts_once_it_notes_progress(tmp_path: Path) -> None:
    """What is submitted may wait for hours."""
    recipe, text = read_recipe(write_recipe(tmp_path))
    run, trials = prepare_run(recipe, text, out=tmp_path / "run", folder=tmp_path)
    events: list[Event] = []
    begun = executor._Begun(run, events.append)
    begun.look(trials)
    assert events == []
    values = {"step": 1, "steps": 2, "train_loss": 1.0, "seconds": 1.0}
    run.trial(trials[0].key).write_progress(values)
    for _ in range(2):
        begun.look(trials)
    begun.again(trials[0])
    begun.look(trials)
    begun.end(trials[0], None)
    begun.end(trials[1], None)
    told = [(event.kind, event.key) for event in events]
    first, second = trials[0].key, trials[1].key
    assert told[:3] == [("started", first), ("progress", first), ("progress", first)]
    assert told[3:] == [
        ("started", first),
        ("progress", first),
        ("ended", first),
        ("started", second),
        ("ended", second),
    ]


def test_whether_a_folder_and_its_locks_are_shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    probe = tmp_path / "probe"
    assert cluster._look(str(probe)) == "missing"
    with probe.open("w") as file:
        assert cluster._look(str(probe)) == "unlocked"
        fcntl.flock(file, fcntl.LOCK_EX)
        assert cluster._look(str(probe)) == "shared"

    def no_locks(*arguments: object) -> None:
        raise OSError(37, os.strerror(37))

    monkeypatch.setattr(cluster.fcntl, "flock", no_locks)
    assert cluster._look(str(probe)) == "unlocked"


def test_a_node_that_does_not_share_is_named(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    cluster._require_seen("shared", run, node="10.0.0.7")
    with pytest.raises(InterlawError, match=r"expected .* on every node, found a node without it \(10\.0\.0\.7\)"):
        cluster._require_seen("missing", run, node="10.0.0.7")
    with pytest.raises(InterlawError, match=r"expected locks in .* found none on 10\.0\.0\.7; mount the storage"):
        cluster._require_seen("unlocked", run, node="10.0.0.7")


def work_on(node: int, at_work: Connection) -> None:
    os.environ["RAY_RAYLET_PID"] = str(node)
    end_with_node()
    at_work.send(True)
    time.sleep(600)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_worker_ends_with_the_daemon_of_its_node(when: str) -> None:
    """Whether the daemon is killed while the worker starts or later; it stays in the process table either way."""
    at_work, theirs = loaded().Pipe(duplex=False)
    with subprocess.Popen(["sleep", "600"]) as daemon:
        worker = loaded().Process(target=work_on, args=(daemon.pid, theirs))
        try:
            if when == "before":
                daemon.kill()
            worker.start()
            if when == "after":
                assert at_work.recv()
                daemon.kill()
            worker.join(60)
            assert worker.exitcode == 1
        finally:
            daemon.kill()
            worker.kill()
