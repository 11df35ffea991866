"""The views of the input side, G = E[J^T J]: `input`, `patch`, `convolution`, `loss` and `token`.

Legend: n clusters of a batch, T positions (tokens, patches) of one; D coordinates of the activation h at a position;
J = dy/dh the Jacobian of the outputs y (C) at h; r random signs with E[r r^T] = I, so that E[(J^T r)(J^T r)^T] = J^T J;
g a gradient; V rows of a table of tokens; W a convolution's weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from interlaw.errors import InterlawError
from interlaw.interaction.batches import IGNORED, LONE, Batch
from interlaw.interaction.layout import CONVOLUTIONS, Place, layer_place
from interlaw.interaction.network import find_place
from interlaw.interaction.options import Contribute, Options, View
from interlaw.interaction.place import Outputs, Places, named_output, output_tensor
from interlaw.interaction.routes import Contribution

# As many exact gradients as a batch of them costs about what the Gram matrices of one probe each would.
EXACT_OUTPUTS = 64

# Coordinates of all clusters that are unfolded at once: enough for fast products, little beside the activations.
SLICE_COORDINATES = 2**14

OF_OUTPUTS = ("probes", "positions", "outputs", "center", "scale")
"""Options about the outputs whose Jacobian is taken; a loss and a closed form have no choice of them."""


class InputSide:
    """Gradients J^T r as columns, the same way at every place: h of shape (n, T, features) has D = features.

    Args:
        options: What is measured.
        outputs: From what the model returns to y.
        draw: From y to the cotangents, their number, and how many of them are probes.
    """

    def __init__(
        self, options: Options, outputs: Outputs, *, draw: Callable[[Tensor], tuple[Iterable[Tensor], int, int]]
    ) -> None:
        self._route = options.route
        self._outputs = outputs
        self._draw = draw

    def __call__(self, places: Places, batch: Batch) -> dict[str, Contribution]:
        """What a batch adds at every place: the mean over positions of a sequence, the mean over samples."""
        count = probes = 0

        def cotangents(y: Tensor) -> Iterable[Tensor]:
            nonlocal count, probes
            drawn, count, probes = self._draw(y)
            return drawn

        gathered: dict[str, GradientColumns] = {}
        weights: dict[str, Tensor] = {}
        for gradients in places.gradients(batch, self._outputs, cotangents=cotangents):
            kept = places.kept
            for name in kept.keys() & gradients.keys():
                columns = kept[name].columns(gradients[name])
                if name == "embeddings" and batch.num_tokens is not None:  # not of a prompt of the network's own
                    columns = columns[:, :, -batch.num_tokens :]
                weights.setdefault(name, count_positions(columns, batch))
                gathered.setdefault(name, GradientColumns(count, route=self._route)).add(columns)
        return {name: gathered[name].contribution(weights[name], num_probes=probes) for name in places.kept}


class GradientColumns:
    """Gathers `count` sets of columns (n, D, c) of a batch: side by side, or summed up when that is smaller.

    At most D columns are kept before they are summed up, so that a network of many outputs never needs all of its
    gradients at once.
    """

    def __init__(self, count: int, *, route: str | None) -> None:
        self._count, self._taken, self._route = count, 0, route
        self._kept: list[Tensor] = []
        self._matrices: Tensor | None = None

    def add(self, columns: Tensor) -> None:
        """Takes the next set."""
        self._kept.append(columns)
        self._taken += 1
        dim, width = columns.shape[1:]
        full = width * len(self._kept) >= dim or self._taken == self._count
        if full and is_summed(width * self._count, dim=dim, route=self._route):
            summed = torch.cat(self._kept, 2)
            if self._matrices is None:
                self._matrices = summed @ summed.mT
            else:
                self._matrices.baddbmm_(summed, summed.mT)
            self._kept = []

    def contribution(self, weights: Tensor, *, num_probes: int) -> Contribution:
        """All sets as one contribution."""
        summed = self._matrices is not None
        content = torch.cat(self._kept, 2) if self._matrices is None else self._matrices
        dim = content.shape[1]
        return Contribution(content=content, weights=weights, dim=dim, are_matrices=summed, num_probes=num_probes)


def is_summed(num_columns: int, *, dim: int, route: str | None) -> bool:
    """Whether a cluster's columns are kept as the D x D matrix of their products: of more than D it is the smaller."""
    return route != "gram" and num_columns > dim


def input_view(options: Options, read: Outputs) -> Contribute:
    """G over the features of h, for every output or for random cotangents."""
    return InputSide(options, read, draw=cotangents_of(options))


def loss_view(options: Options, _: Outputs) -> Contribute:
    """G = E[g g^T], g the gradient of the summed next-token loss at one token; the sequence is the cluster."""
    return InputSide(options, losses, draw=lambda y: ([torch.ones_like(y)], 1, 0))


def next_tokens(batch: Batch) -> Batch:
    """Inputs without the last token, and the label after each of them as its target; that of padding is ignored."""
    ids = batch.inputs.get(LONE, batch.inputs.get("input_ids"))
    if ids is None:
        raise InterlawError(f"the loss view needs a batch with 'input_ids', found {sorted(batch.inputs)}")
    if ids.is_floating_point() or ids.dim() != 2 or ids.shape[1] < 2:
        raise InterlawError(
            f"the loss view needs token ids (batch, time) with time at least 2, found {ids.dtype} of shape "
            f"{tuple(ids.shape)}; pass ids, or use the input view"
        )
    labels = batch.inputs.get("labels", ids)
    if labels.shape != ids.shape or labels.is_floating_point():
        raise InterlawError(
            f"the loss view needs a label a token, {IGNORED} where there is none, found {labels.dtype} of shape "
            f"{tuple(labels.shape)} for ids of shape {tuple(ids.shape)}; leave labels out to predict the next token"
        )
    targets = labels[:, 1:].long()
    if batch.mask is not None:
        # Both ends of the pair: behind padding on the left, the first token is predicted from none that is real.
        targets = targets.masked_fill((batch.mask[:, 1:] == 0) | (batch.mask[:, :-1] == 0), IGNORED)
    inputs = {
        name: value[:, :-1] if value.dim() >= 2 and value.shape[1] == ids.shape[1] else value
        for name, value in batch.inputs.items()
        if name != "labels"
    }
    return replace(batch, inputs=inputs, targets=targets)


def losses(output: Any, batch: Batch) -> Tensor:
    """Next-token cross entropy in nats of each sequence, summed over its targets that are not ignored."""
    targets = batch.targets
    assert targets is not None
    if named_output(output, "logits") is None and named_output(output, "last_hidden_state") is not None:
        raise InterlawError(
            f"the loss view needs next-token logits, found the hidden states of {type(output).__name__}; use a model "
            "with a language-model head, or the input view"
        )
    logits = output_tensor(output)
    if logits.dim() != 3 or logits.shape[:2] != targets.shape or int(targets.max()) >= logits.shape[-1]:
        raise InterlawError(
            f"the loss view needs next-token logits (batch, time, vocabulary), found shape {tuple(logits.shape)} for "
            f"tokens up to {int(targets.max())}; use a model with a language-model head, or the input view"
        )
    exact = logits if logits.dtype == torch.float64 else logits.float()
    each = F.cross_entropy(exact.flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="none")
    return each.view(targets.shape).sum(1)


def patches_of(model: nn.Module, batch: Batch, *, layer: str | None) -> Place:
    """The input of the model (of the named convolution where there is a name), its gradient cut into patches.

    It is cut as the named convolution (the model's first one when None) cuts an image, with zeros past the border.

    Source: Sun et al. 2026, arXiv 2605.27989 (unfolds the gradient of the output with respect to the image).
    """
    name, conv = _convolution(model, layer)
    channels, sides = conv.in_channels, conv.kernel_size
    if layer is None:
        name, images = "input", batch.inputs[batch.edited]
        channels = images.shape[1] if images.dim() > 1 else 0
        if images.dim() != len(sides) + 2:
            raise InterlawError(
                f"the patch view needs inputs (n, channels{', size' * len(sides)}), found {tuple(images.shape)}; name "
                "the layer, or use the input view"
            )
    dim = channels * math.prod(sides)
    each = torch.eye(dim).view(dim, channels, *sides)
    return Place(name=name, module=None if layer is None else conv, columns=partial(_unfolded, conv, each=each))


def convolution_of(model: nn.Module, batch: Batch, *, layer: str | None) -> Place:
    """The patches (C_in * kernel) that the named convolution is fed, the model's first one when None.

    The gradient at a patch is W^T delta with delta the gradient at the convolution's output there; for a linear
    convolution G is W^T W exactly.

    Source: Beaglehole et al. 2023, arXiv 2309.00570 (patches as the inputs of a convolution).
    """
    name, conv = _convolution(model, layer)
    if conv.groups != 1:
        raise InterlawError(
            f"the convolution view needs a convolution whose outputs see whole patches, '{name}' has "
            f"{conv.groups} groups; name another layer"
        )
    return layer_place(name, conv)


def _convolution(model: nn.Module, layer: str | None) -> tuple[str, Any]:
    convolutions = {name: module for name, module in model.named_modules() if isinstance(module, CONVOLUTIONS)}
    if not convolutions or (layer is not None and layer not in convolutions):
        raise InterlawError(
            f"a view of patches needs a convolution, found {'none' if layer is None else repr(layer)}; "
            f"this model has {', '.join(convolutions) or 'no convolution: use the input view'}"
        )
    name = next(iter(convolutions)) if layer is None else layer
    return name, convolutions[name]


def _unfolded(conv: Any, g: Tensor, *, each: Tensor) -> Tensor:
    """A gradient at an image as columns at its patches, (n, C_in * kernel, patches); `each` picks one entry of them."""
    # a convolution, as torch unfolds images of two sides alone; by channels in and out, then one to three sides
    unfold = {3: F.conv1d, 4: F.conv2d, 5: F.conv3d}[each.dim()]
    return unfold(g, each.to(g), stride=conv.stride, padding=conv.padding, dilation=conv.dilation).flatten(2)


def cotangents_of(options: Options) -> Callable[[Tensor], tuple[Iterable[Tensor], int, int]]:
    """Draws cotangents for y: the unit vectors of every output, or fresh random signs."""
    generator = torch.Generator().manual_seed(options.seed)

    def draw(y: Tensor) -> tuple[Iterable[Tensor], int, int]:
        if options.probes == "exact" or (options.probes is None and y.shape[1] <= EXACT_OUTPUTS):
            return unit_cotangents(y), y.shape[1], 0
        probes = int(options.probes or 1)
        return (r / probes**0.5 for r in random_signs(y, probes, generator=generator)), probes, probes

    return draw


def unit_cotangents(y: Tensor) -> Iterator[Tensor]:
    """The C unit vectors, for every cluster of the batch at once."""
    for index in range(y.shape[1]):
        unit = torch.zeros_like(y)
        unit[:, index] = 1.0
        yield unit


def random_signs(like: Tensor, count: int, *, generator: torch.Generator) -> Sequence[Tensor]:
    """`count` tensors of random signs in the shape of `like`.

    Drawn on the CPU and cluster by cluster, so that a seed means the same on every device and in every batching.
    """
    bits = torch.randint(0, 2, (len(like), count, *like.shape[1:]), generator=generator, dtype=torch.int8)
    return bits.to(device=like.device, dtype=like.dtype).mul(2).sub(1).unbind(1)


def count_positions(columns: Tensor, batch: Batch) -> Tensor:
    """What each cluster counts in the mean: its real tokens where the columns are tokens, else its columns.

    With targets a token is real while there is one at or after it: the others have no gradient.
    """
    counted = None if batch.mask is None else batch.mask.bool()
    if batch.targets is not None:
        later = (batch.targets != IGNORED).flip(1).cumsum(1).flip(1) > 0
        counted = later if counted is None else later & counted
    if counted is not None and counted.shape[1] == columns.shape[2]:
        return counted.sum(1).double()
    return ones(columns) * columns.shape[2]


def ones(like: Tensor) -> Tensor:
    """A weight of 1 per cluster."""
    return torch.ones(len(like), dtype=torch.float64, device=like.device)


def token_view(options: Options, read: Outputs) -> Contribute:
    """G = E[A_n] over one-hot inputs: A_n = J^T J summed over the outputs of one sequence, the mean over sequences.

    J is taken at all T x V coordinates of the one-hot sequence, so positions are coordinates and none is averaged.
    Of each sequence only the gradient g at its embeddings is kept; coordinate (t, v) is row v of the table times g_t.
    """
    draw = cotangents_of(options)

    def contribute(places: Places, batch: Batch) -> dict[str, Contribution]:
        (place,) = places.kept.values()
        assert place.module is not None
        probes = 0

        def cotangents(y: Tensor) -> Iterable[Tensor]:
            nonlocal probes
            drawn, _, probes = draw(y)
            return drawn

        gradients = [at[place.name] for at in places.gradients(batch, read, cotangents=cotangents)]
        stored = torch.stack([g.flatten(1) for g in gradients], 2)
        table = embedding_table(place.module)
        time, width = gradients[0].shape[1:]
        step = max(1, SLICE_COORDINATES // len(table))

        def slices(compact: Tensor) -> Iterator[Tensor]:
            by_position = compact.reshape(len(compact), time, width, -1)
            for start in range(0, time, step):
                # (n, t, width, r) and (V, width) -> (n, t * V, r)
                piece = torch.einsum("ntwr,vw->ntvr", by_position[:, start : start + step], table.to(compact))
                yield piece.flatten(1, 2)

        dim = time * len(table)
        part = Contribution(content=stored, weights=ones(stored), dim=dim, num_probes=probes, slices=slices)
        return {place.name: part}

    return contribute


def at_embeddings(model: nn.Module, batch: Batch, *, layer: str | None) -> Place:
    """The token embeddings, also where the batch holds real numbers."""
    return find_place(model, batch, layer="embeddings")


def embedding_table(module: nn.Module) -> Tensor:
    """What the embedding module makes of every token id, scaling included: (V, width)."""
    weight = getattr(module, "weight", None)
    if not isinstance(weight, Tensor):
        raise InterlawError(f"the token view needs an embedding table, {type(module).__name__} has no weight")
    table: Tensor = module(torch.arange(len(weight), device=weight.device)).detach()
    return table


INPUT = View(start=input_view, layers=True)
LOSS = View(start=loss_view, with_targets=True, layers=True, useless=OF_OUTPUTS)
PATCH = View(start=input_view, place=patches_of)
CONVOLUTION = View(start=input_view, place=convolution_of)
TOKEN = View(start=token_view, place=at_embeddings, positions="last", useless=("layer",))
