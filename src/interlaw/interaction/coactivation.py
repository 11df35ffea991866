"""K and H of contributions that are one masked matrix: A_n = B * (s_n s_n^T) elementwise, s_n of zeros and ones.

Legend: B = V V^T (D x D), V (D x k); S = B * B; s_n (D) which rows of V cluster n keeps; C_g = sum of s_n s_n^T over
the clusters of group g. The inner product of two groups is sum_ij S_ij C_g,ij C_h,ij, that of a cluster with itself
||V_n^T V_n||_F^2 with V_n the kept rows. So no A_n is ever formed: (N + G^2) D^2 / 2 multiply-adds for G groups.
"""

from __future__ import annotations

import torch
from torch import Tensor

from interlaw.interaction.grams import SUMS, Grams

MOST_GROUPS = 64  # Student's quantile with 63 degrees of freedom is 2% above the normal one
ROWS_AT_ONCE = 64  # of the upper triangle, a block at a time: those of 64 groups and 1000 columns take 16 MB


def coactivation_cost(num_clusters: int) -> int:
    """Multiply-adds over D^2 / 2."""
    return num_clusters + MOST_GROUPS**2


class CoactivationAccumulator:
    """Keeps which rows each cluster keeps, a byte a coordinate; the products are formed when they are asked for.

    Args:
        V: The factor whose rows the clusters keep.
    """

    route = "dense"

    def __init__(self, V: Tensor) -> None:
        self.dim = len(V)
        self._V = V
        self._kept: list[Tensor] = []
        self._scalars: list[Tensor] = []

    def add(self, factors: Tensor, weights: Tensor) -> None:
        """Takes a batch: factors (n, D, k), rows of V or zeros, and one weight per cluster (n,)."""
        inner = (factors.mT @ factors).double()
        squares = factors.square().sum(2)
        self._kept.append(squares > 0)
        squares = squares.double()
        traces = squares.sum(1)
        each = [traces, inner.square().sum((1, 2)), squares.square().sum(1), traces.square()]
        self._scalars.append(torch.stack([*each, torch.ones_like(traces), weights.to(traces)], 1))

    @property
    def num_groups(self) -> int:
        """How many groups there are to leave out in turn."""
        return -(-sum(map(len, self._kept)) // self._size)

    @property
    def _size(self) -> int:
        """Clusters in a group."""
        return -(-sum(map(len, self._kept)) // MOST_GROUPS)

    def mean(self, *, every: int = 1, start: int = 0) -> Tensor:
        """G, the A_n summed over their weights: D x D in float64; of every so many groups alone, from a first one."""
        kept = self._grouped(torch.cat(self._kept).to(self._V))[start::every].flatten(0, 1)
        weights = self._grouped(torch.cat(self._scalars))[start::every, :, -1].sum()
        V = self._V.double()
        return V @ V.T * (kept.T @ kept).double() / float(weights)

    def grams(self) -> Grams:
        """The inner products of everything added so far; those off the diagonal are counted twice."""
        kept, V = self._grouped(torch.cat(self._kept).to(self._V)), self._V
        twice = V.new_full((ROWS_AT_ONCE, ROWS_AT_ONCE), 2.0).triu_(1).fill_diagonal_(1.0)
        energy = torch.zeros(len(kept), len(kept), dtype=torch.float64, device=V.device)
        for first in range(0, self.dim, ROWS_AT_ONCE):
            rows = slice(first, first + ROWS_AT_ONCE)
            C = kept[:, :, rows].mT @ kept[:, :, first:]
            S = (V[rows] @ V[first:].T).square_()
            S[:, : len(S)] *= twice[: len(S), : len(S)]
            S[:, len(S) :] *= 2
            energy += ((C * S).flatten(1) @ C.flatten(1).T).double()
        diagonals = kept.sum(1).double() * V.square().sum(1).double()
        scalars = self._grouped(torch.cat(self._scalars)).sum(1)
        sums = dict(zip(SUMS, scalars.unbind(1), strict=True))
        return Grams(dim=self.dim, energy=(energy + energy.T) / 2, diagonal=diagonals @ diagonals.T, **sums)

    def _grouped(self, rows: Tensor) -> Tensor:
        """Rows of clusters (n, ...) by groups of neighbours (G, size, ...); zeros fill the last one."""
        missing = self.num_groups * self._size - len(rows)
        return torch.cat([rows, rows.new_zeros(missing, rows.shape[1])]).view(self.num_groups, self._size, -1)
