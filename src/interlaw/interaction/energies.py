"""Where the energy of a symmetric matrix sits: on its diagonal, or between its coordinates.

Legend: G the matrix, D x D; energy ||G||_F^2; AOFE ||G - diag G||_F^2.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from interlaw.errors import InterlawError
from interlaw.interaction.null import Null, haar_null

QUANTITIES = (
    "energy",
    "diagonal_energy",
    "aofe",
    "aofe_ratio",
    "aofe_scale_free",
    "trace",
    "participation_ratio",
    "mean_cos2",
)


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


def derive(
    energy: Tensor, diagonal_energy: Tensor, *, trace: Tensor, trace_squared: Tensor, dim: int, null: Null
) -> dict[str, Tensor]:
    """Every reported quantity from the four that estimation delivers; all tensors have one shape.

    `trace_squared` stands for (tr G)^2: in an unbiased estimate it is not the square of `trace`.
    """
    aofe = energy - diagonal_energy
    pairs = trace_squared - diagonal_energy
    ratio = aofe / energy
    chance = null(dim, energy, trace_squared)
    return {
        "energy": energy,
        "diagonal_energy": diagonal_energy,
        "aofe": aofe,
        "aofe_ratio": ratio,
        "aofe_scale_free": aofe / trace_squared,
        "trace": trace,
        "participation_ratio": trace_squared / energy,
        "mean_cos2": torch.where(pairs > 0, aofe / pairs.clamp(min=torch.finfo(pairs.dtype).tiny), 0.0),
        "null_ratio": chance,
        "excess_ratio": ratio - chance,
    }


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
    if not bool(torch.isfinite(G).all()):
        raise InterlawError("the matrix holds NaN or infinite entries; find the sample that caused them")
    scale = float(G.abs().max())
    if scale == 0.0:
        raise InterlawError("expected a matrix with energy, found all zeros; a ratio of nothing is undefined")
    if float((G - G.T).abs().max()) > 1e-4 * scale:
        raise InterlawError("expected a symmetric matrix; pass W.T @ W or an AGOP, not W itself")
    trace = G.trace()
    found = derive(
        G.square().sum(),
        G.diagonal().square().sum(),
        trace=trace,
        trace_squared=trace.square(),
        dim=G.shape[0],
        null=null,
    )
    return Energies(dim=G.shape[0], **{name: float(value) for name, value in found.items()})
