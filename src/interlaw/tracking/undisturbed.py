"""Training is not disturbed by what is done inside: modes of modules and states of random numbers are put back."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """The network in eval mode inside; afterwards each module's mode and every random state is as it was.

    Random states are those of Python, of NumPy's global generator, of torch on the CPU and on each CUDA device.

    Example:
        >>> model = nn.Dropout(0.5)
        >>> before = torch.get_rng_state()
        >>> with undisturbed(model):
        ...     model.training, torch.rand(3).shape
        (False, torch.Size([3]))
        >>> model.training, torch.equal(before, torch.get_rng_state())
        (True, True)
    """
    modes = [(module, module.training) for module in model.modules()]
    of_python, of_numpy = random.getstate(), np.random.get_state()
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()  # type: ignore[no-untyped-call]
    model.eval()
    try:
        with torch.random.fork_rng(devices):
            yield
    finally:
        for module, training in modes:
            module.training = training
        random.setstate(of_python)
        np.random.set_state(of_numpy)
