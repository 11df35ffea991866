"""What enters a module: the first tensor among its arguments, which may stand at several of them.

An attention gets one tensor as query, key and value. It is then h at all three, since its derivative at the query alone
is that of a part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from interlaw.errors import InterlawError


def entering(args: tuple[Any, ...], kwargs: Mapping[str, Any], *, name: str) -> Tensor:
    """The first tensor among a module's arguments, positional ones before named ones."""
    for value in (*args, *kwargs.values()):
        if isinstance(value, Tensor):
            return value
    raise InterlawError(f"expected '{name}' to take a tensor, found none among its arguments; name another module")


def changed(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """Nested arguments or outputs with every tensor changed."""
    if type(value) in (tuple, list):
        return type(value)(changed(item, change) for item in value)
    named = {name: changed(item, change) for name, item in value.items()} if type(value) is dict else value
    return change(value) if isinstance(value, Tensor) else named


def tensors_in(value: Any) -> list[Tensor]:
    """The tensors in nested arguments or outputs."""
    if isinstance(value, Tensor):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, tuple | list) else ()
    return [tensor for item in items for tensor in tensors_in(item)]


def doubles_of(h: Tensor, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[str]:
    """Arguments with a view or a copy of h, which is another object: replacing h would leave them as they are."""
    named = {f"argument {index}": value for index, value in enumerate(args, 1)} | dict(kwargs)
    others = {name: [other for other in tensors_in(value) if other is not h] for name, value in named.items()}
    return [name for name, beside in others.items() if any(_is_double(h, other) for other in beside)]


def _is_double(h: Tensor, other: Tensor) -> bool:
    """Whether a tensor is a view of h, or holds its numbers in any order; one without a derivative is a constant."""
    if not other.is_floating_point() or (h.requires_grad and not other.requires_grad):
        return False
    if other.untyped_storage().data_ptr() == h.untyped_storage().data_ptr():
        return bool(torch.isin(_addresses(h), _addresses(other)).any())  # parts of one tensor need not overlap
    if other.numel() != h.numel():
        return False
    one, two = (tensor.detach().flatten().double().sort().values for tensor in (h, other))
    return torch.equal(one, two) and bool(one[0] < one[-1])  # many tensors hold zeros alone


def _addresses(tensor: Tensor) -> Tensor:
    places = torch.arange(tensor.untyped_storage().nbytes() // tensor.element_size())
    return places.as_strided(tensor.shape, tensor.stride(), tensor.storage_offset()).flatten()
