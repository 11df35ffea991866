"""h at one place of a network or at many: the samples in it are separated, outputs are read, gradients are taken.

Hooks hand the network a copy of h, so that the gradient at the copy is that place's alone. The derivative shows how the
samples lie in h: the outputs of one sample depend on that sample's part alone.

Legend: h the activation of a batch of n samples; T tokens of one sample; y the outputs (C of them); r a cotangent;
J = dy/dh.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge, saved_tensors_hooks
from torch.utils.hooks import RemovableHandle

from interlaw.errors import InterlawError
from interlaw.interaction.batches import Batch
from interlaw.interaction.entering import changed, entering
from interlaw.interaction.layout import NO_ROWS, Arrange, Place, layouts_of, no_layout
from interlaw.machine import free_bytes

# Of the free memory; allocators keep some, and what is counted is a lower bound.
SHARE_OF_FREE = 0.25
CACHED_BYTES = 2**25  # on a processor, activations beyond its caches are slower than small pieces are
LEAST_PIECE = 16  # on a processor: fewer samples leave each operation too short for its overhead
MOST_COLUMNS = 64  # a position of a sample: more outputs than this are summed up or probed

FEW = 4  # samples of the trial that separates them: two halves, and more than one sample in each

NOT_FINITE = (
    "{bad} of {all} clusters of a batch have a Jacobian with NaN or infinite entries; check the inputs, or measure "
    "with dtype=torch.float32"
)

ZEROS = "expected outputs to divide by their root mean square, found all zeros; leave scale out"

Edit = Callable[[Place, Tensor], Tensor]
Outputs = Callable[[Any, Batch], Tensor]
Cotangents = Callable[[Tensor], Iterable[Tensor]]


def layout_by_derivative(gradients: Sequence[Tensor], n: int, *, place: Place) -> Arrange:
    """The layout in which the outputs of some of n samples have no derivative at the others.

    Judged by gradients at h of outputs of the first n // 2 samples alone, then of outputs of the rest alone.
    """
    fitting = [arrange for arrange in layouts_of(place.module) if arrange(gradients[0], n) is not None]
    # A NaN is no sign of dependence: it is met as an error of its own where gradients are used.
    touched = [g.abs() > 0 for g in gradients]
    if len(fitting) > 1 and not all(bool(one.any()) for one in touched):
        raise InterlawError(
            f"expected outputs that depend on '{place.name}', found no derivative in the first {n} samples, which "
            "would separate samples from tokens; put other samples first"
        )
    others = (slice(n // 2, n), slice(0, n // 2))
    for arrange in fitting:
        arranged = [arrange(one, n) for one in touched]
        if not any(h is not None and bool(h[other].any()) for h, other in zip(arranged, others, strict=True)):
            return arrange
    raise no_layout(gradients[0], n, place=place, said="outputs of one that depend on another" if fitting else NO_ROWS)


class Places:
    """The places of a measurement in one network, and the gradients at all of them from one forward pass.

    Args:
        model: The network.
        places: Where to measure.
        optional: Whether places that cannot be measured are left out, rather than refused.
        last_only: Whether the outputs are read at the last token alone. A model that takes `logits_to_keep`, as those
            of the Hugging Face library do, then gives the logits of that token alone: a large vocabulary costs little.
    """

    def __init__(
        self, model: nn.Module, places: Iterable[Place], *, optional: bool = False, last_only: bool = False
    ) -> None:
        self.model = model
        self._places = {place.name: place for place in places}
        self._layouts: dict[str, Arrange] = {}
        self._optional = optional
        takes = "logits_to_keep" in inspect.signature(model.forward).parameters
        self._last_only = last_only and takes and list(self._places) == ["embeddings"]
        self.left_out: dict[str, str] = {}  # why, by name

    @property
    def kept(self) -> dict[str, Place]:
        """The places that are not left out."""
        return {name: place for name, place in self._places.items() if name not in self.left_out}

    def leave_out(self, reasons: Mapping[str, str]) -> None:
        """Notes places that cannot be measured; refuses them where none would be left."""
        if reasons and not (self._optional and self.kept.keys() - reasons):
            name, reason = next(iter(reasons.items()))
            raise InterlawError(f"expected a place that can be measured, found '{name}': {reason}; name another")
        self.left_out.update(reasons)

    def at_once(self, batch: Batch, *, limit_bytes: int | None = None) -> int:
        """How many samples fit: a share of the free memory, or of a limit below it, over what one sample needs.

        One is run forward, and every tensor that autograd saves is counted, the output three times (itself, its
        gradient, and a probe), and twice the contribution (its columns and their product).
        """
        saved: dict[int, int] = {}
        seen: list[Tensor] = []

        def count(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            saved[storage.data_ptr()] = storage.nbytes()
            return tensor

        def watch(place: Place, h: Tensor) -> Tensor:
            with suppress(InterlawError):  # a place without a part for each sample is left out later
                seen.append(place.columns(self.samples_first(place, h, n=1)))
            return leaf(place, h)

        weights = {parameter.untyped_storage().data_ptr() for parameter in self.model.parameters()}
        with saved_tensors_hooks(count, lambda tensor: tensor):
            output = output_tensor(self.run(batch.take(0, 1), watch, once=False))
        activations = sum(size for pointer, size in saved.items() if pointer not in weights)
        activations += 3 * output.numel() * output.element_size()
        dim, positions = seen[0].shape[1:] if seen else (0, 0)
        contribution = 2 * output.element_size() * dim * min(dim, MOST_COLUMNS * positions)
        free = free_bytes(str(output.device))
        fits = int(SHARE_OF_FREE * min(free, limit_bytes or free) / max(activations + contribution, 1))
        if output.device.type == "cpu":
            fits = min(fits, max(LEAST_PIECE, CACHED_BYTES // max(activations, 1)))
        return max(1, min(len(batch), fits))

    def survey(self, batch: Batch, *, most: int) -> None:
        """Separates the samples at every place, at the first batch of several; in a few of them, `most` at most."""
        few = batch.take(0, min(FEW, most))
        if self._layouts or not self._places or len(few) == 1:
            return
        seen: dict[str, list[Tensor]] = {}
        # All outputs but those of padding, even where a view reads a part of them: they depend on the same samples.
        for gradients in self.gradients(few, EVERY_OUTPUT, cotangents=_halves, arranged=False):
            for name, g in gradients.items():
                seen.setdefault(name, []).append(g)
        reasons = {}
        for name, halves in seen.items():
            try:
                self._layouts[name] = layout_by_derivative(halves, len(few), place=self._places[name])
            except InterlawError as error:
                reasons[name] = str(error)
        self.leave_out(reasons)

    def samples_first(self, place: Place, h: Tensor, *, n: int) -> Tensor:
        """The activation, samples on its first axis: as the survey said, else, for a lone sample, as its shape says."""
        known = self._layouts.get(place.name)
        for arrange in [known] if known else layouts_of(place.module):
            arranged = arrange(h, n)
            if arranged is not None:
                return arranged
        raise no_layout(h, n, place=place, said=NO_ROWS)

    def gradients(
        self, batch: Batch, outputs: Outputs, *, cotangents: Cotangents, arranged: bool = True
    ) -> Iterator[dict[str, Tensor]]:
        """J^T r at every place for every cotangent r, from one forward pass.

        Args:
            batch: One batch.
            outputs: From what the model returns, and the batch, to y (n, C), or to losses (n,).
            cotangents: From y to tensors of its shape, none of which depends on the results of the others.
            arranged: Samples first and checked, rather than as they lie at the place.
        """
        edges: dict[str, GradientEdge] = {}

        def tap(place: Place, h: Tensor) -> Tensor:
            copy = (h if h.requires_grad else h.detach().requires_grad_()).clone()
            # An edge, not the copy: an operation in place on the copy would leave the gradient after it, not before.
            edges[place.name] = get_gradient_edge(copy)
            return copy

        y = outputs(self.run(batch, tap), batch)
        if len(y) != len(batch):
            raise InterlawError(
                f"expected one row of outputs per sample, found {len(y)} rows for {len(batch)} samples; put the batch "
                "on the first axis of the model's output"
            )
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
            taken = torch.autograd.grad(y, inside, current, retain_graph=following is not None, allow_unused=True)
            gradients, reasons, n = {}, {}, len(batch)
            for name, g in zip(names, taken, strict=True):
                try:
                    if g is None:
                        raise InterlawError("the outputs do not depend on it")
                    gradients[name] = self.samples_first(self._places[name], g, n=n) if arranged else g
                except InterlawError as error:
                    reasons[name] = str(error)
            self.leave_out(reasons)
            yield {name: require_finite(g) for name, g in gradients.items()} if arranged else gradients
            current = following

    def run(self, batch: Batch, edit: Edit, *, once: bool = True) -> Any:
        """What the model returns, with h at every place replaced by edit(place, h).

        Args:
            batch: One batch.
            edit: From a place and h to a tensor like h.
            once: Whether places that are met more or less than once are left out.
        """
        runs = dict.fromkeys(self.kept, 0)

        def there(place: Place, h: object) -> Tensor:
            runs[place.name] += 1
            return edit(place, _require_float(h, place.name))

        at_input: Callable[[Any], Tensor] | None = None
        with ExitStack() as stack:
            for place in self.kept.values():
                here = partial(there, place)
                if place.module is None:
                    at_input = here
                else:
                    stack.callback(_hook(place, here).remove)
            ends_together = batch.mask is None or bool(batch.mask[:, -1].all())
            options = {"logits_to_keep": 1} if self._last_only and ends_together else {}
            # copies: a network may write into them
            output = batch.repeated(1).fed_to(self.model, edit=at_input, **options)
        never = "no forward pass runs it (of an encoder-decoder measure model.get_encoder())"
        often = {name: n for name, n in runs.items() if once and n != 1}
        self.leave_out({name: f"it runs {n} times in a forward pass" if n else never for name, n in often.items()})
        return output


def _hook(place: Place, edit: Callable[[Any], Tensor]) -> RemovableHandle:
    """Hands a module, or what follows it, the edited h."""
    assert place.module is not None
    if place.output:
        return place.module.register_forward_hook(lambda module, args, output: edit(output))

    def before(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        h = entering(args, kwargs, name=place.name)
        edited = edit(h)
        return changed((args, kwargs), lambda tensor: edited if tensor is h else tensor)

    return place.module.register_forward_pre_hook(before, with_kwargs=True)


def _halves(y: Tensor) -> Iterator[Tensor]:
    """A cotangent for the first half of the samples alone, then one for the rest."""
    r = pattern(y[0]).reshape(y.shape[1:])
    first = torch.arange(len(y), device=y.device).reshape(-1, *[1] * (y.dim() - 1)) < len(y) // 2
    yield r * first
    yield r * ~first


def pattern(like: Tensor) -> Tensor:
    """Numbers between -1 and 1 in no order that sums of outputs could cancel, and nothing random."""
    return torch.arange(1, like.numel() + 1, device=like.device).cos().to(like.dtype).reshape(like.shape)


def require_finite(values: Tensor) -> Tensor:
    """The values in at least float32; a NaN or an infinity among them is a fault, never a zero."""
    bad = ~torch.isfinite(values).flatten(1).all(1)
    if bool(bad.any()):
        raise InterlawError(NOT_FINITE.format(bad=int(bad.sum()), all=len(bad)))
    return values.float() if values.dtype in (torch.bfloat16, torch.float16) else values


def leaf(place: Place, h: Tensor) -> Tensor:
    """The activation as if the network began there."""
    return h.detach().requires_grad_(True).clone()


def _require_float(h: object, name: str) -> Tensor:
    if not isinstance(h, Tensor) or not h.is_floating_point():
        kind = str(h.dtype) if isinstance(h, Tensor) else type(h).__name__
        raise InterlawError(
            f"expected real numbers at '{name}', found {kind}; name a module that real numbers enter, or a table of "
            "embeddings, which is measured at its output"
        )
    return h.clone() if h.is_inference() else h


def output_tensor(output: Any) -> Tensor:
    """The tensor in a model's output: itself, its logits or last hidden state, the first of a tuple, one in a dict."""
    named = (named_output(output, name) for name in ("logits", "last_hidden_state"))
    tensor = next((value for value in named if value is not None), output)
    has = ""
    if isinstance(tensor, tuple | list) and tensor:
        tensor = tensor[0]
    elif isinstance(tensor, Mapping):
        real = {key: one for key, one in tensor.items() if isinstance(one, Tensor) and one.is_floating_point()}
        tensor = next(iter(real.values())) if len(real) == 1 else None
        has = f" with the real-valued tensors {', '.join(map(str, real)) or 'none'}"
    if not isinstance(tensor, Tensor):
        raise InterlawError(
            f"expected the model to return a tensor, or an object with .logits, found {type(output).__name__}{has}; "
            "wrap the model so that it returns the tensor to differentiate"
        )
    if not tensor.is_floating_point():
        raise InterlawError(f"expected real-valued outputs, found {tensor.dtype}; return the scores, not the decision")
    return tensor if tensor.dim() else tensor[None]


def named_output(output: Any, name: str) -> Any:
    """An entry of a mapping or an attribute of an object; None when it has neither."""
    return output.get(name) if isinstance(output, Mapping) else getattr(output, name, None)


class Readout:
    """From what a model returns to the outputs y (n, C) that are differentiated, one row a cluster.

    Args:
        positions: For outputs (n, T, C): "last" or "all".
        center: Subtract from each position's outputs their mean.
        outputs: Indices of those that count; all when None.
        scale: "rms" keeps the mean square of the outputs, padding left out, before some are chosen.
    """

    def __init__(self, *, positions: str, center: bool, outputs: Sequence[int] | None, scale: str | None) -> None:
        self._positions, self._center, self._outputs, self._squared = positions, center, outputs, scale == "rms"
        self._sum, self._count = 0.0, 0
        self._last: Batch | None = None

    def __call__(self, output: Any, batch: Batch) -> Tensor:
        """The outputs of a batch."""
        y, mask = output_tensor(output), batch.mask
        if y.dim() >= 3 and self._positions == "last":
            y = _last(y, mask)
        real = mask.bool() if y.dim() == 3 and mask is not None and mask.shape == y.shape[:2] else None
        if self._center:
            y = y - y.mean(-1, keepdim=True)
        if self._squared and batch is not self._last:  # once, however many passes its probes need
            counted, self._last = y if real is None else y[real], batch
            self._sum += float(counted.detach().double().square().sum())
            self._count += counted.numel()
        if self._outputs is not None:
            y = y[..., _chosen(self._outputs, y.shape[-1])]
        if real is not None:
            y = y * real[:, :, None].to(y.dtype)
        return y.flatten(1) if y.dim() > 1 else y[:, None]

    @property
    def mean_square(self) -> float:
        """One constant for the whole sample, as the paper's code has it; 1 where it is not kept."""
        if self._count and not self._sum > 0:
            raise InterlawError(ZEROS)
        return self._sum / self._count if self._count else 1.0


EVERY_OUTPUT = Readout(positions="all", center=False, outputs=None, scale=None)


def _last(y: Tensor, mask: Tensor | None) -> Tensor:
    if mask is None or mask.shape != y.shape[:2]:
        return y[:, -1]
    last = torch.where(mask.bool(), torch.arange(mask.shape[1], device=mask.device), -1).amax(1)
    return y[torch.arange(len(y), device=y.device), last]


def _chosen(outputs: Sequence[int], count: int) -> list[int]:
    bad = [index for index in outputs if not -count <= index < count]
    if bad:
        raise InterlawError(f"expected outputs from 0 to {count - 1}, found {bad}; leave outputs out to take all")
    return list(outputs)
