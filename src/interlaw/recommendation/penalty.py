"""How much loss a ratio is predicted to cost against the best one at the same budget."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from interlaw.laws import JointLaw, LawFit
from interlaw.recommendation.interval import RatioInterval

# Relative curvature kappa / L of published minima, from "within p of the best over these ratios": p / (half width)^2.
# Sharpest: the byte-level sweep of arXiv 2605.27989, 2 % over R = .020 to .065. Flattest: Kaplan et al. 2001.08361,
# 6 x 4288 within 3 % of 48 x 1600.
SHARPEST = 0.02 / (0.5 * math.log(0.065 / 0.020)) ** 2
FLATTEST = 0.03 / math.log((48 / 1600) / (6 / 4288)) ** 2


@dataclass(frozen=True, kw_only=True)
class Penalty:
    """Relative loss above the best shape of the budget: L(R) / L(R*) - 1.

    Attributes:
        value: The estimate.
        low: Lower end: 0 where the ratio lies inside R*'s own interval.
        high: Upper end: the farthest R* with the largest curvature.
        source: `fit`, or `published flatness`, which is a rough range.
    """

    value: float
    low: float
    high: float
    source: str

    def to_dict(self) -> dict[str, Any]:
        """All attributes as plain values."""
        return dict(vars(self))


def predicted_penalty(ratio: float, *, params: float, interval: RatioInterval, fit: LawFit | None) -> Penalty:
    """The penalty of a ratio: by the fit that gave the interval, else by the flatness of published minima.

    penalty = kappa / L (log R - log R*)^2, with R* anywhere in [best_low, best_high] and, without a fit, kappa / L
    anywhere between the flattest and the sharpest published minimum (their geometric mean for the estimate).

    Args:
        ratio: R = depth / width.
        params: N, total parameters.
        interval: The interval recommended from.
        fit: The fit, if any.

    Example:
        >>> from interlaw.recommendation.interval import given_interval
        >>> penalty = predicted_penalty(0.05, params=1e8, interval=given_interval(0.02, 0.04), fit=None)
        >>> penalty.low < penalty.value < penalty.high
        True
    """
    if interval.source == "fit" and fit is not None:
        if fit.law is not None and fit.law.status == "optimum":
            return _by_law(fit.law, ratio, params=params, interval=interval)
        curvature = _nearest_curvature(fit, params)
        if curvature is not None:
            return _quadratic(ratio, interval, curvatures=(curvature, curvature, curvature), source="fit")
    typical = math.sqrt(FLATTEST * SHARPEST)
    return _quadratic(ratio, interval, curvatures=(FLATTEST, typical, SHARPEST), source="published flatness")


def _by_law(law: JointLaw, ratio: float, *, params: float, interval: RatioInterval) -> Penalty:
    """The law's own penalty; where the interval's band of R* is wider than the law's, that of R* moved to its ends.

    The law's penalty depends on R / R* only, so moving R* by a factor is the same as moving R by its inverse.
    """
    point = law.ratio(params)
    ends = [
        law.penalty(params, ratio * point.low / interval.best_low),
        law.penalty(params, ratio * point.high / interval.best_high),
    ]
    inside = interval.best_low <= ratio <= interval.best_high
    return Penalty(
        value=law.penalty(params, ratio)[0],
        low=0.0 if inside else min(low for _, low, _ in ends),
        high=max(high for _, _, high in ends),
        source="fit",
    )


def _nearest_curvature(fit: LawFit, params: float) -> float | None:
    """The relative curvature at the fitted budget nearest in size, where it has an optimum."""
    best = [one for one in fit.budgets if one.r_star.status == "optimum"]
    curve = min(best, key=lambda one: abs(math.log(one.params_mean / params))).curve if best else None
    if curve is None or curve.loss_min is None or curve.curvature <= 0:
        return None
    return curve.curvature / curve.loss_min


def _quadratic(
    ratio: float, interval: RatioInterval, *, curvatures: tuple[float, float, float], source: str
) -> Penalty:
    """The parabola with the least, the middle and the largest curvature and distance."""
    ends = [abs(math.log(ratio / end)) for end in (interval.best_low, interval.best_high)]
    inside = interval.best_low <= ratio <= interval.best_high
    return Penalty(
        value=curvatures[1] * math.log(ratio / interval.centre) ** 2,
        low=0.0 if inside else curvatures[0] * min(ends) ** 2,
        high=curvatures[2] * max(ends) ** 2,
        source=source,
    )
