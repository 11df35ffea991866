"""A place of an activation h, and how the samples of a batch may lie in h, which its shape leaves open.

(n * T, d) may hold one sample after the other or one token after the other, and (T, n, d) with T = n looks like
(n, T, d).

Legend: n samples; T tokens of one sample; d features.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor, nn

from interlaw.errors import InterlawError

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def by_position(h: Tensor) -> Tensor:
    """An activation as columns (n, D, positions): (n, T, features) has features, any other shape is one vector."""
    return h.mT if h.dim() == 3 else h.flatten(1)[:, :, None]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where h lives.

    Attributes:
        name: "input", "embeddings", or the module's name.
        module: The module whose input or output h is; None at the model's input.
        output: Whether h is the module's output: its input has no derivative, or consists of patches.
        columns: From a gradient at h, samples first, to columns (n, D, positions).
    """

    name: str
    module: nn.Module | None = None
    output: bool = False
    columns: Callable[[Tensor], Tensor] = by_position


def layer_place(name: str, module: nn.Module) -> Place:
    """What a layer's weights act on: its input; the output of an embedding, and a convolution's patches."""
    if isinstance(module, CONVOLUTIONS):
        return Place(name=name, module=module, output=True, columns=partial(by_patch, module))
    return Place(name=name, module=module, output=isinstance(module, nn.Embedding), columns=by_last_axis)


def by_last_axis(g: Tensor) -> Tensor:
    """A gradient at a linear layer or a table as columns (n, D, positions), D what its weights act on."""
    return g.reshape(len(g), -1, g.shape[-1]).mT


def by_patch(conv: Any, g: Tensor) -> Tensor:
    """A gradient at a convolution's output as columns at its patches, (n, C_in * kernel, patches)."""
    columns: Tensor = conv.weight.detach().flatten(1).T.to(g.dtype) @ g.flatten(2)
    return columns


Arrange = Callable[[Tensor, int], Tensor | None]
"""One way for n samples to lie in h: from h to h with its samples on the first axis, None where that cannot be."""


def samples_first(h: Tensor, n: int) -> Tensor | None:
    """(n, ...)."""
    return (h if h.dim() > 1 else h[:, None]) if len(h) == n else None


def tokens_first(h: Tensor, n: int) -> Tensor | None:
    """(T, n, d)."""
    return h.transpose(0, 1) if h.dim() == 3 and h.shape[1] == n else None


def flat_by_sample(h: Tensor, n: int) -> Tensor | None:
    """(n * T, d), or windows of tokens (n * windows, T, d)."""
    several = h.dim() in (2, 3) and len(h) > n and len(h) % n == 0
    return h.reshape(n, -1, h.shape[-1]) if several else None


def flat_by_token(h: Tensor, n: int) -> Tensor | None:
    """(T * n, d), or (windows * n, T, d)."""
    several = h.dim() in (2, 3) and len(h) > n and len(h) % n == 0
    return h.reshape(-1, n, *h.shape[1:]).transpose(0, 1).flatten(1, -2) if several else None


LAYOUTS: tuple[Arrange, ...] = (samples_first, tokens_first, flat_by_sample, flat_by_token)  # most common first


def layouts_of(module: nn.Module | None) -> tuple[Arrange, ...]:
    """How samples may lie at a module, most common first; at the model's input (None) there is one way."""
    lone = module is None or isinstance(module, CONVOLUTIONS)
    return LAYOUTS[: 1 if lone else 2 if isinstance(module, nn.Embedding) else None]


NO_ROWS = "no row for each of them"


def no_layout(h: Tensor, n: int, *, place: Place, said: str) -> InterlawError:
    """The refusal of an activation whose samples cannot be separated."""
    return InterlawError(
        f"expected a part of '{place.name}' for each of {n} samples, found shape {tuple(h.shape)} and {said}; name "
        "another layer, and put samples on the first axis of inputs and outputs"
    )
