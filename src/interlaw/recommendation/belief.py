"""Where R* of the next model lies: the pool, and a user's own fit, combined by precision.

Legend: y log R*; v its variance. The pool's v is that of its prediction for a sweep not yet seen, the fit's is its own
and grows by (s log N / N')^2 with the distance from its budgets, s the pool's drift. The mean weighs each by 1 / v.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from interlaw.published import position
from interlaw.recommendation.evidence import measured_curvature, measured_pool
from interlaw.recommendation.optima import ENOUGH_SHAPES, Optimum, log_stderr_of, optima_of_fit
from interlaw.recommendation.pooling import OWN, Pool, Prediction, interval_about
from interlaw.size import format_ratio

if TYPE_CHECKING:
    from interlaw.laws import LawFit

# log R* of a fit is no sharper than this: another form of the curve moves R* by 10 to 30% (docs/law.md).
LEAST_STDERR = 0.1
NEAR_SIZE = 1.25  # sizes that count embeddings otherwise differ by as much


@dataclass(frozen=True, kw_only=True)
class RatioInterval:
    """Ratios to choose from.

    Attributes:
        low: Smallest R = depth / width.
        high: Largest.
        statement: Where the interval comes from, in words.
        given: Whether the user named it, and not the evidence.
    """

    low: float
    high: float
    statement: str
    given: bool = False

    def position(self, ratio: float) -> str:
        """Where a ratio lies: `below` is shallower and wider, `above` deeper and narrower, else `inside`."""
        return position(ratio, (self.low, self.high))


@dataclass(frozen=True, kw_only=True)
class Penalty:
    """Relative loss above the best shape of the budget: L(R) / L(R*) - 1.

    Attributes:
        value: At the median R*.
        low: At the R* of its predictive interval that is nearest the shape.
        high: At the farthest.
    """

    value: float
    low: float
    high: float


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

    def penalty(self, ratio: float) -> Penalty:
        """Relative loss that a ratio is predicted to cost against R*."""
        value, low, high = (self.curvature * math.log(ratio / star) ** 2 for star in (self.ratio, self.low, self.high))
        nearest = 0.0 if self.low <= ratio <= self.high else min(low, high)
        return Penalty(value=value, low=nearest, high=max(low, high))

    def within(self, delta: float) -> RatioInterval:
        """The ratios that are predicted to cost at most delta."""
        reach = math.exp(math.sqrt(delta / self.curvature))
        return RatioInterval(
            low=self.ratio / reach,
            high=self.ratio * reach,
            statement=f"predicted loss within {delta:.1%} of the least, were R* = {format_ratio(self.ratio)}",
        )


def believe(params: float, *, fit: LawFit | None = None, pool: Pool | None = None) -> Belief:
    """The pool's prediction, sharpened by a fit of one's own where that has an optimum.

    Args:
        params: N.
        fit: One's own; without an optimum it is not used.
        pool: That of every measured optimum when not given.
    """
    pool = pool or measured_pool()
    prediction, kappa = pool.predict(params), measured_curvature().predict(params).ratio
    own = None if fit is None else own_vote(fit, params, drift=pool.carry)
    pooled = Belief(**vars(prediction), curvature=kappa)
    if own is None:
        return pooled
    log_sd = (1 / own.variance + 1 / prediction.log_sd**2) ** -0.5
    share = log_sd**2 / own.variance
    mean = share * own.log_ratio + (1 - share) * math.log(prediction.ratio)
    weights = {OWN: share, **{name: (1 - share) * weight for name, weight in prediction.weights.items()}}
    if own.curvature is not None:
        kappa = own.curvature**share * kappa ** (1 - share)
    ratio, low, high = interval_about(mean, log_sd)
    combined = replace(pooled, ratio=ratio, low=low, high=high, log_sd=log_sd, weights=weights, curvature=kappa)
    return replace(combined, extrapolated=own.extrapolated)


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

    def distance(one: Optimum) -> float:
        return abs(math.log(one.params / params))

    nearest = min(optima, key=distance)
    y, stderr, gap = *nearest.estimate, distance(nearest)
    sizes = [one.params for one in optima]
    spanned = min(sizes) <= params <= max(sizes)
    if fit.law is not None and fit.law.status == "optimum" and spanned:
        point = fit.law.ratio(params)
        y, stderr, gap = math.log(point.ratio), log_stderr_of(point.low, point.high, confidence=fit.confidence), 0.0
    bent = [one for one in optima if one.curvature is not None]
    return OwnVote(
        log_ratio=y,
        variance=max(stderr, LEAST_STDERR) ** 2 + (drift * gap) ** 2,
        curvature=min(bent, key=distance).curvature if bent else None,
        extrapolated=not spanned and gap > math.log(NEAR_SIZE),
    )


def about_fit(fit: LawFit | None, belief: Belief) -> Iterator[str]:
    """What became of the user's fit, in words."""
    if fit is None:
        return
    if OWN not in belief.weights:
        from interlaw.laws import STATUS_WORDS, verdict

        said = "; or ".join(dict.fromkeys(STATUS_WORDS[one.r_star.status] for one in fit.budgets))
        if any(one.r_star.status == "optimum" for one in fit.budgets):
            yield f"your fit has fewer than {ENOUGH_SHAPES} shapes where it has an optimum, so it is not used"
        else:
            yield f"your fit has no optimum inside its grid ({said}), so it is not used. {verdict(fit).next}"
        return
    share = belief.weights[OWN]
    yield f"your fit weighs {share:.0%}, the pooled data sets {1 - share:.0%}"
    if belief.extrapolated:
        yield "this size lies outside the budgets of your fit: its weight is smaller for the distance"
    for sentence in fit.warnings:
        yield f"your fit: {sentence}"
