r"""R* of a sweep that nobody has run yet: measured optima pooled by random effects on log R*, one vote a data set.

Legend: y log R*; v its variance; s carry rate; g trend; tau spread between data sets; w = 1 / (v + tau^2); K data sets.

A data set has optima (N_j, y_j, v_j). At N each counts with v_j + s^2 log(N / N_j)^2: R* may drift with size at the
rate s, in a direction that is not known. Their mean, weighted by the inverse square of that, is the data set's vote
(y_i, v_i); it is no more certain than its best optimum, for one data set's optima share models and data. Then

    m = sum w y / sum w,  Q(tau) = sum w (y - m)^2

with tau where Q = K - 1 (Paule and Mandel 1982). Few data sets leave tau itself uncertain: Q follows chi^2 with K - 1
degrees of freedom, so that its quantiles give those of tau (Nagashima, Noma, Furukawa 2019, arXiv 1804.01054). The
prediction is a mixture over them of normals about m of variance

    tau^2 + (s log of the distance from all sizes measured)^2 + (t_{K-1} / z)^2 / sum w.

Outside the sizes measured every v grows, so that weights become equal and the mean returns to the level of data sets of
far other sizes. So there m is that of the nearest size measured, N_0. Above the largest it goes on along the slope g:

    m(N) = m(N_0) + g log(N / N_0)

g is the mean slope of log R* on log N of the data sets that span enough sizes, by the same random effects. Its error
and the spread about it are in s, whose square is the mean square of the slopes. A data set predicted from the others'
smaller sizes alone is missed by less along g than with a level carried flat (`python -m benchmarks evidence`). Below
the smallest size m is carried flat: GPTs of .1M, which have no vote, lie near that level (R* = .047), the slope is far.

tau is the largest over the sizes measured: far from every data set all v are large and tau would read 0 where least is
known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from interlaw.errors import InterlawError
from interlaw.laws import Settings
from interlaw.recommendation.optima import Optimum
from interlaw.size import counted

Array = NDArray[np.float64]
DataSets = Mapping[str, Sequence[Optimum]]
UPPER = (1 + Settings.confidence) / 2  # quantile at the upper end of an interval
NUM_TAUS = 100  # ends of the 90% interval move by less than 1% with more
# data sets that agree differ in log R* by more than .0001, and none by 100; steps of .4%
TAUS_TRIED = np.concatenate([[0.0], np.geomspace(1e-4, 1e2, 4000)])
MIN_SPAN = 4.0  # optima of a data set over a smaller factor of N say little about drift
OWN = "your fit"  # its name among the weights
FEWEST = 3  # data sets: two leave the spread between them open


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """R* expected of a new sweep at one size.

    Attributes:
        params: N.
        ratio: Median R*.
        low: Lower end of the 90% predictive interval.
        high: Upper end.
        log_sd: Standard deviation of log R* of a normal with the same interval.
        tau: Spread of log R* between data sets.
        beyond: Factor by which N lies outside all sizes measured; 1 among them.
        weights: Share of each data set in the mean.
        assumed: Data sets whose errors are assumed, for their publications state none.
    """

    params: float
    ratio: float
    low: float
    high: float
    log_sd: float
    tau: float
    beyond: float
    weights: dict[str, float]
    assumed: tuple[str, ...]

    @property
    def voters(self) -> str:
        """What it rests on, in words; data sets whose errors are assumed apart from the others."""
        measured = len(set(self.weights) - set(self.assumed) - {OWN})
        said = [OWN] if OWN in self.weights else []
        said += [counted(measured, "measured data set")]
        said += [counted(len(self.assumed), "published rule")] if self.assumed else []
        return " and ".join([", ".join(said[:-1]), said[-1]] if len(said) > 1 else said)


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """One data set predicted from the others: the share of its optima inside their predictive intervals."""

    dataset: str
    num_optima: int
    inside: float


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Data sets with what their pooling needs.

    Attributes:
        datasets: Their optima.
        carry: s, the root mean square of d log R* / d log N over the data sets that span enough sizes.
        trend: g, their mean.
        tau: The spread between data sets.
        taus: Quantiles of what it may be, by its confidence distribution.
    """

    datasets: DataSets
    carry: float
    trend: float
    tau: float
    taus: Array

    @property
    def sizes(self) -> tuple[float, float]:
        """The smallest and the largest N measured."""
        measured = [one.params for optima in self.datasets.values() for one in optima]
        return min(measured), max(measured)

    def predict(self, params: float, *, variance: float = 0.0) -> Prediction:
        """R* at N.

        Args:
            params: N.
            variance: Of log R* as the new sweep would estimate it, to compare the interval with an estimate.
        """
        smallest, largest = self.sizes
        nearest = min(max(params, smallest), largest)
        y, v = _votes(self.datasets, math.log(nearest), carry=self.carry)
        w = 1 / (v + self.tau**2)
        mean = float(w @ y / w.sum()) + self.trend * max(0.0, math.log(params / largest))
        outside = abs(math.log(params / nearest))
        _, far = _votes(self.datasets, math.log(params), carry=self.carry)
        student = special.stdtrit(len(y) - 1, UPPER) / special.ndtri(UPPER)
        mean_variance = student**2 / (1 / (far + self.taus[:, None] ** 2)).sum(axis=1)
        sd = np.sqrt(self.taus**2 + (self.carry * outside) ** 2 + mean_variance + variance)
        # beyond five times the largest spread next to nothing of the mixture lies
        reach = optimize.brentq(lambda x: special.ndtr(x / sd).mean() - UPPER, 0.0, 5 * sd.max())
        log_sd = float(reach / special.ndtri(UPPER))
        ratio, low, high = interval_about(mean, log_sd)
        return Prediction(
            params=params,
            ratio=ratio,
            low=low,
            high=high,
            log_sd=log_sd,
            tau=self.tau,
            beyond=math.exp(outside),
            weights=dict(zip(self.datasets, (float(each) for each in w / w.sum()), strict=True)),
            assumed=tuple(name for name, optima in self.datasets.items() if any(one.assumed for one in optima)),
        )

    def without_assumed(self) -> Pool | None:
        """The pool of the data sets whose errors are measured; None where those are too few."""
        measured = {name: optima for name, optima in self.datasets.items() if not any(one.assumed for one in optima)}
        return pool(measured) if len(measured) >= FEWEST else None

    def leave_one_out(self) -> tuple[Coverage, ...]:
        """Each data set against the predictive interval of the others, pooled again; its own error is allowed for."""
        coverage = []
        for name, optima in self.datasets.items():
            others = pool({other: ones for other, ones in self.datasets.items() if other != name})
            inside = []
            for one in optima:
                interval = others.predict(one.params, variance=one.estimate[1] ** 2)
                inside.append(math.log(interval.low) <= one.estimate[0] <= math.log(interval.high))
            coverage.append(Coverage(dataset=name, num_optima=len(optima), inside=sum(inside) / len(inside)))
        return tuple(coverage)


def pool(datasets: DataSets) -> Pool:
    """Estimates carry rate, trend and spread.

    Raises:
        InterlawError: Fewer than three data sets.

    Example:
        >>> def measured(name, ratio):
        ...     return (Optimum(sweep=name, dataset=name, route="budget", params=1e8, status="optimum",
        ...                     ratio=ratio, log_stderr=0.1),)
        >>> pooled = pool({name: measured(name, ratio) for name, ratio in (("a", 0.02), ("b", 0.03), ("c", 0.045))})
        >>> round(pooled.predict(1e8).ratio, 3)
        0.03
    """
    if len(datasets) < FEWEST:
        raise InterlawError(f"expected at least {FEWEST} data sets with an optimum to pool, found {len(datasets)}")
    slopes = [slope for optima in datasets.values() if (slope := _slope(optima)) is not None]
    carry = math.sqrt(float(np.mean([slope**2 for slope, _ in slopes]))) if slopes else 0.0
    sizes = sorted({one.params for optima in datasets.values() for one in optima})
    dof = len(datasets) - 1
    levels = np.array([dof, *special.chdtri(dof, (np.arange(NUM_TAUS) + 0.5) / NUM_TAUS)])
    tau, *taus = np.max(
        [_spreads(*_votes(datasets, math.log(params), carry=carry), levels=levels) for params in sizes], axis=0
    )
    return Pool(datasets=datasets, carry=carry, trend=_mean_slope(slopes), tau=float(tau), taus=np.array(taus))


def interval_about(mean: float, log_sd: float) -> tuple[float, float, float]:
    """Median R*, and the lower and upper end of its interval, of a log R* that is normal."""
    reach = float(special.ndtri(UPPER)) * log_sd
    return math.exp(mean), math.exp(mean - reach), math.exp(mean + reach)


def _slope(optima: Sequence[Optimum]) -> tuple[float, float] | None:
    """Slope of log R* on log N of a data set and its variance, weighted least squares; None over too few sizes."""
    n = np.log([one.params for one in optima])
    if np.ptp(n) < math.log(MIN_SPAN):
        return None
    y, stderr = np.array([one.estimate for one in optima]).T
    w = stderr**-2.0
    away = n - np.average(n, weights=w)
    squares = float((w * away**2).sum())
    return float((w * away * y).sum()) / squares, 1 / squares


def _mean_slope(slopes: Sequence[tuple[float, float]]) -> float:
    """Mean of slopes by random effects; 0 without any."""
    if not slopes:
        return 0.0
    g, v = np.array(slopes).T
    spread = _spreads(g, v, levels=np.array([len(g) - 1.0]))[0]
    return float(np.average(g, weights=1 / (v + spread**2)))


def _votes(datasets: DataSets, log_params: float, *, carry: float) -> tuple[Array, Array]:
    """(y_i, v_i) of every data set at a size."""
    votes = []
    for optima in datasets.values():
        y, stderr = np.array([one.estimate for one in optima]).T
        v = stderr**2 + (carry * (log_params - np.log([one.params for one in optima]))) ** 2
        votes.append((np.average(y, weights=v**-2), np.average(v, weights=v**-2)))
    y, v = np.array(votes).T
    return y, v


def _spreads(y: Array, v: Array, *, levels: Array) -> Array:
    """Tau at which Q, the weighted squares about the mean, falls to each level; 0 where it starts below."""
    w = 1 / (v + TAUS_TRIED[:, None] ** 2)
    mean = w @ y / w.sum(axis=1)
    squares = (w * (y - mean[:, None]) ** 2).sum(axis=1)
    return np.asarray(np.interp(-levels, -squares, TAUS_TRIED), dtype=np.float64)
