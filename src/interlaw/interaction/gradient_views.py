"""The views of the input side, G = E[J^T J], by reverse mode: `input`, `patch`, `token`, and `loss`.

Legend: J = dy/dh the Jacobian of the outputs y (C) at the activation h; r random signs with E[r r^T] = I, so that
E[(J^T r)(J^T r)^T] = J^T J; T positions (tokens, patches) of one cluster.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from interlaw.errors import InterlawError
from interlaw.interaction.batches import Batch, batch_length
from interlaw.interaction.contribution import (
    Contribution,
    Factorize,
    Settings,
    columns_of,
    contribution,
    count_positions,
    ones,
    random_signs,
    require_finite,
)
from interlaw.interaction.differentiation import vector_jacobian
from interlaw.interaction.locate import Locate, require_row_per_sample
from interlaw.interaction.readout import logits_of, padding_mask
from interlaw.interaction.site import Site, find_site, reading_site, token_embeddings

EXACT_OUTPUTS = 64
SLICE_COORDINATES = 2**14

Convolution = nn.Conv1d | nn.Conv2d | nn.Conv3d


def input_view(settings: Settings) -> Factorize:
    """G over the features of h: the mean over positions of a sequence, the mean over samples.

    h of shape (n, T, features) has D = features; any other shape is flattened to one vector.
    """
    pullbacks = Pullbacks(settings)

    def factorize(model: nn.Module, batch: Batch) -> Contribution:
        site = reading_site(model, batch, layer=settings.layer, readout=settings.readout())
        first, gradients, count, probes = pullbacks(model, batch, site)
        weights = count_positions(first, batch)
        columns = (columns_of(g) for g in gradients)
        return contribution(
            columns, layer=site.name, count=count, weights=weights, settings=settings, num_probes=probes
        )

    return factorize


def patch_view(settings: Settings) -> Factorize:
    """G over the coordinates of one convolution's input patch (C_in * kernel), the mean over patches and samples.

    The gradient at a patch is W^T delta with delta the gradient at the convolution's output there; for a linear
    convolution G is W^T W exactly. `layer` names the convolution, the model's first one when None.

    Source: Beaglehole et al. 2023, arXiv 2309.00570 (patches as the inputs of a convolution).
    """
    pullbacks = Pullbacks(settings)

    def factorize(model: nn.Module, batch: Batch) -> Contribution:
        name, conv = find_convolution(model, layer=settings.layer)
        kernel = conv.weight.detach().flatten(1)
        site = Site(name=name, module=conv, side="output")
        first, gradients, count, probes = pullbacks(model, batch, site)
        columns = (kernel.T @ g.flatten(2) for g in gradients)
        weights = ones(first) * first[0, 0].numel()
        return contribution(
            columns, layer=site.name, count=count, weights=weights, settings=settings, num_probes=probes
        )

    return factorize


def token_view(settings: Settings) -> Factorize:
    """G over one-hot inputs (T * V coordinates), y the logits at the last token; never formed as a matrix.

    Kept per sequence is the gradient g at the embeddings; its D coordinates are the rows of the embedding table times
    g, unfolded some positions at a time.
    """
    pullbacks = Pullbacks(settings)

    def factorize(model: nn.Module, batch: Batch) -> Contribution:
        module = token_embeddings(model)
        site = reading_site(model, batch, layer="embeddings", readout=settings.readout())
        first, gradients, _, probes = pullbacks(model, batch, site)
        table = embedding_table(module)
        stored = require_finite(torch.stack([g.flatten(1) for g in gradients], 2))
        time, width = first.shape[1:]
        step = max(1, SLICE_COORDINATES // len(table))

        def slices(compact: Tensor) -> Iterator[Tensor]:
            by_position = compact.reshape(len(compact), time, width, -1)
            for start in range(0, time, step):
                # (n, t, width, r) and (V, width) -> (n, t * V, r)
                piece = torch.einsum("ntwr,vw->ntvr", by_position[:, start : start + step], table.to(compact))
                yield piece.flatten(1, 2)

        return Contribution(
            layer=site.name,
            factors=stored,
            weights=ones(first),
            dim=time * len(table),
            num_probes=probes,
            slices=slices,
        )

    return factorize


def loss_view(settings: Settings) -> Factorize:
    """G = E[g g^T], g the gradient of the summed next-token loss at one token; the sequence is the cluster."""
    locate = Locate()

    def factorize(model: nn.Module, batch: Batch) -> Contribution:
        batch, targets = shift(batch)

        def outputs(output: Any, batch: Batch) -> Tensor:
            return losses(output, targets[: batch_length(batch)])

        site = locate(model, batch, find_site(model, batch, layer=settings.layer), outputs)
        (g,) = vector_jacobian(model, batch, site=site, outputs=outputs, cotangents=lambda y: [torch.ones_like(y)])
        weights = count_predicting(targets, batch) if g.dim() == 3 else ones(g)
        return contribution([columns_of(g)], layer=site.name, count=1, weights=weights, settings=settings)

    return factorize


def losses(output: Any, targets: Tensor) -> Tensor:
    """Next-token cross entropy in nats of each sequence, summed over its targets that are not ignored."""
    logits = logits_of(output)
    if logits.dim() != 3 or logits.shape[:2] != targets.shape or int(targets.max()) >= logits.shape[-1]:
        raise InterlawError(
            f"the loss view needs next-token logits (batch, time, vocabulary), found shape {tuple(logits.shape)} for "
            f"tokens up to {int(targets.max())}; use a model with a language-model head, or the input view"
        )
    each = F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten(), ignore_index=-100, reduction="none")
    return each.view(targets.shape).sum(1)


def unit_cotangents(y: Tensor) -> Iterator[Tensor]:
    """The C unit vectors, for every cluster of the batch at once."""
    for index in range(y.shape[1]):
        unit = torch.zeros_like(y)
        unit[:, index] = 1.0
        yield unit


def find_convolution(model: nn.Module, *, layer: str | None) -> tuple[str, Convolution]:
    """The named convolution, or the model's first."""
    convolutions = {name: module for name, module in model.named_modules() if isinstance(module, Convolution)}
    if not convolutions or (layer is not None and layer not in convolutions):
        raise InterlawError(
            f"the patch view needs a convolution, found {'none' if layer is None else repr(layer)}; "
            f"this model has {', '.join(convolutions) or 'no convolution: use the input view'}"
        )
    name = layer if layer is not None else next(iter(convolutions))
    if convolutions[name].groups != 1:
        raise InterlawError(
            f"the patch view needs a convolution whose outputs see whole patches, '{name}' has "
            f"{convolutions[name].groups} groups; name another layer"
        )
    return name, convolutions[name]


def embedding_table(module: nn.Module) -> Tensor:
    """What the embedding module makes of every token id, scaling included: (V, width)."""
    weight = getattr(module, "weight", None)
    if not isinstance(weight, Tensor):
        raise InterlawError(f"the token view needs an embedding table, {type(module).__name__} has no weight")
    table: Tensor = module(torch.arange(len(weight), device=weight.device)).detach()
    return table


def shift(batch: Batch) -> tuple[Batch, Tensor]:
    """Inputs without the last token and targets without the first, padding marked as ignored."""
    if isinstance(batch, Tensor):
        if batch.is_floating_point() or batch.dim() != 2 or batch.shape[1] < 2:
            raise InterlawError(
                f"the loss view needs token ids (batch, time) with time at least 2, found {batch.dtype} of shape "
                f"{tuple(batch.shape)}; pass ids, or use the input view"
            )
        return batch[:, :-1], batch[:, 1:].long()
    ids = batch.get("input_ids")
    if ids is None:
        raise InterlawError(f"the loss view needs a batch with 'input_ids', found {sorted(batch)}")
    targets = batch.get("labels", ids)[:, 1:].long()
    mask = padding_mask(batch)
    if mask is not None:
        targets = targets.masked_fill(mask[:, 1:] == 0, -100)
    time = ids.shape[1]
    inputs = {
        name: value[:, :-1] if value.dim() >= 2 and value.shape[1] == time else value
        for name, value in batch.items()
        if name != "labels"
    }
    return inputs, targets


def count_predicting(targets: Tensor, batch: Batch) -> Tensor:
    """How many real tokens of each sequence have a target at or after them: those whose gradient is not zero."""
    later = (targets != -100).flip(1).cumsum(1).flip(1) > 0
    mask = padding_mask(batch)
    return (later if mask is None else later & mask.bool()).sum(1).double()


def choose_cotangents(
    y: Tensor, batch: Batch, settings: Settings, generator: torch.Generator
) -> tuple[Iterator[Tensor], int]:
    """The unit vectors of every output, or fresh random signs; and how many of them are probes."""
    require_row_per_sample(y, batch)
    if settings.probes == "exact" or (settings.probes is None and y.shape[1] <= EXACT_OUTPUTS):
        return unit_cotangents(y), 0
    probes = int(settings.probes or 1)
    return (r / probes**0.5 for r in random_signs(y, probes, generator)), probes


class Pullbacks:
    """Gradients J^T r of a view's outputs, at a site of any layout, with its samples on the first axis."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._readout = settings.readout()
        self._generator = torch.Generator().manual_seed(settings.seed)
        self._locate = Locate()

    def __call__(self, model: nn.Module, batch: Batch, site: Site) -> tuple[Tensor, Iterator[Tensor], int, int]:
        """The first gradient (for its shape), all gradients one by one, their number, and how many are probes."""
        count, probes = 0, 0

        def cotangents(y: Tensor) -> Iterator[Tensor]:
            nonlocal count, probes
            drawn, probes = choose_cotangents(y, batch, self._settings, self._generator)
            count = probes or y.shape[1]
            return drawn

        site = self._locate(model, batch, site, self._readout)
        gradients = vector_jacobian(model, batch, site=site, outputs=self._readout, cotangents=cotangents)
        first = next(gradients)
        return first, chain([first], gradients), count, probes
