"""K and H, the two small matrices that hold everything, and what is read from them: energies, ratio, chance.

Legend: A_n = V_n V_n^T the contribution of cluster n (a sample, or a sequence), V_n its factor, D x r; G = E[A_n];
K_nm = <A_n, A_m> = ||V_n^T V_m||_F^2; H_nm = <diag A_n, diag A_m>; PR = (tr G)^2 / ||G||_F^2 the effective rank.
    ||G||_F^2 = mean of K_nm over n != m        ||diag G||_F^2 = mean of H_nm over n != m        (U-statistics)
    AOFE = ||G||_F^2 - ||diag G||_F^2           AOFE-ratio = AOFE / ||G||_F^2
Pairs of different clusters alone: then neither the spread of the clusters nor the noise of their probes adds to the
energy. The plug-in estimate takes every pair. Clusters may be pooled into groups: then K and H are G x G and `self_*`
keeps what each cluster contributes to its own group, so that pairs of different clusters remain exactly countable.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch
from jaxtyping import Float
from torch import Tensor

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

Null = Callable[[int, Tensor, Tensor], Tensor]
"""(D, energy, squared trace) -> ratio by chance, for tensors of any one shape."""


@dataclass(frozen=True, kw_only=True)
class Grams:
    """K, H and per-cluster traces of one measurement, in float64, pooled into groups of clusters.

    Attributes:
        dim: D.
        energy: (G, G) inner products of summed contributions, <S_g, S_h> with S_g = sum_n A_n.
        diagonal: (G, G) the same for their diagonals.
        trace: (G,) sum over the group's clusters of tr A_n.
        self_energy: (G,) sum of ||A_n||^2.
        self_diagonal: (G,) sum of ||diag A_n||^2.
        self_trace: (G,) sum of (tr A_n)^2.
        counts: (G,) number of clusters.
        weights: (G,) sum of the clusters' weights (tokens of a sequence, patches of an image, 1 for a plain sample).
    """

    dim: int
    energy: Float[Tensor, "g g"]
    diagonal: Float[Tensor, "g g"]
    trace: Float[Tensor, " g"]
    self_energy: Float[Tensor, " g"]
    self_diagonal: Float[Tensor, " g"]
    self_trace: Float[Tensor, " g"]
    counts: Float[Tensor, " g"]
    weights: Float[Tensor, " g"]

    @property
    def num_clusters(self) -> int:
        """N, the number of clusters behind all groups."""
        return int(self.counts.sum())


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Sums over pairs of different clusters; scalars, or one entry per left-out group."""

    energy: Float[Tensor, "*any"]
    diagonal: Float[Tensor, "*any"]
    trace: Float[Tensor, "*any"]
    trace_pairs: Float[Tensor, "*any"]
    pairs: Float[Tensor, "*any"]
    count: Float[Tensor, "*any"]
    weight: Float[Tensor, "*any"]


def unbiased(grams: Grams, *, null: Null) -> dict[str, Tensor]:
    """Every quantity from pairs of different clusters; energies and trace are unbiased, ratios of them consistent."""
    return from_totals(grams, totals(grams), null)


def totals(grams: Grams) -> Totals:
    """Sums over all pairs of different clusters."""
    count, trace = grams.counts.sum(), grams.trace.sum()
    return Totals(
        energy=grams.energy.sum() - grams.self_energy.sum(),
        diagonal=grams.diagonal.sum() - grams.self_diagonal.sum(),
        trace=trace,
        trace_pairs=trace**2 - grams.self_trace.sum(),
        pairs=count * (count - 1),
        count=count,
        weight=grams.weights.sum(),
    )


def from_totals(grams: Grams, sums: Totals, null: Null) -> dict[str, Tensor]:
    """Divides once: sums over pairs become means, per unit of weight squared."""
    scale = sums.pairs * (sums.weight / sums.count) ** 2
    return derive(
        sums.energy / scale,
        sums.diagonal / scale,
        trace=sums.trace / sums.weight,
        trace_squared=sums.trace_pairs / scale,
        dim=grams.dim,
        null=null,
    )


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


def leave_one_out(grams: Grams, *, null: Null) -> dict[str, Tensor]:
    """Every quantity with one group of clusters left out, for each group in turn: (G,) each."""
    return from_totals(grams, totals_without_each(grams), null)


def totals_without_each(grams: Grams) -> Totals:
    """The sums over pairs with one group left out, for every group in turn."""
    whole = totals(grams)
    count = whole.count - grams.counts
    trace = whole.trace - grams.trace
    energy, diagonal = (
        total - 2 * cross.sum(1) + cross.diagonal() + own
        for total, cross, own in (
            (whole.energy, grams.energy, grams.self_energy),
            (whole.diagonal, grams.diagonal, grams.self_diagonal),
        )
    )
    return Totals(
        energy=energy,
        diagonal=diagonal,
        trace=trace,
        trace_pairs=trace**2 - (grams.self_trace.sum() - grams.self_trace),
        pairs=count * (count - 1),
        count=count,
        weight=whole.weight - grams.weights,
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
