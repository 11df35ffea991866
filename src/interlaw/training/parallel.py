"""One trial on several devices: every process holds a part of each parameter and takes its slice of each batch.

The loop hardly knows of it: it sees the task's loss, whose value is that of the whole batch on every process, and parts
of parameters whose gradients are already those of the whole batch. So every process takes the same decisions and the
same steps, each on its parts; when to save is the first one's to say, and saving gathers the parts.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard

from interlaw.tasks import Task
from interlaw.training.checkpoint import load_weights, whole_weights


class SlicedTask:
    """A task whose batches, and a network whose weights, are divided among the processes of the default process group.

    Batches are those of a single process; process r of K takes samples r, r + K, ... of each. The loss must be a mean
    over samples, as every task's is. Slices may differ in size: each counts by its samples.

    Parameters, their gradients and the optimizer's moments lie in K parts; those of a block are gathered while it works
    (torch's `fully_shard`; Zhao et al. 2023, arXiv 2304.11277).

    Args:
        task: The task, on this process's device.
        model: The network, the same in every process; it stays as it is and may lie on the CPU.
        device: This process's.

    Attributes:
        network: The divided copy of the model, which is to be trained.
    """

    def __init__(self, task: Task, model: nn.Module, *, device: torch.device | str = "cpu") -> None:
        self._task = task
        self._rank, self._world = distributed.get_rank(), distributed.get_world_size()
        self._begun = False
        self.evaluation, self.probes, self.figures = task.evaluation, task.probes, task.figures  # of the whole task
        self.unit, self.units_per_sample = task.unit, task.units_per_sample
        self.network = _divided(model, init_device_mesh(torch.device(device).type, (self._world,)))

    def batch(self, *, seed: int, step: int, size: int) -> Any:
        """The whole training batch of a step.

        Raises:
            RuntimeError: When the processes begin at different steps.
        """
        if not self._begun:
            steps: list[int | None] = [None] * self._world
            distributed.all_gather_object(steps, step)
            if len(set(steps)) > 1:
                raise RuntimeError(f"expected the processes of a trial to begin at one step, found {steps}")
            self._begun = True
        return self._task.batch(seed=seed, step=step, size=size)

    def loss(self, model: nn.Module, batch: Any) -> Tensor:
        """Mean loss of the divided network over the whole batch; its parts get the gradient of the whole batch."""
        size = len(batch[0])
        share = tuple(part[self._rank :: self._world] for part in batch)
        count = len(share[0])
        if not count:  # a batch smaller than the group: it takes part all the same, with no weight
            share = tuple(part[:1] for part in batch)
        if not torch.is_grad_enabled():
            return _summed(self._task.loss(model, share) * (count / size))
        # gradients are averaged over the processes, so the weights must sum to their number
        local = self._task.loss(model, share) * (count * self._world / size)
        return (local - local.detach()) + _summed(local.detach() / self._world)

    def restore(self, model: nn.Module) -> None:
        """Puts the trained weights into the first process's whole model; every process must call."""
        weights = whole_weights(self.network)
        if weights is not None:
            load_weights(model, weights)


def _divided(model: nn.Module, mesh: DeviceMesh) -> nn.Module:
    """A copy whose parameters lie in parts, one for each process; blocks move to the device one by one."""
    divided = copy.deepcopy(model)
    for module in list(divided.modules()):
        if isinstance(module, nn.ModuleList):
            for block in module:
                fully_shard(block, mesh=mesh, reshard_after_forward=True)
    fully_shard(divided, mesh=mesh, reshard_after_forward=True)
    return divided


def _summed(value: Tensor) -> Tensor:
    """The sum over all processes, with the same bits on each."""
    total = value.detach().double()
    distributed.all_reduce(total)
    return total.to(value.dtype)
