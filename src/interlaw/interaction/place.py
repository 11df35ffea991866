"""Where h lives, at one place of a network or at many: it is found, its samples are told apart, gradients are taken.

A place is the input, the token embeddings, or the input of a named module. Hooks hand the network a copy of h there,
so that the gradient at the copy is that place's alone. Where the samples lie in h (on its first axis, on its second, or
in one axis with the tokens) its shape leaves open: (n * T, d) may hold one sample after the other or one token after
the other, and (T, n, d) with T = n looks like (n, T, d). The derivative decides: the outputs of one sample depend on
that sample's part alone.

Legend: h the activation of a batch of n samples; T tokens of one sample; y the outputs; r a cotangent; J = dy/dh.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.utils.hooks import RemovableHandle

from interlaw.errors import InterlawError, did_you_mean
from interlaw.interaction.batches import (
    Batch,
    call,
    edit_input,
    explained,
    output_tensor,
    real_names,
    require_row_per_sample,
)

FEW = 4  # samples of the trial that tells them apart: two halves, and more than one sample in each

Edit = Callable[["Place", Tensor], Tensor]
Outputs = Callable[[Any, Batch], Tensor]
Cotangents = Callable[[Tensor], Iterable[Tensor]]


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


def find_place(model: nn.Module, batch: Batch, *, layer: str | None) -> Place:
    """The place of a measurement: a named module's input, else the input, else the embeddings of integer input.

    Args:
        model: The network.
        batch: One batch of its inputs.
        layer: Name of a module as in `model.named_modules()`; "embeddings" and "input" name the other two places.

    Raises:
        InterlawError: No such module, or integer input without token embeddings.
    """
    if layer == "input":
        return Place(name="input")
    if layer not in (None, "embeddings"):
        modules = {name: module for name, module in model.named_modules() if name}
        if layer not in modules:
            known = ", ".join(list(modules)[:8])
            raise InterlawError(
                f"expected the name of a module, found '{layer}'; this model has {known}, ..."
                f"{did_you_mean(layer, modules)}"
            )
        return Place(name=str(layer), module=modules[str(layer)])
    real = batch.inputs.is_floating_point() if isinstance(batch.inputs, Tensor) else bool(real_names(batch.inputs))
    if layer is None and real:
        return Place(name="input")
    return Place(name="embeddings", module=token_embeddings(model), output=True)


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


CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """One way for samples to lie in an activation.

    Attributes:
        fits: Whether h may lie so among n samples, by its shape.
        arrange: h with its samples on the first axis: the same numbers in another order.
    """

    fits: Callable[[Tensor, int], bool]
    arrange: Callable[[Tensor, int], Tensor]

    def restore(self, arranged: Tensor, h: Tensor, n: int) -> Tensor:
        """Numbers arranged as the samples are, in the order of h."""
        order = self.arrange(torch.arange(h.numel(), device=h.device).reshape(h.shape), n).flatten()
        return torch.empty_like(arranged.flatten()).index_copy(0, order, arranged.flatten()).reshape(h.shape)


def _flat(h: Tensor, n: int) -> bool:
    """Whether several rows (tokens, or windows of tokens) per sample may share the first axis."""
    return h.dim() in (2, 3) and len(h) > n and len(h) % n == 0


SAMPLES_FIRST = Layout(fits=lambda h, n: len(h) == n, arrange=lambda h, n: h if h.dim() > 1 else h[:, None])
TOKENS_FIRST = Layout(fits=lambda h, n: h.dim() == 3 and h.shape[1] == n, arrange=lambda h, n: h.transpose(0, 1))
FLAT_BY_SAMPLE = Layout(fits=_flat, arrange=lambda h, n: h.reshape(n, -1, h.shape[-1]))
# (T * n, ..., d) as (n, T * ..., d)
FLAT_BY_TOKEN = Layout(fits=_flat, arrange=lambda h, n: h.reshape(-1, n, *h.shape[1:]).transpose(0, 1).flatten(1, -2))


def layouts_of(module: nn.Module | None) -> tuple[Layout, ...]:
    """The layouts that may be met at a module, most common first; at the model's input (None) there is one."""
    if module is None or isinstance(module, CONVOLUTIONS):
        return (SAMPLES_FIRST,)
    if isinstance(module, nn.Embedding):
        return SAMPLES_FIRST, TOKENS_FIRST
    return SAMPLES_FIRST, TOKENS_FIRST, FLAT_BY_SAMPLE, FLAT_BY_TOKEN


def layout_by_shape(h: Tensor, n: int, *, place: Place) -> Layout:
    """The layout of a lone sample, whose shape leaves nothing open, or the likeliest one of several."""
    for layout in layouts_of(place.module):
        if layout.fits(h, n):
            return layout
    raise _no_layout(h, n, place=place, said="no row for each of them")


def layout_by_derivative(gradients: Sequence[Tensor], n: int, *, place: Place) -> Layout:
    """The layout in which the outputs of some samples have no derivative at the others.

    Args:
        gradients: At h, of outputs of the first n // 2 samples alone, then of outputs of the rest alone.
        n: Samples in the batch.
        place: Where h lives.

    Raises:
        InterlawError: There is no such layout, or there is no derivative to tell by.
    """
    fitting = [layout for layout in layouts_of(place.module) if layout.fits(gradients[0], n)]
    # A NaN is no sign of dependence: it is met as an error of its own where gradients are used.
    touched = [g.abs() > 0 for g in gradients]
    if len(fitting) > 1 and not all(bool(one.any()) for one in touched):
        raise InterlawError(
            f"expected outputs that depend on '{place.name}', found no derivative in the first {n} samples, by which "
            "to tell samples from tokens; put other samples first"
        )
    others = (slice(n // 2, n), slice(0, n // 2))
    for layout in fitting:
        if not any(bool(layout.arrange(one, n)[other].any()) for one, other in zip(touched, others, strict=True)):
            return layout
    said = "outputs of one that depend on another" if fitting else "no row for each of them"
    raise _no_layout(gradients[0], n, place=place, said=said)


def _no_layout(h: Tensor, n: int, *, place: Place, said: str) -> InterlawError:
    """The refusal."""
    return InterlawError(
        f"expected a part of '{place.name}' for each of {n} samples, found shape {tuple(h.shape)} and {said}; name "
        "another layer, and put samples on the first axis of inputs and outputs"
    )


class Places:
    """The places of a measurement in one network, and the gradients at all of them from one forward pass.

    Args:
        model: The network.
        places: Where to measure.
        optional: Whether places that cannot be measured are left out, rather than refused.
        last_only: Whether the outputs are read at the last token alone. A model that takes `logits_to_keep`, as the
            Hugging Face library's do, is then asked to work out nothing else: a large vocabulary costs little.

    Attributes:
        left_out: Why, by name.
    """

    def __init__(
        self, model: nn.Module, places: Iterable[Place], *, optional: bool = False, last_only: bool = False
    ) -> None:
        self.model = model
        self._places = {place.name: place for place in places}
        self._layouts: dict[str, Layout] = {}
        self._optional = optional
        self._last_only = last_only and "logits_to_keep" in inspect.signature(model.forward).parameters
        self.left_out: dict[str, str] = {}

    @property
    def kept(self) -> dict[str, Place]:
        """The places that are not left out."""
        return {name: place for name, place in self._places.items() if name not in self.left_out}

    def leave_out(self, reasons: Mapping[str, str]) -> None:
        """Notes places that cannot be measured.

        Raises:
            InterlawError: None is left, or they were asked for by name.
        """
        self.left_out.update(reasons)
        if reasons and not (self._optional and self.kept):
            name, reason = next(iter(reasons.items()))
            raise InterlawError(f"expected a place that can be measured, found '{name}': {reason}; name another")

    def survey(self, batch: Batch, *, most: int) -> None:
        """Tells the samples apart at every place, at the first batch of several; in a few of them, `most` at most.

        Raises:
            InterlawError: Samples cannot be told apart at a place that is not optional, or affect each other.
        """
        few = batch.take(0, min(FEW, most))
        if self._layouts or not self._places or len(few) == 1:
            return
        seen: dict[str, list[Tensor]] = {}
        for gradients in self._raw_gradients(few, _rows_of_outputs, _halves):
            for name, g in gradients.items():
                seen.setdefault(name, []).append(g)
        reasons = {}
        for name, halves in seen.items():
            try:
                self._layouts[name] = layout_by_derivative(halves, len(few), place=self._places[name])
            except InterlawError as error:
                if not self._optional:
                    raise
                reasons[name] = str(error)
        self.leave_out(reasons)

    def gradients(self, batch: Batch, outputs: Outputs, cotangents: Cotangents) -> Iterator[dict[str, Tensor]]:
        """J^T r at every place for every cotangent r, samples first, from one forward pass.

        Args:
            batch: One batch.
            outputs: From what the model returns, and the batch, to y (n, C), or to losses (n,).
            cotangents: From y to tensors of its shape, none of which depends on the results of the others.

        Raises:
            InterlawError: The outputs depend on no place, or a place that is not optional cannot be measured.
        """
        for gradients in self._raw_gradients(batch, outputs, cotangents):
            arranged = {name: self.arranged(name, g, len(batch)) for name, g in gradients.items()}
            yield {name: g for name, g in arranged.items() if g is not None}

    def arranged(self, name: str, h: Tensor, n: int) -> Tensor | None:
        """What is shaped as h at a place, with its n samples on the first axis; None where the place is left out."""
        try:
            return self.layout(self._places[name], h, n).arrange(h, n)
        except InterlawError as error:
            if not self._optional:
                raise
            self.leave_out({name: str(error)})
            return None

    def layout(self, place: Place, h: Tensor, n: int) -> Layout:
        """Where the samples lie at a place: as the survey said, else, for lone samples, as the shape says."""
        return self._layouts.get(place.name) or layout_by_shape(h, n, place=place)

    def _raw_gradients(self, batch: Batch, outputs: Outputs, cotangents: Cotangents) -> Iterator[dict[str, Tensor]]:
        """J^T r at every place, in the place's own arrangement."""
        edges: dict[str, GradientEdge] = {}

        def tap(place: Place, h: Tensor) -> Tensor:
            copy = (h if h.requires_grad else _leaf(h)).clone()
            # An edge, not the copy: an operation in place on the copy would leave the gradient after it, not before.
            edges[place.name] = get_gradient_edge(copy)
            return copy

        with explained():
            y = outputs(self.run(batch, tap), batch)
        require_row_per_sample(y, batch)
        if not y.requires_grad:
            raise InterlawError(
                f"the outputs do not depend on {', '.join(map(repr, self.kept))}; a no_grad or a detach inside the "
                "model cuts them off, or the layer feeds nothing"
            )
        # One cotangent ahead, so that the last gradient may free the graph as it goes.
        ahead = iter(cotangents(y))
        current = next(ahead, None)
        while current is not None:
            following = next(ahead, None)
            names = list(self.kept)
            inside = [edges[name] for name in names]
            with explained():
                found = torch.autograd.grad(y, inside, current, retain_graph=following is not None, allow_unused=True)
            gradients = {name: g for name, g in zip(names, found, strict=True) if g is not None}
            self.leave_out({name: "the outputs do not depend on it" for name in names if name not in gradients})
            yield gradients
            current = following

    def run(self, batch: Batch, edit: Edit) -> Any:
        """What the model returns, with h at every place replaced by edit(place, h).

        Raises:
            InterlawError: h is not a floating-point tensor, or is met more or less than once in a forward pass.
        """
        runs = dict.fromkeys(self.kept, 0)

        def there(place: Place, h: object) -> Tensor:
            runs[place.name] += 1
            return edit(place, _require_float(h, place.name))

        inputs = batch.inputs
        with ExitStack() as stack:
            for place in self.kept.values():
                here = partial(there, place)
                if place.module is None:
                    inputs = edit_input(inputs, here)
                else:
                    stack.callback(_hook(place, here).remove)
            output = call(self.model, inputs, self._options(batch))
        self.leave_out({name: f"it runs {n} times in a forward pass" for name, n in runs.items() if n != 1})
        return output

    def _options(self, batch: Batch) -> dict[str, Any]:
        """What the model is told besides its batch."""
        ends_together = batch.mask is None or bool(batch.mask[:, -1].all())
        wanted = self._last_only and ends_together and list(self._places) == ["embeddings"]
        return {"logits_to_keep": 1} if wanted else {}


def _hook(place: Place, edit: Callable[[Any], Tensor]) -> RemovableHandle:
    """Hands a module, or what follows it, the edited h."""
    assert place.module is not None
    if place.output:
        return place.module.register_forward_hook(lambda module, args, output: edit(output))

    def before(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        for index, value in enumerate(args):
            if isinstance(value, Tensor):
                return (*args[:index], edit(value), *args[index + 1 :]), kwargs
        for key, value in kwargs.items():
            if isinstance(value, Tensor):
                return args, {**kwargs, key: edit(value)}
        raise InterlawError(
            f"expected '{place.name}' to take a tensor, found none among its arguments; name another module"
        )

    return place.module.register_forward_pre_hook(before, with_kwargs=True)


def _rows_of_outputs(output: Any, batch: Batch) -> Tensor:
    """All of a model's outputs, whichever a view reads: which samples they depend on is the same for every view."""
    return output_tensor(output)


def _halves(y: Tensor) -> Iterator[Tensor]:
    """A cotangent for the first half of the samples alone, then one for the rest.

    Its entries have no pattern that sums of outputs could cancel, and nothing random.
    """
    r = torch.arange(1, y[0].numel() + 1, device=y.device).cos().to(y.dtype).reshape(y.shape[1:])
    first = torch.arange(len(y), device=y.device).reshape(-1, *[1] * (y.dim() - 1)) < len(y) // 2
    yield r * first
    yield r * ~first


def _require_float(h: object, name: str) -> Tensor:
    """h, which must be differentiable."""
    if not isinstance(h, Tensor) or not h.is_floating_point():
        kind = str(h.dtype) if isinstance(h, Tensor) else type(h).__name__
        raise InterlawError(
            f"expected real numbers at '{name}', found {kind}; for token ids use layer='embeddings' or leave layer out"
        )
    return h.clone() if h.is_inference() else h


def _leaf(h: Tensor) -> Tensor:
    """The same numbers as a variable of their own."""
    return h.detach().requires_grad_(True)
