"""Trials as Ray tasks: the same plan, records and numbers, on a cluster that shares the run's folder."""

from __future__ import annotations

import contextlib
import fcntl
import math
import os
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from interlaw.errors import InterlawError, MissingExtraError
from interlaw.runs import Record, RunFolder, TrialSpec, is_url, open_run
from interlaw.sweep.local import DEATHS_ALLOWED, Event, Listener, ending, record_death
from interlaw.sweep.spanning import GroupDiedError, end_with_node, span_trial
from interlaw.sweep.trial import LOCK_PATIENCE_SECONDS, PROGRESS_SECONDS, run_trial

NODE_DEATHS_ALLOWED = 20  # a node that is taken away is not the trial's fault
ORPHAN_SECONDS = 60.0  # how long a process may outlive its node's death and hold its trial
CANCEL_SECONDS = 20.0
STALE_SECONDS = 15.0  # what was noted longer ago is of a trial that stands still
_PROBE = ".nodes-see-this"


@dataclass(frozen=True, kw_only=True)
class RayOptions:
    """Which cluster to use and what one trial takes of it.

    Attributes:
        address: Cluster to join; `local` starts one and stops it again; None joins a running one, or else does that.
        num_cpus: Cores of a trial, which are its torch threads too.
        num_gpus: GPUs of a trial; a fraction shares one.
        num_devices: Processes that a trial is divided among, each with a device and an equal part of its resources.
    """

    address: str | None = None
    num_cpus: float = 1.0
    num_gpus: float = 0.0
    num_devices: int = 1


def parse_resources(text: str, *, address: str | None = None, num_devices: int = 1) -> RayOptions:
    """Reads resources such as `cpu=2,gpu=0.5`.

    Raises:
        InterlawError: When the text is not of that form, or there is no device.

    Example:
        >>> parse_resources("cpu=2,gpu=0.5").num_gpus
        0.5
    """
    values = {"cpu": 1.0, "gpu": 0.0}
    for part in text.split(","):
        name, _, amount = part.strip().partition("=")
        try:
            number = float(amount)
        except ValueError:
            number = math.nan
        if name not in values or not 0 <= number < math.inf:
            raise InterlawError(f"expected resources such as cpu=2,gpu=0.5, found {text!r}; write them so")
        values[name] = number
    if num_devices < 1:
        raise InterlawError(f"expected at least 1 device per trial, found {num_devices}; choose a positive number")
    return RayOptions(address=address, num_cpus=values["cpu"], num_gpus=values["gpu"], num_devices=num_devices)


def run_on_ray(
    specs: Sequence[TrialSpec],
    run: RunFolder,
    *,
    num_workers: int | None = None,
    options: RayOptions,
    device: str = "cpu",
    checkpoint_seconds: float = 30.0,
    listen: Listener,
) -> None:
    """Runs trials as Ray tasks; a trial whose worker or node dies goes on elsewhere from its checkpoint.

    Args:
        specs: Trials, submitted in this order.
        run: The run, in a folder under the same path on every node or under a URL.
        num_workers: Trials at a time; as many as the cluster's resources allow when None.
        options: Which cluster, and what a trial takes of it.
        device: Where to train.
        checkpoint_seconds: Least time between checkpoints of a trial.
        listen: Told what happens; progress is read from the trials' folders.

    Raises:
        InterlawError: When there is no cluster at the address, none of its nodes can hold a trial, or one of them
            does not share the run's folder.
        MissingExtraError: When ray is not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError("the executor ray", "ray") from error
    with _cluster(ray, options.address):
        _require_resources(ray, options)
        _require_shared(ray, run)
        location = run.location if is_url(run.location) else str(run.path.resolve())
        arguments = (location, device, checkpoint_seconds, options)
        if options.num_devices > 1:
            # the group's processes take the resources, the task only waits for them
            task = ray.remote(_group).options(num_cpus=0, max_retries=0)
            num_workers = num_workers or _room(ray, options)
        else:
            task = ray.remote(_trial).options(num_cpus=options.num_cpus, num_gpus=options.num_gpus, max_retries=0)
        waiting = deque(specs)
        deaths: Counter[tuple[str, str]] = Counter()
        pending: dict[Any, TrialSpec] = {}
        next_look = time.monotonic()
        try:
            while waiting or pending:
                while waiting and (num_workers is None or len(pending) < num_workers):
                    spec = waiting.popleft()
                    # the process before this one may be an orphan that still holds the trial
                    again = any(key == spec.key for key, _ in deaths)
                    patience = ORPHAN_SECONDS if again else LOCK_PATIENCE_SECONDS
                    pending[task.remote(spec.model_dump_json(), *arguments, patience)] = spec
                    listen(Event(kind="started", key=spec.key))
                done, _ = ray.wait(list(pending), timeout=PROGRESS_SECONDS)
                for reference in done:
                    spec = pending.pop(reference)
                    if not _finish(ray, reference, spec, run, deaths, listen):
                        waiting.appendleft(spec)
                if time.monotonic() >= next_look:
                    _report_progress(run, pending.values(), listen)
                    next_look = time.monotonic() + run.look_seconds
        finally:
            _cancel(ray, list(pending))


def _trial(
    document: str, location: str, device: str, checkpoint_seconds: float, options: RayOptions, patience_seconds: float
) -> str | None:
    """The task: one trial in a Ray worker; its record as JSON, or None when another driver has it."""
    end_with_node()
    torch.set_num_threads(max(1, int(options.num_cpus)))
    spec = TrialSpec.model_validate_json(document)
    record = run_trial(
        spec,
        open_run(location).trial(spec.key),
        device=device,
        checkpoint_seconds=checkpoint_seconds,
        patience_seconds=patience_seconds,
    )
    return None if record is None else record.model_dump_json()


def _group(
    document: str, location: str, device: str, checkpoint_seconds: float, options: RayOptions, patience_seconds: float
) -> str | None:
    """The task of a trial on several devices: the same, in a group of processes."""
    end_with_node()
    return span_trial(
        TrialSpec.model_validate_json(document),
        location,
        device=device,
        checkpoint_seconds=checkpoint_seconds,
        patience_seconds=patience_seconds,
        num_devices=options.num_devices,
        num_cpus=options.num_cpus / options.num_devices,
        num_gpus=options.num_gpus / options.num_devices,
    )


@contextlib.contextmanager
def _cluster(ray: Any, address: str | None) -> Iterator[None]:
    """Joins a cluster, or starts a local one bound to loopback; leaves an already connected driver connected."""
    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anyone
    quiet = {"log_to_driver": False, "logging_level": "error"}
    alone = {"address": "local", "include_dashboard": False, **quiet}
    try:
        ray.init(**(alone if address == "local" else {"address": address or "auto", **quiet}))
    except (ConnectionError, ValueError) as error:
        if address is not None:
            raise InterlawError(
                f"expected a Ray cluster at {address!r}, found: {str(error).splitlines()[0]}; check the address"
            ) from error
        ray.init(**alone)
    try:
        yield
    finally:
        ray.shutdown()


def _require_resources(ray: Any, options: RayOptions) -> None:
    """Refuses a trial that no node of the cluster could ever hold: Ray would wait for one for ever.

    On several devices, a trial may span nodes.
    """
    if _room(ray, options):
        return
    nodes = _resources(ray)
    found = "; ".join(f"{node.get('CPU', 0):g} CPUs, {node.get('GPU', 0):g} GPUs" for node in nodes)
    raise InterlawError(
        f"expected {'nodes' if options.num_devices > 1 else 'a node'} with {options.num_cpus:g} CPUs and "
        f"{options.num_gpus:g} GPUs for a trial, found {found}; "
        "lower --resources-per-trial or add nodes"
    )


def _room(ray: Any, options: RayOptions) -> int:
    """Trials that the cluster's nodes can hold at a time; 0 when not one."""
    cpus, gpus = options.num_cpus / options.num_devices, options.num_gpus / options.num_devices
    processes = 0
    for node in _resources(ray):
        fits = [int(node.get(name, 0) / each + 1e-9) for name, each in (("CPU", cpus), ("GPU", gpus)) if each]
        processes += min(fits, default=options.num_devices)
    return processes // options.num_devices


def _resources(ray: Any) -> list[dict[str, float]]:
    """What each living node has."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def _require_shared(ray: Any, run: RunFolder) -> None:
    """Asks every node whether it sees the run's folder and a lock that this driver holds there.

    On a folder of its own a node would write records that nobody finds; without shared locks (NFS mounted with
    `nolock` or `local_lock`) two nodes could hold one trial.
    """
    nodes = [node for node in ray.nodes() if node["Alive"]]
    if len(nodes) < 2 or is_url(run.location):
        return
    affinity = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
    look = ray.remote(_look)
    probe = run.path.resolve() / f"{_PROBE}-{os.getpid()}"
    try:
        with probe.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            asked = []
            for node in nodes:
                here = affinity(node["NodeID"], soft=False)
                task = look.options(num_cpus=0, max_retries=0, scheduling_strategy=here)
                asked.append((node["NodeManagerAddress"], task.remote(str(probe))))
            for name, reference in asked:
                try:
                    found = ray.get(reference)
                except ray.exceptions.RayError:
                    continue  # the node went away; whatever ran on it will run elsewhere
                _require_seen(found, run, name)
    finally:
        probe.unlink(missing_ok=True)


def _look(probe: str) -> str:
    """On a node: `missing`, `unlocked`, or `shared` as it should be."""
    try:
        with Path(probe).open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return "missing"
    except BlockingIOError:
        return "shared"
    except OSError:
        pass  # no locks at all
    return "unlocked"


def _require_seen(found: str, run: RunFolder, node: str) -> None:
    """Refuses a node that does not share the run's folder and its locks."""
    if found == "missing":
        raise InterlawError(
            f"expected {str(run.path)!r} on every node, found a node without it ({node}); choose an --out on storage "
            "that all nodes mount under the same path"
        )
    if found == "unlocked":
        raise InterlawError(
            f"expected locks in {str(run.path)!r} to hold on every node, found none on {node}; mount the storage "
            "there without nolock and local_lock"
        )


def _finish(
    ray: Any, reference: Any, spec: TrialSpec, run: RunFolder, deaths: Counter[tuple[str, str]], listen: Listener
) -> bool:
    """A task ended: tells how; False when its worker or node died and the trial is to start again."""
    failures = ray.exceptions
    died = (failures.WorkerCrashedError, failures.NodeDiedError, failures.OutOfMemoryError, GroupDiedError)
    try:
        document = ray.get(reference)
        record = None if document is None else Record.model_validate_json(document)
    except died as error:
        what, allowed = "worker", DEATHS_ALLOWED
        if isinstance(error, ray.exceptions.NodeDiedError):
            what, allowed = "node", NODE_DEATHS_ALLOWED
        deaths[spec.key, what] += 1
        if deaths[spec.key, what] < allowed:
            return False
        record = record_death(run, spec, f"its Ray {what} died {allowed} times: {str(error).splitlines()[0]}")
    except failures.RayTaskError as error:  # a full disk, say: what ends a sweep here ends it there
        raise error.cause from None
    listen(Event(kind="ended", key=spec.key, values=ending(record)))
    return True


def _cancel(ray: Any, references: list[Any]) -> None:
    """Stops tasks that are still under way, and waits until their processes are gone: their trials stay resumable."""
    for reference in references:
        ray.cancel(reference, force=True)
    if references:
        ray.wait(references, num_returns=len(references), timeout=CANCEL_SECONDS)


def _report_progress(run: RunFolder, specs: Iterable[TrialSpec], listen: Listener) -> None:
    """What the running trials noted in their folders."""
    with contextlib.suppress(InterlawError):  # storage that is away for a while ends no sweep
        run.fetch()
    now = time.time()
    for spec in specs:
        values = run.trial(spec.key).progress()
        if "step" in values and abs(now - values["updated"]) < STALE_SECONDS:
            listen(Event(kind="progress", key=spec.key, values=values))
