"""K, H and traces of cluster factors that are at hand."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from interlaw.interaction.grams import Grams
from interlaw.interaction.routes import accumulator, choose_route


def grams_of(
    factors: Float[Tensor, "n d r"], *, route: str | None = None, weights: Float[Tensor, " n"] | None = None
) -> Grams:
    """K, H and traces of explicit cluster factors.

    Args:
        factors: V, one D x r factor per cluster; A_n = V_n V_n^T.
        route: "gram" or "dense"; the cheaper one when None.
        weights: What each cluster counts in the mean (1 when None).

    Example:
        >>> import torch
        >>> grams_of(torch.eye(3)[:, :, None]).energy.tolist()  # three orthogonal directions, one a cluster
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    n, dim, rank = factors.shape
    into = accumulator(route or choose_route(n, rank=rank, dim=dim), dim=dim)
    into.add(factors, torch.ones(n, device=factors.device) if weights is None else weights)
    return into.grams()
