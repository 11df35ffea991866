"""Trials as Ray tasks: the same plan, records and numbers, on a cluster that shares the run's folder."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from interlaw.errors import InterlawError, MissingExtraError
from interlaw.runs import RunFolder, TrialSpec
from interlaw.sweep.local import DEATHS_ALLOWED, Event, Listener, ending, record_death
from interlaw.sweep.trial import PROGRESS_SECONDS, run_trial


@dataclass(frozen=True, kw_only=True)
class RayOptions:
    """Which cluster to use and what one trial takes of it.

    Attributes:
        address: Cluster to join; when None the running one is joined, or a local one started and stopped again.
        num_cpus: Cores of a trial, which are its torch threads too.
        num_gpus: GPUs of a trial; a fraction shares one.
    """

    address: str | None = None
    num_cpus: float = 1.0
    num_gpus: float = 0.0


def parse_resources(text: str, *, address: str | None = None) -> RayOptions:
    """Reads resources such as `cpu=2,gpu=0.5`.

    Raises:
        InterlawError: When the text is not of that form.

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
    return RayOptions(address=address, num_cpus=values["cpu"], num_gpus=values["gpu"])


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
    """Runs trials as Ray tasks; a task whose worker or node dies starts again from its trial's checkpoint.

    Args:
        specs: Trials, submitted in this order.
        run: The run's folder, under the same path on every node.
        num_workers: Trials at a time; as many as the cluster's resources allow when None.
        options: Which cluster, and what a trial takes of it.
        device: Where to train.
        checkpoint_seconds: Least time between checkpoints of a trial.
        listen: Told what happens; progress is read from the trials' folders.

    Raises:
        InterlawError: When there is no cluster at the address, or none of its nodes can hold a trial.
        MissingExtraError: When ray is not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError("the executor ray", "ray") from error
    with _cluster(ray, options.address):
        _require_resources(ray, options)
        task = ray.remote(_trial).options(
            num_cpus=options.num_cpus, num_gpus=options.num_gpus, max_retries=DEATHS_ALLOWED - 1
        )
        arguments = (str(run.path.resolve()), device, checkpoint_seconds, max(1, int(options.num_cpus)))
        waiting = list(specs)
        pending: dict[Any, TrialSpec] = {}
        try:
            while waiting or pending:
                while waiting and (num_workers is None or len(pending) < num_workers):
                    spec = waiting.pop(0)
                    pending[task.remote(spec.model_dump_json(), *arguments)] = spec
                    listen(Event(kind="started", key=spec.key))
                done, _ = ray.wait(list(pending), timeout=PROGRESS_SECONDS)
                for reference in done:
                    _finish(ray, reference, pending.pop(reference), run, listen)
                _report_progress(run, pending.values(), listen)
        finally:
            for reference in pending:
                ray.cancel(reference, force=True)


def _trial(document: str, folder: str, device: str, checkpoint_seconds: float, threads: int) -> None:
    """The task: one trial, in a Ray worker. A retry waits for the lock of an attempt that is only just dying."""
    torch.set_num_threads(threads)
    spec = TrialSpec.model_validate_json(document)
    trial = RunFolder(Path(folder)).trial(spec.key)
    run_trial(spec, trial, device=device, checkpoint_seconds=checkpoint_seconds)


@contextlib.contextmanager
def _cluster(ray: Any, address: str | None) -> Iterator[None]:
    """Joins a cluster, or starts a local one bound to loopback; leaves an already connected driver connected."""
    if ray.is_initialized():
        yield
        return
    quiet = {"log_to_driver": False, "logging_level": "error"}
    try:
        ray.init(address=address or "auto", **quiet)
    except (ConnectionError, ValueError) as error:
        if address is not None:
            raise InterlawError(
                f"expected a Ray cluster at {address!r}, found: {str(error).splitlines()[0]}; check the address"
            ) from error
        ray.init(address="local", include_dashboard=False, **quiet)
    try:
        yield
    finally:
        ray.shutdown()


def _require_resources(ray: Any, options: RayOptions) -> None:
    """Refuses a trial that no node of the cluster could ever hold: Ray would wait for one for ever."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if any(n.get("CPU", 0) >= options.num_cpus and n.get("GPU", 0) >= options.num_gpus for n in nodes):
        return
    found = "; ".join(f"{node.get('CPU', 0):g} CPUs, {node.get('GPU', 0):g} GPUs" for node in nodes)
    raise InterlawError(
        f"expected a node with {options.num_cpus:g} CPUs and {options.num_gpus:g} GPUs for a trial, found {found}; "
        "lower --resources-per-trial or add nodes"
    )


def _finish(ray: Any, reference: Any, spec: TrialSpec, run: RunFolder, listen: Listener) -> None:
    """A task ended: its record tells how; without one its worker died too often."""
    try:
        ray.get(reference)
    except (ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError, ray.exceptions.OutOfMemoryError) as error:
        record_death(run, spec, f"its Ray worker died {DEATHS_ALLOWED} times: {str(error).splitlines()[0]}")
    listen(Event(kind="ended", key=spec.key, values=ending(run.trial(spec.key).record())))


def _report_progress(run: RunFolder, specs: Iterable[TrialSpec], listen: Listener) -> None:
    """What the running trials noted in their folders."""
    now = time.time()
    for spec in specs:
        values = run.trial(spec.key).progress()
        if values and abs(now - values["updated"]) < 10 * PROGRESS_SECONDS:
            listen(Event(kind="progress", key=spec.key, values=values))
