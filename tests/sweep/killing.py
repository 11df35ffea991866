"""Sweeps killed without warning: started, watched, killed at a random moment, looked at, started again."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Literal

import psutil
from safetensors.torch import load
from tests.processes import loaded
from tests.sweep.clusters import Nodes, trial_processes

from interlaw.errors import InterlawError
from interlaw.runs import RunFolder, TrialFolder

CLOCKS = {"seconds", "evaluation_seconds", "measure_seconds", "provenance"}
CURVE_COLUMNS = 5
WORKER_KILLS = 2  # a sweep gives a trial up at the third death
FOREVER = 900.0

ORPHAN_SECONDS = 60.0
Executor = Literal["local", "processes", "ray"]
Victim = Literal["driver", "worker", "both", "node"]
# those who can die under each executor, the workers last: a trial is given up when its workers die too often
VICTIMS: dict[Executor, tuple[Victim, ...]] = {
    "local": ("driver",),
    "processes": ("driver", "both", "worker"),
    "ray": ("driver", "node", "worker"),
}


@dataclass(kw_only=True)
class Tally:
    """What was done to sweeps, and what was found.

    Attributes:
        kills: By victim.
        looks: How often a folder was read while it was being written or just after a death.
        trials: Trials compared with those of an untouched run.
        findings: What was not as it should be.
    """

    kills: Counter[str] = field(default_factory=Counter)
    looks: int = 0
    trials: int = 0
    findings: list[str] = field(default_factory=list)


def _sweep(arguments: list[str], log: str) -> None:
    """The command in a process and process group of its own, checkpointing much more often than a user needs."""
    os.setsid()
    with Path(log).open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    import interlaw.sweep
    from interlaw.cli import run

    interlaw.sweep.workers.num_cores = lambda: 1  # type: ignore[attr-defined]  # one thread
    interlaw.sweep.run_trials = functools.partial(interlaw.sweep.run_trials, checkpoint_seconds=0.05)  # type: ignore[assignment]
    code = run(arguments)
    sys.stdout.flush()
    os._exit(code)


def start(
    recipe: Path, out: Path, *, executor: Executor, workers: int = 1, cluster: Nodes | None = None
) -> BaseProcess:
    """Starts the sweep; what it prints goes to a file beside the folder."""
    os.environ["OMP_NUM_THREADS"] = "1"
    arguments = ["sweep", str(recipe), "--out", str(out), "--executor", executor, "--workers", str(workers), "--json"]
    arguments += ["--address", cluster.address] if cluster else []
    process = loaded().Process(target=_sweep, args=(arguments, str(log_of(out))))
    process.start()
    return process


def log_of(out: Path) -> Path:
    """Where a sweep's words go."""
    return out.with_suffix(".log")


def kill(process: BaseProcess, victim: Victim, *, source: random.Random, cluster: Nodes | None, tally: Tally) -> bool:
    """Kills without warning; False when the victim was not there."""
    assert process.pid
    if victim == "node":
        assert cluster
        cluster.kill_one(source)
        return True
    try:
        children = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return False
    workers = [child for child in children if "resource_tracker" not in " ".join(_words(child))]
    workers = trial_processes() if cluster else workers
    if victim == "worker":
        if not workers:
            return False
        with contextlib.suppress(psutil.NoSuchProcess):
            source.choice(workers).kill()
        return True
    if victim == "both":
        for child in workers:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGKILL)
    process.join()
    if cluster:  # Ray ends the tasks of a driver that died
        _, left = psutil.wait_procs(workers, timeout=ORPHAN_SECONDS)
        at_work = set(left) & set(trial_processes())  # one whose trial had just ended may stay, idle
        tally.findings.extend(f"{worker} outlived its driver" for worker in at_work)
    return process.exitcode == -signal.SIGKILL


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


def wait_for_a_moment(out: Path, process: BaseProcess, *, source: random.Random, longest: float) -> None:
    """A quarter of the moments are any moment from the start on; the others follow a file that appears or changes."""
    delay, changes = source.random() * longest, 0
    if source.random() > 0.25:
        delay, changes = source.choice([0.001, 0.02, longest / 4]) * source.random(), source.randrange(1, 11)
    deadline = time.monotonic() + FOREVER
    seen = _stamps(out)
    while changes and process.is_alive() and time.monotonic() < deadline:
        if (now := _stamps(out)) != seen:
            seen, changes = now, changes - 1
        time.sleep(0.001)
    time.sleep(delay)


def _stamps(out: Path) -> dict[str, int]:
    stamps = {}
    for folder, _, names in os.walk(out):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                stamps[name] = os.stat(f"{folder}/{name}").st_mtime_ns  # noqa: PTH116
    return stamps


def half_written(out: Path, recipe: str) -> Iterator[str]:
    """Files under a name that promises a whole, and whose content is none; to be called at any moment."""
    if (out / "recipe.toml").exists() and (out / "recipe.toml").read_text() != recipe:
        yield "recipe.toml is not the recipe"
    for trial in RunFolder(out).trials():
        with contextlib.suppress(FileNotFoundError):  # a checkpoint gives way to the next one
            yield from _half_written(trial)


def _half_written(trial: TrialFolder) -> Iterator[str]:
    try:
        if trial.spec().key != trial.key:
            yield f"{trial.key}/spec.json belongs to another trial"
        record = trial.record()
    except InterlawError as error:
        yield str(error)
        return
    if record is not None and record.key != trial.key:
        yield f"{trial.key}/record.json belongs to another trial"
    if record is not None and record.status == "done" and not trial.weights.exists():
        yield f"{trial.key} is done without weights"
    curve = trial.path / "curve.csv"
    if curve.exists():
        lines = curve.read_text().splitlines(keepends=True)
        if not lines or any(len(line.split(",")) != CURVE_COLUMNS or line[-1] != "\n" for line in lines):
            yield f"{curve} is cut"
    for path in trial.checkpoints.glob("*.safetensors"):
        content = path.read_bytes()
        if path.name != "model.safetensors" and hashlib.sha256(content).hexdigest() not in path.name:
            yield f"{path} does not match its name"
        load(content)


def outcome(out: Path) -> dict[str, Any]:
    """All files of a finished run: records without their clocks, everything else as it is."""
    found: dict[str, Any] = {"files": sorted(path.name for path in out.iterdir() if path.name[0] != ".")}
    for trial in RunFolder(out).trials():
        record = trial.record()
        files = {path.relative_to(trial.path).as_posix(): path for path in trial.path.rglob("*") if path.is_file()}
        found[trial.key] = {
            "record": record and json.loads(record.model_dump_json(exclude=CLOCKS)),
            **{name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items() if _is_fixed(name)},
            "files": sorted(files),
        }
    return found


def _is_fixed(name: str) -> bool:
    return name not in ("record.json", "progress.json", ".lock")


def untouched(recipe: Path, out: Path) -> dict[str, Any]:
    """The same sweep left alone."""
    process = start(recipe, out, executor="local")
    process.join(FOREVER)
    assert process.exitcode in (0, 1), log_of(out).read_text()
    return outcome(out)


def kill_and_go_on(
    recipe: Path,
    out: Path,
    *,
    kills: int,
    executor: Executor,
    source: random.Random,
    tally: Tally,
    expected: dict[str, Any],
    longest: float = 4.0,
    workers: int = 1,
    cluster: Nodes | None = None,
) -> None:
    """Kills a sweep so many times, starting it again at once each time, lets it end, and compares.

    Args:
        recipe: The sweep.
        out: Its folder, made anew.
        kills: How often something is killed.
        executor: Where trials run.
        source: Chooses moments and victims.
        tally: Is added to.
        expected: From `untouched`.
        longest: Of the moments that follow no file, the latest, in seconds.
        workers: Worker processes.
        cluster: Where trials run with the executor `ray`; its nodes are killed too.
    """
    shutil.rmtree(out, ignore_errors=True)
    text = recipe.read_text()
    done = 0
    while done < kills:
        process = start(recipe, out, executor=executor, workers=workers, cluster=cluster)
        worker_kills = 0
        while process.is_alive() and done < kills:
            wait_for_a_moment(out, process, source=source, longest=longest)
            victims = VICTIMS[executor]
            victim = source.choice(victims if worker_kills < WORKER_KILLS else victims[:2])
            tally.findings.extend(half_written(out, text))
            if kill(process, victim, source=source, cluster=cluster, tally=tally):
                tally.kills[f"{executor} {victim}"] += 1
                done += 1
                worker_kills += victim == "worker"
            tally.findings.extend(half_written(out, text))
            tally.looks += 2
        if process.exitcode in (0, 1) and done < kills:  # it was over too soon; begin again
            _compare(out, expected, tally)
            shutil.rmtree(out)
        if done == kills and process.is_alive():
            break
    process.join(FOREVER)
    process = start(recipe, out, executor=executor, workers=workers, cluster=cluster)
    process.join(FOREVER)
    if process.exitcode not in (0, 1):
        tally.findings.append(f"the last sweep ended with {process.exitcode}: {log_of(out).read_text()[-2000:]}")
    _compare(out, expected, tally)


def _compare(out: Path, expected: dict[str, Any], tally: Tally) -> None:
    """Adds what differs from an untouched run to the findings."""
    found = outcome(out)
    tally.trials += len(found) - 1
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            mine, whole = found.get(name), expected.get(name)
            if isinstance(mine, dict) and isinstance(whole, dict):  # what is equal need not be told
                mine, whole = ({k: v for k, v in a.items() if b.get(k) != v} for a, b in ((mine, whole), (whole, mine)))
            tally.findings.append(f"{name}: {mine}, untouched {whole}")
