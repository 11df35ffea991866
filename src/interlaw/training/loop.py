"""The training loop: one model, one task, one result; stopped at any moment, it resumes to the same bits."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, distributed, nn

from interlaw.tasks import Task
from interlaw.training.best import BestWeights
from interlaw.training.checkpoint import is_divided, load_checkpoint, save_checkpoint
from interlaw.training.graph import Step, fate, stepper
from interlaw.training.intervention import intervention_term
from interlaw.training.optimizer import learning_rate_at, make_optimizer, set_rate
from interlaw.training.precision import in_precision, products_in
from interlaw.training.readback import Readback
from interlaw.training.settings import Precision, TrainSettings
from interlaw.training.turns import numbers_of

Report = Callable[["TrainState"], None]


@dataclass(kw_only=True)
class TrainState:
    """Where a run stands; all of it goes into a checkpoint.

    Attributes:
        step: Optimizer steps done.
        seconds: Training time so far over all attempts, evaluation included.
        evaluation_seconds: The part of it that went into evaluation.
        first_loss: Loss of the first batch, nats per unit.
        loss_sum: Sum of batch losses since the last curve row.
        loss_count: Batches in that sum.
        curve: Rows of step, units, train_loss, val_loss, learning_rate.
    """

    step: int = 0
    seconds: float = 0.0
    evaluation_seconds: float = 0.0
    first_loss: float = math.nan
    loss_sum: float = 0.0
    loss_count: int = 0
    curve: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """How a run ended.

    Attributes:
        status: `done`, or `diverged`: a loss that is not finite or above `blow_up` times the first one.
        loss: Test loss at the end, nats per unit; NaN when diverged.
        val_loss: Validation loss of the weights that it ended with.
        min_val_loss: Lowest validation loss of the run; NaN when there was none.
        units: Tokens (or samples) trained on.
        seconds: Training time over all attempts, evaluation included.
        evaluation_seconds: The part of it that went into evaluation.
        curve: Rows of step, units, train_loss, val_loss, learning_rate.
        reason: Why it diverged, in words; empty when done.
        graph: On a CUDA device: `captured`, or why its steps did not run as one graph.
    """

    status: Literal["done", "diverged"]
    loss: float
    val_loss: float
    min_val_loss: float
    units: int
    seconds: float
    evaluation_seconds: float
    curve: list[dict[str, float]]
    reason: str = ""
    graph: str = ""


def train(
    model: nn.Module,
    task: Task,
    settings: TrainSettings,
    *,
    checkpoints: Path | None = None,
    checkpoint_seconds: float = 30.0,
    report: Report | None = None,
    micro_batch: int | None = None,
    evaluation_batch: int | None = None,
    compiled: bool = False,
) -> TrainResult:
    """Trains a model in place and tests it.

    Args:
        model: The network, with its initial weights.
        task: Data and loss; batches are a function of the seed and the step.
        settings: Everything that changes the result.
        checkpoints: Folder to save to and to resume from; None keeps nothing.
        checkpoint_seconds: Least time between two checkpoints; no effect on the result.
        report: Called with the state after every step, on a device about twice a second.
        micro_batch: Samples that go forward and backward at a time; the gradients of a batch's parts are summed, so
            only the last bits of the result depend on it. The whole batch when None.
        evaluation_batch: Held-out samples that go forward at a time; as many as in training when None. Only the last
            bits depend on it too.
        compiled: Train through `torch.compile`; it too changes the last bits alone.

    On a device nothing is read but at intervals, and the step is a CUDA graph where it can be.

    Returns:
        The result; divergence is a status.
    """
    optimizer = make_optimizer(model, settings)
    best = BestWeights(model, is_wanted=settings.keeps == "best")
    restored = None
    if checkpoints:
        restored = load_checkpoint(checkpoints, model=model, optimizer=optimizer, best=best.tensors)
    state = TrainState(**restored) if restored else TrainState()
    started = time.monotonic() - state.seconds
    saved = time.monotonic()
    model.train()
    at_once = min(micro_batch or settings.batch_size, settings.batch_size)
    judged_at_once = evaluation_batch or at_once
    network: nn.Module = torch.compile(model) if compiled else model  # type: ignore[assignment]
    step = stepper(_step_of(network, optimizer, task, settings, at_once), next(model.parameters()))
    losses = Readback(next(model.parameters()))
    with products_in(settings.precision):
        while (taken := state.step + len(losses)) < settings.steps and not is_exhausted(state, settings):
            set_rate(optimizer, learning_rate_at(taken, settings))
            losses.add(step(task.batch(seed=settings.seed, step=taken, size=settings.batch_size)))
            if not losses.is_due and not is_evaluation(taken + 1, settings):
                continue
            for (loss,) in losses.read():
                if not is_sane(loss, state, settings):
                    return diverged(loss, state, task, settings, graph=fate(step))
                state.step += 1
            state.seconds = time.monotonic() - started
            if is_evaluation(state.step, settings):
                _validate(network, task, settings, state, judged_at_once)
                best.note([row["val_loss"] for row in state.curve])
                state.seconds = time.monotonic() - started
            if checkpoints and state.step < settings.steps and _is_due(model, saved, checkpoint_seconds):
                values = asdict(state)
                save_checkpoint(
                    checkpoints, step=state.step, model=model, optimizer=optimizer, state=values, best=best.tensors
                )
                saved = time.monotonic()
            if report:
                report(state)
        best.restore()
        loss = _tested(network, task, settings, state, judged_at_once)
    if not math.isfinite(loss):
        return diverged(loss, state, task, settings, graph=fate(step))
    state.seconds = time.monotonic() - started
    return done(loss, state, task, settings, graph=fate(step))


@torch.no_grad()
def evaluate(
    model: nn.Module,
    task: Task,
    split: str,
    *,
    num_samples: int,
    batch_size: int,
    precision: Precision = "float32",
) -> float:
    """Mean loss over held-out samples, nats per unit: sums in float64, divided once."""
    was_training = model.training
    model.eval()
    sizes: list[int] = []
    losses = []
    for batch in task.evaluation(split, num_samples=num_samples, batch_size=batch_size):
        sizes.append(len(batch[0]))
        losses.append(loss_of(model, task, batch, precision=precision))
    model.train(was_training)
    read = numbers_of(torch.stack(losses))
    return float(sum(loss * size for loss, size in zip(read, sizes, strict=True)) / sum(sizes))


def loss_of(model: nn.Module, task: Task, batch: Any, *, precision: Precision) -> Tensor:
    """The mean loss of a batch, its matrix products in the given precision."""
    with in_precision(precision, next(model.parameters()).device.type):
        return task.loss(model, batch)


def _step_of(
    model: nn.Module, optimizer: torch.optim.Optimizer, task: Task, settings: TrainSettings, at_once: int
) -> Step:
    """One optimizer step as a function of the batch; it gives the batch's loss before it."""

    def step(batch: Any) -> Tensor:
        optimizer.zero_grad(set_to_none=True)
        parts = []
        for part, share in parts_of(batch, at_once):
            loss = loss_of(model, task, part, precision=settings.precision) * share
            loss.backward()  # type: ignore[no-untyped-call]
            parts.append(loss.detach())
        if settings.intervention != "none":
            term = settings.strength * intervention_term(model, batch, on=settings.intervention, loss=task.loss)
            term.backward()  # type: ignore[no-untyped-call]
        if settings.clip:
            nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
        optimizer.step()
        return sum(parts[1:], parts[0])

    return step


def parts_of(batch: Any, at_once: int) -> Iterator[tuple[Any, float]]:
    """A batch in parts of at most so many samples, each with its share of the whole."""
    size = len(batch[0])
    for first in range(0, size, at_once):
        part = tuple(tensor[first : first + at_once] for tensor in batch)
        yield part, len(part[0]) / size


def is_sane(loss: float, state: TrainState, settings: TrainSettings) -> bool:
    """Takes a batch's loss into the state; False when it has left for good."""
    if state.step == 0:
        state.first_loss = loss
    state.loss_sum += loss
    state.loss_count += 1
    return math.isfinite(loss) and loss <= settings.blow_up * state.first_loss


def diverged(loss: float, state: TrainState, task: Task, settings: TrainSettings, *, graph: str = "") -> TrainResult:
    """The result of a run that left for good."""
    return TrainResult(
        status="diverged",
        loss=math.nan,
        val_loss=state.curve[-1]["val_loss"] if state.curve else math.nan,
        min_val_loss=_lowest(state),
        units=_units(state.step, task, settings),
        seconds=state.seconds,
        evaluation_seconds=state.evaluation_seconds,
        curve=state.curve,
        reason=f"loss {loss:.4g} at step {state.step} against {state.first_loss:.4g} at the start",
        graph=graph,
    )


def done(loss: float, state: TrainState, task: Task, settings: TrainSettings, *, graph: str = "") -> TrainResult:
    """The result of a run that ended well, with its test loss."""
    return TrainResult(
        status="done",
        loss=loss,
        val_loss=_lowest(state) if settings.keeps == "best" else state.curve[-1]["val_loss"],
        min_val_loss=_lowest(state),
        units=_units(state.step, task, settings),
        seconds=state.seconds,
        evaluation_seconds=state.evaluation_seconds,
        curve=state.curve,
        graph=graph,
    )


def _lowest(state: TrainState) -> float:
    """The lowest validation loss so far; the curve is part of every checkpoint, so a stopped run keeps it."""
    return min((row["val_loss"] for row in state.curve if math.isfinite(row["val_loss"])), default=math.nan)


def is_exhausted(state: TrainState, settings: TrainSettings) -> bool:
    """True when the last `patience` validations brought no new lowest loss."""
    losses = [row["val_loss"] for row in state.curve]
    if not settings.patience or len(losses) <= settings.patience:
        return False
    return min(losses[-settings.patience :]) >= min(losses[: -settings.patience])


def is_evaluation(step: int, settings: TrainSettings) -> bool:
    """True at `evaluations` evenly spread steps, the last step among them."""
    return step * settings.evaluations // settings.steps > (step - 1) * settings.evaluations // settings.steps


def _is_due(model: nn.Module, saved: float, seconds: float) -> bool:
    """Whether to save again; processes that divide a model among them do so together, by the first one's clock."""
    due = time.monotonic() - saved >= seconds
    first = next(model.parameters())
    if not is_divided(first):
        return due
    agreed = torch.tensor(float(due), device=first.device)
    distributed.broadcast(agreed, src=0)
    return bool(agreed)


def _validate(model: nn.Module, task: Task, settings: TrainSettings, state: TrainState, at_once: int) -> None:
    """Validates, and adds a row to the curve."""
    with _timed_evaluation(state):
        val_loss = evaluate(
            model,
            task,
            "validation",
            num_samples=settings.evaluation_samples,
            batch_size=at_once,
            precision=settings.precision,
        )
    add_row(state, task, settings, val_loss=val_loss)


def _tested(model: nn.Module, task: Task, settings: TrainSettings, state: TrainState, at_once: int) -> float:
    """The test loss."""
    with _timed_evaluation(state):
        return evaluate(
            model,
            task,
            "test",
            num_samples=settings.test_samples,
            batch_size=at_once,
            precision=settings.precision,
        )


def add_row(state: TrainState, task: Task, settings: TrainSettings, *, val_loss: float) -> None:
    """Adds a row to the curve."""
    row: dict[str, Any] = {
        "step": state.step,
        "units": _units(state.step, task, settings),
        "train_loss": state.loss_sum / state.loss_count,
        "val_loss": val_loss,
        "learning_rate": learning_rate_at(state.step - 1, settings),
    }
    state.curve.append(row)
    state.loss_sum, state.loss_count = 0.0, 0


@contextmanager
def _timed_evaluation(state: TrainState) -> Iterator[None]:
    """Counts what runs inside as evaluation."""
    started = time.monotonic()
    yield
    state.evaluation_seconds += time.monotonic() - started


def _units(step: int, task: Task, settings: TrainSettings) -> int:
    """Tokens (or samples) seen after so many steps."""
    return step * settings.batch_size * task.units_per_sample
