"""The energies of one symmetric matrix by their definition, for example of W^T W or of an AGOP.

Legend: G the matrix, D x D.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

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
        return float(self.to_dict()[name])

    def to_dict(self) -> dict[str, int | float]:
        """All quantities by name, ready for JSON."""
        return asdict(self)


def energies(G: Float[Tensor, "rows columns"], *, null: Null = haar_null) -> Energies:
    """Energies of a symmetric matrix, an AGOP or W^T W, in float64.

    Args:
        G: Symmetric D x D matrix.
        null: Chance level of the ratio as a function of (energy, squared trace, dim=D); a random basis by default.

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
        raise InterlawError(
            "expected a matrix with energy, found all zeros, so that the ratio is undefined; pass another"
        )
    if float((G - G.T).abs().max()) > MOST_ASYMMETRY * scale:
        raise InterlawError("expected a symmetric matrix; pass W.T @ W or an AGOP, not W itself")
    return energies_from(G.square().sum(), G.diagonal().square().sum(), trace=G.trace(), dim=len(G), null=null)


def plugin(grams: Grams, *, null: Null) -> Energies:
    """Energies of the averaged matrix itself, the usual estimate, biased upward by (E||A||^2 - ||G||^2) / N."""
    weight = grams.weights.sum()
    energy, diagonal = (pairs.sum() / weight**2 for pairs in (grams.energy, grams.diagonal))
    return energies_from(energy, diagonal, trace=grams.trace.sum() / weight, dim=grams.dim, null=null)


def energies_from(energy: Tensor, diagonal_energy: Tensor, *, trace: Tensor, dim: int, null: Null) -> Energies:
    """All quantities of a matrix from ||G||_F^2, ||diag G||_F^2 and tr G."""
    values = derive(energy, diagonal_energy, trace=trace, trace_squared=trace.square(), dim=dim, null=null)
    return Energies(dim=dim, **{name: float(value) for name, value in values.items()})
