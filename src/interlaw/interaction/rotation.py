"""Is the basis special: what this spectrum's AOFE-ratio would be in random orthonormal bases, by drawing them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from interlaw.errors import InterlawError
from interlaw.interaction.matrix import energies
from interlaw.interaction.scales import REPLICATES

MAX_DIM = 1024  # a draw factorises a D x D matrix: 1,000 draws take minutes at this size, and hours beyond


@dataclass(frozen=True, kw_only=True)
class RotationTest:
    """Outcome of a rotation test.

    Attributes:
        aofe_ratio: The ratio in the basis as it is.
        null_mean: Its mean over random bases.
        null_std: Its standard deviation over random bases.
        p_value: Two-sided p-value of the given basis being one of the random ones.
        draws: Number of random bases.
        seed: Their seed.
    """

    aofe_ratio: float
    null_mean: float
    null_std: float
    p_value: float
    draws: int
    seed: int


def rotation_test(G: Float[Tensor, "rows columns"], *, draws: int = REPLICATES, seed: int = 0) -> RotationTest:
    """Compares the AOFE-ratio of G with that of Q G Q^T for Haar-random orthogonal Q.

    The p-value is (1 + number of bases at least as far from the null's mean) / (1 + draws): exact for a G whose basis
    is arbitrary. Costs one D x D factorisation a draw.

    Args:
        G: Symmetric D x D matrix, such as `agop(...)`.
        draws: Number of random bases.
        seed: Seed of the bases.

    Raises:
        InterlawError: D is too large for that many factorisations, or G is no symmetric matrix with energy.

    Example:
        >>> import torch
        >>> rotation_test(torch.diag(torch.arange(1.0, 9.0)), draws=99).p_value  # a privileged basis
        0.01
    """
    given = energies(G)
    require_small(given.dim)
    generator = torch.Generator().manual_seed(seed)
    spectrum = torch.linalg.eigvalsh(G.detach().double().cpu())
    ratios = torch.stack([_rotated_ratio(spectrum, generator) for _ in range(draws)])
    centre = ratios.mean()
    far = (ratios - centre).abs() >= abs(given.aofe_ratio - float(centre))
    return RotationTest(
        aofe_ratio=given.aofe_ratio,
        null_mean=float(centre),
        null_std=float(ratios.std()),
        p_value=(1 + int(far.sum())) / (1 + draws),
        draws=draws,
        seed=seed,
    )


def require_small(dim: int) -> None:
    """Checks that so many coordinates can be factorised again and again."""
    if dim > MAX_DIM:
        raise InterlawError(
            f"expected at most {MAX_DIM} coordinates for a rotation test, found {dim}; use excess and its interval"
        )


def _rotated_ratio(spectrum: Tensor, generator: torch.Generator) -> Tensor:
    """AOFE-ratio of the spectrum in one random basis."""
    dim = len(spectrum)
    Q, R = torch.linalg.qr(torch.randn(dim, dim, generator=generator, dtype=torch.float64))
    # The signs make the law of Q exactly uniform (Mezzadri 2007, math-ph/0609050).
    Q = Q * R.diagonal().sign()
    diagonal = Q.square() @ spectrum
    ratio: Tensor = 1 - diagonal.square().sum() / spectrum.square().sum()
    return ratio
