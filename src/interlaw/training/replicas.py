"""Replicas: networks of one shape that differ in seed or learning rate alone, trained together over stacked weights.

Small networks leave a processor waiting for Python; K of them in one batched product cost little more than one. Each
replica keeps its own batches, rate, clipping, divergence, curve and checkpoint, as if alone, and only the last bits of
its result differ.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from interlaw.errors import InterlawError
from interlaw.tasks import Task
from interlaw.training.checkpoint import CHECKPOINT_SECONDS
from interlaw.training.loop import Loop
from interlaw.training.optimizer import learning_rate_at
from interlaw.training.readback import numbers_of
from interlaw.training.replica import Replica, TrainResult
from interlaw.training.settings import TrainSettings
from interlaw.training.stack import Stack

APART = ("seed", "learning_rate")  # the settings in which replicas may differ


def train_together(
    replicas: Sequence[Replica],
    task: Task,
    *,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
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
    size = replicas[0].settings.batch_size
    at_once = min(micro_batch or size, size)
    by_step: dict[int, list[Replica]] = {}
    for replica in replicas:
        replica.resume()
        by_step.setdefault(replica.state.step, []).append(replica)
    for members in by_step.values():
        Loop(
            members,
            lambda left: _Together(left, task, at_once=at_once, judged_at_once=evaluation_batch or at_once),
            task=task,
        ).run(checkpoint_seconds)
    return [replica.result for replica in replicas if replica.result is not None]


def _require_alike(settings: Sequence[TrainSettings]) -> None:
    shared = [{name: value for name, value in one.model_dump().items() if name not in APART} for one in settings]
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


class _Together:
    """Steps of several networks over stacked weights.

    A single network stands in the stack twice: products of one matrix take another kernel than products of several, and
    the last bits of a result must not depend on how many replicas are left.
    """

    def __init__(self, members: Sequence[Replica], task: Task, *, at_once: int, judged_at_once: int) -> None:
        self._members, self._task, self._settings = members, task, members[0].settings
        self._at_once, self._judged_at_once = at_once, judged_at_once
        self._stacked = members if len(members) > 1 else [members[0]] * 2
        self._stack = Stack([one.model for one in self._stacked], [one.optimizer for one in self._stacked])

    def prepare(self, taken: int) -> tuple[Tensor, ...]:
        """Every replica's batch, side by side (K, batch, ...)."""
        settings = [one.settings for one in self._stacked]
        self._stack.schedule([learning_rate_at(taken, one) for one in settings], self._settings)
        batches = [self._task.batch(seed=one.seed, step=taken, size=one.batch_size) for one in settings]
        return tuple(torch.stack(tensors) for tensors in zip(*batches, strict=True))

    def step(self, batch: tuple[Tensor, ...]) -> Tensor:
        self._stack.forget_gradients()
        parts = []
        for first in range(0, self._settings.batch_size, self._at_once):
            part = tuple(tensor[:, first : first + self._at_once].contiguous() for tensor in batch)
            share = part[0].shape[1] / self._settings.batch_size
            losses = self._stack.losses(self._task, part, settings=self._settings)[: len(self._members)] * share
            losses.sum().backward()  # type: ignore[no-untyped-call]
            parts.append(losses.detach())
        self._stack.update(self._settings)
        return sum(parts[1:], parts[0])

    def validate(self) -> list[float]:
        return self._judge("validation", self._settings.evaluation_samples)

    def test(self) -> list[float]:
        losses = self._judge("test", self._settings.test_samples)
        self._stack.unstack([one.model for one in self._members])
        return losses

    def settle(self) -> None:
        self._stack.unstack([one.model for one in self._members], [one.optimizer for one in self._members])

    def _judge(self, split: str, num_samples: int) -> list[float]:
        """Mean loss of each replica over held-out samples: sums in float64, divided once."""
        sizes, rows = [], []
        self._stack.base.eval()
        with torch.no_grad():
            for batch in self._task.evaluation(split, num_samples=num_samples, batch_size=self._judged_at_once):
                losses = self._stack.losses(self._task, batch, settings=self._settings, shared=True)
                rows.append(losses[: len(self._members)])
                sizes.append(len(batch[0]))
        self._stack.base.train()
        read = torch.tensor(numbers_of(torch.stack(rows)), dtype=torch.float64)
        means = read.mul(torch.tensor(sizes)[:, None]).sum(0) / sum(sizes)
        return [float(value) for value in means.tolist()]
