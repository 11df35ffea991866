"""A Ray cluster of several nodes on this machine, and who runs what on it."""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from interlaw.runs import RunFolder
from interlaw.sweep import Event, RayOptions, prepare_run, read_recipe, run_trials

CLOCKS = {"seconds", "evaluation_seconds", "measure_seconds", "provenance"}
PATIENCE_SECONDS = 180.0


class Nodes:
    """A Ray cluster: a head without cores, and nodes that come and go."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112  Ray spells it so; tests should not wait for all else
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        head = {"num_cpus": 0, "include_dashboard": False}
        self._cluster = Cluster(initialize_head=True, head_node_args=head)
        self.address: str = self._cluster.address

    def raylets(self) -> dict[int, Any]:
        """The living nodes by the process that is each node's daemon."""
        found = {node.all_processes["raylet"][0].process.pid: node for node in self._cluster.worker_nodes}
        return {pid: node for pid, node in found.items() if is_alive(pid)}

    def have(self, *wanted: dict[str, float]) -> RayOptions:
        """Leaves exactly these nodes, such as {"num_cpus": 1}; gives the way to the cluster."""
        for node in self.raylets().values():
            self.remove(node)
        for node in wanted:
            self._cluster.add_node(**node)
        self._wait(len(wanted))
        return RayOptions(address=self.address)

    def remove(self, node: Any) -> None:
        """Takes a node away without warning."""
        self._cluster.remove_node(node, allow_graceful=False)

    def kill_one(self, source: random.Random) -> None:
        """Kills a node's daemon without warning, and puts another node in its place."""
        psutil.Process(source.choice(sorted(self.raylets()))).kill()
        self._cluster.add_node(num_cpus=1)

    def stop(self) -> None:
        """Ends everything."""
        import ray

        ray.shutdown()
        self._cluster.shutdown()

    def _wait(self, count: int) -> None:
        """Until the driver sees so many nodes beside the head."""
        import ray

        if not ray.is_initialized():
            ray.init(address=self.address, log_to_driver=False, logging_level="error")
        wait_until(lambda: sum(node["Alive"] for node in ray.nodes()) == count + 1)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that nobody has waited for does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def sweep(recipe_path: Path, out: Path, **options: Any) -> tuple[RunFolder, list[Event]]:
    """Runs a recipe; gives the run and what was told."""
    recipe, text = read_recipe(recipe_path)
    run, trials = prepare_run(recipe, text, out=out, folder=recipe_path.parent)
    events: list[Event] = []
    run_trials(run, trials, **{"listen": events.append, **options})
    return run, events


def results(run: RunFolder) -> dict[str, Any]:
    """By key: the record without clocks and machine, the weights, the curve, the names of all files."""
    found = {}
    for trial in run.trials():
        record = trial.record()
        assert record is not None, f"trial {trial.key} was left undone"
        files = sorted(path.relative_to(trial.path).as_posix() for path in trial.path.rglob("*") if path.is_file())
        plain = json.loads(record.model_dump_json(exclude=CLOCKS))
        found[trial.key] = (plain, trial.weights.read_bytes(), (trial.path / "curve.csv").read_bytes(), files)
    return found


def processes_named(name: str) -> list[psutil.Process]:
    """The Ray workers that do something of this name now."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if (process.info["cmdline"] or [""])[0].startswith("ray::") and name in process.info["cmdline"][0]:
            found.append(process)
    return found


def trial_processes() -> list[psutil.Process]:
    """The Ray workers that run a trial on one device now."""
    return processes_named("_trial")


def at_work(
    out: Path,
    deed: Callable[[psutil.Process], None],
    *,
    who: Callable[[], list[psutil.Process]] = trial_processes,
) -> tuple[threading.Thread, list[int]]:
    """Does something to a worker once a trial has a checkpoint; gives the watcher and who it was."""
    found: list[int] = []

    def watch() -> None:
        wait_until(lambda: checkpoints(out))
        process = wait_until(who)[-1]
        found.append(process.pid)
        deed(process)

    thread = threading.Thread(target=watch)
    thread.start()
    return thread, found


def wait_until(true: Callable[[], Any]) -> Any:
    """What a question answers once its answer is not empty."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if answer := true():
            return answer
        time.sleep(0.05)
    raise AssertionError(f"waited {PATIENCE_SECONDS:g} seconds in vain")


def checkpoints(out: Path) -> list[Path]:
    """Checkpoints of the trials under way."""
    return list(out.glob("trials/*/checkpoint/step-*.safetensors"))
