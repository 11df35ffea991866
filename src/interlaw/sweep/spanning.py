"""A trial on several devices: a group of processes through Ray Train, each with its part of the weights and of a batch.

The first process is the trial's: it holds it, keeps its checkpoints, measures and records. The others only train with
it, from the checkpoints that it hands them; so nothing but the first process needs the run's storage.
"""

from __future__ import annotations

import functools
import math
import os
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch import distributed, nn

from interlaw.machine import is_alive
from interlaw.models import build_model
from interlaw.plain import Json
from interlaw.runs import Record, TrialSpec, open_run
from interlaw.sweep.cluster import RayOptions
from interlaw.sweep.conditions import Conditions
from interlaw.sweep.trial import run_trial
from interlaw.tasks import Task
from interlaw.training import SlicedTask, scale_initial_weights, train

WATCH_SECONDS = 1.0  # judgement: far below the minute for which others wait for an orphan


class GroupDiedError(Exception):
    """A process of the group died, or raised; the trial can resume from its checkpoint."""


def span_trial(
    spec: TrialSpec,
    location: str,
    *,
    options: RayOptions,
    conditions: Conditions,
    patience_seconds: float,
) -> Record | None:
    """Runs a trial in a group of processes, one a device, from within a Ray task.

    Each has an equal part of the cores, which are its torch threads too, and GPUs, which cuda stands for.

    Returns:
        The record; None when another driver has the trial.

    Raises:
        GroupDiedError: When a process of the group ended before the trial did.
    """
    from ray.train import FailureConfig, RunConfig, ScalingConfig, TrainingFailedError
    from ray.train.torch import TorchConfig, TorchTrainer

    cpus, gpus = options.num_cpus / options.num_devices, options.num_gpus / options.num_devices
    resources = {"CPU": cpus, **({"GPU": gpus} if gpus else {})}
    died = ""
    with tempfile.TemporaryDirectory(prefix=f"interlaw-{spec.key}-", ignore_cleanup_errors=True) as notes:
        # a death is for the driver to count, and what a group leaves behind lies in the trial's folder
        kept = RunConfig(name=Path(notes).name, storage_path=notes, failure_config=FailureConfig(max_failures=0))
        group = TorchTrainer(
            _work,
            train_loop_config={
                "spec": spec,
                "location": location,
                "conditions": conditions,
                "patience_seconds": patience_seconds,
                "threads": max(1, int(cpus)),
            },
            torch_config=TorchConfig(backend="gloo" if conditions.device == "cpu" else "nccl"),
            scaling_config=ScalingConfig(
                num_workers=options.num_devices, use_gpu="GPU" in resources, resources_per_worker=resources
            ),
            run_config=kept,
        )
        try:
            group.fit()
        except TrainingFailedError as error:
            died = str(error).strip().splitlines()[-1]
    run = open_run(location)
    run.fetch()
    record = run.trial(spec.key).record()
    if record is None and died:
        raise GroupDiedError(died)
    return record


def _work(config: Json) -> None:
    """One process of the group, in Ray Train's hands."""
    from ray.train.torch import get_device

    end_with_node()
    torch.set_num_threads(config["threads"])
    spec, conditions = config["spec"], config["conditions"]
    if conditions.device != "cpu":
        conditions = replace(conditions, device=str(get_device()))
    if distributed.get_rank():
        _follow(spec, conditions.device)
    else:
        _lead(spec, config["location"], conditions=conditions, patience_seconds=config["patience_seconds"])


def _lead(spec: TrialSpec, location: str, *, conditions: Conditions, patience_seconds: float) -> None:
    """The first process: the trial as ever, but on slices."""
    trial = open_run(location).trial(spec.key)
    begun = False

    def slicing(task: Task, model: nn.Module) -> SlicedTask:
        nonlocal begun
        begun = True
        _hand_on({path.name: path.read_bytes() for path in trial.checkpoints.glob("step-*.safetensors")})
        return SlicedTask(task, model, device=conditions.device)

    record = run_trial(
        spec,
        trial,
        # a batch is divided among the devices, and not cut beyond that
        conditions=replace(conditions, memory_limit=sys.maxsize),
        patience_seconds=patience_seconds,
        slicing=slicing,
    )
    if not begun:
        _hand_on(None)
    elif record is not None and record.status == "failed":
        distributed.destroy_process_group()  # the others wait for this process: end their wait


def _follow(spec: TrialSpec, device: str) -> None:
    """Another process: trains with the first one, and leaves the rest to it."""
    files = _hand_on(None)
    if files is None:
        return
    task = spec.task.open(device=device)
    model = build_model(spec.make_shape(), seed=spec.training.seed)
    scale_initial_weights(model, spec.training)
    with tempfile.TemporaryDirectory(prefix="interlaw-group-") as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        sliced = SlicedTask(task, model, device=device)
        train(sliced.network, sliced, settings=spec.training, checkpoints=Path(folder), checkpoint_seconds=math.inf)
    sliced.restore(model)


def _hand_on(files: dict[str, bytes] | None) -> dict[str, bytes] | None:
    """What the first process passes here, everywhere."""
    carried = [files]
    distributed.broadcast_object_list(carried, src=0)
    return carried[0]


@functools.cache
def end_with_node() -> None:
    """Ends this worker when its node's daemon is gone, once a process: an orphan would keep its trial locked.

    Ray sees to that itself, but not where the dead daemon stays in the process table (nobody waits for it).
    """
    # not the parent: a worker whose daemon died while it started has another one by now
    node = int(os.environ.get("RAY_RAYLET_PID") or os.getppid())

    def watch() -> None:
        while is_alive(node):
            time.sleep(WATCH_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
