"""One network in training: where it stands, what its curve and checkpoints hold, how it ended."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from interlaw.size import format_size
from interlaw.tasks import Task
from interlaw.training.checkpoint import distinct_weights, load_checkpoint, load_weights, save_checkpoint
from interlaw.training.optimizer import learning_rate_at, make_optimizer
from interlaw.training.settings import TrainSettings


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


@dataclass(kw_only=True, eq=False)
class Replica:
    """One network of those that train together, or the only one.

    Attributes:
        model: The network; holds its weights before and after it trains, and at each checkpoint.
        settings: Everything that changes its result.
        checkpoints: Folder to save to and to resume from; None keeps nothing.
        report: Called with the state after every step, on a device a few times a second.
        state: Where it stands.
        result: How it ended; None before.
    """

    model: nn.Module
    settings: TrainSettings
    checkpoints: Path | None = None
    report: Callable[[TrainState], None] | None = None
    state: TrainState = field(default_factory=TrainState)
    result: TrainResult | None = None

    def __post_init__(self) -> None:
        self.optimizer = make_optimizer(self.model, self.settings)
        self._best: dict[str, Tensor] = {}

    def resume(self) -> None:
        """Takes up its newest checkpoint, where there is one."""
        if self.checkpoints:
            restored = load_checkpoint(self.checkpoints, model=self.model, optimizer=self.optimizer, best=self._best)
            self.state = TrainState(**restored) if restored else TrainState()

    def save(self) -> None:
        """Writes a checkpoint; its model and optimizer hold what is to be kept."""
        if self.checkpoints:
            save_checkpoint(
                self.checkpoints,
                step=self.state.step,
                model=self.model,
                optimizer=self.optimizer,
                state=asdict(self.state),
                best=self._best,
            )

    def take(self, loss: float) -> bool:
        """Takes a step with its batch's loss; False when it has diverged."""
        state = self.state
        if state.step == 0:
            state.first_loss = loss
        state.loss_sum += loss
        state.loss_count += 1
        is_sane = math.isfinite(loss) and loss <= self.settings.blow_up * state.first_loss
        state.step += is_sane
        return is_sane

    def add_row(self, task: Task, *, val_loss: float) -> None:
        """Adds a row to the curve; keeps the weights of the lowest validation loss where they are wanted at the end."""
        state = self.state
        if self.settings.keeps == "best" and val_loss < min((row["val_loss"] for row in state.curve), default=math.inf):
            with torch.no_grad():
                self._best = {name: tensor.clone() for name, tensor in distinct_weights(self.model).items()}
        state.curve.append(
            {
                "step": state.step,
                "units": self._units(task),
                "train_loss": state.loss_sum / state.loss_count,
                "val_loss": val_loss,
                "learning_rate": learning_rate_at(state.step - 1, self.settings),
            }
        )
        state.loss_sum, state.loss_count = 0.0, 0

    def restore_best(self) -> None:
        """Puts the weights of the lowest validation loss back, where they were kept."""
        if self._best:
            load_weights(self.model, self._best)

    @property
    def is_over(self) -> bool:
        """Whether all steps are done, or the last `patience` validations brought no new lowest loss."""
        if self.state.step == self.settings.steps:
            return True
        losses, patience = [row["val_loss"] for row in self.state.curve], self.settings.patience
        return 0 < patience < len(losses) and min(losses[-patience:]) >= min(losses[:-patience])

    def end(self, loss: float, task: Task, *, is_done: bool, graph: str) -> None:
        """Notes the result: its test loss, or the loss at which it diverged."""
        state = self.state
        # the curve is part of every checkpoint, so a stopped run keeps its lowest loss
        lowest = min((row["val_loss"] for row in state.curve if math.isfinite(row["val_loss"])), default=math.nan)
        last = state.curve[-1]["val_loss"] if state.curve else math.nan
        start, last_loss = format_size(state.first_loss), format_size(loss)
        left = f"loss {last_loss} at step {state.step} against {start} at the start"
        self.result = TrainResult(
            status="done" if is_done else "diverged",
            loss=loss if is_done else math.nan,
            val_loss=lowest if is_done and self.settings.keeps == "best" else last,
            min_val_loss=lowest,
            units=self._units(task),
            seconds=state.seconds,
            evaluation_seconds=state.evaluation_seconds,
            curve=state.curve,
            reason="" if is_done else left,
            graph=graph,
        )

    def _units(self, task: Task) -> int:
        """Tokens (or samples) seen so far."""
        return self.state.step * self.settings.batch_size * task.units_per_sample
