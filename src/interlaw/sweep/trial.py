"""One trial from spec to record, in the process that runs it."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError
from safetensors.torch import load
from torch import distributed, nn

from interlaw.models import build_model
from interlaw.plain import Json, plain
from interlaw.runs import Record, RunFolder, StorageError, TrialFolder, TrialSpec, provenance, storage_faults
from interlaw.sweep.conditions import Conditions
from interlaw.sweep.measuring import measured, reason_of
from interlaw.tasks import Task, default_cache
from interlaw.training import (
    TrainResult,
    TrainState,
    footprint,
    free_cache,
    load_weights,
    require_room,
    save_weights,
    scale_initial_weights,
    train,
)

if TYPE_CHECKING:  # it takes a second to import, for trials on several devices alone
    from interlaw.training import SlicedTask

PROGRESS_SECONDS = 0.5  # judgement: a watcher sees movement, and writing costs nothing beside a step
LOCK_PATIENCE_SECONDS = 2.0  # longer than a question for the status, or a process on its way out, holds a trial
DEATHS_ALLOWED = 3  # judgement: chance kills a worker once or twice; a trial that does so three times does so again
MEMORY_ADVICE = "use fewer --workers, a lower --memory-limit so that batches are cut, or a smaller batch or context"

Progress = Callable[[Json], None]
Slicing = Callable[[Task, nn.Module], "SlicedTask"]


def run_trial(
    spec: TrialSpec,
    folder: TrialFolder,
    *,
    conditions: Conditions | None = None,
    patience_seconds: float = LOCK_PATIENCE_SECONDS,
    progress: Progress | None = None,
    slicing: Slicing | None = None,
) -> Record | None:
    """Trains, tests and measures one trial, resuming from its newest checkpoint.

    Args:
        spec: The trial.
        folder: Its folder; when it already holds a record nothing is done.
        conditions: How it runs; the defaults of `Conditions` when None.
        patience_seconds: How long to wait for another process that holds the trial.
        progress: Called about twice a second with step, steps and train_loss.
        slicing: What this process trains on where it shares the trial with others, from its task and model on the CPU.

    Returns:
        The record; failures are records too. None when another process holds the trial.

    Raises:
        StorageError: When the folder cannot be written to; the trial is then resumed another time.
        RuntimeError: When another process that shares the trial died; likewise.
    """
    with folder.lock(patience_seconds=patience_seconds) as free:
        if not free:
            return None
        existing = folder.record()
        if existing is not None:
            return existing
        folder.write_spec(spec)
        one = Attempt(spec=spec, folder=folder, conditions=conditions or Conditions(), progress=progress)
        return one.finish(slicing=slicing)


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A trial whose folder this process holds."""

    spec: TrialSpec
    folder: TrialFolder
    conditions: Conditions
    progress: Progress | None = None

    def finish(self, *, slicing: Slicing | None = None, notes: Mapping[str, Any] | None = None) -> Record:
        """Does what is left of the trial, and writes its record, with notes on how it came about; see `run_trial`."""
        try:
            with storage_faults(self.folder.path):
                record = self._run(slicing)
        except StorageError:  # a full disk, say, is not the trial's result: it is resumed another time
            raise
        except Exception as error:  # whatever else went wrong in a trial is that trial's result
            if slicing and is_lost_peer(error):
                raise
            record = Record(
                key=self.spec.key,
                status="failed",
                shape=self.spec.make_shape().to_dict(),
                provenance=provenance(self.conditions.device),
                reason=reason_of(error, advice=MEMORY_ADVICE, where=f" on {self.conditions.device}"),
                traceback=traceback.format_exc(),
            )
        if notes:
            record = record.model_copy(update={"provenance": {**record.provenance, **notes}})
        self.folder.write_record(record)
        self.folder.tidy()
        free_cache()  # other processes share the device
        return record

    def _run(self, slicing: Slicing | None) -> Record:
        """The work itself: training, unless it has ended in an earlier attempt, then measuring."""
        shape, device, limit = self.spec.make_shape(), self.conditions.device, self.conditions.limit_bytes()
        require_room(params=shape.params, limit_bytes=limit)
        task = self.spec.task.open(device=device)
        model = build_model(shape, seed=self.spec.training.seed, device="cpu" if slicing else device)
        record = self.trained_before(model) or self._train(model, task, slicing=slicing, limit_bytes=limit)
        if record.status != "done":
            return record
        return measured(self.spec, record, model=model.to(device), task=task, memory_limit=limit)

    def trained_before(self, model: nn.Module) -> Record | None:
        """The record of a training that ended, its weights put into the model; None when it is to be trained."""
        record = self.folder.trained()
        try:
            if record is not None:
                load_weights(model, load(self.folder.weights.read_bytes()))
        except (SafetensorError, KeyError, RuntimeError):  # damaged: training again costs time alone
            return None
        return record

    def _train(self, model: nn.Module, task: Task, *, slicing: Slicing | None, limit_bytes: int) -> Record:
        """Trains and tests; the record so far."""
        training = self.spec.training
        scale_initial_weights(model, training)
        sliced = slicing(task, model) if slicing else None
        at_once = {"micro_batch": training.batch_size}  # processes that share a trial each take their slice of it
        predicted = {}
        if sliced is None:
            needed = footprint(model, task, settings=training)
            part = needed.micro_batch(batch_size=training.batch_size, limit_bytes=limit_bytes)
            at_once = {"micro_batch": part, "evaluation_batch": needed.evaluation_batch(part)}
            predicted = {"predicted_bytes": needed.peak_bytes(part)}
        if self.conditions.compiled:
            os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(default_cache() / "compiled"))
        result = train(
            sliced.network if sliced else model,
            sliced or task,
            settings=training,
            checkpoints=self.folder.checkpoints,
            checkpoint_seconds=self.conditions.checkpoint_seconds,
            report=self.reporter(),
            compiled=self.conditions.compiled,
            **at_once,
        )
        if sliced:
            sliced.restore(model)
        how = {"processes": distributed.get_world_size() if sliced else 1, "stacked": False, **at_once, **predicted}
        return self.keep_training(model, task, result=result, how=how)

    def keep_training(self, model: nn.Module, task: Task, *, result: TrainResult, how: Mapping[str, Any]) -> Record:
        """Writes down what training left behind, before anything is measured: curve, weights, and its record so far."""
        shape, is_done, conditions = self.spec.make_shape(), result.status == "done", self.conditions
        machine = {**provenance(conditions.device), "compiled": conditions.compiled, **how}
        if conditions.in_flight and conditions.in_flight > 1:
            machine["in_flight"] = conditions.in_flight
        if result.graph:
            machine["graph"] = result.graph
        record = Record(
            key=self.spec.key,
            status=result.status,
            shape=shape.to_dict(),
            loss=plain(result.loss),
            val_loss=plain(result.val_loss),
            min_val_loss=plain(result.min_val_loss),
            figures=dict(task.figures(result.loss)) if is_done else {},
            units=result.units,
            train_flops=float(result.units) * shape.flops_per_token,
            seconds=result.seconds,
            evaluation_seconds=result.evaluation_seconds,
            provenance=machine,
            reason=result.reason,
        )
        self.folder.write_curve(result.curve)
        if is_done:
            save_weights(self.folder.weights, model)
            self.folder.write_trained(record)
        return record

    def reporter(self) -> Callable[[TrainState], None]:
        """Notes progress in the trial's folder, and reports it, at most every `PROGRESS_SECONDS`."""
        last = 0.0

        def report(state: TrainState) -> None:
            nonlocal last
            if time.monotonic() - last < PROGRESS_SECONDS:
                return
            last = time.monotonic()
            values = {
                "step": state.step,
                "steps": self.spec.training.steps,
                "train_loss": state.loss_sum / state.loss_count if state.loss_count else state.curve[-1]["train_loss"],
                "seconds": state.seconds,
            }
            self.folder.write_progress(values)
            if self.progress:
                self.progress(values)

        return report


def record_death(run: RunFolder, spec: TrialSpec, *, reason: str) -> Record | None:
    """Records that a trial kills its workers, unless it ended well after all; gives the record that stands.

    Where training had ended, the trial is done, and its measurements are what could not be had.
    """
    folder = run.trial(spec.key)
    with folder.lock(patience_seconds=LOCK_PATIENCE_SECONDS) as free:
        if free and folder.record() is None:
            trained = folder.trained()
            if trained is None:
                shape = spec.make_shape().to_dict()
                last = Record(key=spec.key, status="failed", shape=shape, provenance=provenance(), reason=reason)
            else:
                missing = {view.view: reason for view in spec.measure if view.view not in trained.measurements}
                last = trained.model_copy(update={"unmeasured": missing})
            folder.write_record(last)
    return folder.record()


def is_lost_peer(error: Exception) -> bool:
    """Whether an error says that another process of the group is gone (gloo raises errors of no kind of their own)."""
    return isinstance(error, distributed.DistError) or (isinstance(error, RuntimeError) and "/gloo/" in str(error))
