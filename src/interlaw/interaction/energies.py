"""The energies of one matrix by their definition, and how far its AOFE-ratio scatters over random bases.

Any symmetric matrix, W^T W say, or the average of contributions.

Legend: M = G - (tr G / D) I; m2 = tr M^2, m4 = tr M^4; q, p two orthonormal vectors of a random basis; e = q^T M q,
so that the diagonal energy is (tr G)^2 / D + sum of e^2 over the basis.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from interlaw.errors import InterlawError
from interlaw.interaction.grams import Grams, Null, derive, haar_null

# Of the largest entry: what single-precision sums over many samples leave of a symmetric matrix's symmetry.
MOST_ASYMMETRY = 1e-4


@dataclass(frozen=True, kw_only=True)
class Energies:
    """The energies of one matrix, plain floats; also readable as `energies["aofe"]`.

    Attributes:
        dim: D, the number of coordinates.
        energy: ||G||_F^2.
        diagonal_energy: sum_i G_ii^2.
        aofe: ||G - diag G||_F^2, the off-diagonal energy.
        aofe_ratio: aofe / energy, between 0 and 1.
        aofe_scale_free: aofe / (tr G)^2, unchanged when G is multiplied by a number.
        trace: tr G.
        participation_ratio: (tr G)^2 / energy, the effective rank.
        mean_cos2: sum_{i != j} G_ij^2 / sum_{i != j} G_ii G_jj, zero where there are no pairs.
        null_ratio: the AOFE-ratio that this spectrum would have in a random basis.
        excess_ratio: aofe_ratio - null_ratio.
    """

    dim: int
    energy: float
    diagonal_energy: float
    aofe: float
    aofe_ratio: float
    aofe_scale_free: float
    trace: float
    participation_ratio: float
    mean_cos2: float
    null_ratio: float
    excess_ratio: float

    def __getitem__(self, name: str) -> float:
        """The quantity of that name."""
        return float(self.to_dict()[name])

    def to_dict(self) -> dict[str, int | float]:
        """All quantities by name, ready for JSON."""
        return asdict(self)


def energies(G: Float[Tensor, "rows columns"], *, null: Null = haar_null) -> Energies:
    """Energies of a symmetric matrix, an AGOP or W^T W, in float64.

    Args:
        G: Symmetric D x D matrix.
        null: Chance level of the ratio as a function of (D, energy, squared trace); a random basis by default.

    Raises:
        TypeError: G is no tensor of real numbers.
        InterlawError: G is empty, not square, not symmetric, not finite, or zero.

    Example:
        >>> import torch
        >>> e = energies(torch.tensor([[2.0, 1.0], [1.0, 1.0]]))
        >>> e.energy, e.aofe, round(e.aofe_ratio, 4), e["trace"]
        (7.0, 2.0, 0.2857, 3.0)

    Source: the AOFE and its ratio, Sun et al. 2026, arXiv 2605.27989.
    """
    if not isinstance(G, Tensor) or G.is_complex():
        kind = G.dtype if isinstance(G, Tensor) else type(G).__name__
        raise TypeError(f"expected a tensor of real numbers, energies(W.T @ W), found {kind}")
    if G.dim() != 2 or G.shape[0] != G.shape[1] or not G.numel():
        raise InterlawError(f"expected a square matrix, found shape {tuple(G.shape)}; pass G of shape (D, D)")
    G = G.detach().double()
    if not bool(G.isfinite().all()):
        raise InterlawError("the matrix holds NaN or infinite entries; find the sample that caused them")
    scale = float(G.abs().max())
    if scale == 0.0:
        raise InterlawError("expected a matrix with energy, found all zeros; a ratio of nothing is undefined")
    if float((G - G.T).abs().max()) > MOST_ASYMMETRY * scale:
        raise InterlawError("expected a symmetric matrix; pass W.T @ W or an AGOP, not W itself")
    trace = G.trace()
    values = derive(
        G.square().sum(),
        G.diagonal().square().sum(),
        trace=trace,
        trace_squared=trace.square(),
        dim=G.shape[0],
        null=null,
    )
    return Energies(dim=G.shape[0], **{name: float(value) for name, value in values.items()})


def plugin(grams: Grams, *, null: Null) -> Energies:
    """Energies of the averaged matrix itself, the usual estimate, biased upward by (E||A||^2 - ||G||^2) / N."""
    weight = grams.weights.sum()
    trace = grams.trace.sum() / weight
    values = derive(
        grams.energy.sum() / weight**2,
        grams.diagonal.sum() / weight**2,
        trace=trace,
        trace_squared=trace**2,
        dim=grams.dim,
        null=null,
    )
    return Energies(dim=grams.dim, **{name: float(value) for name, value in values.items()})


def spread_over_bases(*, energy: float, m2: float, m4: float, dim: int) -> float:
    """Standard deviation of the AOFE-ratio of a spectrum over Haar-random bases; exact.

    E e^2 = 2 m2 / D(D+2), E e^4 = (12 m2^2 + 48 m4) / D(D+2)(D+4)(D+6); p given q is uniform in the rest of the space,
    so that E e_q^2 e_p^2 = (2 m2 E e^2 - 4 E[e^2 q^T M^2 q] + 3 E e^4) / (D^2 - 1), with
    E[e^2 q^T M^2 q] = (2 m2^2 + 8 m4) / D(D+2)(D+4). Then Var sum e^2 = D E e^4 + D(D-1) E e_q^2 e_p^2 - (D E e^2)^2.

    Args:
        energy: ||G||_F^2.
        m2: tr M^2.
        m4: tr M^4.
        dim: D.

    Example:
        >>> spread_over_bases(energy=4.0, m2=0.0, m4=0.0, dim=4)  # the identity is diagonal in every basis
        0.0
    """
    if dim == 1 or m2 <= 0 or energy <= 0:
        return 0.0
    # Whatever noise an estimate of m4 has, it lies between those of equal and of one eigenvalue.
    m4 = min(max(m4, m2**2 / dim), m2**2)
    second = 2 * m2 / (dim * (dim + 2))
    fourth = (12 * m2**2 + 48 * m4) / (dim * (dim + 2) * (dim + 4) * (dim + 6))
    mixed = (2 * m2**2 + 8 * m4) / (dim * (dim + 2) * (dim + 4))
    both = (2 * m2 * second - 4 * mixed + 3 * fourth) / (dim**2 - 1)
    variance = dim * fourth + dim * (dim - 1) * both - (dim * second) ** 2
    return math.sqrt(max(variance, 0.0)) / energy


def fourth_moment(quarters: Sequence[Float[Tensor, "d d"]]) -> float:
    """Tr M^4 without bias, from four independent estimates of G."""
    first, second, third, fourth = (G - G.diagonal().mean() * torch.eye(len(G)).to(G) for G in quarters)
    return float(((first @ second) * (third @ fourth).T).sum())
