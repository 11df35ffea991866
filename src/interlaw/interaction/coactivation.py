"""K and H of contributions that are one fixed matrix, masked: A_n = B * (s_n s_n^T) elementwise, s_n of zeros and ones.

Legend: B = V V^T (D x D), V (D x k); S = B * B; s_n (D) which rows of V cluster n keeps; C_g = sum of s_n s_n^T over the
clusters of group g. Then the inner product of two groups is sum_ij S_ij C_g,ij C_h,ij, that of a cluster with itself
||V_n^T V_n||_F^2 with V_n the kept rows, and no A_n is ever formed: O(N D^2 + G^2 D^2 / 2), with G from 32 to 64.
"""

from __future__ import annotations

import torch
from torch import Tensor

from interlaw.interaction.grams import Grams

LEAST_GROUPS = 32  # fewer would widen the interval: Student's quantile at 31 degrees of freedom is 4% above the normal
ROWS_AT_ONCE = 64  # of the upper triangle, a block at a time: 64 groups of 1000 columns take 16 MB


class CoactivationAccumulator:
    """Keeps C_g for groups of neighbouring clusters; where there are twice as many as wanted, neighbours merge.

    Args:
        V: The factor whose rows the clusters keep.
    """

    route = "dense"

    def __init__(self, V: Tensor) -> None:
        self.dim = len(V)
        self._V = V
        self._group_size = 1
        self._counts: list[Tensor] = []
        self._scalars: list[Tensor] = []

    def add(self, factors: Tensor, weights: Tensor) -> None:
        """Takes a batch: factors (n, D, k), rows of V or zeros, and one weight per cluster (n,)."""
        active = (factors != 0).any(2).to(self._V)
        inner = (factors.mT @ factors).double()
        squares = factors.square().sum(2).double()
        traces = squares.sum(1)
        each = [traces, inner.square().sum((1, 2)), squares.square().sum(1), traces.square()]
        scalars = torch.stack([*each, torch.ones_like(traces), weights.to(traces)], 1)
        start = 0
        while start < len(active):
            room = self._group_size - int(self._scalars[-1][4]) if self._scalars else 0
            if not room:
                self._open(scalars)
                room = self._group_size
            stop = min(start + room, len(active))
            self._counts[-1].addmm_(active[start:stop].T, active[start:stop])
            self._scalars[-1] += scalars[start:stop].sum(0)
            start = stop

    def _open(self, like: Tensor) -> None:
        """Opens the next group; merges neighbours when there are too many."""
        if len(self._counts) >= 2 * LEAST_GROUPS:
            self._group_size *= 2
            for kept in (self._counts, self._scalars):
                kept[:] = [a.add_(b) for a, b in zip(kept[::2], kept[1::2], strict=True)]
        self._counts.append(self._V.new_zeros(self.dim, self.dim))
        self._scalars.append(like.new_zeros(like.shape[1]))

    def mean(self, *, every: int = 1, start: int = 0) -> Tensor:
        """G, the A_n summed over their weights: D x D in float64; of every so many groups alone, from a first one."""
        counts = torch.stack(self._counts[start::every]).sum(0).double()
        V = self._V.double()
        return V @ V.T * counts / float(torch.stack(self._scalars)[start::every, -1].sum())

    def grams(self) -> Grams:
        """The inner products of everything added so far; those off the diagonal are counted twice."""
        C, V = torch.stack(self._counts), self._V
        twice = torch.full_like(C[0, :ROWS_AT_ONCE, :ROWS_AT_ONCE], 2.0).triu_(1).fill_diagonal_(1.0)
        energy = C.new_zeros(len(C), len(C), dtype=torch.float64)
        for first in range(0, self.dim, ROWS_AT_ONCE):
            block = C[:, first : first + ROWS_AT_ONCE, first:]
            S = (V[first : first + ROWS_AT_ONCE] @ V[first:].T).square_()
            size = len(S)
            S[:, :size] *= twice[:size, :size]
            S[:, size:] *= 2
            energy += ((block * S).flatten(1) @ block.flatten(1).T).double()
        diagonals = C.diagonal(dim1=1, dim2=2).double() * V.square().sum(1).double()
        trace, self_energy, self_diagonal, self_trace, counts, weights = torch.stack(self._scalars, 1)
        return Grams(
            dim=self.dim,
            energy=(energy + energy.T) / 2,
            diagonal=diagonals @ diagonals.T,
            trace=trace,
            self_energy=self_energy,
            self_diagonal=self_diagonal,
            self_trace=self_trace,
            counts=counts,
            weights=weights,
        )
