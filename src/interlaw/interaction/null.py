"""What the AOFE-ratio would be by chance: the ratio depends on the basis, the dimension and the effective rank.

Legend: D number of coordinates; G the matrix; energy ||G||_F^2; PR = (tr G)^2 / ||G||_F^2; m projected outputs.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

Null = Callable[[int, Tensor, Tensor], Tensor]
"""(D, energy, squared trace) -> ratio by chance, for tensors of any one shape."""


def haar_null(dim: int, energy: Tensor, trace_squared: Tensor) -> Tensor:
    """Expected AOFE-ratio of a spectrum in a uniformly random orthonormal basis, (D - PR) / (D + 2).

    For a Haar-random orthogonal Q the diagonal of Q G Q^T has E[(q^T G q)^2] = ((tr G)^2 + 2 ||G||^2) / (D (D + 2)),
    and the energy does not change.

    Args:
        dim: D.
        energy: ||G||_F^2.
        trace_squared: (tr G)^2.

    Example:
        >>> import torch
        >>> float(haar_null(4, torch.tensor(4.0), torch.tensor(16.0)))  # the identity stays diagonal in every basis
        0.0
    """
    return (dim - trace_squared / energy) / (dim + 2)


def projected_null(dim: int, energy: Tensor, trace_squared: Tensor) -> Tensor:
    """Expected AOFE-ratio after a Gaussian projection to m outputs, (m - 1) / (m + 1 + PR).

    M = P G P^T with entries of P drawn from N(0, 1/m) has E||M||^2 = ((m + 1) ||G||^2 + (tr G)^2) / m and
    E[(tr M)^2] = (tr G)^2 + 2 ||G||^2 / m; PR belongs to G, the matrix before the projection, and is solved for from
    the two moments of M.

    Args:
        dim: m.
        energy: ||M||_F^2.
        trace_squared: (tr M)^2.
    """
    if dim == 1:
        return energy * 0.0
    energy_before = (dim * energy - trace_squared) / (dim + 1 - 2 / dim)
    trace_squared_before = trace_squared - 2 * energy_before / dim
    # The moments hold on average over P; for one P of a matrix of rank one PR may come out just below 1, its least.
    rank = (trace_squared_before / energy_before).clamp(min=1.0)
    return (dim - 1) / (dim + 1 + rank)


NULLS: dict[str, Null] = {"haar": haar_null, "projected": projected_null}
