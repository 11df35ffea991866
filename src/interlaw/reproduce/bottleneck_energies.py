"""AGOP of a tied bottleneck from whole matrices: its energies without bias, at the cost of one product.

Legend: G_w = W^T W; s_n = 1(z_n > 0) the active outputs of point n; A_n = (G_w G_w) * (s_n s_n^T); G = E[A_n] =
(G_w G_w) * C with C_ij = E[s_i s_j]. Over pairs of different points, sum <A_n, A_m> = sum_ij (G_w G_w)_ij^2
(N^2 C_ij^2 - N C_ij), since s s^T holds zeros and ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from interlaw.interaction import Energies, energies
from interlaw.tasks import SparseRows


@dataclass(frozen=True, kw_only=True)
class BottleneckEnergies:
    """Superposition and interaction of one trained bottleneck.

    Attributes:
        weights: Energies of W^T W.
        agop: Energies of the averaged matrix G, as published: biased upward by a part in N.
        aofe: Off-diagonal energy without that bias.
        aofe_ratio: Its share of the energy, without that bias.
        nfa_correlation: Pearson correlation of the off-diagonal entries of W^T W and G.
    """

    weights: Energies
    agop: Energies
    aofe: float
    aofe_ratio: float
    nfa_correlation: float


@torch.no_grad()
def bottleneck_agop(P: Tensor, rows: SparseRows) -> Tensor:
    """G of one bottleneck on the rows, (D, D); P (k + 1, D) is W above b."""
    return _square(P[:-1]) * _coactivation(P, rows)


@torch.no_grad()
def bottleneck_energies(P: Tensor, rows: SparseRows) -> BottleneckEnergies:
    """Energies of one bottleneck, in float64.

    Args:
        P: (k + 1, D), W above b.
        rows: The points that G averages over, N of them.

    Raises:
        InterlawError: When no output is ever active: G is zero and has no ratio.
    """
    N = rows.num_rows
    square, C = _square(P[:-1]), _coactivation(P, rows)
    pairs = square.square() * (N * C.square() - C) / (N - 1)
    energy, diagonal = float(pairs.sum()), float(pairs.diagonal().sum())
    G, gram = square * C, P[:-1].double().T @ P[:-1].double()
    return BottleneckEnergies(
        weights=energies(gram),
        agop=energies(G),
        aofe=energy - diagonal,
        aofe_ratio=(energy - diagonal) / energy if energy > 0 else float("nan"),
        nfa_correlation=_off_diagonal_correlation(gram, G),
    )


def _square(W: Tensor) -> Tensor:
    """G_w G_w = W^T (W W^T) W in float64."""
    W = W.double()
    return W.T @ (W @ W.T) @ W


def _coactivation(P: Tensor, rows: SparseRows) -> Tensor:
    """C, how often two outputs are active together; sums of zeros and ones are exact in float32 below 2^24 points."""
    active = (rows.dense().to(P) @ P[:-1].T @ P[:-1] + P[-1] > 0).float()
    return (active.T @ active).double() / rows.num_rows


def _off_diagonal_correlation(A: Tensor, B: Tensor) -> float:
    """Pearson correlation of two matrices' off-diagonal entries."""
    off = ~torch.eye(len(A), dtype=torch.bool)
    a, b = A[off] - A[off].mean(), B[off] - B[off].mean()
    return float((a @ b) / (a.norm() * b.norm()))
