"""Does R* move with the budget? The slope gamma = d log R* / d log N and equivalence tests of it.

Two one-sided tests (Schuirmann 1987): gamma equals a target when its interval at the given confidence lies within
`margin` of it. Failing to reject a difference is never taken for sameness.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats

from interlaw.laws.result import BudgetFit, Equivalence, Stability
from interlaw.laws.table import FloatArray

MARGIN = 0.1  # R* changes by less than a factor 10 ** 0.1 = 1.26 per tenfold budget
MIN_DECADES = 1.0
MIN_BUDGETS = 3


def slope_interval(x: FloatArray, y: FloatArray, *, confidence: float) -> tuple[float, float, int]:
    """Least-squares slope of y on x: (slope, standard error, degrees of freedom); the error is inf with none left."""
    centred = x - x.mean()
    spread = float((centred**2).sum())
    slope = float(centred @ y) / spread
    dof = len(x) - 2
    if dof < 1:
        return slope, np.inf, 0
    residuals = y - y.mean() - slope * centred
    return slope, float(np.sqrt((residuals**2).sum() / dof / spread)), dof


def equivalence(
    name: str,
    target: float,
    *,
    slope: float,
    stderr: float,
    dof: int,
    confidence: float,
    margin: float = MARGIN,
    enough_span: bool = True,
    source: str = "",
) -> Equivalence:
    """Two one-sided t tests of `slope` against `target` +- `margin`.

    Example:
        >>> equivalence("0", 0.0, slope=0.01, stderr=0.02, dof=8, confidence=0.9).verdict
        'same'
        >>> equivalence("0", 0.0, slope=0.01, stderr=0.2, dof=8, confidence=0.9).verdict
        'cannot tell'
    """
    difference = slope - target
    reach = float(stats.t.ppf((1 + confidence) / 2, dof)) * stderr
    low, high = difference - reach, difference + reach
    p_value = float(
        max(stats.t.sf((difference + margin) / stderr, dof), stats.t.sf((margin - difference) / stderr, dof))
    )
    if not enough_span:
        verdict = "cannot tell"
    elif -margin < low and high < margin:
        verdict = "same"
    elif low > 0 or high < 0:
        verdict = "different"
    else:
        verdict = "cannot tell"
    return Equivalence(
        name=name,
        slope=target,
        difference_low=low,
        difference_high=high,
        margin=margin,
        p_value=p_value,
        verdict=verdict,
        source=source,
    )


def judge_stability(
    budgets: Sequence[BudgetFit],
    *,
    confidence: float,
    margin: float = MARGIN,
    published: Mapping[str, tuple[float, str]] | None = None,
) -> Stability:
    """Regress log R* on log N over the budgets with an optimum inside their grid, and test the slope.

    Where every budget holds a single shape (a table of published optima), the shapes themselves are the optima.

    Args:
        budgets: Fitted budgets.
        confidence: Level of the interval; the two one-sided tests have size (1 - confidence) / 2.
        margin: Equivalence margin on gamma.
        published: Further targets by name: (slope, source).
    """
    given = all(fit.r_star.status == "given" for fit in budgets)
    edges = sum(fit.r_star.status == "edge" for fit in budgets)
    pairs = [(fit.params_mean, fit.best.ratio if given else fit.r_star.value) for fit in budgets]
    known = [(size, ratio) for size, ratio in pairs if ratio is not None]
    sizes = np.log(np.array([size for size, _ in known]))
    ratios = np.log(np.array([ratio for _, ratio in known]))
    decades = float(np.ptp(sizes) / np.log(10)) if len(sizes) else 0.0
    if len(known) < 2 or decades < 1e-6:
        return Stability(
            gamma=None,
            low=None,
            high=None,
            num_budgets=len(known),
            num_edges=edges,
            decades=decades,
            margin=margin,
            verdict="cannot tell",
            reason=f"{len(known)} budgets have an optimum inside their grid; a slope needs at least two",
        )
    slope, stderr, dof = slope_interval(sizes, ratios, confidence=confidence)
    if dof < 1:
        return Stability(
            gamma=slope,
            low=None,
            high=None,
            num_budgets=len(known),
            num_edges=edges,
            decades=decades,
            margin=margin,
            verdict="cannot tell",
            reason="two budgets give a slope without an error bar: run at least three",
        )
    reach = float(stats.t.ppf((1 + confidence) / 2, dof)) * stderr
    enough = decades >= MIN_DECADES - 1e-3
    targets = {"no change": (0.0, ""), **(published or {})}
    tests = tuple(
        equivalence(
            name,
            target,
            slope=slope,
            stderr=max(stderr, 1e-12),
            dof=dof,
            confidence=confidence,
            margin=margin,
            enough_span=enough,
            source=source,
        )
        for name, (target, source) in targets.items()
    )
    verdict = {"same": "stable", "different": "moves"}.get(tests[0].verdict, "cannot tell")
    return Stability(
        gamma=slope,
        low=slope - reach,
        high=slope + reach,
        num_budgets=len(known),
        num_edges=edges,
        decades=decades,
        margin=margin,
        verdict=verdict,
        reason=_reason(verdict, enough, decades, slope, reach, margin),
        tests=tests,
    )


def _reason(verdict: str, enough: bool, decades: float, slope: float, reach: float, margin: float) -> str:
    interval = f"gamma = {slope:+.2f} ({slope - reach:+.2f} to {slope + reach:+.2f})"
    if not enough:
        return f"{interval}, but the budgets span only a factor {10**decades:.3g}; at least 10 is needed"
    if verdict == "stable":
        return f"{interval} lies within {margin:g} of 0 over a factor {10**decades:.3g} in size"
    if verdict == "moves":
        return f"{interval} excludes 0 over a factor {10**decades:.3g} in size"
    return f"{interval} neither excludes 0 nor lies within {margin:g} of it"
