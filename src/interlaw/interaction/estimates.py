"""From K and H to energies without bias, each with a standard error and an interval.

Legend: S_g summed contribution of group g; a U-statistic averages <A_n, A_m> over pairs of different clusters, so that
neither the spread of the clusters nor the noise of their probes adds to the energy; the plug-in averages all pairs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import NormalDist

from jaxtyping import Float
from torch import Tensor

from interlaw.errors import InterlawError
from interlaw.interaction.energies import Energies, derive
from interlaw.interaction.grams import Grams
from interlaw.interaction.null import Null

LEVEL = 0.95
UNIT_INTERVAL = ("aofe_ratio", "null_ratio", "mean_cos2", "aofe_scale_free")
SIGNED = ("excess_ratio",)


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


def plugin(grams: Grams, *, null: Null) -> Energies:
    """Energies of the averaged matrix itself, the usual estimate, biased upward by (E||A||^2 - ||G||^2) / N."""
    weight = grams.weights.sum()
    trace = grams.trace.sum() / weight
    found = derive(
        grams.energy.sum() / weight**2,
        grams.diagonal.sum() / weight**2,
        trace=trace,
        trace_squared=trace**2,
        dim=grams.dim,
        null=null,
    )
    return Energies(dim=grams.dim, **{name: float(value) for name, value in found.items()})


def unbiased(grams: Grams, *, null: Null) -> dict[str, Tensor]:
    """Every quantity from pairs of different clusters; energies and trace are unbiased, ratios of them consistent."""
    return _from_totals(grams, _totals(grams), null)


def jackknife(grams: Grams, *, null: Null, level: float = LEVEL) -> dict[str, Estimate]:
    """Unbiased estimates with jackknife standard errors over the groups of clusters.

    The interval is Student's with (groups - 1) degrees of freedom, taken on the logit scale for quantities between 0
    and 1, on the log scale for positive ones and as it is for differences; where an estimate lies outside its range
    (a true ratio of 0 may read below 0) the plain scale is used.

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
    without = _from_totals(grams, _totals_without_each(grams), null)
    groups = len(grams.counts)
    quantile = student_quantile(0.5 + level / 2, degrees=groups - 1)
    found = {}
    for name, value in values.items():
        spread = (without[name] - without[name].mean()).square().sum()
        stderr = math.sqrt(float(spread) * (groups - 1) / groups)
        found[name] = _estimate(name, float(value), stderr, quantile)
    return found


def require_clusters(grams: Grams) -> None:
    """Checks that there are enough clusters for a standard error of a statistic of pairs."""
    if grams.num_clusters < 3 or len(grams.counts) < 3:
        raise InterlawError(
            f"expected at least 3 clusters (samples, or sequences of tokens), found {grams.num_clusters}; "
            "pass more inputs"
        )


def student_quantile(probability: float, *, degrees: int) -> float:
    """Quantile of Student's t by its expansion around the normal one (Abramowitz & Stegun 1964, 26.7.5).

    Example:
        >>> round(student_quantile(0.975, degrees=30), 3)
        2.042
    """
    z = NormalDist().inv_cdf(probability)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + math.fsum(term / degrees**power for power, term in enumerate(terms, start=1))


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


def _totals(grams: Grams) -> Totals:
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


def _totals_without_each(grams: Grams) -> Totals:
    """The same sums with one group left out, for every group in turn."""
    whole = _totals(grams)
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


def _from_totals(grams: Grams, totals: Totals, null: Null) -> dict[str, Tensor]:
    """Divides once: sums over pairs become means, per unit of weight squared."""
    scale = totals.pairs * (totals.weight / totals.count) ** 2
    return derive(
        totals.energy / scale,
        totals.diagonal / scale,
        trace=totals.trace / totals.weight,
        trace_squared=totals.trace_pairs / scale,
        dim=grams.dim,
        null=null,
    )


def _estimate(name: str, value: float, stderr: float, quantile: float) -> Estimate:
    """Value, standard error and interval on the quantity's own scale."""
    forward, inverse, slope = _scale(name, value)
    middle, reach = forward(value), quantile * stderr * slope
    return Estimate(value=value, stderr=stderr, low=inverse(middle - reach), high=inverse(middle + reach))


def _scale(name: str, value: float) -> tuple[Callable[[float], float], Callable[[float], float], float]:
    """The scale on which the interval is symmetric: there, back, and the slope there at the value."""
    if name in UNIT_INTERVAL and 0.0 < value < 1.0:
        return _logit, _expit, 1.0 / (value * (1.0 - value))
    if name not in UNIT_INTERVAL + SIGNED and value > 0.0:
        return math.log, _exp, 1.0 / value
    return float, float, 1.0


def _logit(p: float) -> float:
    return math.log(p) - math.log1p(-p)


def _expit(x: float) -> float:
    return 1.0 / (1.0 + _exp(-x))


def _exp(x: float) -> float:
    """exp, held inside the range of a float: an interval may reach very far."""
    return math.exp(min(x, 700.0))
