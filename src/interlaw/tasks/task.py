"""What training asks of a task; text is one, and every other kind of data is another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn


@runtime_checkable
class Task(Protocol):
    """Data and loss of one learning problem. Batches are opaque: the task made them and reads them.

    Attributes:
        unit: What the loss is a mean over, in the singular ("token", "sample").
        units_per_sample: Units in one sample of a batch.
    """

    unit: str

    @property
    def units_per_sample(self) -> int:
        """Units in one sample of a batch."""

    def batch(self, *, seed: int, step: int, size: int) -> Any:
        """The training batch of a step, a pure function of its arguments."""

    def evaluation(self, split: str, *, num_samples: int, batch_size: int) -> Iterator[Any]:
        """Held-out batches, the same at every call."""

    def probes(self, *, num_samples: int, with_targets: bool) -> Tensor:
        """Inputs on which interaction is measured; with what the loss needs beside them when `with_targets`."""

    def loss(self, model: nn.Module, batch: Any) -> Tensor:
        """Mean loss over a batch."""

    def figures(self, loss: float) -> dict[str, float]:
        """Further figures that follow from the test loss."""


def numbers_from(seed: int, place: int) -> np.random.Generator:
    """Random numbers that are a function of a seed of 64 bits and of a place, such as a step or an epoch."""
    # as an array: NumPy takes a list with a number from 2^63 on for floats, which seeds share
    return np.random.Generator(np.random.Philox(key=np.array([seed, place], dtype=np.uint64)))


def sent(tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor on a device; to a CUDA device it travels while the host goes on, from memory that is not paged."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)
