"""From K and H to energies without bias, each with a standard error and an interval.

Legend: S_g summed contribution of group g; a U-statistic averages <A_n, A_m> over pairs of different clusters, so that
neither the spread of the clusters nor the noise of their probes adds to the energy; the plug-in averages all pairs.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from statistics import NormalDist

import torch
from jaxtyping import Float
from torch import Tensor

from interlaw.errors import InterlawError
from interlaw.interaction.energies import Energies, derive
from interlaw.interaction.grams import Grams
from interlaw.interaction.null import Null
from interlaw.interaction.scales import interval

LEVEL = 0.95


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
    return from_totals(grams, _totals(grams), null)


def leave_one_out(grams: Grams, *, null: Null) -> dict[str, Tensor]:
    """Every quantity with one group of clusters left out, for each group in turn: (G,) each."""
    return from_totals(grams, _totals_without_each(grams), null)


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
    stderrs = (spread * ((groups - 1) / groups)).sqrt()
    errors = dict(zip(values, stderrs.cpu(), strict=True))
    return _estimates({name: value.cpu() for name, value in values.items()}, errors, quantile)


def require_clusters(grams: Grams) -> None:
    """Checks that there are enough clusters for a standard error of a statistic of pairs."""
    if grams.num_clusters < 3 or len(grams.counts) < 3:
        raise InterlawError(
            f"expected at least 3 clusters (samples, or sequences of tokens), found {grams.num_clusters}; "
            "pass more inputs"
        )


def student_quantile(probability: float, *, degrees: int | float) -> float:
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


def from_totals(grams: Grams, totals: Totals, null: Null) -> dict[str, Tensor]:
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


def _estimates(values: dict[str, Tensor], stderrs: dict[str, Tensor], quantile: float) -> dict[str, Estimate]:
    """Values, standard errors and intervals, each on its quantity's own scale."""
    reaches = {name: quantile * error for name, error in stderrs.items()}
    found = {}
    for name, value in values.items():
        low, high = interval(name, values, reaches)
        found[name] = Estimate(value=float(value), stderr=float(stderrs[name]), low=float(low), high=float(high))
    return found
