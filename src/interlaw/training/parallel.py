"""One trial on several devices: every process holds the model and takes its slice of each batch.

The loop does not know of it: it sees the task's loss, whose value is that of the whole batch on every process, and
gradients that are already those of the whole batch. So every process takes the same decisions and the same steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from interlaw.tasks import Task


class SlicedTask:
    """A task whose batches are divided among the processes of the default process group.

    Batches are those of a single process; process r of K takes samples r, r + K, ... of each. The loss must be a mean
    over samples, as every task's is. Slices may differ in size: each counts by its samples.

    Args:
        task: The task, on this process's device.
        model: The network that is trained; gradients are averaged while its backward pass runs (torch's
            DistributedDataParallel, Li et al. 2020, arXiv 2006.15704).
    """

    def __init__(self, task: Task, model: nn.Module) -> None:
        self._task = task
        self._rank, self._world = distributed.get_rank(), distributed.get_world_size()
        device = next(model.parameters()).device
        self._network = DistributedDataParallel(model, device_ids=None if device.type == "cpu" else [device])
        self._begun = False
        self.unit = task.unit

    @property
    def units_per_sample(self) -> int:
        """Units in one sample of a batch."""
        return self._task.units_per_sample

    def batch(self, *, seed: int, step: int, size: int) -> Any:
        """The whole training batch of a step.

        Raises:
            RuntimeError: When the processes begin at different steps.
        """
        if not self._begun:
            found: list[Any] = [None] * self._world
            distributed.all_gather_object(found, step)
            if len(set(found)) > 1:
                raise RuntimeError(f"expected the processes of a trial to begin at one step, found {found}")
            self._begun = True
        return self._task.batch(seed=seed, step=step, size=size)

    def evaluation(self, split: str, *, num_samples: int, batch_size: int) -> Iterator[Any]:
        """Whole held-out batches."""
        return self._task.evaluation(split, num_samples=num_samples, batch_size=batch_size)

    def probes(self, *, num_samples: int, with_targets: bool) -> Tensor:
        """Inputs on which interaction is measured."""
        return self._task.probes(num_samples=num_samples, with_targets=with_targets)

    def loss(self, model: nn.Module, batch: Any) -> Tensor:
        """Mean loss over the whole batch; its gradient, averaged over the processes, is that of the whole batch."""
        size = len(batch[0])
        share = tuple(part[self._rank :: self._world] for part in batch)
        count = len(share[0])
        if not count:  # a batch smaller than the group: it takes part all the same, with no weight
            share = tuple(part[:1] for part in batch)
        if not torch.is_grad_enabled():
            return _summed(self._task.loss(model, share) * (count / size))
        # the average divides by the number of processes, so the weights must sum to it
        local = self._task.loss(self._network, share) * (count * self._world / size)
        return (local - local.detach()) + _summed(local.detach() / self._world)

    def figures(self, loss: float) -> dict[str, float]:
        """Further figures that follow from the test loss."""
        return self._task.figures(loss)


def _summed(value: Tensor) -> Tensor:
    """The sum over all processes, with the same bits on each."""
    total = value.detach().double()
    distributed.all_reduce(total)
    return total.to(value.dtype)
