"""Gradients at the inputs of many layers from one forward pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from interlaw.errors import InterlawError
from interlaw.interaction.layout import CONVOLUTIONS, Layout, layout_by_derivative, layout_by_shape
from interlaw.interaction.site import edit_arguments
from interlaw.interaction.superposition import kernel_of

Taps = dict[str, list[Tensor]]
Reasons = dict[str, str]


@contextmanager
def tapped(layers: dict[str, nn.Module]) -> Iterator[Taps]:
    """Hands every layer a copy of its input and keeps it: the gradient at the copy is that layer's alone.

    Embeddings and convolutions are tapped at their output. A layer has as many copies as it has runs.
    """
    taps: Taps = {name: [] for name in layers}

    def tap(name: str, h: Tensor) -> Tensor:
        copy = h.clone() if h.requires_grad else h.detach().clone().requires_grad_(True)
        taps[name].append(copy)
        return copy

    def before(name: str) -> Any:
        return lambda module, args, kwargs: edit_arguments(args, kwargs, lambda h: tap(name, h), name)

    def after(name: str) -> Any:
        return lambda module, args, output: tap(name, output)

    with ExitStack() as stack:
        for name, module in layers.items():
            if reads_output(module):
                handle = module.register_forward_hook(after(name))
            else:
                handle = module.register_forward_pre_hook(before(name), with_kwargs=True)
            stack.callback(handle.remove)
        yield taps


def reads_output(module: nn.Module) -> bool:
    """Whether a layer is tapped at its output: its input has no derivative, or consists of patches."""
    return isinstance(module, (nn.Embedding, *CONVOLUTIONS))


def gradients_at(taps: Taps, y: Tensor, cotangents: list[Tensor]) -> tuple[dict[str, list[Tensor]], Reasons]:
    """J^T r for every cotangent r at every layer that runs once and that y depends on; why the others have none."""
    inside = {name: runs[0] for name, runs in taps.items() if len(runs) == 1}
    if not y.requires_grad:
        raise InterlawError("the outputs depend on none of the layers; a detach inside the model may cut them off")
    left_out = {name: f"it runs {len(runs)} times in a forward pass" for name, runs in taps.items() if len(runs) != 1}
    found: dict[str, list[Tensor]] = {}
    for index, cotangent in enumerate(cotangents if inside else ()):
        last = index == len(cotangents) - 1
        gradients = torch.autograd.grad(y, list(inside.values()), cotangent, retain_graph=not last, allow_unused=True)
        for name, g in zip(inside, gradients, strict=True):
            if g is None:
                left_out[name] = "the outputs do not depend on it"
            else:
                found.setdefault(name, []).append(g)
    return found, left_out


def layouts_at(
    layers: dict[str, nn.Module], gradients: dict[str, list[Tensor]], num_clusters: int
) -> tuple[dict[str, Layout], Reasons]:
    """Where the samples lie at each layer, by gradients of the first half's outputs and of the rest's; why not.

    A lone sample is told by its shape.
    """
    layouts: dict[str, Layout] = {}
    left_out: Reasons = {}
    for name, found in gradients.items():
        try:
            if num_clusters == 1:
                layouts[name] = layout_by_shape(found[0], 1, module=layers[name], name=name)
            else:
                layouts[name] = layout_by_derivative(found, num_clusters, module=layers[name], name=name)
        except InterlawError as error:
            left_out[name] = str(error)
    return layouts, left_out


def columns_at(module: nn.Module, g: Tensor) -> Tensor:
    """A gradient at a layer as columns (n, D, positions): patches of a convolution, tokens of a linear layer."""
    if isinstance(module, CONVOLUTIONS):
        kernel = kernel_of(module)
        assert kernel is not None
        return kernel.T @ g.flatten(2)
    return g.reshape(len(g), -1, g.shape[-1]).mT
