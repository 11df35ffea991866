"""The term that moves interaction, for tied bottlenecks: its gradient without any D x D matrix.

Legend: W (k x D), M = W W^T; s_n = 1(z_n > 0) the active outputs of point n; A_n = (W^T M W) * (s_n s_n^T) its part of
the AGOP, G = E[A_n]; d = diag(W^T M W). For points n and m, with u = s_n * s_m and Q = sum_i u_i w_i w_i^T,

    <A_n, A_m> = tr(Q M Q M)        <diag A_n, diag A_m> = sum_i u_i d_i^2        tr A_n = sum_i s_ni d_i

Points of the first half of a batch are paired with points of the second, so that no pair holds one draw twice.
"""

from __future__ import annotations

import torch
from torch import Tensor

from interlaw.sweep import InterventionPart

MOST_POINTS = 128  # of a batch: the term's gradient is averaged by the optimizer over hundreds of steps


def push_gradient(P: Tensor, hidden: Tensor, *, push: InterventionPart) -> Tensor:
    """Gradient of every model's term, times the strength.

    Args:
        P: (S, k + 1, D), W above b.
        hidden: (S, B, k + 1), each model's points H = X W^T beside a column of ones, drawn independently.
        push: The term: on `interaction`, off-diagonal energy over the squared trace of G; on `trace`, log tr G.

    Returns:
        (S, k + 1, D); the row of b is zero, since which outputs are active has no slope.
    """
    k, half = P.shape[1] - 1, min(hidden.shape[1], MOST_POINTS) // 2
    active = (hidden[:, : 2 * half] @ P > 0).to(P)
    first, second = active[:, :half], active[:, half:]
    with torch.enable_grad():
        W = P[:, :k].clone().requires_grad_()
        M = W @ W.transpose(1, 2)
        d = (W * (M @ W)).sum(1)
        traces = [torch.einsum("snd,sd->s", part, d) / half for part in (first, second)]
        term = 0.5 * (traces[0] * traces[1]).log()
        if push.on == "interaction":
            both = first * second
            squares = (W[:, :, None] * W[:, None]).flatten(1, 2)
            QM = (both @ squares.transpose(1, 2)).view(-1, half, k, k) @ M[:, None]
            energy = (QM * QM.transpose(2, 3)).sum((2, 3)).mean(1)
            diagonal = torch.einsum("snd,sd->s", both, d.square()) / half
            term = (energy - diagonal) / (traces[0] * traces[1])
        (slope,) = torch.autograd.grad(push.strength * term.sum(), W)
    return torch.cat([slope, torch.zeros_like(P[:, k:])], 1)
