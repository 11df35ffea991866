"""The joint law: the form that suits the number of budgets, its parameters with intervals, R*(N), and its rivals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import special

from interlaw.laws.compare import RivalForm, compare_forms
from interlaw.laws.dependence import dependence
from interlaw.laws.forms import features_of, joint, joint_levels
from interlaw.laws.grouping import ShapeMeans
from interlaw.laws.loss_curve import pooled_error
from interlaw.laws.result import BudgetFit
from interlaw.laws.rows import FloatArray
from interlaw.laws.settings import LEVEL, ROUNDING, TINY
from interlaw.laws.solve import Solution, solve_alike

MIN_BUDGETS_FOR_POWER = 4  # E + A N^-alpha goes through any three levels: a fourth can contradict it
DRAWN_BEYOND = 10  # times the budgets, on either side: the size that a reader wants to know next
NUM_LINE_POINTS = 25  # of a nearly straight line in log-log: enough to draw it
# A form so far behind in AIC (likelihood ratio e^-10) is the best of no draw; refitting it doubles the time.
MOST_BEHIND = 20.0
# Thousands of shapes need no thousand draws: between these, draws times shapes stays constant.
MIN_DRAWS, MAX_DRAWN_SHAPES = 200, 500_000  # judgements: the most memory is 4 MB a parameter
SAME_SIZE = 1.001  # sizes that differ by less are one: they are written with three or four digits


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A parameter with its bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class LinePoint:
    """R*(N) with its interval; `extrapolated` outside the budgets that were fitted."""

    params: float
    ratio: float
    low: float
    high: float
    extrapolated: bool


@dataclass(frozen=True, kw_only=True)
class JointLaw:
    """L(N, R) = E + A N^-alpha + kappa z^2 + skew z^3, z = log R - log R*(N), R*(N) = c N^gamma = R0 (N / N0)^gamma.

    The cubic term lets the two sides of the minimum differ: without it R* is pulled towards the flatter side. Where
    that has the lower AICc, curvature and skew shrink with the reducible loss (`joint, scaled`).

    Attributes:
        form: `joint`, `joint, scaled`, or `joint, free levels` with two or three budgets (see `forms`).
        formula: As a person writes it.
        status: `optimum`; `edge` (R* lies outside the grid); `flat` (kappa not clear of 0); `not converged`. Only with
            `optimum` do `line` and the ratios mean anything.
        parameters: `gamma`, `c`, `ratio_at_reference` (R0), `kappa` and `skew` (at N0; means over the budgets for free
            levels) and, but for those, `E`, `A`, `alpha`. For `joint, scaled`, kappa and skew are those at N0 too.
        reference_params: N0, the geometric mean of N over the shapes used.
        params_low: Smallest budget fitted (mean parameters).
        params_high: Largest.
        covariance: Bootstrap covariance of (log R0, gamma).
        z_quantile: What `ratio` multiplies the standard deviation by.
        line: R*(N) from a tenth of the smallest budget to ten times the largest.
        comparisons: Rival forms on the same shapes, by AICc (lowest first).
        num_shapes: Shapes used (those near their budget's minimum).
        rmse_log: Residual standard deviation of log loss.
        huber_delta: Where the cost turns from square to linear.
        num_starts: Starts of the search.
        num_agreeing: Starts that ended at the lowest cost.
        converged_draws: Share of the bootstrap draws that converged.
        at_bounds: Parameters that ended on a bound: the table does not determine them.
    """

    form: str
    formula: str
    status: str
    parameters: dict[str, Parameter]
    reference_params: float
    params_low: float
    params_high: float
    covariance: tuple[tuple[float, float], tuple[float, float]]
    z_quantile: float
    line: tuple[LinePoint, ...]
    comparisons: tuple[RivalForm, ...]
    num_shapes: int
    rmse_log: float
    huber_delta: float
    num_starts: int
    num_agreeing: int
    converged_draws: float
    at_bounds: tuple[str, ...]

    def ratio(self, params: float) -> LinePoint:
        """R*(N) for any N: the interval widens with the distance from the fitted budgets through gamma's error."""
        away, covariance = float(np.log(params / self.reference_params)), np.array(self.covariance)
        middle = np.log(self.parameters["ratio_at_reference"].value) + self.parameters["gamma"].value * away
        variance = float(covariance[0, 0] + 2 * away * covariance[0, 1] + away**2 * covariance[1, 1])
        reach = self.z_quantile * np.sqrt(max(variance, 0.0))
        return LinePoint(
            params=params,
            ratio=float(np.exp(middle)),
            low=float(np.exp(middle - reach)),
            high=float(np.exp(middle + reach)),
            extrapolated=not (self.params_low / SAME_SIZE <= params <= self.params_high * SAME_SIZE),
        )


def one_size(params: Sequence[float] | FloatArray) -> bool:
    """Whether sizes are equal, as those of budgets that differ in tokens alone: R* has no slope over them."""
    return max(params) <= SAME_SIZE * min(params)


def fit_joint_law(
    shapes: ShapeMeans,
    budgets: tuple[BudgetFit, ...],
    *,
    confidence: float,
    num_bootstrap: int,
    rng: np.random.Generator,
    compare: bool = True,
) -> JointLaw | None:
    """Fit the joint law to the shapes near each budget's minimum; None with budgets of one size or too few shapes.

    Bootstrap: every shape with all its runs gets an exponential weight (Rubin 1981), so no budget ever drops out; the
    spread is widened by sqrt(n / (n - p)) for the parameters fitted, up to the seed noise where residuals are smaller,
    and for errors that neighbouring shapes share (`dependence`). Each draw takes the form that fits it best, so the
    choice of form enters the intervals of R* and gamma.
    `compare=False` leaves the rival forms out: no interval depends on them.
    """
    # the shapes in each budget's window: rows and points share their order
    rows = shapes.frame[[point.in_window for fit in budgets for point in fit.points]]
    means = np.array([fit.params_mean for fit in budgets])
    which = np.unique(rows["budget"], return_inverse=True)[1]
    powers = len(budgets) >= MIN_BUDGETS_FOR_POWER
    params = rows["params"].to_numpy() if powers else means[which]
    loss = rows["loss" if powers else "adjusted"].to_numpy()
    tokens = rows["train_tokens"].to_numpy() if "train_tokens" in rows else None
    features = features_of(params=params, depth=rows["depth"].to_numpy(), width=rows["width"].to_numpy(), tokens=tokens)
    features["level"] = which.astype(np.float64)
    forms = [joint(features), joint(features, scaled=True)] if powers else [joint_levels(features)]
    if one_size(means) or len(rows) < forms[0].num_parameters + 2 or np.ptp(loss) <= ROUNDING * loss.mean():
        return None
    solved = solve_alike(forms, features, loss=loss)
    noise = shapes.noise_of_means(rows), shapes.noise_dof
    refits = bootstrap(solved, noise=noise, confidence=confidence, num_bootstrap=num_bootstrap, rng=rng)
    reference = float(np.exp(np.log(params).mean()))
    if not refits.stay_above_zero(means, reference):
        return None
    solution, parameters = refits.solution, refits.parameters(reference)
    law = JointLaw(
        form=solution.form.name,
        formula=solution.form.formula,
        status=_status(solution, parameters["kappa"]),
        parameters=parameters,
        reference_params=reference,
        params_low=float(means.min()),
        params_high=float(means.max()),
        covariance=_covariance(refits.optimum[1:]),
        z_quantile=float(special.ndtri((1 + confidence) / 2)),
        line=(),
        comparisons=compare_forms(solved, rng=rng) if compare else (),
        num_shapes=len(rows),
        rmse_log=solution.rmse_log,
        huber_delta=solution.problem.huber_delta,
        num_starts=solution.num_starts,
        num_agreeing=solution.num_agreeing,
        converged_draws=refits.converged,
        at_bounds=solution.at_bounds,
    )
    sizes = np.geomspace(law.params_low / DRAWN_BEYOND, law.params_high * DRAWN_BEYOND, NUM_LINE_POINTS)
    return replace(law, line=tuple(law.ratio(float(size)) for size in sizes))


@dataclass(frozen=True, kw_only=True)
class Refits:
    """The law and its bootstrap refits.

    Attributes:
        thetas: The parameters of the form that fits best, then those of its refits that converged, (1 + k, p).
        optimum: Its log R0 and gamma, then those of the form that fits each draw best, (1 + k', 2): the choice of form
            is part of their intervals.
        converged: Share of its refits that converged.
    """

    solution: Solution
    thetas: FloatArray
    optimum: FloatArray
    converged: float
    confidence: float

    def estimate(self, values: FloatArray) -> Parameter:
        """A quantity of the law, first, with the percentile interval of the refits', (1 + k,)."""
        low, high = np.quantile(values[1:], [(1 - self.confidence) / 2, (1 + self.confidence) / 2])
        return Parameter(value=float(values[0]), low=float(low), high=float(high))

    def parameters(self, reference: float) -> dict[str, Parameter]:
        """In natural units; kappa and skew in loss units at N0, or as means over free budgets."""
        form, (log_ratio, gamma) = self.solution.form, self.optimum.T
        values = {"gamma": gamma}
        for name in ("kappa", "skew"):
            own = [each for each in form.names if each.startswith(name)]
            values[name] = form.columns(self.thetas, *own).mean(axis=1)
        values |= {"ratio_at_reference": np.exp(log_ratio), "c": np.exp(log_ratio - gamma * np.log(reference))}
        if "alpha" in form.names:
            alpha, floor, slope = form.columns(self.thetas, "alpha", "E", "A").T
            values |= {"E": floor, "A": slope * reference**alpha, "alpha": alpha}
        return {name: self.estimate(value) for name, value in values.items()}

    def stay_above_zero(self, means: FloatArray, reference: float) -> bool:
        """Whether the law has a loss above 0 at R* of each budget, and so have most of at least two refits."""
        form = self.solution.form
        if "alpha" in form.names:  # a draw without a floor may reach 0
            floor, slope, alpha = form.columns(self.thetas, "E", "A", "alpha").T[..., None]
            levels = floor + slope * np.exp(-alpha * np.log(means / reference))
        else:
            levels = form.columns(self.thetas, *(f"level_{i}" for i in range(len(means))))
        above = levels > 0
        return len(self.thetas) > 2 and bool((above[0] & (above[1:].mean(axis=0) > 0.5)).all())


def bootstrap(
    solved: Sequence[Solution],
    *,
    noise: tuple[float, int],
    confidence: float,
    num_bootstrap: int,
    rng: np.random.Generator,
) -> Refits:
    """Refits of every form that may fit some draw best under the same exponential weights.

    `noise` is the relative standard deviation of a shape's mean that seeds show, with its degrees of freedom.
    """
    chosen = min(solved, key=lambda each: each.cost)
    budget = chosen.problem.features["level"]
    num_shapes = len(budget)
    num_draws = min(num_bootstrap, max(MIN_DRAWS, MAX_DRAWN_SHAPES // num_shapes))
    weights = rng.exponential(size=(num_draws, num_shapes))
    costs, optima, kept = [], [], chosen.theta[None]
    for each in solved:
        if num_shapes * np.log(max(each.cost, TINY) / max(chosen.cost, TINY)) >= MOST_BEHIND:
            continue
        thetas, cost, met = each.problem.polish(np.tile(each.theta, (num_draws, 1)), weights=weights)
        dof = num_shapes - each.form.num_parameters
        error, _ = pooled_error((each.rmse_log, dof), noise)  # residuals and the seed noise of a mean together
        short = error / each.rmse_log if each.rmse_log > 0 else 1.0
        along = dependence(each, budget=budget, confidence=confidence)
        widened = each.theta + (thetas - each.theta) * short * np.sqrt(num_shapes / dof) * along
        costs.append(np.where(met, cost, np.inf))
        optima.append(each.form.columns(widened, "log_ratio", "gamma"))
        if each is chosen:
            kept = np.vstack([each.theta, widened[met]])
    best = np.array(optima)[np.argmin(costs, axis=0), np.arange(num_draws)]
    own = chosen.form.columns(chosen.theta, "log_ratio", "gamma")
    return Refits(
        solution=chosen,
        thetas=kept,
        optimum=np.vstack([own, best[np.isfinite(np.min(costs, axis=0))]]),
        converged=(len(kept) - 1) / num_draws,
        confidence=confidence,
    )


def _covariance(draws: FloatArray) -> tuple[tuple[float, float], tuple[float, float]]:
    """Covariance of two parameters from the middle 90% of their draws: a few wild refits do not widen it. (k, 2)."""
    low, high = np.quantile(draws, [LEVEL, 1 - LEVEL], axis=0)
    first, second = (high - low) / (2 * special.ndtri(1 - LEVEL))
    varies = bool(np.all(np.ptp(draws, axis=0) > 0))  # a parameter on its bound is the same in every draw
    correlation = float(np.corrcoef(pd.DataFrame(draws).rank(), rowvar=False)[0, 1]) if varies else 0.0  # Spearman's
    both = float(first * second * correlation)
    return (float(first * first), both), (both, float(second * second))


def _status(solution: Solution, kappa: Parameter) -> str:
    if not solution.converged:
        return "not converged"
    if kappa.low <= 0 or any(name.startswith("kappa") for name in solution.at_bounds):
        return "flat"
    features = solution.problem.features
    ratio, level = features["ratio"], features["level"]
    best = solution.value("log_ratio") + solution.value("gamma") * features["size"]
    budgets = [level == one for one in np.unique(level)]
    inside = [ratio[rows].min() <= best[rows].mean() <= ratio[rows].max() for rows in budgets]
    return "optimum" if np.mean(inside) > 0.5 else "edge"
