"""Does R* move with the budget? The slope gamma = d log R* / d log N and equivalence tests of it.

Two one-sided tests (Schuirmann 1987): gamma equals a target when its interval at the given confidence lies within
`margin` of it. Failing to reject a difference is never taken for sameness.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy import special

from interlaw.laws.joint_law import JointLaw, one_size
from interlaw.laws.result import BudgetFit
from interlaw.laws.rows import FloatArray

MARGIN = 0.1  # of gamma: R* changes by less than a factor 10 ** 0.1 = 1.26 per tenfold budget
LEAST_STDERR = 1e-12  # of budgets that lie on a line exactly: a test divides by it
LEAST_LOG_STDERR = 1e-6  # of log R* of one budget: a weight is one over its square
MIN_DECADES = 0.999  # a tenfold span, whatever its rounding
MIN_BUDGETS = 3  # a line through two has no error
VERDICTS = {"same": "stable", "different": "moves", "cannot tell": "cannot tell"}  # of a test against no change
OPTIMA, JOINT = "over optima", "joint law"  # the two routes to gamma


@dataclass(frozen=True, kw_only=True)
class Equivalence:
    """TOST of gamma against one slope: `same` (within the margin), `different` (outside it) or `cannot tell`."""

    name: str
    slope: float
    difference_low: float
    difference_high: float
    margin: float
    p_value: float
    verdict: str
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class Slope:
    """One estimate of gamma: `route` is `over optima` or `joint law`, `window` that of the curves behind it."""

    route: str
    window: float
    gamma: float
    low: float
    high: float
    verdict: str

    def __str__(self) -> str:
        """Gamma with its interval."""
        return interval_text(self.gamma, low=self.low, high=self.high)


@dataclass(frozen=True, kw_only=True)
class Stability:
    """How R* moves with the budget: gamma = d log R* / d log N.

    Attributes:
        gamma: Weighted slope of log R* on log N over the budgets with an optimum; None when fewer than two.
        low: Lower end of its interval (Student t); None when fewer than three budgets.
        high: Upper end.
        num_budgets: Budgets used.
        num_edges: Budgets left out because the loss still falls at an end of the grid.
        decades: log10 of the span of N of the budgets used.
        margin: Equivalence margin of every test.
        verdict: `stable` or `moves` by the test against 0, where the joint law and other windows do not disagree; else
            `cannot tell`.
        reason: One plain sentence.
        tests: Against 0 first, then against each published slope over the same N.
        others: gamma by the joint law, and by both routes from other windows.
    """

    gamma: float | None = None
    low: float | None = None
    high: float | None = None
    num_budgets: int
    num_edges: int
    decades: float
    margin: float
    verdict: str
    reason: str
    tests: tuple[Equivalence, ...] = ()
    others: tuple[Slope, ...] = ()


def judged(low: float, high: float, *, margin: float = MARGIN) -> str:
    """`same` for an interval within the margin of 0, even one that leaves out 0; `different` for others that do.

    Asked the other way round, every true difference would end as `different` once the runs are many, however small.

    Example:
        >>> judged(0.01, 0.05), judged(0.01, 0.3), judged(-0.01, 0.3)
        ('same', 'different', 'cannot tell')
    """
    if low > -margin and high < margin:
        return "same"
    return "different" if low > 0 or high < 0 else "cannot tell"


def meta_slope(x: FloatArray, y: FloatArray, *, errors: FloatArray | None = None) -> tuple[float, float, int]:
    """Slope of y on x: (slope, standard error, degrees of freedom); the error is inf where none are left.

    With known errors of y: weights 1 / (errors^2 + tau^2), tau^2 the scatter beyond them (moments; DerSimonian and
    Laird 1986), and the standard error from the weighted residuals (Knapp and Hartung 2003), so that both the errors
    and the scatter between budgets count; it is never below what the errors alone give (Röver, Knapp and Friede 2015).
    Without: ordinary least squares.
    """
    design = np.column_stack([np.ones_like(x), x - x.mean()])
    dof = len(x) - 2
    weights = np.ones_like(y) if errors is None else 1 / errors**2
    coefficients, residuals = _weighted(design, y, weights=weights)
    if dof < 1:
        return float(coefficients[1]), np.inf, 0
    least = 0.0
    if errors is not None:
        least = 1.0  # optima that lie on a line by luck are no surer than each of them
        leverage = np.linalg.solve(design.T @ (weights[:, None] * design), design.T @ (weights[:, None] ** 2 * design))
        excess = float((weights * residuals**2).sum() - dof) / float(weights.sum() - np.trace(leverage))
        weights = 1 / (errors**2 + max(excess, 0.0))
        coefficients, residuals = _weighted(design, y, weights=weights)
    scatter = max(float((weights * residuals**2).sum() / dof), least)
    variance = scatter * np.linalg.inv(design.T @ (weights[:, None] * design))[1, 1]
    return float(coefficients[1]), float(np.sqrt(variance)), dof


def _weighted(design: FloatArray, y: FloatArray, *, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    root = np.sqrt(weights)
    coefficients = np.asarray(np.linalg.lstsq(design * root[:, None], y * root, rcond=None)[0], dtype=np.float64)
    return coefficients, y - design @ coefficients


def equivalence(
    name: str,
    target: float,
    *,
    slope: float,
    stderr: float,
    dof: int,
    confidence: float,
    enough_span: bool = True,
    source: str = "",
) -> Equivalence:
    """Two one-sided t tests of `slope` against `target` +- `MARGIN`.

    Example:
        >>> equivalence("0", 0.0, slope=0.01, stderr=0.02, dof=8, confidence=0.9).verdict
        'same'
        >>> equivalence("0", 0.0, slope=0.01, stderr=0.2, dof=8, confidence=0.9).verdict
        'cannot tell'
    """
    difference = slope - target
    reach = float(special.stdtrit(dof, (1 + confidence) / 2)) * stderr
    low, high = difference - reach, difference + reach
    p_value = float(
        max(special.stdtr(dof, -(difference + MARGIN) / stderr), special.stdtr(dof, -(MARGIN - difference) / stderr))
    )
    return Equivalence(
        name=name,
        slope=target,
        difference_low=low,
        difference_high=high,
        margin=MARGIN,
        p_value=p_value,
        verdict=judged(low, high) if enough_span else "cannot tell",
        source=source,
    )


def _inside(count: int) -> str:
    """How many budgets have an optimum, in words."""
    subject = {0: "no budget has", 1: "only one budget has"}.get(count, f"{count} budgets have")
    return f"{subject} an optimum inside {'its' if count < 2 else 'their'} grid"


def judge_stability(
    budgets: Sequence[BudgetFit], *, confidence: float, published: Mapping[str, tuple[float, str]] | None = None
) -> Stability:
    """Regress log R* on log N over the budgets with an optimum inside their grid, and test the slope.

    Given optima, measured elsewhere, stand for themselves. The two one-sided tests have size (1 - confidence) / 2;
    `published` has further targets by name: (slope, source).
    """
    sizes, ratios, errors = _optima(budgets)
    decades = float(np.ptp(sizes) / np.log(10)) if len(sizes) else 0.0
    unknown = Stability(
        num_budgets=len(sizes),
        num_edges=sum(fit.r_star.status == "edge" for fit in budgets),
        decades=decades,
        margin=MARGIN,
        verdict="cannot tell",
        reason=f"{_inside(len(sizes))}; a slope needs at least two",
    )
    if len(sizes) < 2:
        return unknown
    if one_size(np.exp(sizes)):
        return replace(unknown, reason=f"{_inside(len(sizes))}, all of one size, where a slope needs several")
    slope, stderr, dof = meta_slope(sizes, ratios, errors=errors)
    if dof < 1:
        reason = "two budgets give a slope without an error bar: run at least three"
        return replace(unknown, gamma=slope, reason=reason)
    reach = float(special.stdtrit(dof, (1 + confidence) / 2)) * stderr
    low, high = slope - reach, slope + reach
    enough = decades >= MIN_DECADES
    targets = {"no change": (0.0, ""), **(published or {})}
    stderr = max(stderr, LEAST_STDERR)
    against = partial(equivalence, slope=slope, stderr=stderr, dof=dof, confidence=confidence, enough_span=enough)
    tests = tuple(against(name, target, source=source) for name, (target, source) in targets.items())
    verdict = VERDICTS[tests[0].verdict]
    left_out = _leave_one_out(sizes, ratios, errors=errors)
    reason = _reason(verdict, interval_text(slope, low=low, high=high), enough=enough, decades=decades)
    if verdict == "moves" and len(left_out) and left_out.min() < 0 < left_out.max():
        reason += f"; yet leaving one budget out it lies between {left_out.min():+.2f} and {left_out.max():+.2f}"
    return replace(unknown, gamma=slope, low=low, high=high, verdict=verdict, reason=reason, tests=tests)


def compare_routes(stability: Stability, *, joint: Slope | None, windows: Sequence[Slope]) -> Stability:
    """The stability, compared with the other estimates of gamma.

    The verdict becomes `cannot tell` where the joint law's interval is disjoint from that over the optima, or where by
    either route another window says the opposite or puts gamma outside the interval.
    """
    compared = replace(stability, others=(*((joint,) if joint else ()), *windows))
    changed = _changed(joint, windows)
    own = optima_slope(stability, window=0.0)
    if own is None:
        if joint is None:
            return compared
        alone = f"{stability.reason}; the joint law alone says {joint}"
        return replace(compared, reason=f"{alone}, but {changed}" if changed else alone)
    if joint is not None and (joint.high < own.low or own.high < joint.low):
        reason = f"over the optima {stability.reason}, yet the joint law says {joint}: the two exclude each other"
        return replace(compared, verdict="cannot tell", reason=reason)
    for words in (_changed(own, windows), changed and f"the joint law's gamma is no sounder: {changed}"):
        if words:
            return replace(compared, verdict="cannot tell", reason=f"{stability.reason}; yet {words}")
    return compared


def _changed(slope: Slope | None, windows: Sequence[Slope]) -> str:
    """How another window changes the answer of a slope's route, in words; empty where none does."""
    for other in windows:
        if slope is None or other.route != slope.route:
            continue
        opposite = {slope.verdict, other.verdict} == {"stable", "moves"}
        if opposite or not slope.low <= other.gamma <= slope.high:
            return (
                f"the answer changes with the window: with shapes within {other.window:.0%} of the best it is {other}"
            )
    return ""


def interval_text(gamma: float, *, low: float, high: float) -> str:
    """Gamma with its interval, as every sentence says it."""
    return f"gamma = {gamma:+.2f} ({low:+.2f} to {high:+.2f})"


def joint_slope(law: JointLaw | None, *, window: float) -> Slope | None:
    """Gamma of the joint law; None unless it has an optimum."""
    if law is None or law.status != "optimum":
        return None
    gamma = law.parameters["gamma"]
    verdict = VERDICTS[judged(gamma.low, gamma.high)]
    return Slope(route=JOINT, window=window, gamma=gamma.value, low=gamma.low, high=gamma.high, verdict=verdict)


def optima_slope(stability: Stability, *, window: float) -> Slope | None:
    """Gamma over the optima of one window; None without an interval."""
    if stability.gamma is None or stability.low is None or stability.high is None:
        return None
    gamma, low, high = stability.gamma, stability.low, stability.high
    return Slope(route=OPTIMA, window=window, gamma=gamma, low=low, high=high, verdict=stability.verdict)


def _leave_one_out(sizes: FloatArray, ratios: FloatArray, *, errors: FloatArray | None) -> FloatArray:
    """Slope without each budget in turn; empty where fewer than `MIN_BUDGETS` would be left."""
    if len(sizes) <= MIN_BUDGETS:
        return np.empty(0)
    kept = ~np.eye(len(sizes), dtype=bool)
    return np.array([meta_slope(sizes[k], ratios[k], errors=None if errors is None else errors[k])[0] for k in kept])


def _optima(budgets: Sequence[BudgetFit]) -> tuple[FloatArray, FloatArray, FloatArray | None]:
    """Log N, log R* and its standard error for the budgets that have one; no errors for optima measured elsewhere."""
    given = all(fit.r_star.status == "given" for fit in budgets)
    optima = [fit for fit in budgets if given or fit.r_star.status == "optimum"]
    sizes = np.log([fit.params_mean for fit in optima])
    ratios = np.log([fit.best.ratio if given else fit.r_star.value or np.nan for fit in optima])
    return sizes, ratios, None if given else _pooled_errors(optima)


def _pooled_errors(optima: Sequence[BudgetFit]) -> FloatArray:
    """Each budget's standard error of log R*, its few residuals replaced by the relative noise of all budgets."""
    # a budget of seven shapes knows its own noise only from four degrees of freedom; weights made of that would favour
    # the budgets that happen to look quiet
    errors = np.array([fit.r_star.log_stderr or 0.0 for fit in optima])
    curves = [fit.curve for fit in optima if fit.curve is not None]
    noise = np.array([(curve.error or curve.rmse) / (curve.loss_min or np.nan) for curve in curves])
    freedom = np.array([curve.error_dof or curve.num_shapes - curve.num_coefficients for curve in curves])
    if curves and len(curves) == len(optima) and (freedom > 0).all() and (noise > 0).all():
        errors = errors * np.sqrt((freedom * noise**2).sum() / freedom.sum()) / noise
    return np.asarray(np.maximum(errors, LEAST_LOG_STDERR), dtype=np.float64)


def _reason(verdict: str, interval: str, *, enough: bool, decades: float) -> str:
    if not enough:
        return f"{interval}, but the budgets span only a factor {10**decades:.3g}; at least 10 is needed"
    if verdict == "stable":
        return f"{interval} lies within {MARGIN:g} of 0 over a factor {10**decades:.3g} in size"
    if verdict == "moves":
        return f"{interval} excludes 0 over a factor {10**decades:.3g} in size"
    return f"{interval} neither excludes 0 nor lies within {MARGIN:g} of it"
