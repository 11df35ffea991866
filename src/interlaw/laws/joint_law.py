"""One law for all budgets: L(N, R), its parameters with intervals, R*(N) as a line with a band, and rival forms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

from interlaw.laws.compare import Comparison, compare_forms
from interlaw.laws.forms import Features, features_of, joint, joint_levels
from interlaw.laws.grouping import ShapeMeans
from interlaw.laws.result import BudgetFit
from interlaw.laws.solve import Solution, polish, solve
from interlaw.laws.table import FloatArray

MIN_BUDGETS_FOR_POWER = 4
NUM_LINE_POINTS = 25
NUM_PROFILE_POINTS = 81
# Thousands of shapes need no thousand draws: between these, draws times shapes stays constant.
MIN_DRAWS, MAX_DRAWN_SHAPES = 200, 500_000


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A parameter with its bootstrap interval and, for `gamma` and `ratio_at_reference`, its profile interval."""

    value: float
    low: float
    high: float
    profile_low: float | None = None
    profile_high: float | None = None


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
    """L(N, R) = E + A N^-alpha + kappa (log R - log R*(N))^2 with R*(N) = c N^gamma = R0 (N / N0)^gamma.

    Attributes:
        form: `joint`, or `joint, free levels` where fewer than four budgets cannot tell E, A and alpha apart.
        formula: As a person writes it.
        status: `optimum`; `edge` (R* lies outside the grid); `flat` (kappa not above 0); `not converged`. Only with
            `optimum` do `line` and the ratios mean anything.
        parameters: By name: `gamma`, `kappa`, `c`, `ratio_at_reference` (R0), and for `joint` `E`, `A`, `alpha`.
        reference_params: N0, the geometric mean of N over the shapes used.
        params_low: Smallest budget fitted (mean parameters).
        params_high: Largest.
        levels: (params, loss at R*) of each budget, ascending.
        covariance: Bootstrap covariance of (log R0, gamma).
        z_quantile: What `ratio` multiplies the standard deviation by (the draws carry the t correction already).
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
    parameters: dict[str, Estimate]
    reference_params: float
    params_low: float
    params_high: float
    levels: tuple[tuple[float, float], ...]
    covariance: tuple[tuple[float, float], tuple[float, float]]
    z_quantile: float
    line: tuple[LinePoint, ...]
    comparisons: tuple[Comparison, ...]
    num_shapes: int
    rmse_log: float
    huber_delta: float
    num_starts: int
    num_agreeing: int
    converged_draws: float
    at_bounds: tuple[str, ...]

    def ratio(self, params: float) -> LinePoint:
        """R*(N) for any N: the interval widens with the distance from the fitted budgets through gamma's error."""
        return _line_point(
            params,
            self.reference_params,
            self.parameters["ratio_at_reference"].value,
            self.parameters["gamma"].value,
            np.array(self.covariance),
            self.z_quantile,
            (self.params_low, self.params_high),
        )

    def penalty(self, params: float, ratio: float) -> tuple[float, float, float]:
        """Relative loss above the minimum at depth / width = `ratio`: (value, low, high).

        kappa (log R - log R*(N))^2 over the level of the nearest fitted budget. The interval combines the ends of
        kappa's and of R*'s interval, so it is wider than each alone; its low end is 0 where R lies inside R*'s.
        """
        best = self.ratio(params)
        level = min(self.levels, key=lambda pair: abs(np.log(pair[0] / params)))[1]
        kappa = self.parameters["kappa"]
        away = [np.log(ratio / end) for end in (best.ratio, best.low, best.high)]
        inside = best.low <= ratio <= best.high
        nearest = 0.0 if inside else min(abs(away[1]), abs(away[2]))
        farthest = max(abs(away[1]), abs(away[2]))
        return (
            float(kappa.value * away[0] ** 2 / level),
            float(max(kappa.low, 0.0) * nearest**2 / level),
            float(kappa.high * farthest**2 / level),
        )


def fit_joint_law(
    shapes: ShapeMeans,
    budgets: tuple[BudgetFit, ...],
    *,
    confidence: float,
    num_bootstrap: int,
    rng: np.random.Generator,
) -> JointLaw | None:
    """Fit the joint law to the shapes near each budget's minimum; None with one budget or too few shapes.

    Bootstrap: every shape with all its runs gets an exponential weight (Rubin 1981), so no budget ever drops out; the
    spread is widened by sqrt(n / (n - p)) for the parameters fitted and by t / z for a noise level known from few runs.
    """
    rows = _near(shapes, budgets)
    levels, which = np.unique(shapes.budget[rows], return_inverse=True)
    powers = len(levels) >= MIN_BUDGETS_FOR_POWER
    mean_size = np.array([fit.params_mean for fit in budgets])[which]
    params = shapes.params[rows] if powers else mean_size
    loss = shapes.loss[rows] if powers else shapes.adjusted[rows]
    tokens = None if shapes.tokens is None else shapes.tokens[rows]
    features = features_of(params=params, depth=shapes.depth[rows], width=shapes.width[rows], tokens=tokens)
    features["level"] = which.astype(np.float64)
    form = joint(features) if powers else joint_levels(features)
    if len(levels) < 2 or len(rows) < form.num_parameters + 2 or np.ptp(loss) <= 1e-9 * loss.mean():
        return None
    solution = solve(form, features, loss=loss)
    num_draws = min(num_bootstrap, max(MIN_DRAWS, MAX_DRAWN_SHAPES // len(rows)))
    weights = rng.exponential(size=(num_draws, len(rows)))
    starts = np.tile(solution.theta, (num_draws, 1))
    draws, _, met = polish(form, features, loss=loss, thetas=starts, weights=weights, huber_delta=solution.huber_delta)
    dof = len(rows) - form.num_parameters
    t_quantile = float(stats.t.ppf((1 + confidence) / 2, dof))
    z_quantile = float(stats.norm.ppf((1 + confidence) / 2))
    widen = np.sqrt(len(rows) / dof) * t_quantile / z_quantile
    draws = solution.theta + (draws - solution.theta) * widen
    reference = float(np.exp(np.log(params).mean()))
    natural = _natural(solution, draws[met], reference, confidence, features, loss)
    covariance = np.cov(_columns(solution, draws[met], ("log_ratio", "gamma")).T)
    means = np.array([fit.params_mean for fit in budgets])
    span = (float(means.min()), float(means.max()))
    return JointLaw(
        form=form.name,
        formula=form.formula,
        status=_status(solution, natural, features, which),
        parameters=natural,
        reference_params=reference,
        params_low=span[0],
        params_high=span[1],
        levels=_levels(solution, means, reference),
        covariance=(
            (float(covariance[0, 0]), float(covariance[0, 1])),
            (float(covariance[1, 0]), float(covariance[1, 1])),
        ),
        z_quantile=z_quantile,
        line=tuple(
            _line_point(
                float(size),
                reference,
                natural["ratio_at_reference"].value,
                natural["gamma"].value,
                covariance,
                z_quantile,
                span,
            )
            for size in np.geomspace(span[0] / 10, span[1] * 10, NUM_LINE_POINTS)
        ),
        comparisons=compare_forms(
            features, loss, budget=shapes.budget[rows], first=solution if powers else None, rng=rng
        ),
        num_shapes=len(rows),
        rmse_log=solution.rmse_log,
        huber_delta=solution.huber_delta,
        num_starts=solution.num_starts,
        num_agreeing=solution.num_agreeing,
        converged_draws=float(met.mean()),
        at_bounds=solution.at_bounds,
    )


def _near(shapes: ShapeMeans, budgets: tuple[BudgetFit, ...]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Rows of the shapes in each budget's window; rows and points share their order."""
    return np.flatnonzero([point.in_window for fit in budgets for point in fit.points])


def _columns(solution: Solution, thetas: FloatArray, names: tuple[str, ...]) -> FloatArray:
    order = (*solution.form.nonlinear, *solution.form.linear)
    return thetas[:, [order.index(name) for name in names]]


def _natural(
    solution: Solution, draws: FloatArray, reference: float, confidence: float, features: Features, loss: FloatArray
) -> dict[str, Estimate]:
    """Parameters in natural units, each with its percentile interval; log-scale quantities are powers of e."""
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    everything = np.vstack([solution.theta, draws])

    def column(name: str) -> FloatArray:
        return _columns(solution, everything, (name,))[:, 0]

    values = {
        "gamma": column("gamma"),
        "kappa": column("kappa"),
        "ratio_at_reference": np.exp(column("log_ratio")),
        "c": np.exp(column("log_ratio") - column("gamma") * np.log(reference)),
    }
    if "alpha" in solution.form.nonlinear:
        alpha = column("alpha")
        values |= {"E": column("E"), "A": column("A") * reference**alpha, "alpha": alpha}
    profiles = {
        "gamma": _profile(solution, draws, "gamma", features, loss, confidence),
        "ratio_at_reference": _profile(solution, draws, "log_ratio", features, loss, confidence),
    }
    result = {}
    for name, value in values.items():
        low, high = np.quantile(value[1:], tails)
        ends = profiles.get(name, (None, None))
        if name == "ratio_at_reference":
            ends = (
                None if ends[0] is None else float(np.exp(ends[0])),
                None if ends[1] is None else float(np.exp(ends[1])),
            )
        result[name] = Estimate(
            value=float(value[0]), low=float(low), high=float(high), profile_low=ends[0], profile_high=ends[1]
        )
    return result


def _profile(
    solution: Solution, draws: FloatArray, name: str, features: Features, loss: FloatArray, confidence: float
) -> tuple[float | None, float | None]:
    """Values that an F test on the profiled Huber cost keeps; None where the search met no bound."""
    index = (*solution.form.nonlinear, *solution.form.linear).index(name)
    dof = len(loss) - solution.form.num_parameters
    reach = 6 * max(float(draws[:, index].std()), 1e-9)
    trial = solution.theta[index] + np.linspace(-reach, reach, NUM_PROFILE_POINTS)
    thetas = np.tile(solution.theta, (len(trial), 1))
    thetas[:, index] = trial
    weights = np.ones((len(trial), len(loss)))
    costs = polish(
        solution.form,
        features,
        loss=loss,
        thetas=thetas,
        weights=weights,
        huber_delta=solution.huber_delta,
        fixed=(index,),
    )[1]
    kept = np.flatnonzero(costs - solution.cost <= stats.f.ppf(confidence, 1, dof) * solution.cost / dof)
    if not len(kept):
        return None, None
    low = None if kept[0] == 0 else float(trial[kept[0]])
    high = None if kept[-1] == len(trial) - 1 else float(trial[kept[-1]])
    return low, high


def _status(
    solution: Solution,
    natural: Mapping[str, Estimate],
    features: Features,
    which: np.ndarray[tuple[int], np.dtype[np.int64]],
) -> str:
    if not solution.converged:
        return "not converged"
    if natural["kappa"].low <= 0:
        return "flat"
    best = solution.value("log_ratio") + solution.value("gamma") * features["size"]
    inside = [
        features["ratio"][which == level].min()
        <= best[which == level].mean()
        <= features["ratio"][which == level].max()
        for level in np.unique(which)
    ]
    return "optimum" if np.mean(inside) > 0.5 else "edge"


def _levels(solution: Solution, means: FloatArray, reference: float) -> tuple[tuple[float, float], ...]:
    if "alpha" in solution.form.nonlinear:
        losses = solution.value("E") + solution.value("A") * (means / reference) ** -solution.value("alpha")
    else:
        losses = np.array([solution.value(f"level_{i}") for i in range(len(means))])
    return tuple((float(size), float(loss)) for size, loss in zip(means, losses, strict=True))


def _line_point(
    params: float,
    reference: float,
    ratio: float,
    gamma: float,
    covariance: FloatArray,
    z_quantile: float,
    span: tuple[float, float],
) -> LinePoint:
    away = float(np.log(params / reference))
    middle = np.log(ratio) + gamma * away
    variance = float(covariance[0, 0] + 2 * away * covariance[0, 1] + away**2 * covariance[1, 1])
    reach = z_quantile * np.sqrt(max(variance, 0.0))
    return LinePoint(
        params=params,
        ratio=float(np.exp(middle)),
        low=float(np.exp(middle - reach)),
        high=float(np.exp(middle + reach)),
        extrapolated=not (span[0] * 0.999 <= params <= span[1] * 1.001),
    )
