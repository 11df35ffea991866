"""The precision of matrix products: autocast for `bfloat16`, rounded inputs on the tensor cores for `tfloat32`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch

from interlaw.training.settings import Precision


def in_precision(precision: Precision, device_type: str) -> AbstractContextManager[object]:
    """Autocast for `bfloat16`; nothing for the others, whose products `products_in` sets."""
    return torch.autocast(device_type, dtype=torch.bfloat16) if precision == "bfloat16" else nullcontext()


@contextmanager
def products_in(precision: Precision) -> Iterator[None]:
    """Float32 products on CUDA devices, the backward pass's too: with 10 bits of mantissa for `tfloat32`, else whole.

    torch would round those of convolutions without that; elsewhere there is nothing to set.
    """
    switches: tuple[Any, ...] = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [switch.allow_tf32 for switch in switches]
    try:
        for switch in switches:
            switch.allow_tf32 = precision == "tfloat32"
        yield
    finally:
        for switch, value in zip(switches, before, strict=True):
            switch.allow_tf32 = value
