"""Inputs as the user has them, as a stream of batches: a tensor, or an iterable of tensors or of dicts of tensors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from interlaw.errors import InterlawError

Batch = Tensor | dict[str, Tensor]

FORMS = (
    "a tensor, measure(model, x), or an iterable of batches (tensors or dicts), "
    "measure(model, [{'input_ids': ids}, ...])"
)


def stream(inputs: object, *, batch_size: int) -> Iterator[Batch]:
    """Batches of any accepted form of inputs, empty ones left out.

    Args:
        inputs: A tensor whose first axis counts clusters, or an iterable of batches.
        batch_size: Clusters per batch when `inputs` is one tensor.

    Raises:
        TypeError: `inputs` has neither form.
        InterlawError: There is no cluster in it.
    """
    if isinstance(inputs, Tensor):
        batches: Iterator[Any] = pieces(inputs, batch_size) if inputs.dim() else iter(())
    elif isinstance(inputs, Mapping | str | bytes) or not isinstance(inputs, Iterable):
        raise TypeError(f"inputs must be {FORMS}; found {type(inputs).__name__}")
    else:
        batches = iter(inputs)
    filled = (batch for batch in map(_as_batch, batches) if batch_length(batch) > 0)
    first = next(filled, None)
    if first is None:
        raise InterlawError("expected at least one sample, found none; check the inputs")
    return chain([first], filled)


def batch_length(batch: Batch) -> int:
    """Number of clusters in a batch."""
    tensor = batch if isinstance(batch, Tensor) else next(iter(batch.values()))
    return int(tensor.shape[0])


def take(batch: Batch, start: int, stop: int) -> Batch:
    """Clusters start to stop of a batch."""
    if isinstance(batch, Tensor):
        return batch[start:stop]
    return {name: tensor[start:stop] for name, tensor in batch.items()}


def move(batch: Batch, device: torch.device) -> Batch:
    """The batch on a device; tensors made in inference mode are copied, since autograd cannot save them."""
    if isinstance(batch, Tensor):
        moved = batch.to(device)
        return moved.clone() if moved.is_inference() else moved
    return {name: tensor for name, value in batch.items() if isinstance(tensor := move(value, device), Tensor)}


def pieces(batch: Batch, size: int) -> Iterator[Batch]:
    """The batch in parts of at most `size` clusters."""
    for start in range(0, batch_length(batch), size):
        yield take(batch, start, start + size)


def _as_batch(batch: object) -> Batch:
    """One batch, checked."""
    if isinstance(batch, Tensor) and batch.dim():
        return batch
    if isinstance(batch, Mapping) and batch:
        tensors = {str(name): value for name, value in batch.items() if isinstance(value, Tensor) and value.dim()}
        if len({value.shape[0] for value in tensors.values()}) == 1 and len(tensors) == len(batch):
            return tensors
        raise InterlawError(
            f"expected a dict of tensors with one first axis, found keys {sorted(map(str, batch))}; "
            "leave out what is not a tensor of the batch"
        )
    pairs = "; of pairs with labels pass the inputs, measure(model, (x for x, _ in loader))"
    hint = pairs if isinstance(batch, tuple | list) and batch and isinstance(batch[0], Tensor) else ""
    raise TypeError(f"inputs must be {FORMS}; found a batch of type {type(batch).__name__}{hint}")
