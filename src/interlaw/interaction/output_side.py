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
from collections.abc import Callable, Iterable
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd import forward_ad

from interlaw.errors import InterlawError
from interlaw.interaction.batches import Batch
from interlaw.interaction.forward_mode import differentiable
from interlaw.interaction.layout import Place
from interlaw.interaction.network import explained
from interlaw.interaction.options import Contribute, Options, View
from interlaw.interaction.place import Outputs, Places, require_finite
from interlaw.interaction.routes import Contribution
from interlaw.interaction.views import GradientColumns, ones, random_signs, unit_cotangents

# As the paper's code has it: 64 outputs of a matrix drawn with this seed.
PROJECTED_OUTPUTS = 64
PROJECTION_SEED = 42
# Directions taken exactly: as many as carry four fifths of the trace, and no more than 8 gradients a sequence.
COVERED_TRACE = 0.8
MOST_DIRECTIONS = 8
# Sequences before the first directions are known: fewer leave them to chance, more leave the noise in.
FIRST_REFRESH = 16
WIDEST_MATRICES = 256  # more outputs than this are measured by their images alone, never as m x m matrices


def projected_view(options: Options, read: Outputs) -> Contribute:
    """G = P E[J J^T] P^T; P has entries N(0, 1/m) and never changes."""
    return output_view(options, lambda output, batch: _project(read(output, batch)))


def output_view(options: Options, outputs: Outputs) -> Contribute:
    """G = E[J J^T] over the outputs themselves, of the last token where there are tokens."""
    if options.probes != "exact":
        return Probed(options, outputs)

    def exact(places: Places, batch: Batch) -> dict[str, Contribution]:
        """The m rows of B by reverse mode."""
        (name,) = places.kept
        rows = _rows(places, batch, outputs, unit_cotangents)
        columns = GradientColumns(1, route=options.route)
        columns.add(rows)
        return {name: columns.contribution(ones(rows))}

    return exact


def _project(y: Tensor) -> Tensor:
    """P y with the fixed P."""
    projected: Tensor = y @ _projection(y.shape[1]).to(y).T
    return projected


@lru_cache(maxsize=1)
def _projection(num_outputs: int) -> Tensor:
    """P, m x V."""
    generator = torch.Generator().manual_seed(PROJECTION_SEED)
    # the default dtype may be another, whose numbers are not these
    drawn = torch.randn(PROJECTED_OUTPUTS, num_outputs, generator=generator, dtype=torch.float32)
    return drawn / math.sqrt(PROJECTED_OUTPUTS)


class Probed:
    """Forward-mode probes, with the leading directions taken exactly.

    The directions are renewed after a fixed number of sequences that doubles, whatever the batches are, so that a
    result depends on the seed and not on the memory of the machine.
    """

    def __init__(self, options: Options, outputs: Outputs) -> None:
        self._outputs = outputs
        self._as_factors = options.route == "gram"
        self._num_probes = options.probes if isinstance(options.probes, int) else 1
        self._generator = torch.Generator().manual_seed(options.seed)
        self._seen = 0
        self._refresh_at = FIRST_REFRESH
        self._sum: Tensor | None = None
        self._directions: Tensor | None = None

    def __call__(self, places: Places, batch: Batch) -> dict[str, Contribution]:
        """The contributions of a batch, in pieces that end where the directions are renewed."""
        (name,) = places.kept
        parts, start = [], 0
        while start < len(batch):
            stop = min(len(batch), start + self._refresh_at - self._seen)
            piece = batch.take(start, stop)
            images = self._images(places, piece)
            as_factors = self._as_factors or images.shape[1] > WIDEST_MATRICES
            parts.append(images if as_factors else self._matrices(places, piece, images))
            start = stop
        content = torch.cat(parts)
        part = Contribution(
            content=content,
            weights=ones(content),
            dim=content.shape[1],
            are_matrices=not as_factors,
            num_probes=self._num_probes,
        )
        return {name: part}

    def _images(self, places: Places, batch: Batch) -> Tensor:
        """B u / sqrt(p) for p fresh probes per sequence, (n, m, p)."""
        count = self._num_probes
        drawn: list[Tensor] = []

        def tangent(h: Tensor) -> Tensor:
            if not drawn:
                drawn.extend(random_signs(h, count, self._generator))
            return drawn.pop()

        images = [_jacobian_vector(places, batch, self._outputs, tangent=tangent) for _ in range(count)]
        stacked: Tensor = torch.stack(images, 2) / count**0.5
        return stacked

    def _matrices(self, places: Places, batch: Batch, images: Tensor) -> Tensor:
        """The corrected matrices (n, m, m) of images B u (n, m, p)."""
        matrices = (images @ images.mT).double()
        if self._directions is not None:
            W = self._directions
            rows = _rows(places, batch, self._outputs, lambda y: (w.expand_as(y) for w in W.to(y).unbind(1))).double()
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


def _jacobian_vector(
    places: Places, batch: Batch, outputs: Outputs, *, tangent: Callable[[Tensor], Tensor]
) -> Float[Tensor, "n c"]:
    """J u for the tangent u that `tangent` draws in the shape of h, samples first; no graph is kept."""
    n = len(batch)

    def dual(place: Place, h: Tensor) -> Tensor:
        u = tangent(places.samples_first(place, h, n)).flatten()
        order = places.samples_first(place, torch.arange(h.numel(), device=h.device).reshape(h.shape), n).flatten()
        back = torch.empty_like(u).index_copy(0, order, u).reshape(h.shape)
        moving: Tensor = forward_ad.make_dual(h.detach(), back)  # type: ignore[no-untyped-call]
        return moving

    with torch.no_grad(), forward_ad.dual_level(), differentiable(), explained():
        y = outputs(places.run(batch, dual), batch)
        image: Tensor | None = forward_ad.unpack_dual(y).tangent  # type: ignore[no-untyped-call]
        if image is None:
            raise InterlawError(f"the outputs do not depend on {', '.join(map(repr, places.kept))}; check layer=")
        # The tangent must not outlive its dual level as a view of it.
        return require_finite(image.clone())


def _rows(places: Places, batch: Batch, outputs: Outputs, cotangents: Callable[[Tensor], Iterable[Tensor]]) -> Tensor:
    """Rows of B along the cotangents: (n, k, coordinates of h)."""
    (name,) = places.kept
    gradients = [at[name].flatten(1) for at in places.gradients(batch, outputs, cotangents)]
    return torch.stack(gradients, 1)


PROJECTED = View(start=projected_view, null="projected", positions="last", cost=4.5)
OUTPUT = View(start=output_view, positions="last", cost=4.5)
