"""A stand-in for a CUDA graph: operations are recorded below autograd, and replayed on the same memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map


def _tensors(values: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]


def _detached(values: Any) -> Any:
    return tree_map(lambda leaf: leaf.detach() if isinstance(leaf, Tensor) else leaf, values)


class Recording(TorchDispatchMode):
    """Notes every operation with the tensors it read and wrote; numbers from Python are kept as they were."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any, Any, Any]] = []
        self.before: dict[int, tuple[Tensor, Tensor]] = {}
        self.made: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func.overloadpacket.__name__ in ("_local_scalar_dense", "item", "is_nonzero"):
            raise RuntimeError("operation not permitted when stream is capturing: a number was read")
        for tensor in _tensors((args, kwargs)):
            place = tensor.untyped_storage().data_ptr()
            if place not in self.made and place not in self.before:
                self.before[place] = (tensor.untyped_storage(), tensor.untyped_storage().clone())
        found = func(*args, **kwargs)
        self.made |= {tensor.untyped_storage().data_ptr() for tensor in _tensors(found)} - set(self.before)
        self.calls.append((func, _detached(args), _detached(kwargs), _detached(found)))
        return found

    @torch.no_grad()
    def replay(self) -> None:
        for func, args, kwargs, kept in self.calls:
            again = func(*args, **kwargs)
            for old, new in zip(_tensors(kept), _tensors(again), strict=True):
                if old.data_ptr() != new.data_ptr():  # not in place, and no view
                    old.copy_(new)


def record(work: Callable[[], Tensor], stream: None) -> tuple[Callable[[], None], Tensor]:
    """As `interlaw.training.graph.record` does: a capture runs nothing, a replay runs it all."""
    recording = Recording()
    # transformers asks it, and looks for packed sequences, which reads a number, only where the answer is no
    with patch.object(torch.cuda, "is_current_stream_capturing", lambda: True), recording:
        found = work()
    for storage, before in recording.before.values():
        storage.copy_(before)
    return recording.replay, found


def run_aside(work: Callable[[], Tensor], stream: None) -> Tensor:
    """There are no streams on a processor."""
    return work()
