"""A user's own fit as evidence: its R* at a size, and how it is combined with the pool by precision.

Legend: y log R*; v its variance. The pool's v is that of its prediction for a sweep not yet seen, the fit's is its own
and grows by (s log N / N')^2 with the distance from its budgets, s the pool's drift. The mean weighs each by 1 / v.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scipy import special

from interlaw.recommendation.optima import ENOUGH_SHAPES, log_stderr_of, optima_of_fit
from interlaw.recommendation.pooling import LEVEL, Pool, Prediction

if TYPE_CHECKING:
    from interlaw.laws import LawFit

# log R* of a fit is no sharper than this: another form of the curve moves R* by 10 to 30% (docs/law.md).
LEAST_STDERR = 0.1


@dataclass(frozen=True, kw_only=True)
class RatioInterval:
    """Ratios to choose from.

    Attributes:
        low: Smallest R = depth / width.
        high: Largest.
        statement: Where the interval comes from, in words.
    """

    low: float
    high: float
    statement: str

    def position(self, ratio: float) -> str:
        """Where a ratio lies: `below` is shallower and wider, `above` deeper and narrower."""
        return "below" if ratio < self.low else "above" if ratio > self.high else "inside"


@dataclass(frozen=True, kw_only=True)
class Belief(Prediction):
    """Where R* of the user's next model lies at one size, and how sharp the minimum is.

    The pool's prediction, combined with the user's fit: that has its weight under `your fit`.

    Attributes:
        curvature: kappa / L: log L = log L* + curvature (log R - log R*)^2.
        extrapolated: Whether the size lies outside what the user's fit, if it counts, measured.
    """

    curvature: float
    extrapolated: bool = False

    @property
    def uses_fit(self) -> bool:
        """Whether the user's own fit counts."""
        return OWN in self.weights

    def penalty(self, ratio: float) -> float:
        """Relative loss that a ratio is predicted to cost against R*, at the median."""
        return self.curvature * math.log(ratio / self.ratio) ** 2

    def penalty_range(self, ratio: float) -> tuple[float, float]:
        """The same at the nearest and the farthest R* of the predictive interval."""
        ends = [abs(math.log(ratio / end)) for end in (self.low, self.high)]
        nearest = 0.0 if self.low <= ratio <= self.high else min(ends)
        return self.curvature * nearest**2, self.curvature * max(ends) ** 2

    def within(self, delta: float) -> RatioInterval:
        """The ratios that are predicted to cost at most delta."""
        reach = math.exp(math.sqrt(delta / self.curvature))
        return RatioInterval(
            low=self.ratio / reach,
            high=self.ratio * reach,
            statement=f"predicted loss within {delta:.1%} of the least, were R* = {self.ratio:.4f}",
        )


OWN = "your fit"


def believe(params: float, *, pooled: Pool, curvature: Pool, fit: LawFit | None = None) -> Belief:
    """The pool's prediction, sharpened by a fit of one's own where that has an optimum.

    Args:
        params: N.
        pooled: Measured optima.
        curvature: Measured curvatures, pooled alike.
        fit: One's own; without an optimum it is not used.
    """
    prediction, bend = pooled.predict(params), curvature.predict(params)
    mean, variance, weights = math.log(prediction.ratio), prediction.log_sd**2, dict(prediction.weights)
    kappa, extrapolated = bend.ratio, False
    own = own_vote(fit, params, drift=pooled.carry) if fit is not None else None
    if own is not None:
        share = (1 / own.variance) / (1 / own.variance + 1 / variance)
        mean = share * own.log_ratio + (1 - share) * mean
        variance = 1 / (1 / own.variance + 1 / variance)
        weights = {OWN: share, **{name: (1 - share) * weight for name, weight in weights.items()}}
        extrapolated = own.extrapolated
        if own.curvature is not None:
            kappa = math.exp(share * math.log(own.curvature) + (1 - share) * math.log(kappa))
    reach = float(special.stdtrit(prediction.dof, (1 + LEVEL) / 2)) * math.sqrt(variance)
    return Belief(
        params=params,
        ratio=math.exp(mean),
        low=math.exp(mean - reach),
        high=math.exp(mean + reach),
        log_sd=math.sqrt(variance),
        tau=prediction.tau,
        dof=prediction.dof,
        weights=weights,
        curvature=kappa,
        extrapolated=extrapolated,
    )


@dataclass(frozen=True)
class OwnVote:
    """log R* of a fit at a size, its variance, its relative curvature if known, and whether the size lies outside."""

    log_ratio: float
    variance: float
    curvature: float | None
    extrapolated: bool


def own_vote(fit: LawFit, params: float, *, drift: float) -> OwnVote | None:
    """What a fit says at a size: its optimum nearest in size, or its joint law; None where it has neither."""
    optima = [one for one in optima_of_fit(fit, sweep=OWN, dataset=OWN) if one.counts]
    if not optima:
        return None
    nearest = min(optima, key=lambda one: abs(math.log(one.params / params)))
    gap = min(abs(math.log(one.params / params)) for one in optima)
    spanned = min(one.params for one in optima) <= params <= max(one.params for one in optima)
    ratio, stderr = nearest.ratio, nearest.log_stderr
    assert ratio is not None
    assert stderr is not None
    if fit.law is not None and fit.law.status == "optimum" and spanned:
        point = fit.law.ratio(params)
        ratio = point.ratio
        stderr = log_stderr_of(point.low, point.high, fit.confidence)
        gap = 0.0
    extrapolated = not spanned and gap > math.log(1.25)  # sizes that count embeddings otherwise differ by as much
    curvatures = [one for one in optima if one.curvature is not None]
    bend = min(curvatures, key=lambda one: abs(math.log(one.params / params))).curvature if curvatures else None
    variance = max(stderr, LEAST_STDERR) ** 2 + (drift * gap) ** 2
    return OwnVote(math.log(ratio), variance, bend, extrapolated)


def about_fit(fit: LawFit | None, belief: Belief) -> Iterator[str]:
    """What became of the user's fit, in words."""
    if fit is None:
        return
    if not belief.uses_fit:
        said = ", ".join(dict.fromkeys(str(one.r_star.status).replace("_", " ") for one in fit.budgets))
        few = [one for one in fit.budgets if one.num_shapes < ENOUGH_SHAPES]
        hint = f"; give each budget at least {ENOUGH_SHAPES} shapes" if len(few) == len(fit.budgets) else ""
        yield f"your fit has no optimum inside its grid ({said}), so it is not used{hint}"
        return
    share = belief.weights[OWN]
    yield f"your fit weighs {share:.0%}, the pooled data sets {1 - share:.0%}"
    if belief.extrapolated:
        yield "this size lies outside the budgets of your fit: its weight is smaller for the distance"
    for sentence in fit.warnings:
        yield f"your fit: {sentence}"
