"""One network that trains by itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from interlaw.tasks import Task
from interlaw.training.checkpoint import CHECKPOINT_SECONDS
from interlaw.training.graph import Batch
from interlaw.training.intervention import intervention_term
from interlaw.training.loop import Loop
from interlaw.training.optimizer import learning_rate_at, set_rate
from interlaw.training.precision import in_precision
from interlaw.training.readback import numbers_of
from interlaw.training.replica import Replica, TrainResult, TrainState
from interlaw.training.settings import Precision, TrainSettings


def train(
    model: nn.Module,
    task: Task,
    *,
    settings: TrainSettings,
    checkpoints: Path | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    report: Callable[[TrainState], None] | None = None,
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
        report: Called with the state after every step, on a device a few times a second.
        micro_batch: Samples that go forward and backward at a time; the gradients of a batch's parts are summed, so
            only the last bits of the result depend on it. The whole batch when None.
        evaluation_batch: Held-out samples that go forward at a time; as many as in training when None. Only the last
            bits depend on it too.
        compiled: Take the steps through `torch.compile`; it too changes the last bits alone.

    On a device nothing is read but at intervals, and the step is a CUDA graph where it can be.

    Returns:
        The result; divergence is a status.
    """
    one = Replica(model=model, settings=settings, checkpoints=checkpoints, report=report)
    one.resume()
    at_once = min(micro_batch or settings.batch_size, settings.batch_size)
    network: nn.Module = torch.compile(model) if compiled else model  # type: ignore[assignment]
    alone = _Alone(one, task, network=network, at_once=at_once, judged_at_once=evaluation_batch or at_once)
    Loop([one], lambda members: alone, task=task).run(checkpoint_seconds)
    assert one.result is not None
    return one.result


class _Alone:
    """Steps of one network, by torch's own AdamW."""

    def __init__(self, one: Replica, task: Task, *, network: nn.Module, at_once: int, judged_at_once: int) -> None:
        self._one, self._task, self._network = one, task, network
        self._settings, self._at_once, self._judged_at_once = one.settings, at_once, judged_at_once
        one.model.train()

    def prepare(self, taken: int) -> Batch:
        settings = self._settings
        set_rate(self._one.optimizer, learning_rate_at(taken, settings))
        batch: Batch = self._task.batch(seed=settings.seed, step=taken, size=settings.batch_size)
        return batch

    def step(self, batch: Batch) -> Tensor:
        settings, optimizer, network = self._settings, self._one.optimizer, self._network
        optimizer.zero_grad(set_to_none=True)
        parts, size = [], len(batch[0])
        for first in range(0, size, self._at_once):
            part = tuple(tensor[first : first + self._at_once] for tensor in batch)
            loss = loss_of(network, self._task, batch=part, precision=settings.precision) * (len(part[0]) / size)
            loss.backward()  # type: ignore[no-untyped-call]
            parts.append(loss.detach())
        if settings.intervention != "none":
            term = intervention_term(network, batch, on=settings.intervention, loss=self._task.loss)
            (settings.strength * term).backward()  # type: ignore[no-untyped-call]
        if settings.clip:
            nn.utils.clip_grad_norm_(network.parameters(), settings.clip)
        optimizer.step()
        return sum(parts[1:], parts[0])

    def validate(self) -> list[float]:
        return [self._judge("validation", self._settings.evaluation_samples)]

    def test(self) -> list[float]:
        self._one.restore_best()
        return [self._judge("test", self._settings.test_samples)]

    def settle(self) -> None:
        """Nothing to do: the model and the optimizer are trained in place."""

    def _judge(self, split: str, num_samples: int) -> float:
        options = {"num_samples": num_samples, "batch_size": self._judged_at_once}
        # not the compiled network: held-out batches have sizes of their own, and it would be compiled again for them
        return evaluate(self._one.model, self._task, split=split, precision=self._settings.precision, **options)


@torch.no_grad()
def evaluate(
    model: nn.Module, task: Task, *, split: str, num_samples: int, batch_size: int, precision: Precision = "float32"
) -> float:
    """Mean loss over held-out samples, nats per unit: sums in float64, divided once."""
    was_training = model.training
    model.eval()
    sizes, losses = [], []
    for batch in task.evaluation(split, num_samples=num_samples, batch_size=batch_size):
        sizes.append(len(batch[0]))
        losses.append(loss_of(model, task, batch=batch, precision=precision))
    model.train(was_training)
    read = numbers_of(torch.stack(losses))
    return float(sum(loss * size for loss, size in zip(read, sizes, strict=True)) / sum(sizes))


def loss_of(model: nn.Module, task: Task, *, batch: Any, precision: Precision) -> Tensor:
    """The mean loss of a batch, its matrix products in the given precision."""
    with in_precision(precision, next(model.parameters()).device.type):
        return task.loss(model, batch)
