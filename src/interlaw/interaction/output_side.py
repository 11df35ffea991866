"""The views of the output side, G = E[B B^T]: `output` takes the outputs as they are, `projected` through a fixed P.

Legend: J = dy/dh at all coordinates of h, the whole embedded sequence; P the fixed projection (m x V); B = J or P J;
u random signs with E[u u^T] = I, so that E[(B u)(B u)^T] = B B^T = A_n; W the top eigenvectors (m x k) of the mean seen
so far.

One forward-mode product B u per sequence is unbiased but noisy. Most of that noise lies along the few directions that
carry G, and reverse mode gives those exactly at little cost: W^T A_n W = (W^T B)(W^T B)^T needs k gradients. So
    A~_n = (B u)(B u)^T + W [ (W^T B)(W^T B)^T - (W^T B u)(W^T B u)^T ] W^T
keeps the expectation A_n for any W that does not depend on sequence n; W comes from earlier sequences only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import lru_cache
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
from interlaw.interaction.differentiation import Outputs, jacobian_vector, vector_jacobian
from interlaw.interaction.gradient_views import unit_cotangents
from interlaw.interaction.locate import Locate
from interlaw.interaction.site import Site, reading_site

PROJECTED_OUTPUTS = 64
PROJECTION_SEED = 42
COVERED_TRACE = 0.8
MOST_DIRECTIONS = 8
FIRST_REFRESH = 16
WIDEST_MATRICES = 256  # more outputs than this are measured by their images alone, never as m x m matrices

Project = Callable[[Tensor], Tensor]
FindSite = Callable[[nn.Module, Batch], Site]


def output_view(settings: Settings) -> Factorize:
    """G = E[J J^T] over the outputs themselves, of the last token where there are tokens."""
    return _output_side(settings, lambda y: y)


def projected_view(settings: Settings) -> Factorize:
    """G = P E[J J^T] P^T; P has entries N(0, 1/m) and never changes."""
    return _output_side(settings, _project)


def _output_side(settings: Settings, project: Project) -> Factorize:
    """Either view, from the outputs as it takes them."""
    readout, locate = settings.readout(), Locate()

    def outputs(output: Any, batch: Batch) -> Tensor:
        return project(readout(output, batch))

    def find(model: nn.Module, batch: Batch) -> Site:
        site = reading_site(model, batch, layer=settings.layer, readout=readout)
        return locate(model, batch, site, outputs)

    return _exact(settings, find, outputs) if settings.probes == "exact" else Probed(settings, find, outputs)


def _project(y: Tensor) -> Tensor:
    """P y with the fixed P."""
    projected: Tensor = y @ _projection(y.shape[1]).to(y).T
    return projected


@lru_cache(maxsize=1)
def _projection(num_outputs: int) -> Tensor:
    """P, m x V."""
    generator = torch.Generator().manual_seed(PROJECTION_SEED)
    return torch.randn(PROJECTED_OUTPUTS, num_outputs, generator=generator) / math.sqrt(PROJECTED_OUTPUTS)


def _exact(settings: Settings, find: FindSite, outputs: Outputs) -> Factorize:
    """The m rows of B by reverse mode."""

    def factorize(model: nn.Module, batch: Batch) -> Contribution:
        site = find(model, batch)
        rows = _rows(model, batch, site, outputs, unit_cotangents)
        return contribution([rows], layer=site.name, count=1, weights=ones(rows), settings=settings)

    return factorize


class Probed:
    """Forward-mode probes, with the leading directions taken exactly.

    The directions are renewed after a fixed number of sequences that doubles, whatever the batches are, so that a
    result depends on the seed and not on the memory of the machine.
    """

    def __init__(self, settings: Settings, find: FindSite, outputs: Outputs) -> None:
        self._settings = settings
        self._find = find
        self._outputs = outputs
        self._num_probes = settings.probes if isinstance(settings.probes, int) else 1
        self._generator = torch.Generator().manual_seed(settings.seed)
        self._seen = 0
        self._refresh_at = FIRST_REFRESH
        self._sum: Tensor | None = None
        self._directions: Tensor | None = None

    def __call__(self, model: nn.Module, batch: Batch) -> Contribution:
        """The contributions of a batch, in pieces that end where the directions are renewed."""
        site = self._find(model, batch)
        parts, start, length = [], 0, batch_length(batch)
        while start < length:
            stop = min(length, start + self._refresh_at - self._seen)
            piece = take(batch, start, stop)
            images = require_finite(
                _images(model, piece, site, self._outputs, count=self._num_probes, generator=self._generator)
            )
            plain = self._settings.route == "gram" or images.shape[1] > WIDEST_MATRICES
            parts.append(images if plain else self._matrices(model, piece, site, images))
            start = stop
        content = torch.cat(parts)
        return Contribution(
            layer=site.name,
            factors=content if plain else None,
            matrices=None if plain else content,
            weights=ones(content),
            dim=content.shape[1],
            num_probes=self._num_probes,
        )

    def _matrices(self, model: nn.Module, batch: Batch, site: Site, images: Tensor) -> Tensor:
        """The corrected matrices (n, m, m) of images B u (n, m, p)."""
        matrices = (images @ images.mT).double()
        if self._directions is not None:
            W = self._directions
            rows = _rows(
                model, batch, site, self._outputs, lambda y: (w.to(y).expand_as(y) for w in W.to(y).unbind(1))
            ).double()
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


def _images(
    model: nn.Module, batch: Batch, site: Site, outputs: Outputs, *, count: int, generator: torch.Generator
) -> Tensor:
    """B u / sqrt(p) for p fresh probes per sequence, (n, m, p)."""
    drawn: list[Tensor] = []

    def tangent(h: Tensor) -> Tensor:
        if not drawn:
            drawn.extend(random_signs(h, count, generator))
        return drawn.pop()

    images = [jacobian_vector(model, batch, site=site, outputs=outputs, tangent=tangent) for _ in range(count)]
    found: Tensor = torch.stack(images, 2) / count**0.5
    return found


def _rows(
    model: nn.Module, batch: Batch, site: Site, outputs: Outputs, cotangents: Callable[[Tensor], Iterator[Tensor]]
) -> Tensor:
    """Rows of B along the cotangents: (n, k, coordinates of h)."""
    gradients = vector_jacobian(model, batch, site=site, outputs=outputs, cotangents=cotangents)
    return require_finite(torch.stack([g.flatten(1) for g in gradients], 1))
