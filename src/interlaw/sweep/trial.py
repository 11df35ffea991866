"""One trial from spec to record, in the process that runs it."""

from __future__ import annotations

import math
import shutil
import time
import traceback
from collections.abc import Callable
from typing import Any

from torch import nn

from interlaw.interaction import measure
from interlaw.models import build_model
from interlaw.runs import Record, TrialFolder, TrialSpec, provenance
from interlaw.tasks import Task
from interlaw.training import TrainState, save_weights, scale_initial_weights, train

PROGRESS_SECONDS = 0.5
LOCK_PATIENCE_SECONDS = 2.0  # longer than a question for the status, or a process on its way out, holds a trial

Progress = Callable[[dict[str, Any]], None]


def run_trial(
    spec: TrialSpec,
    folder: TrialFolder,
    *,
    device: str = "cpu",
    checkpoint_seconds: float = 30.0,
    progress: Progress | None = None,
) -> Record | None:
    """Trains, tests and measures one trial, going on from its newest checkpoint.

    Args:
        spec: The trial.
        folder: Its folder; when it already holds a record nothing is done.
        device: Where to train.
        checkpoint_seconds: Least time between checkpoints.
        progress: Called about twice a second with step, steps and train_loss.

    Returns:
        The record; failures are records too. None when another process holds the trial.
    """
    with folder.lock(patience_seconds=LOCK_PATIENCE_SECONDS) as free:
        if not free:
            return None
        existing = folder.record()
        if existing is not None:
            return existing
        folder.write_spec(spec)
        try:
            record = _run(spec, folder, device, checkpoint_seconds, progress)
        except Exception as error:  # whatever went wrong in a trial is that trial's result
            record = _failure(spec, device, error)
        folder.write_record(record)
        _tidy(folder)
        return record


def _run(
    spec: TrialSpec, folder: TrialFolder, device: str, checkpoint_seconds: float, progress: Progress | None
) -> Record:
    """The work itself."""
    task = spec.task.open(device=device)
    shape = spec.make_shape()
    model = build_model(shape, seed=spec.training.seed, device=device)
    scale_initial_weights(model, spec.training)
    result = train(
        model,
        task,
        spec.training,
        checkpoints=folder.checkpoints,
        checkpoint_seconds=checkpoint_seconds,
        report=_reporter(spec, folder, progress),
    )
    folder.write_curve(result.curve)
    started = time.monotonic()
    measurements: dict[str, dict[str, Any]] = {}
    if result.status == "done":
        save_weights(folder.weights, model)
        measurements = _measure(spec, model, task)
    return Record(
        key=spec.key,
        status=result.status,
        shape=shape.to_dict(),
        loss=_number(result.loss),
        val_loss=_number(result.val_loss),
        figures=task.figures(result.loss) if result.status == "done" else {},
        units=result.units,
        train_flops=float(result.units) * shape.flops_per_token,
        seconds=result.seconds,
        measure_seconds=time.monotonic() - started,
        measurements=measurements,
        provenance=provenance(device),
        reason=result.reason,
    )


def _measure(spec: TrialSpec, model: nn.Module, task: Task) -> dict[str, dict[str, Any]]:
    """Every view of the spec on the trained model."""
    measurements = {}
    for view in spec.measure:
        inputs = task.probes(num_samples=view.samples, with_targets=view.view == "loss")
        measurements[view.view] = measure(model, inputs, view=view.view, seed=view.seed).to_dict()
    return measurements


def _reporter(spec: TrialSpec, folder: TrialFolder, progress: Progress | None) -> Callable[[TrainState], None]:
    """Notes progress in the trial's folder, and tells the caller, at most every `PROGRESS_SECONDS`."""
    last = 0.0

    def report(state: TrainState) -> None:
        nonlocal last
        if time.monotonic() - last < PROGRESS_SECONDS:
            return
        last = time.monotonic()
        values = {
            "step": state.step,
            "steps": spec.training.steps,
            "train_loss": state.loss_sum / state.loss_count if state.loss_count else state.curve[-1]["train_loss"],
            "seconds": state.seconds,
        }
        folder.write_progress(values)
        if progress:
            progress(values)

    return report


def _failure(spec: TrialSpec, device: str, error: Exception) -> Record:
    """The record of a trial that raised."""
    return Record(
        key=spec.key,
        status="failed",
        shape=spec.make_shape().to_dict(),
        provenance=provenance(device),
        reason=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}",
        traceback=traceback.format_exc(),
    )


def _tidy(folder: TrialFolder) -> None:
    """Removes what only a running trial needs."""
    (folder.path / "progress.json").unlink(missing_ok=True)
    half_written = [*folder.path.glob(".*.tmp"), *folder.checkpoints.glob(".*.tmp")]
    for path in [*folder.checkpoints.glob("step-*.safetensors"), *half_written]:
        path.unlink(missing_ok=True)
    if folder.checkpoints.is_dir() and not any(folder.checkpoints.iterdir()):
        shutil.rmtree(folder.checkpoints, ignore_errors=True)


def _number(value: float) -> float | None:
    """JSON has no NaN: a missing loss is null."""
    return value if math.isfinite(value) else None
