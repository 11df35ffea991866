"""The interval of R to choose from at one size: from a fit where there is one, else from the published laws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import optimize

from interlaw.errors import InterlawError
from interlaw.laws import BudgetFit, JointLaw, LawFit, published_slopes
from interlaw.recommendation.evidence import LawOpinion
from interlaw.shapes import format_size

Source = Literal["fit", "published laws", "given"]
Position = Literal["below", "inside", "above"]

MIN_LAWS = 3
FARTHEST_REACH = 10.0


@dataclass(frozen=True, kw_only=True)
class RatioInterval:
    """Ratios to choose from.

    Attributes:
        low: Smallest R = depth / width.
        high: Largest.
        centre: The best guess within.
        best_low: Lower end of where the best ratio itself may lie.
        best_high: Its upper end.
        source: `fit`, `published laws` or `given`.
        extrapolated: Whether the size lies outside what the source measured.
        statement: Where the interval comes from, in words.
    """

    low: float
    high: float
    centre: float
    best_low: float
    best_high: float
    source: Source
    extrapolated: bool
    statement: str

    def position(self, ratio: float) -> Position:
        """Where a ratio lies: `below` is shallower and wider, `above` deeper and narrower."""
        return "below" if ratio < self.low else "above" if ratio > self.high else "inside"

    def to_dict(self) -> dict[str, Any]:
        """All attributes as plain values."""
        return dict(vars(self))


def given_interval(low: float, high: float) -> RatioInterval:
    """An interval that the user states; its geometric mean is the centre.

    Raises:
        InterlawError: When it is none.
    """
    if not 0 < low < high < math.inf:
        raise InterlawError(f"expected an interval 0 < low < high, found {low} to {high}; mend it")
    return RatioInterval(
        low=low,
        high=high,
        centre=math.sqrt(low * high),
        best_low=low,
        best_high=high,
        source="given",
        extrapolated=False,
        statement="the interval you gave",
    )


def interval_from_laws(opinions: Sequence[LawOpinion]) -> RatioInterval:
    """The middle half of the ratios that published laws name at this size.

    Quartiles of log R* over the laws of language models that cover the size, the paper's interval by its centre. Where
    fewer than three do, the nearest others join at the nearest size that they cover, and both ends move outward as far
    as the typical published slope |d log R* / d log N| carries over the largest of these gaps.
    """
    params = opinions[0].params
    usable = sorted((one for one in opinions if one.counts), key=lambda one: one.gap)
    covering = sum(one.covered for one in usable)
    used = usable[: max(covering, MIN_LAWS)]
    widening = math.exp(typical_slope(params) * used[-1].gap)
    low, middle, high = np.exp(np.quantile([math.log(one.ratio or math.nan) for one in used], [0.25, 0.5, 0.75]))
    statement = f"the middle half of the ratios that {covering} published sources name at this size"
    if covering < MIN_LAWS:
        statement = f"the middle half of the ratios of the {MIN_LAWS} published sources nearest in size, widened"
    return RatioInterval(
        low=float(low / widening),
        high=float(high * widening),
        centre=float(middle),
        best_low=float(low / widening),
        best_high=float(high * widening),
        source="published laws",
        extrapolated=covering < MIN_LAWS,
        statement=statement,
    )


def interval_from_fit(fit: LawFit, params: float, *, delta: float | None = None) -> RatioInterval | None:
    """Ratios whose loss is within (1 + delta) of the least at N by a fit; None when the fit found no optimum.

    Args:
        fit: The fit.
        params: N, total parameters.
        delta: Tolerated relative loss; the fit's own when not given.

    Returns:
        The interval: on each side it reaches sqrt(h^2 + u^2) from R* in log R, where at h the fit's loss is delta above
        its least, and u is R*'s own uncertainty. That grows with the distance from the fitted budgets: by gamma's
        error, and by as much as the typical published slope |d log R* / d log N| moves R* over that distance.
    """
    delta = fit.delta if delta is None else delta
    if not 0 < delta < 1:
        raise InterlawError(f"expected delta between 0 and 1 (a relative loss), found {delta}; 0.01 means one per cent")
    if fit.law is not None and fit.law.status == "optimum":
        return _from_joint_law(fit.law, params, delta)
    best = [budget for budget in fit.budgets if budget.r_star.status == "optimum"]
    if not best:
        return None
    return _from_budget(min(best, key=lambda budget: abs(math.log(budget.params_mean / params))), params, delta)


def typical_slope(params: float) -> float:
    """Median of |d log R* / d log N| over the published laws around N."""
    return float(np.median([abs(slope) for slope, _ in published_slopes(params / 10, params * 10).values()]))


def _from_joint_law(law: JointLaw, params: float, delta: float) -> RatioInterval:
    """The law over several budgets: R*(N) with its band, and the shape of its minimum.

    Beyond the fitted budgets the band also widens as the typical published slope would move R*: gamma's error knows
    nothing of whether the power law goes on.
    """
    best = law.ratio(params)
    gap = max(0.0, math.log(law.params_low / params), math.log(params / law.params_high))
    carried = typical_slope(params) * gap
    below = math.hypot(math.log(best.ratio / best.low), carried)
    above = math.hypot(math.log(best.high / best.ratio), carried)
    span = f"{format_size(law.params_low)} to {format_size(law.params_high)}"
    return RatioInterval(
        low=best.ratio * math.exp(-math.hypot(_reach(law, params, delta, side=-1), below)),
        high=best.ratio * math.exp(math.hypot(_reach(law, params, delta, side=1), above)),
        centre=best.ratio,
        best_low=best.ratio * math.exp(-below),
        best_high=best.ratio * math.exp(above),
        source="fit",
        extrapolated=best.extrapolated,
        statement=f"loss within {delta:.1%} of the least by your fit ({span} parameters), widened by R*'s own interval",
    )


def _reach(law: JointLaw, params: float, delta: float, *, side: int) -> float:
    """How far |log R / R*| goes on one side until the law's loss is delta above its least."""
    best = law.ratio(params).ratio

    def excess(away: float) -> float:
        return law.penalty(params, best * math.exp(side * away))[0] - delta

    return float(optimize.brentq(excess, 0.0, FARTHEST_REACH)) if excess(FARTHEST_REACH) > 0 else FARTHEST_REACH


def _from_budget(budget: BudgetFit, params: float, delta: float) -> RatioInterval:
    """One budget only: its R* is not moved, its band widens as the typical published slope would move it."""
    star, curve, found = budget.r_star, budget.curve, budget.loss_interval
    if star.value is None or star.low is None or star.high is None or found is None:
        raise ValueError(f"expected a budget with an optimum, found status {star.status}")
    away = typical_slope(params) * abs(math.log(params / budget.params_mean))
    best_low = star.low * math.exp(-away)
    best_high = star.high * math.exp(away)
    tolerance = 0.5 * math.log(found.high / found.low)
    if curve is not None and curve.loss_min is not None and curve.curvature > 0:
        tolerance = math.sqrt(delta * curve.loss_min / curve.curvature)
    half = math.hypot(tolerance, 0.5 * math.log(best_high / best_low))
    return RatioInterval(
        low=star.value * math.exp(-half),
        high=star.value * math.exp(half),
        centre=star.value,
        best_low=best_low,
        best_high=best_high,
        source="fit",
        extrapolated=abs(math.log(params / budget.params_mean)) > math.log(1.25),
        statement=(
            f"loss within {delta:.1%} of the least by your fit at {format_size(budget.params_mean)} parameters, "
            f"widened by R*'s own interval and by how published laws move with size"
        ),
    )
