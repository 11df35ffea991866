"""What training will take before it starts, and how a batch is cut so that it fits.

    peak = 16 P + c + b (s + 3 m)

P parameters in float32, each with its gradient and AdamW's two moments; b samples at a time. s is what autograd saves
of one sample, m the largest tensor among it: the backward pass holds a few of that size beside what was saved. c is
what it saves whatever the batch (the weights' bfloat16 copies under autocast, say). s and c are read off the forward
passes of one and of two samples, so that the same lines serve every family, task and attention kernel.
On a CPU the C library keeps some freed memory between tensors of many sizes: tens of MB at these scales, not counted.
"""

from __future__ import annotations

import math
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from interlaw.errors import InterlawError
from interlaw.machine import free_bytes
from interlaw.size import format_size
from interlaw.tasks import Task
from interlaw.training.alone import loss_of
from interlaw.training.settings import TrainSettings
from interlaw.training.stack import attention_of_stacks

BYTES_PER_PARAM = 16  # weight, gradient and two moments of Adam, each in float32
_WORKSPACE = 3  # of the largest saved tensor; judgement: an operator holds input, output and a gradient at a time
_EVALUATED_AT_ONCE = 32  # beyond it a forward pass of small networks gets no faster
_SHARE_OF_FREE = 0.9  # judgement: leaves room for other processes and for gaps of the allocator
_ALLOCATOR = ("can't allocate memory", "not enough memory", "std::bad_alloc")


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """Bytes that training adds to a process that holds torch and the data.

    Attributes:
        fixed_bytes: Whatever the batch.
        sample_bytes: For each sample that goes forward and backward at a time.
        forward_bytes: For each sample that goes forward alone.
    """

    fixed_bytes: int
    sample_bytes: int
    forward_bytes: int = 0

    def peak_bytes(self, samples: int) -> int:
        """The peak with so many samples at a time."""
        return self.fixed_bytes + samples * self.sample_bytes

    def evaluation_batch(self, samples: int) -> int:
        """Held-out samples at a time: what takes no more than training with so many at a time, no fewer than those.

        Example:
            >>> Footprint(fixed_bytes=100, sample_bytes=30, forward_bytes=6).evaluation_batch(4)
            20
        """
        affordable = samples * self.sample_bytes // max(1, self.forward_bytes)
        return max(samples, min(affordable, _EVALUATED_AT_ONCE))

    def micro_batch(self, *, batch_size: int, limit_bytes: int) -> int:
        """The largest part of a batch whose peak stays within the limit, the batch cut into equal parts.

        Raises:
            InterlawError: When not even one sample fits.

        Example:
            >>> Footprint(fixed_bytes=100, sample_bytes=10).micro_batch(batch_size=16, limit_bytes=180)
            8
        """
        most = (limit_bytes - self.fixed_bytes) // max(1, self.sample_bytes)
        if most < 1:
            raise InterlawError(
                f"expected room for {format_size(self.peak_bytes(1))} bytes (weights, gradients, optimizer and one "
                f"sample), found {format_size(max(0, limit_bytes))}; take fewer workers, a higher memory limit, a "
                "smaller shape or a shorter context"
            )
        return math.ceil(batch_size / math.ceil(batch_size / most))


def footprint(model: nn.Module, task: Task, *, settings: TrainSettings, stacked: bool = False) -> Footprint:
    """Predicts the memory of training from the forward passes of one and of two samples.

    Args:
        model: The network where it will be trained.
        task: Its batches and loss.
        settings: The precision counts.
        stacked: Attend as where it is one of several whose weights are stacked; what one of them takes.
    """
    with attention_of_stacks(next(model.parameters()).device) if stacked else nullcontext():
        one, two = (_saved(model, task, settings=settings, size=size) for size in (1, 2))
    forward = _WORKSPACE * one[1]
    params = sum(parameter.numel() for parameter in model.parameters())
    return Footprint(
        fixed_bytes=BYTES_PER_PARAM * params + max(0, 2 * one[0] - two[0]),
        sample_bytes=max(0, two[0] - one[0]) + forward,
        forward_bytes=forward,
    )


def require_room(*, params: int, limit_bytes: int) -> None:
    """Refuses a network whose weights, gradients and optimizer alone do not fit, before any of it is made.

    Raises:
        InterlawError: It does not fit.
    """
    if BYTES_PER_PARAM * params > limit_bytes:
        Footprint(fixed_bytes=BYTES_PER_PARAM * params, sample_bytes=1).micro_batch(
            batch_size=1, limit_bytes=limit_bytes
        )


def usable_bytes(device: torch.device | str) -> int:
    """What a process may plan with on a device: most of the memory that is free now."""
    return int(_SHARE_OF_FREE * free_bytes(str(device)))


def free_cache() -> None:
    """Gives back the memory that torch keeps on a device for later."""
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.empty_cache()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on a device or on the host."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _ALLOCATOR)


def _saved(model: nn.Module, task: Task, *, settings: TrainSettings, size: int) -> tuple[int, int]:
    """Bytes that autograd saves of a batch beside the weights, in all and of the largest tensor."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    storages: dict[int, torch.UntypedStorage] = {}

    def note(tensor: Tensor) -> None:
        """Returns nothing: a returned tensor would keep the graph alive that holds it."""
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            storages[storage.data_ptr()] = storage  # kept, so that no address is used again

    batch = task.batch(seed=settings.seed, step=0, size=size)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda nothing: nothing):
        loss_of(model, task, batch=batch, precision=settings.precision)
    sizes = [storage.nbytes() for storage in storages.values()]
    return sum(sizes), max(sizes, default=0)
