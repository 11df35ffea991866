"""Gradients at the inputs of many layers from one forward pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from interlaw.errors import InterlawError
from interlaw.interaction.superposition import kernel_of

Taps = dict[str, Tensor | None]


@contextmanager
def tapped(layers: dict[str, nn.Module]) -> Iterator[Taps]:
    """Hands every layer a copy of its input and keeps it: the gradient at the copy is that layer's alone.

    Embeddings and convolutions are tapped at their output. A layer that runs twice in a forward pass becomes None.
    """
    taps: Taps = {}

    def tap(name: str, h: Tensor) -> Tensor:
        copy = h.clone() if h.requires_grad else h.detach().clone().requires_grad_(True)
        taps[name] = None if name in taps else copy
        return copy

    def before(name: str) -> Any:
        return lambda module, args: (tap(name, args[0]), *args[1:])

    def after(name: str) -> Any:
        return lambda module, args, output: tap(name, output)

    with ExitStack() as stack:
        for name, module in layers.items():
            if reads_output(module):
                handle = module.register_forward_hook(after(name))
            else:
                handle = module.register_forward_pre_hook(before(name))
            stack.callback(handle.remove)
        yield taps


def reads_output(module: nn.Module) -> bool:
    """Whether a layer is tapped at its output: its input has no derivative, or consists of patches."""
    return isinstance(module, nn.Embedding | nn.Conv1d | nn.Conv2d | nn.Conv3d)


def gradients_at(taps: Taps, y: Tensor, cotangents: list[Tensor]) -> dict[str, list[Tensor]]:
    """J^T r for every cotangent r and every layer that y depends on."""
    inside = {name: h for name, h in taps.items() if h is not None}
    if not y.requires_grad or not inside:
        raise InterlawError("the outputs depend on none of the layers; a detach inside the model may cut them off")
    found: dict[str, list[Tensor]] = {}
    for index, cotangent in enumerate(cotangents):
        last = index == len(cotangents) - 1
        gradients = torch.autograd.grad(y, list(inside.values()), cotangent, retain_graph=not last, allow_unused=True)
        for name, g in zip(inside, gradients, strict=True):
            if g is not None:
                found.setdefault(name, []).append(g)
    return found


def columns_at(module: nn.Module, g: Tensor, num_clusters: int) -> Tensor:
    """A gradient at a layer as columns (n, D, positions): patches of a convolution, tokens of a linear layer."""
    if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
        kernel = kernel_of(module)
        assert kernel is not None
        return kernel.T @ g.flatten(2)
    return g.reshape(num_clusters, -1, g.shape[-1]).mT
