"""K and H, the two small matrices that hold everything, and what is read from them: ratio, chance, errors, intervals.

Legend: A_n = V_n V_n^T the contribution of cluster n (a sample, or a sequence), V_n its factor, D x r; G = E[A_n];
K_nm = <A_n, A_m> = ||V_n^T V_m||_F^2; H_nm = <diag A_n, diag A_m>; PR = (tr G)^2 / ||G||_F^2 the effective rank.
    ||G||_F^2 = mean of K_nm over n != m        ||diag G||_F^2 = mean of H_nm over n != m        (U-statistics)
    AOFE = ||G||_F^2 - ||diag G||_F^2           AOFE-ratio = AOFE / ||G||_F^2
Pairs of different clusters alone: then neither the spread of the clusters nor the noise of their probes adds to the
energy. The plug-in estimate takes every pair. Clusters may be pooled into groups: then K and H are G x G and `self_*`
keeps what each cluster contributes to its own group, so that pairs of different clusters remain exactly countable.

Errors come from leaving out groups in turn. An interval is symmetric on the quantity's own scale: logit between 0 and
1, log above 0, plain for differences. An interval on the logit or log scale never contains 0. Where a quantity may
truly be 0, as AOFE and its kin are for a diagonal G, the plain scale is used instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import torch
from jaxtyping import Float
from scipy.special import stdtrit
from torch import Tensor

from interlaw.errors import InterlawError

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

LEVEL = 0.95

# A pair needs two clusters, and an error of a mean over pairs a third to leave out.
LEAST_CLUSTERS = 3

BETWEEN_0_AND_1 = ("aofe_ratio", "null_ratio", "mean_cos2", "aofe_scale_free")
SIGNED = ("excess_ratio",)
# quantity -> the one that tells whether both may be 0: AOFE and its kin vanish together, and the ratio does not grow
# with the scale of the outputs, so that one large cluster does not make it look uncertain
VANISHES_WITH = {
    "aofe": "aofe_ratio",
    "aofe_ratio": "aofe_ratio",
    "aofe_scale_free": "aofe_ratio",
    "mean_cos2": "aofe_ratio",
    "null_ratio": "null_ratio",
}

# The logit of a quantity at the end of its range: beyond any ratio that float64 sums over pairs can tell from 0 or 1.
EDGE = 1e-9
# exp of it is near the largest float64; an interval on the log scale may reach further.
MOST_LOG = 700.0

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
class Estimate:
    """A number with its uncertainty: standard error and a two-sided interval."""

    value: float
    stderr: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float]:
        """The four numbers by name, ready for JSON."""
        return asdict(self)


def jackknife(grams: Grams, *, null: Null, level: float = LEVEL) -> dict[str, Estimate]:
    """Unbiased estimates with jackknife standard errors over the groups of clusters.

    The interval is Student's with (groups - 1) degrees of freedom, taken on the logit scale for quantities between 0
    and 1, on the log scale for positive ones and as it is for differences. Where the plain interval of the AOFE-ratio
    reaches 0, G may be diagonal, and AOFE, ratio, scale-free AOFE and mean cos^2 have plain intervals that contain 0.

    Args:
        grams: K, H and traces.
        null: Chance level of the ratio.
        level: Coverage of the interval.

    Raises:
        InterlawError: Fewer than 3 clusters.

    Source: Efron & Stein 1981 (jackknife variance); Arvesen 1969 (jackknife of U-statistics).
    """
    require_clusters(grams)
    values = unbiased(grams, null=null)
    without = leave_one_out(grams, null=null)
    groups = len(grams.counts)
    quantile = student_quantile(0.5 + level / 2, degrees=groups - 1)
    replicates = torch.stack([without[name] for name in values])
    spread = (replicates - replicates.mean(1, keepdim=True)).square().sum(1)
    stderrs = dict(zip(values, (spread * ((groups - 1) / groups)).sqrt().cpu(), strict=True))
    values = {name: value.cpu() for name, value in values.items()}
    reaches = {name: quantile * error for name, error in stderrs.items()}
    ends = {name: interval(name, values, reaches) for name in values}
    return {
        name: Estimate(
            value=float(value), stderr=float(stderrs[name]), low=float(ends[name][0]), high=float(ends[name][1])
        )
        for name, value in values.items()
    }


def largest_share(grams: Grams, *, null: Null) -> float:
    """The part of the jackknife variance of the AOFE-ratio that one group of clusters alone carries."""
    without = leave_one_out(grams, null=null)["aofe_ratio"]
    squares = (without - without.mean()).square()
    return float(squares.max() / squares.sum()) if bool(squares.sum() > 0) else 0.0


def require_clusters(grams: Grams) -> None:
    """Checks that there are enough clusters for a standard error of a statistic of pairs."""
    if min(grams.num_clusters, len(grams.counts)) < LEAST_CLUSTERS:
        raise InterlawError(
            f"expected at least {LEAST_CLUSTERS} clusters (samples, or sequences of tokens), found "
            f"{grams.num_clusters}; pass more inputs"
        )


def student_quantile(probability: float, *, degrees: int | float) -> float:
    """Quantile of Student's t.

    Example:
        >>> round(student_quantile(0.975, degrees=30), 3)
        2.042
    """
    return float(stdtrit(degrees, probability))


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A monotone change of variable: `there`, `back`, and the `slope` of there."""

    name: str

    def there(self, value: Tensor) -> Tensor:
        """From the quantity to the scale; values outside the range are moved to its edge."""
        if self.name == "logit":
            inside = value.clamp(EDGE, 1 - EDGE)
            return inside.log() - (-inside).log1p()
        return value.clamp(min=torch.finfo(value.dtype).tiny).log() if self.name == "log" else value

    def back(self, value: Tensor) -> Tensor:
        """From the scale to the quantity."""
        if self.name == "logit":
            return value.sigmoid()
        return value.clamp(max=MOST_LOG).exp() if self.name == "log" else value

    def slope(self, value: Tensor) -> Tensor:
        """D there / d value: turns a standard error of the quantity into one on the scale."""
        if self.name == "logit":
            inside = value.clamp(EDGE, 1 - EDGE)
            return 1 / (inside * (1 - inside))
        return 1 / value.clamp(min=torch.finfo(value.dtype).tiny) if self.name == "log" else torch.ones_like(value)


PLAIN = Scale(name="plain")


def own_scale(name: str) -> Scale:
    """The scale of a quantity that is clear of the ends of its range.

    Example:
        >>> own_scale("aofe_ratio").name, own_scale("energy").name, own_scale("excess_ratio").name
        ('logit', 'log', 'plain')
    """
    if name in BETWEEN_0_AND_1:
        return Scale(name="logit")
    return PLAIN if name in SIGNED else Scale(name="log")


def at_an_end(name: str, values: Mapping[str, Tensor], reaches: Mapping[str, Tensor]) -> Tensor:
    """Whether a quantity needs the plain scale: its estimate lies outside its range, or it may truly be 0.

    Args:
        name: The quantity.
        values: Estimates by name, of any one shape.
        reaches: Half widths of their intervals on the plain scale.

    Example:
        >>> ratio, reach = torch.tensor([0.4, 0.4, -0.1]), torch.tensor([0.1, 0.5, 0.05])
        >>> at_an_end("aofe_ratio", {"aofe_ratio": ratio}, {"aofe_ratio": reach}).tolist()
        [False, True, True]
    """
    value = values[name]
    outside = value <= 0
    if name in BETWEEN_0_AND_1:
        outside = outside | (value >= 1)
    if name not in VANISHES_WITH:
        return outside
    decides = VANISHES_WITH[name]
    return outside | (values[decides] <= reaches[decides])


def interval(name: str, values: Mapping[str, Tensor], reaches: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Both ends of the interval of a quantity; arguments as in `at_an_end`."""
    value, reach, scale = values[name], reaches[name], own_scale(name)
    plain = at_an_end(name, values, reaches)
    middle, way = scale.there(value), reach * scale.slope(value)
    low, high = (torch.where(plain, value + sign * reach, scale.back(middle + sign * way)) for sign in (-1, 1))
    return low, high
