"""The views: which matrix G is meant, as the factors V_n of every cluster's contribution A_n = V_n V_n^T.

Legend: J = dy/dh the Jacobian of the outputs y (C) at the activation h; r random signs with E[r r^T] = I; P the fixed
Gaussian projection; T positions (tokens, patches) of one cluster; m projected outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from interlaw.errors import InterlawError
from interlaw.interaction.batches import Batch, batch_length
from interlaw.interaction.differentiation import jacobian_vector, vector_jacobian
from interlaw.interaction.grams import Slices
from interlaw.interaction.readout import Positions, Readout, output_tensor, padding_mask
from interlaw.interaction.site import Site, find_site

Probes = int | Literal["exact"] | None

EXACT_OUTPUTS = 64
PROJECTED_OUTPUTS = 64
PROJECTION_SEED = 42


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is measured; `measure` documents each."""

    view: str
    layer: str | None
    probes: Probes
    positions: Positions | None
    outputs: Sequence[int] | None
    center: bool
    scale: Literal["rms"] | None

    def readout(self, *, default: Positions) -> Readout:
        """How outputs are read where the view itself would read `default` positions."""
        return Readout(positions=self.positions or default, outputs=self.outputs, center=self.center, scale=self.scale)


@dataclass(frozen=True, kw_only=True)
class Contribution:
    """What a batch adds to G.

    Attributes:
        factors: (n, s, r) with s = D, or compact factors that `slices` unfolds to D coordinates.
        weights: (n,) what each cluster counts in the mean.
        dim: D.
        num_probes: Random vectors per cluster; 0 when nothing is random.
        slices: How compact factors unfold.
    """

    factors: Tensor
    weights: Tensor
    dim: int
    num_probes: int = 0
    slices: Slices | None = None


Factorize = Callable[[nn.Module, Batch, Settings, torch.Generator], Contribution]


def input_factors(model: nn.Module, batch: Batch, settings: Settings, generator: torch.Generator) -> Contribution:
    """G = E[J^T J] over the features of h; positions of a sequence count as columns, their mean is taken.

    h of shape (n, T, features) has D = features; any other shape is flattened to one vector.
    """
    site = find_site(model, batch, layer=settings.layer)
    gradients, probes = _pullbacks(model, batch, site, settings, generator, default="all")
    factors = torch.cat([_columns(g) for g in gradients], 2)
    weights = _positions(gradients[0], batch)
    return Contribution(factors=factors, weights=weights, dim=factors.shape[1], num_probes=probes)


def loss_factors(model: nn.Module, batch: Batch, settings: Settings, generator: torch.Generator) -> Contribution:
    """G = E[g g^T], g the gradient of the summed next-token loss at one token; the sequence is the cluster."""
    batch, targets = _shifted(batch)
    site = find_site(model, batch, layer=settings.layer)

    def summed_loss(output: Any, _: Batch) -> Tensor:
        logits = output_tensor(output)
        if logits.dim() != 3 or logits.shape[:2] != targets.shape:
            raise InterlawError(
                f"the loss view needs next-token logits (batch, time, vocabulary), found shape {tuple(logits.shape)}; "
                "use a model with a language-model head, or the input view"
            )
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-100, reduction="sum")

    (g,) = vector_jacobian(
        model, batch, site=site, outputs=summed_loss, cotangents=lambda y: iter([torch.ones_like(y)])
    )
    factors = _columns(g)
    return Contribution(factors=factors, weights=_positions(g, batch), dim=factors.shape[1])


def projected_factors(model: nn.Module, batch: Batch, settings: Settings, generator: torch.Generator) -> Contribution:
    """G = P E[J J^T] P^T over all coordinates of the embedded sequence, y the logits at the last token.

    One forward-mode product J u per probe u; "exact" takes the m rows of P J in reverse mode.
    """
    site = find_site(model, batch, layer=settings.layer)
    readout = settings.readout(default="last")
    if settings.probes == "exact":
        rows = list(
            vector_jacobian(
                model,
                batch,
                site=site,
                outputs=lambda output, b: _project(readout(output, b)),
                cotangents=lambda y: _unit_cotangents(y),
            )
        )
        factors = torch.stack([row.flatten(1) for row in rows], 1)
        return Contribution(factors=factors, weights=_ones(factors), dim=factors.shape[1])
    probes = settings.probes or 1
    drawn: list[Tensor] = []

    def tangent(h: Tensor) -> Tensor:
        if not drawn:
            drawn.extend(_signs(h, probes, generator))
        return drawn.pop()

    images = [
        jacobian_vector(
            model,
            batch,
            site=site,
            outputs=lambda output, b: _project(readout(output, b)),
            tangent=tangent,
        )
        for _ in range(probes)
    ]
    factors = torch.stack(images, 2) / probes**0.5
    return Contribution(factors=factors, weights=_ones(factors), dim=factors.shape[1], num_probes=probes)


VIEWS: dict[str, tuple[Factorize, str]] = {
    "input": (input_factors, "haar"),
    "loss": (loss_factors, "haar"),
    "projected": (projected_factors, "projected"),
}


def _pullbacks(
    model: nn.Module, batch: Batch, site: Site, settings: Settings, generator: torch.Generator, *, default: Positions
) -> tuple[list[Tensor], int]:
    """Gradients of shape h, one per output (exact) or per probe, and the number of probes."""
    count = 0

    def cotangents(y: Tensor) -> Iterator[Tensor]:
        nonlocal count
        if len(y) != batch_length(batch):
            raise InterlawError(
                f"expected one row of outputs per sample, found {len(y)} rows for {batch_length(batch)} samples; "
                "put the batch on the first axis of the model's output"
            )
        exact = settings.probes == "exact" or (settings.probes is None and y.shape[1] <= EXACT_OUTPUTS)
        count = 0 if exact else int(settings.probes or 1)
        return _unit_cotangents(y) if exact else (r / count**0.5 for r in _signs(y, count, generator))

    gradients = list(
        vector_jacobian(model, batch, site=site, outputs=settings.readout(default=default), cotangents=cotangents)
    )
    return gradients, count


def _columns(g: Tensor) -> Tensor:
    """A gradient of shape h as columns (n, D, positions)."""
    return g.mT if g.dim() == 3 else g.flatten(1)[:, :, None]


def _positions(g: Tensor, batch: Batch) -> Tensor:
    """How many positions of each cluster are real."""
    if g.dim() != 3:
        return _ones(g)
    mask = padding_mask(batch)
    if mask is None or mask.shape != g.shape[:2]:
        return _ones(g) * g.shape[1]
    return mask.sum(1).double()


def _ones(tensor: Tensor) -> Tensor:
    """A weight of 1 per cluster."""
    return torch.ones(len(tensor), dtype=torch.float64, device=tensor.device)


def _unit_cotangents(y: Tensor) -> Iterator[Tensor]:
    """The C unit vectors, for every cluster of the batch at once."""
    for index in range(y.shape[1]):
        unit = torch.zeros_like(y)
        unit[:, index] = 1.0
        yield unit


def _signs(like: Tensor, count: int, generator: torch.Generator) -> Sequence[Tensor]:
    """`count` tensors of random signs in the shape of `like`.

    Drawn on the CPU and cluster by cluster, so that a seed means the same on every device and in every batching.
    """
    bits = torch.randint(0, 2, (len(like), count, *like.shape[1:]), generator=generator, dtype=torch.int8)
    return bits.to(device=like.device, dtype=like.dtype).mul(2).sub(1).unbind(1)


def _project(y: Tensor) -> Tensor:
    """P y with the fixed P, entries N(0, 1/m)."""
    generator = torch.Generator().manual_seed(PROJECTION_SEED)
    P = torch.randn(PROJECTED_OUTPUTS, y.shape[1], generator=generator) / PROJECTED_OUTPUTS**0.5
    projected: Tensor = y @ P.to(y).T
    return projected


def _shifted(batch: Batch) -> tuple[Batch, Tensor]:
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
    mask = batch.get("attention_mask")
    if mask is not None:
        targets = targets.masked_fill(mask[:, 1:] == 0, -100)
    time = ids.shape[1]
    inputs = {
        name: value[:, :-1] if value.dim() >= 2 and value.shape[1] == time else value
        for name, value in batch.items()
        if name != "labels"
    }
    return inputs, targets
