"""What is measured, and what a batch adds to it: the vocabulary that all views share.

Legend: A_n = V_n V_n^T the contribution of cluster n to G, V_n its factor (D x r).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from interlaw.errors import InterlawError
from interlaw.interaction.batches import Batch
from interlaw.interaction.grams import Slices
from interlaw.interaction.readout import Readout, padding_mask

READ_LAST = ("output", "projected", "token")

Probes = int | Literal["exact"] | None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is measured; `measure` documents each."""

    view: str
    layer: str | None = None
    probes: Probes = None
    seed: int = 0
    positions: str | None = None
    outputs: Sequence[int] | None = None
    center: bool = False
    scale: str | None = None
    route: str | None = None

    def readout(self) -> Readout:
        """How outputs are read: at the last token by the views of next-token logits, else at every one."""
        positions = self.positions or ("last" if self.view in READ_LAST else "all")
        return Readout(positions=positions, outputs=self.outputs, center=self.center, scale=self.scale)


@dataclass(frozen=True, kw_only=True)
class Contribution:
    """What a batch adds to G, as factors or as matrices.

    Attributes:
        layer: Name of the place where h lives.
        weights: (n,) what each cluster counts in the mean.
        dim: D.
        factors: (n, s, r) with s = D, or compact factors that `slices` unfolds to D coordinates.
        matrices: (n, D, D) the A_n themselves, where they are smaller than their factors.
        num_probes: Random vectors per cluster; 0 when nothing is random.
        slices: How compact factors unfold.
    """

    layer: str
    weights: Tensor
    dim: int
    factors: Tensor | None = None
    matrices: Tensor | None = None
    num_probes: int = 0
    slices: Slices | None = None

    @property
    def content(self) -> Tensor:
        """Whichever of factors and matrices there is."""
        content = self.factors if self.matrices is None else self.matrices
        assert content is not None
        return content


Factorize = Callable[[nn.Module, Batch], Contribution]
"""A view at work: batches in order, contributions out; it may remember what it has seen."""


def contribution(
    columns: Iterable[Tensor], *, layer: str, count: int, weights: Tensor, settings: Settings, num_probes: int = 0
) -> Contribution:
    """The contribution of `count` sets of columns (n, D, c): stacked side by side, or summed up when that is smaller.

    Columns are taken one set at a time, and at most D of them are kept before they are summed up, so that a network of
    many outputs never needs all of its gradients at once.
    """
    kept: list[Tensor] = []
    matrices: Tensor | None = None
    for index, part in enumerate(columns):
        kept.append(require_finite(part))
        dim, width = part.shape[1:]
        if width * count > dim and settings.route != "gram" and (width * len(kept) >= dim or index == count - 1):
            summed = torch.cat(kept, 2)
            matrices = summed @ summed.mT if matrices is None else matrices.baddbmm_(summed, summed.mT)
            kept = []
    factors = torch.cat(kept, 2) if kept else None
    return Contribution(
        layer=layer, factors=factors, matrices=matrices, weights=weights, dim=dim, num_probes=num_probes
    )


def require_finite(values: Tensor) -> Tensor:
    """The values in at least float32; a NaN or an infinity among them is a fault, never a zero."""
    bad = ~torch.isfinite(values).flatten(1).all(1)
    if bool(bad.any()):
        raise InterlawError(
            f"{int(bad.sum())} of {len(bad)} clusters of a batch have a Jacobian with NaN or infinite entries; "
            "check the inputs, or measure with dtype=torch.float32"
        )
    return values.float() if values.dtype in (torch.bfloat16, torch.float16) else values


def columns_of(g: Tensor) -> Tensor:
    """A gradient of the shape of h as columns (n, D, positions): (n, T, features) has features, the rest is flat."""
    return g.mT if g.dim() == 3 else g.flatten(1)[:, :, None]


def count_positions(h: Tensor, batch: Batch) -> Tensor:
    """How many positions of each cluster are real tokens; 1 where h has no positions."""
    if h.dim() != 3:
        return ones(h)
    mask = padding_mask(batch)
    if mask is None or mask.shape != h.shape[:2]:
        return ones(h) * h.shape[1]
    return mask.sum(1).double()


def ones(like: Tensor) -> Tensor:
    """A weight of 1 per cluster."""
    return torch.ones(len(like), dtype=torch.float64, device=like.device)


def random_signs(like: Tensor, count: int, generator: torch.Generator) -> Sequence[Tensor]:
    """`count` tensors of random signs in the shape of `like`.

    Drawn on the CPU and cluster by cluster, so that a seed means the same on every device and in every batching.
    """
    bits = torch.randint(0, 2, (len(like), count, *like.shape[1:]), generator=generator, dtype=torch.int8)
    return bits.to(device=like.device, dtype=like.dtype).mul(2).sub(1).unbind(1)
