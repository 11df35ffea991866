"""Where the samples of a batch lie in an activation: on its first axis, on its second, or in one axis with the tokens.

A shape leaves that open: (n * T, d) may hold one sample after the other or one token after the other, and (T, n, d)
with T = n looks like (n, T, d). The derivative decides: the outputs of one sample depend on that sample's part alone.

Legend: h the activation of a batch of n samples; T tokens of one sample.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from interlaw.errors import InterlawError

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """One way to lie.

    Attributes:
        fits: Whether h may lie so among n samples, by its shape.
        arrange: h with its samples on the first axis.
        restore: The arranged h as it was, from its shape.
    """

    fits: Callable[[Tensor, int], bool]
    arrange: Callable[[Tensor, int], Tensor]
    restore: Callable[[Tensor, torch.Size], Tensor]


def _flat(h: Tensor, n: int) -> bool:
    """Whether several rows (tokens, or windows of tokens) per sample may share the first axis."""
    return h.dim() in (2, 3) and len(h) > n and len(h) % n == 0


def _by_token(h: Tensor, n: int) -> Tensor:
    """(T * n, ..., d) as (n, T * ..., d)."""
    return h.reshape(-1, n, *h.shape[1:]).transpose(0, 1).flatten(1, -2)


def _back_by_token(h: Tensor, shape: torch.Size) -> Tensor:
    """The reverse."""
    return h.reshape(len(h), -1, *shape[1:]).transpose(0, 1).reshape(shape)


SAMPLES_FIRST = Layout(
    fits=lambda h, n: len(h) == n,
    arrange=lambda h, n: h if h.dim() > 1 else h[:, None],
    restore=lambda h, shape: h.reshape(shape),
)
TOKENS_FIRST = Layout(
    fits=lambda h, n: h.dim() == 3 and h.shape[1] == n,
    arrange=lambda h, n: h.transpose(0, 1),
    restore=lambda h, shape: h.transpose(0, 1).contiguous(),
)
FLAT_BY_SAMPLE = Layout(
    fits=_flat,
    arrange=lambda h, n: h.reshape(n, -1, h.shape[-1]),
    restore=lambda h, shape: h.reshape(shape),
)
FLAT_BY_TOKEN = Layout(fits=_flat, arrange=_by_token, restore=_back_by_token)
AS_IT_IS = Layout(fits=lambda h, n: True, arrange=lambda h, n: h, restore=lambda h, shape: h)


def layouts_of(module: nn.Module | None) -> tuple[Layout, ...]:
    """The layouts that may be met at a module, most common first; at the model's input (None) there is one."""
    if module is None or isinstance(module, CONVOLUTIONS):
        return (SAMPLES_FIRST,)
    if isinstance(module, nn.Embedding):
        return SAMPLES_FIRST, TOKENS_FIRST
    return SAMPLES_FIRST, TOKENS_FIRST, FLAT_BY_SAMPLE, FLAT_BY_TOKEN


def layout_by_shape(h: Tensor, n: int, *, module: nn.Module | None, name: str) -> Layout:
    """The layout of a lone sample, whose shape leaves nothing open, or the likeliest one of several.

    Raises:
        InterlawError: No layout has this shape.
    """
    found = next((layout for layout in layouts_of(module) if layout.fits(h, n)), None)
    if found is None:
        raise _no_layout(h, n, name=name, said="no row for each of them")
    return found


def layout_by_derivative(gradients: Sequence[Tensor], n: int, *, module: nn.Module | None, name: str) -> Layout:
    """The layout in which the outputs of some samples have no derivative at the others.

    Args:
        gradients: At h, of outputs of the first n // 2 samples alone, then of outputs of the rest alone.
        n: Samples in the batch.
        module: The module that h is met at.
        name: Its name, for the message.

    Raises:
        InterlawError: There is no such layout, or there is no derivative to tell by.
    """
    fitting = [layout for layout in layouts_of(module) if layout.fits(gradients[0], n)]
    # A NaN is no sign of dependence: it is met as an error of its own where gradients are used.
    touched = [g.abs() > 0 for g in gradients]
    if len(fitting) > 1 and not all(bool(one.any()) for one in touched):
        raise InterlawError(
            f"expected outputs that depend on '{name}', found no derivative in the first {n} samples, by which to tell "
            "samples from tokens; put other samples first"
        )
    others = (slice(n // 2, n), slice(0, n // 2))
    for layout in fitting:
        if not any(bool(layout.arrange(one, n)[other].any()) for one, other in zip(touched, others, strict=True)):
            return layout
    raise _no_layout(
        gradients[0],
        n,
        name=name,
        said="outputs of one that depend on another" if fitting else "no row for each of them",
    )


def _no_layout(h: Tensor, n: int, *, name: str, said: str) -> InterlawError:
    """The refusal."""
    return InterlawError(
        f"expected a part of '{name}' for each of {n} samples, found shape {tuple(h.shape)} and {said}; name another "
        "layer, and put samples on the first axis of inputs and outputs"
    )
