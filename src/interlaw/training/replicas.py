"""Replicas: networks of one shape that differ in seed or learning rate alone, trained together over stacked weights.

Small networks leave a processor waiting for Python; K of them in one batched product cost little more than one. Each
replica keeps its own batches, rate, clipping, divergence, curve and checkpoint, as if alone, and only the last bits of
its result differ.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from interlaw.errors import InterlawError
from interlaw.tasks import Task
from interlaw.training.checkpoint import load_checkpoint, save_checkpoint
from interlaw.training.graph import fate, stepper
from interlaw.training.loop import (
    TrainResult,
    TrainState,
    add_row,
    diverged,
    done,
    is_evaluation,
    is_exhausted,
    is_sane,
)
from interlaw.training.optimizer import learning_rate_at, make_optimizer
from interlaw.training.precision import products_in
from interlaw.training.readback import Readback
from interlaw.training.settings import TrainSettings
from interlaw.training.stack import Stack
from interlaw.training.turns import numbers_of

APART = ("seed", "learning_rate")  # the settings in which replicas may differ


@dataclass(kw_only=True)
class Replica:
    """One network of a group.

    Attributes:
        model: The network; holds its weights before and after the group trains, and at each checkpoint.
        settings: Everything that changes its result.
        checkpoints: Folder to save to and to resume from; None keeps nothing.
        report: Called with the state after every step, on a device about twice a second.
    """

    model: nn.Module
    settings: TrainSettings
    checkpoints: Path | None = None
    report: Callable[[TrainState], None] | None = None
    state: TrainState = field(default_factory=TrainState)
    result: TrainResult | None = None


def train_together(
    replicas: Sequence[Replica],
    task: Task,
    *,
    checkpoint_seconds: float = 30.0,
    micro_batch: int | None = None,
    evaluation_batch: int | None = None,
) -> list[TrainResult]:
    """Trains networks of one shape at once, each as `train` would have trained it alone.

    A replica that diverges or stops early leaves the group; the others do not notice. Replicas whose checkpoints stand
    at different steps are trained in groups of equal step.

    Args:
        replicas: Their settings differ in seed and learning rate alone.
        task: Data and loss.
        checkpoint_seconds: Least time between two checkpoints of the group; no effect on the results.
        micro_batch: Samples of each replica that go forward and backward at a time; the whole batch when None.
        evaluation_batch: Held-out samples that go forward at a time; as many as in training when None.

    Returns:
        The results, in the order of the replicas.

    Raises:
        InterlawError: The replicas differ in more than seed and rate.

    Source: batching over weights by `torch.func` (model ensembling); AdamW: Loshchilov & Hutter 2017, arXiv 1711.05101.
    """
    _require_alike([replica.settings for replica in replicas])
    by_step: dict[int, list[tuple[Replica, torch.optim.AdamW]]] = {}
    for replica in replicas:
        optimizer = make_optimizer(replica.model, replica.settings)
        if replica.checkpoints:
            restored = load_checkpoint(replica.checkpoints, model=replica.model, optimizer=optimizer)
            replica.state = TrainState(**restored) if restored else TrainState()
        by_step.setdefault(replica.state.step, []).append((replica, optimizer))
    for members in by_step.values():
        group = _Group(members, task, micro_batch=micro_batch, evaluation_batch=evaluation_batch)
        group.run(checkpoint_seconds)
    return [replica.result for replica in replicas if replica.result is not None]


def _require_alike(settings: Sequence[TrainSettings]) -> None:
    """Refuses settings that differ in what all replicas share."""
    shared = [{name: value for name, value in asdict(one).items() if name not in APART} for one in settings]
    for other in shared[1:]:
        for name, value in other.items():
            if value != shared[0][name]:
                raise InterlawError(
                    f"expected replicas that differ in {' and '.join(APART)} alone, found {name} {shared[0][name]!r} "
                    f"and {value!r}; train them apart"
                )
    if not can_be_stacked(settings[0]):
        raise InterlawError(
            f"expected replicas without intervention that keep their last weights, found {settings[0].intervention!r} "
            f"and {settings[0].keeps!r}; train them apart"
        )


def can_be_stacked(settings: TrainSettings) -> bool:
    """Whether a group can train under these settings: interventions and the best weights are one network's alone."""
    return settings.intervention == "none" and settings.keeps == "last"


class _Group:
    """Replicas at one step, their weights stacked."""

    def __init__(
        self,
        members: Sequence[tuple[Replica, torch.optim.AdamW]],
        task: Task,
        *,
        micro_batch: int | None,
        evaluation_batch: int | None,
    ) -> None:
        self._members = list(members)
        self._task = task
        self._settings = members[0][0].settings
        self._at_once = min(micro_batch or self._settings.batch_size, self._settings.batch_size)
        self._judged_at_once = evaluation_batch or self._at_once
        self._stack = Stack([replica.model for replica, _ in members], [optimizer for _, optimizer in members])
        self._step = stepper(self._take_step, self._stack.weights)
        self._losses = Readback(self._stack.weights)
        self._clock = time.monotonic()

    def run(self, checkpoint_seconds: float) -> None:
        """Trains until every replica has its result."""
        saved = self._clock = time.monotonic()
        with products_in(self._settings.precision):
            while self._members:
                taken = self._members[0][0].state.step + len(self._losses)
                if taken == self._settings.steps:
                    self._finish(range(len(self._members)))
                    return
                self._losses.add(self._step(self._batches(taken)))
                if not self._losses.is_due and not is_evaluation(taken + 1, self._settings):
                    continue
                self._take(self._losses.read())
                if self._members and is_evaluation(taken + 1, self._settings):
                    self._evaluate()
                if taken + 1 < self._settings.steps and time.monotonic() - saved >= checkpoint_seconds:
                    self._save()
                    saved = time.monotonic()
                for replica, _ in self._members:
                    if replica.report:
                        replica.report(replica.state)

    def _batches(self, step: int) -> tuple[Tensor, ...]:
        """Every replica's batch, side by side (K, batch, ...); rates are set for the step."""
        settings = [replica.settings for replica, _ in self._members]
        self._stack.schedule([learning_rate_at(step, one) for one in settings], self._settings)
        batches = [self._task.batch(seed=one.seed, step=step, size=one.batch_size) for one in settings]
        return tuple(torch.stack(tensors) for tensors in zip(*batches, strict=True))

    def _take_step(self, batches: tuple[Tensor, ...]) -> Tensor:
        """One optimizer step of all; their batches' losses before it."""
        total: Tensor | float = 0.0
        for first in range(0, self._settings.batch_size, self._at_once):
            part = tuple(tensor[:, first : first + self._at_once].contiguous() for tensor in batches)
            share = part[0].shape[1] / self._settings.batch_size
            losses = self._stack.losses(self._task, part, settings=self._settings)[: len(batches[0])] * share
            losses.sum().backward()  # type: ignore[no-untyped-call]
            total = total + losses.detach()
        self._stack.update(self._settings)
        assert isinstance(total, Tensor)
        return total

    def _take(self, rows: Sequence[Sequence[float]]) -> None:
        """Takes the losses of each step into the states; replicas that diverged leave."""
        now = time.monotonic()
        for replica, _ in self._members:
            replica.state.seconds += (now - self._clock) / len(self._members)
        self._clock = now
        gone: list[int] = []
        for losses in rows:
            for place, ((replica, _), loss) in enumerate(zip(self._members, losses, strict=True)):
                if place in gone:
                    continue
                if is_sane(loss, replica.state, replica.settings):
                    replica.state.step += 1
                else:
                    replica.result = diverged(loss, replica.state, self._task, replica.settings, graph=fate(self._step))
                    gone.append(place)
        self._remove(gone)

    def _evaluate(self) -> None:
        """Adds a row to every curve; replicas whose patience is over leave with their test loss."""
        losses = self._judge("validation", num_samples=self._settings.evaluation_samples)
        for (replica, _), loss in zip(self._members, losses, strict=True):
            add_row(replica.state, self._task, replica.settings, val_loss=loss)
        over = [
            place for place, (replica, _) in enumerate(self._members) if is_exhausted(replica.state, replica.settings)
        ]
        if over:
            self._finish(over)

    def _finish(self, places: Sequence[int]) -> None:
        """Tests the replicas at these places; they leave with their results, their weights back in their models."""
        losses = self._judge("test", num_samples=self._settings.test_samples)
        self._stack.unstack([replica.model for replica, _ in self._members])
        for place in places:
            replica, _ = self._members[place]
            finite = math.isfinite(losses[place])
            end = done if finite else diverged
            replica.result = end(losses[place], replica.state, self._task, replica.settings, graph=fate(self._step))
        self._remove(places)

    def _judge(self, split: str, *, num_samples: int) -> list[float]:
        """Mean loss of each replica over held-out samples: sums in float64, divided once."""
        sizes, found = [], []
        self._stack.base.eval()
        with torch.no_grad():
            for batch in self._task.evaluation(split, num_samples=num_samples, batch_size=self._judged_at_once):
                losses = self._stack.losses(self._task, batch, settings=self._settings, shared=True)
                found.append(losses[: len(self._members)])
                sizes.append(len(batch[0]))
        self._stack.base.train()
        read = torch.tensor(numbers_of(torch.stack(found)), dtype=torch.float64)
        means = read.mul(torch.tensor(sizes)[:, None]).sum(0) / sum(sizes)
        started, self._clock = self._clock, time.monotonic()
        for replica, _ in self._members:
            replica.state.seconds += (self._clock - started) / len(self._members)
            replica.state.evaluation_seconds += (self._clock - started) / len(self._members)
        return [float(value) for value in means.tolist()]

    def _save(self) -> None:
        """Each replica's checkpoint, as it would have been written alone."""
        self._stack.unstack([replica.model for replica, _ in self._members], [opt for _, opt in self._members])
        for replica, optimizer in self._members:
            if replica.checkpoints:
                save_checkpoint(
                    replica.checkpoints,
                    step=replica.state.step,
                    model=replica.model,
                    optimizer=optimizer,
                    state=asdict(replica.state),
                )

    def _remove(self, places: Sequence[int]) -> None:
        """The members at these places leave the group."""
        if places:
            kept = [place for place in range(len(self._members)) if place not in set(places)]
            self._members = [self._members[place] for place in kept]
            if kept:
                self._stack.keep(kept)
                self._step = stepper(self._take_step, self._stack.weights)
