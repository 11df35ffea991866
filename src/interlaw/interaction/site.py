"""The activation h that the Jacobian is taken at: the input, the token embeddings, or the input of a named module."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from interlaw.errors import InterlawError
from interlaw.interaction.batches import Batch, batch_length
from interlaw.interaction.layout import Layout, layout_by_shape
from interlaw.interaction.readout import Readout, padding_mask

Edit = Callable[[Tensor], Tensor]


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where h lives.

    Attributes:
        name: "input", "embeddings", or the module's name.
        module: The module whose output (embeddings) or input (layer) h is; None at the input.
        side: Which of the two.
        layout: Where the samples lie in h; told by its shape when None.
        options: What the model is told besides its batch.
    """

    name: str
    module: nn.Module | None = None
    side: str = "input"
    layout: Layout | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def run(self, model: nn.Module, batch: Batch, edit: Edit) -> Any:
        """The model's output with h replaced by edit(h), where h is shown with its samples on the first axis.

        Raises:
            InterlawError: h is not a floating-point tensor, or is met more or less than once in a forward pass.
        """
        edit = self._arranged(edit, batch_length(batch))
        if self.module is None:
            return call(model, _edit_input(batch, edit), **self.options)
        calls = 0

        def counted(h: Tensor) -> Tensor:
            nonlocal calls
            calls += 1
            return edit(_require_float(h, self.name))

        if self.side == "output":
            handle = self.module.register_forward_hook(lambda module, args, output: counted(output))
        else:
            handle = self.module.register_forward_pre_hook(
                lambda module, args, kwargs: edit_arguments(args, kwargs, counted, self.name), with_kwargs=True
            )
        try:
            output = call(model, batch, **self.options)
        finally:
            handle.remove()
        if calls != 1:
            raise InterlawError(
                f"expected '{self.name}' to run once in a forward pass, it ran {calls} times; "
                "name a module that runs once"
            )
        return output

    def _arranged(self, edit: Edit, n: int) -> Edit:
        """The edit, for h as the model has it."""

        def on_samples(h: Tensor) -> Tensor:
            layout = self.layout or layout_by_shape(h, n, module=self.module, name=self.name)
            return layout.restore(edit(layout.arrange(h, n)), h.shape)

        return on_samples


def find_site(model: nn.Module, batch: Batch, *, layer: str | None) -> Site:
    """The site of a measurement: a named module's input, else the input, else the embeddings of integer input.

    Args:
        model: The network.
        batch: One batch of its inputs.
        layer: Name of a module as in `model.named_modules()`; "embeddings" and "input" name the other two places.

    Raises:
        InterlawError: No such module, or integer input without token embeddings.
    """
    if layer == "input":
        return Site(name="input")
    if layer not in (None, "embeddings"):
        modules = dict(model.named_modules())
        if layer not in modules or layer == "":
            near = ", ".join(list(modules)[1:9])
            raise InterlawError(f"expected the name of a module, found '{layer}'; this model has {near}, ...")
        return Site(name=str(layer), module=modules[layer])
    if layer is None and not _is_integer(batch):
        return Site(name="input")
    return Site(name="embeddings", module=token_embeddings(model), side="output")


def reading_site(model: nn.Module, batch: Batch, *, layer: str | None, readout: Readout) -> Site:
    """`find_site`, for outputs that are read in one way.

    Where every sequence is read at its last position alone, a model that takes `logits_to_keep`, as the Hugging Face
    library's do, is asked to work out nothing else: a large vocabulary then costs little.
    """
    site = find_site(model, batch, layer=layer)
    mask = padding_mask(batch)
    ends_together = mask is None or bool(mask[:, -1].all())
    if site.name == "embeddings" and readout.positions == "last" and ends_together and _takes(model, "logits_to_keep"):
        return replace(site, options={"logits_to_keep": 1})
    return site


def _takes(model: nn.Module, name: str) -> bool:
    """Whether the model's forward pass has an argument of this name."""
    return name in inspect.signature(model.forward).parameters


def token_embeddings(model: nn.Module) -> nn.Module:
    """The module that turns token ids into vectors.

    Raises:
        InterlawError: The model does not say which it is.
    """
    getter = getattr(model, "get_input_embeddings", None)
    module = getter() if callable(getter) else None
    if not isinstance(module, nn.Module):
        raise InterlawError(
            f"integer inputs have no derivative, and {type(model).__name__} has no get_input_embeddings(); "
            "pass layer= with the module that first sees real numbers"
        )
    return module


def call(model: nn.Module, batch: Batch, **options: Any) -> Any:
    """The model on a batch: model(x) for a tensor, model(**batch) for a dict, whose labels stay here."""
    if isinstance(batch, Tensor):
        return model(batch, **options)
    return model(**{name: tensor for name, tensor in batch.items() if name != "labels"}, **options)


def _is_integer(batch: Batch) -> bool:
    """Whether the batch holds token ids rather than real numbers."""
    if isinstance(batch, Tensor):
        return not batch.is_floating_point()
    return not _real_names(batch)


def _real_names(batch: dict[str, Tensor]) -> list[str]:
    """Names of the batch's real-valued inputs."""
    beside = ("attention_mask", "labels")
    return [name for name, tensor in batch.items() if tensor.is_floating_point() and name not in beside]


def _edit_input(batch: Batch, edit: Edit) -> Batch:
    """The batch with its one real-valued tensor edited."""
    if isinstance(batch, Tensor):
        return edit(_require_float(batch, "input"))
    real = _real_names(batch)
    if len(real) != 1:
        raise InterlawError(
            f"expected one real-valued tensor in the batch, found {real}; pass layer= to say where to differentiate"
        )
    return {**batch, real[0]: edit(batch[real[0]])}


def edit_arguments(
    args: tuple[Any, ...], kwargs: dict[str, Any], edit: Edit, name: str
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """A module's arguments with the first tensor among them edited."""
    for index, value in enumerate(args):
        if isinstance(value, Tensor):
            return (*args[:index], edit(value), *args[index + 1 :]), kwargs
    for key, value in kwargs.items():
        if isinstance(value, Tensor):
            return args, {**kwargs, key: edit(value)}
    raise InterlawError(f"expected '{name}' to take a tensor, found none among its arguments; name another module")


def _require_float(h: object, name: str) -> Tensor:
    """h, which must be differentiable."""
    if not isinstance(h, Tensor) or not h.is_floating_point():
        kind = str(h.dtype) if isinstance(h, Tensor) else type(h).__name__
        raise InterlawError(
            f"expected real numbers at '{name}', found {kind}; for token ids use layer='embeddings' or leave layer out"
        )
    return h if not h.is_inference() else h.clone()


def watch(seen: list[Tensor]) -> Edit:
    """An edit that makes h a leaf, notes it in `seen`, and hands on a copy that in-place operations may change."""

    def edit(h: Tensor) -> Tensor:
        leaf = h.detach().requires_grad_(True)
        seen.append(leaf)
        return leaf.clone()

    return edit


def device_of(model: nn.Module) -> torch.device:
    """Where the model's weights are; the CPU for a model without any."""
    tensor = next(chain_tensors(model), None)
    return torch.device("cpu") if tensor is None else tensor.device


def chain_tensors(model: nn.Module) -> Any:
    """Parameters, then buffers."""
    yield from model.parameters()
    yield from model.buffers()
