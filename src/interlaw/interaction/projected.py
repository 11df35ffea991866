"""The `projected` view: the output side of the last token's logits through a fixed Gaussian matrix.

Legend: P the fixed projection (m x V); J = dy/dh at all coordinates of the embedded sequence; B = P J; u random signs
with E[u u^T] = I, so that E[(B u)(B u)^T] = B B^T = A_n; W the top eigenvectors (m x k) of the mean seen so far.

One forward-mode product B u per sequence is unbiased but noisy. Most of that noise lies along the few directions that
carry G, and reverse mode gives those exactly at little cost: W^T A_n W = (W^T B)(W^T B)^T needs k gradients. So
    A~_n = (B u)(B u)^T + W [ (W^T B)(W^T B)^T - (W^T B u)(W^T B u)^T ] W^T
keeps the expectation A_n for any W that does not depend on sequence n; W comes from earlier sequences only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from interlaw.interaction.batches import Batch, batch_length, take
from interlaw.interaction.contribution import (
    Contribution,
    Factorize,
    Settings,
    contribution,
    ones,
    random_signs,
    require_finite,
)
from interlaw.interaction.differentiation import jacobian_vector, vector_jacobian
from interlaw.interaction.gradient_views import unit_cotangents
from interlaw.interaction.site import find_site

PROJECTED_OUTPUTS = 64
PROJECTION_SEED = 42
COVERED_TRACE = 0.93
MOST_DIRECTIONS = 8
FIRST_REFRESH = 16


def projected_view(settings: Settings) -> Factorize:
    """G = P E[J J^T] P^T; P has entries N(0, 1/m) and never changes."""
    return _exact(settings) if settings.probes == "exact" else Probed(settings)


def _exact(settings: Settings) -> Factorize:
    """The m rows of B by reverse mode."""

    def factorize(model: nn.Module, batch: Batch) -> Contribution:
        rows = _rows(model, batch, settings, cotangents=None)
        layer = find_site(model, batch, layer=settings.layer).name
        return contribution([rows], layer=layer, count=1, weights=ones(rows), settings=settings)

    return factorize


class Probed:
    """Forward-mode probes, with the leading directions taken exactly.

    The directions are renewed after a fixed number of sequences that doubles, whatever the batches are, so that a
    result depends on the seed and not on the memory of the machine.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._generator = torch.Generator().manual_seed(settings.seed)
        self._seen = 0
        self._refresh_at = FIRST_REFRESH
        self._sum: Tensor | None = None
        self._directions: Tensor | None = None

    def __call__(self, model: nn.Module, batch: Batch) -> Contribution:
        """The contributions of a batch, in pieces that end where the directions are renewed."""
        parts, start, length = [], 0, batch_length(batch)
        while start < length:
            stop = min(length, start + self._refresh_at - self._seen)
            parts.append(self._piece(model, take(batch, start, stop)))
            start = stop
        probes = self._settings.probes if isinstance(self._settings.probes, int) else 1
        content = torch.cat(parts)
        gram = self._settings.route == "gram"
        return Contribution(
            layer=find_site(model, batch, layer=self._settings.layer).name,
            factors=content if gram else None,
            matrices=None if gram else content,
            weights=ones(content),
            dim=content.shape[1],
            num_probes=probes,
        )

    def _piece(self, model: nn.Module, batch: Batch) -> Tensor:
        """Images B u (n, m, p), or the corrected matrices (n, m, m) on the dense route."""
        images = require_finite(_images(model, batch, self._settings, self._generator))
        if self._settings.route == "gram":
            self._seen = 0
            return images
        matrices = (images @ images.mT).double()
        if self._directions is not None:
            W = self._directions
            rows = require_finite(_rows(model, batch, self._settings, cotangents=W)).double()
            W = W.double()
            matrices = matrices + W @ (rows @ rows.mT - W.T @ matrices @ W) @ W.T
        total = matrices.sum(0)
        self._sum = total if self._sum is None else self._sum + total
        self._seen += len(matrices)
        if self._seen >= self._refresh_at:
            self._directions = leading_directions(self._sum).to(images.dtype)
            self._refresh_at *= 2
        return matrices


def leading_directions(G: Tensor) -> Tensor:
    """The fewest top eigenvectors (m, k) that cover the trace's larger part; each costs one gradient a sequence."""
    eigenvalues, vectors = torch.linalg.eigh(G)
    covered = eigenvalues.flip(0).cumsum(0) / eigenvalues.sum()
    k = min(int((covered < COVERED_TRACE).sum()) + 1, MOST_DIRECTIONS, len(G))
    leading: Tensor = vectors[:, -k:]
    return leading


def _images(model: nn.Module, batch: Batch, settings: Settings, generator: torch.Generator) -> Tensor:
    """B u / sqrt(p) for p fresh probes per sequence, (n, m, p)."""
    probes = settings.probes if isinstance(settings.probes, int) else 1
    drawn: list[Tensor] = []

    def tangent(h: Tensor) -> Tensor:
        if not drawn:
            drawn.extend(random_signs(h, probes, generator))
        return drawn.pop()

    readout = settings.readout(default="last")

    def outputs(output: Any, b: Batch) -> Tensor:
        return _project(readout(output, b))

    site = find_site(model, batch, layer=settings.layer)
    images = [jacobian_vector(model, batch, site=site, outputs=outputs, tangent=tangent) for _ in range(probes)]
    found: Tensor = torch.stack(images, 2) / probes**0.5
    return found


def _rows(model: nn.Module, batch: Batch, settings: Settings, *, cotangents: Tensor | None) -> Tensor:
    """Rows of W^T B, or of B itself when no W is given: (n, k, coordinates of h)."""
    readout = settings.readout(default="last")

    def outputs(output: Any, b: Batch) -> Tensor:
        return _project(readout(output, b))

    def chosen(y: Tensor) -> Iterator[Tensor]:
        if cotangents is None:
            return unit_cotangents(y)
        return (w.to(y).expand_as(y) for w in cotangents.unbind(1))

    site = find_site(model, batch, layer=settings.layer)
    gradients = vector_jacobian(model, batch, site=site, outputs=outputs, cotangents=chosen)
    return torch.stack([g.flatten(1) for g in gradients], 1)


def _project(y: Tensor) -> Tensor:
    """P y with the fixed P."""
    generator = torch.Generator().manual_seed(PROJECTION_SEED)
    P = torch.randn(PROJECTED_OUTPUTS, y.shape[1], generator=generator) / PROJECTED_OUTPUTS**0.5
    projected: Tensor = y @ P.to(y).T
    return projected
