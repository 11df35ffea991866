"""Fit the joint law: the form that suits the number of budgets, its bootstrap and its rivals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import special

from interlaw.laws.compare import compare_forms
from interlaw.laws.dependence import dependence
from interlaw.laws.forms import features_of, joint, joint_levels
from interlaw.laws.grouping import ShapeMeans
from interlaw.laws.joint_law import Curvature, Estimate, JointLaw
from interlaw.laws.loss_curve import pooled_error
from interlaw.laws.result import BudgetFit
from interlaw.laws.rows import FloatArray, IntArray
from interlaw.laws.solve import Solution, solve_alike

MIN_BUDGETS_FOR_POWER = 4
NUM_LINE_POINTS = 25
# A form so far behind in AIC (likelihood ratio e^-10) is the best of no draw; refitting it doubles the time.
MOST_BEHIND = 20.0
# Thousands of shapes need no thousand draws: between these, draws times shapes stays constant.
MIN_DRAWS, MAX_DRAWN_SHAPES = 200, 500_000


def fit_joint_law(
    shapes: ShapeMeans,
    budgets: tuple[BudgetFit, ...],
    *,
    confidence: float,
    num_bootstrap: int,
    rng: np.random.Generator,
    compare: bool = True,
) -> JointLaw | None:
    """Fit the joint law to the shapes near each budget's minimum; None with one budget or too few shapes.

    Bootstrap: every shape with all its runs gets an exponential weight (Rubin 1981), so no budget ever drops out; the
    spread is widened by sqrt(n / (n - p)) for the parameters fitted, up to the seed noise where residuals are smaller,
    and for errors that neighbouring shapes share (`dependence`). Each draw takes the form that fits it best, so the
    choice of form enters the intervals of R* and gamma.
    `compare=False` leaves the rival forms out: no interval depends on them.
    """
    # the shapes in each budget's window: rows and points share their order
    rows = shapes.frame[[point.in_window for fit in budgets for point in fit.points]]
    budget, depth, width = (rows[name].to_numpy() for name in ("budget", "depth", "width"))
    levels, which = np.unique(budget, return_inverse=True)
    powers = len(levels) >= MIN_BUDGETS_FOR_POWER
    mean_size = np.array([fit.params_mean for fit in budgets])[which]
    params = rows["params"].to_numpy() if powers else mean_size
    loss = rows["loss" if powers else "adjusted"].to_numpy()
    tokens = rows["train_tokens"].to_numpy() if "train_tokens" in rows else None
    features = features_of(params=params, depth=depth, width=width, tokens=tokens)
    features["level"] = which.astype(np.float64)
    forms = [joint(features), joint(features, scaled=True)] if powers else [joint_levels(features)]
    if len(levels) < 2 or len(rows) < forms[0].num_parameters + 2 or np.ptp(loss) <= 1e-9 * loss.mean():
        return None
    solved = solve_alike(forms, features, loss=loss)
    solution = min(solved, key=lambda each: each.cost)
    rivals = _rivals(solved, solution, num_shapes=len(rows))
    drawn = _bootstrap(
        rivals,
        solution,
        shapes=shapes,
        rows=rows,
        confidence=confidence,
        num_bootstrap=num_bootstrap,
        rng=rng,
    )
    reference = float(np.exp(np.log(params).mean()))
    means = np.array([fit.params_mean for fit in budgets])
    wells = _wells(solution, drawn.thetas, means, reference, confidence)
    if wells is None:
        return None
    natural = _natural(solution, drawn, reference, confidence)
    span = (float(means.min()), float(means.max()))
    comparisons = compare_forms(solved, budget=budget, rng=rng) if compare else ()
    law = JointLaw(
        form=solution.form.name,
        formula=solution.form.formula,
        status=_status(solution, natural, which),
        parameters=natural,
        reference_params=reference,
        params_low=span[0],
        params_high=span[1],
        levels=tuple((each.params, level) for level, each in wells),
        curvatures=tuple(each for _, each in wells),
        covariance=tuple(tuple(row) for row in _covariance(drawn.optimum).tolist()),  # type: ignore[arg-type]
        z_quantile=float(special.ndtri((1 + confidence) / 2)),
        line=(),
        comparisons=comparisons,
        num_shapes=len(rows),
        rmse_log=solution.rmse_log,
        huber_delta=solution.problem.huber_delta,
        num_starts=solution.num_starts,
        num_agreeing=solution.num_agreeing,
        converged_draws=drawn.converged,
        at_bounds=solution.at_bounds,
    )
    sizes = np.geomspace(span[0] / 10, span[1] * 10, NUM_LINE_POINTS)
    return replace(law, line=tuple(law.ratio(float(size)) for size in sizes))


def _rivals(solved: tuple[Solution, ...], best: Solution, *, num_shapes: int) -> tuple[Solution, ...]:
    """Forms that may fit some draw best."""
    behind = [num_shapes * np.log(max(each.cost, 1e-300) / max(best.cost, 1e-300)) for each in solved]
    return tuple(each for each, far in zip(solved, behind, strict=True) if far < MOST_BEHIND)


@dataclass(frozen=True, kw_only=True)
class _Draws:
    """Bootstrap refits that converged.

    `thetas` are those of the chosen form, (k, p); `optimum` log R0 and gamma of the form that fits each draw best,
    (k', 2): so the choice of form is part of their intervals.
    """

    thetas: FloatArray
    optimum: FloatArray
    converged: float


def _bootstrap(
    solved: tuple[Solution, ...],
    chosen: Solution,
    *,
    shapes: ShapeMeans,
    rows: pd.DataFrame,
    confidence: float,
    num_bootstrap: int,
    rng: np.random.Generator,
) -> _Draws:
    """Refits of every form under the same exponential weights, spread widened for the parameters fitted."""
    num_shapes = len(rows)
    num_draws = min(num_bootstrap, max(MIN_DRAWS, MAX_DRAWN_SHAPES // num_shapes))
    weights = rng.exponential(size=(num_draws, num_shapes))
    draws, costs, converged = [], [], []
    for each in solved:
        thetas, cost, met = each.problem.polish(np.tile(each.theta, (num_draws, 1)), weights=weights)
        dof = num_shapes - each.form.num_parameters
        # residuals and the seed noise of a mean together
        error, _ = pooled_error(each.rmse_log, dof, shapes.noise_of_means(rows), shapes.noise_dof)
        short = error / each.rmse_log if each.rmse_log > 0 else 1.0
        along = dependence(each, budget=rows["budget"].to_numpy(), confidence=confidence)
        widened = each.theta + (thetas - each.theta) * short * np.sqrt(num_shapes / dof) * along
        draws.append(widened)
        costs.append(np.where(met, cost, np.inf))
        converged.append(met)
    best = np.argmin(costs, axis=0)
    optimum = np.array([_columns(each, draw, ("log_ratio", "gamma")) for each, draw in zip(solved, draws, strict=True)])
    own = next(i for i, each in enumerate(solved) if each is chosen)
    known = np.isfinite(np.min(costs, axis=0))
    return _Draws(
        thetas=draws[own][converged[own]],
        optimum=optimum[best, np.arange(num_draws)][known],
        converged=float(converged[own].mean()),
    )


def _covariance(draws: FloatArray) -> FloatArray:
    """Covariance of two parameters from the middle 90% of their draws: a few wild refits do not widen it. (k, 2)."""
    low, high = np.quantile(draws, [0.05, 0.95], axis=0)
    deviations = (high - low) / (2 * special.ndtri(0.95))
    varies = bool(np.all(np.ptp(draws, axis=0) > 0))  # a parameter on its bound is the same in every draw
    correlation = float(np.corrcoef(pd.DataFrame(draws).rank(), rowvar=False)[0, 1]) if varies else 0.0  # Spearman's
    both = np.array([[1.0, correlation], [correlation, 1.0]])
    return np.asarray(np.outer(deviations, deviations) * both, dtype=np.float64)


def _columns(solution: Solution, thetas: FloatArray, names: tuple[str, ...]) -> FloatArray:
    order = (*solution.form.nonlinear, *solution.form.linear)
    return thetas[:, [order.index(name) for name in names]]


def _natural(solution: Solution, drawn: _Draws, reference: float, confidence: float) -> dict[str, Estimate]:
    """Parameters in natural units, each with its percentile interval; log-scale quantities are powers of e."""
    everything = np.vstack([solution.theta, drawn.thetas])
    optimum = np.vstack([_columns(solution, solution.theta[None], ("log_ratio", "gamma")), drawn.optimum])
    values = {
        "gamma": optimum[:, 1],
        "kappa": _over_budgets(solution, everything, "kappa"),
        "skew": _over_budgets(solution, everything, "skew"),
        "ratio_at_reference": np.exp(optimum[:, 0]),
        "c": np.exp(optimum[:, 0] - optimum[:, 1] * np.log(reference)),
    }
    if "alpha" in solution.form.nonlinear:
        alpha, floor, slope = _columns(solution, everything, ("alpha", "E", "A")).T
        values |= {"E": floor, "A": slope * reference**alpha, "alpha": alpha}
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    return {
        name: Estimate(value=float(value[0]), low=float(low), high=float(high))
        for name, value in values.items()
        for low, high in [np.quantile(value[1:], tails)]
    }


def _status(solution: Solution, natural: Mapping[str, Estimate], which: IntArray) -> str:
    if not solution.converged:
        return "not converged"
    if natural["kappa"].low <= 0 or any(name.startswith("kappa") for name in solution.at_bounds):
        return "flat"
    features = solution.problem.features
    best = solution.value("log_ratio") + solution.value("gamma") * features["size"]
    inside = [
        features["ratio"][which == level].min()
        <= best[which == level].mean()
        <= features["ratio"][which == level].max()
        for level in np.unique(which)
    ]
    return "optimum" if np.mean(inside) > 0.5 else "edge"


def _over_budgets(solution: Solution, thetas: FloatArray, name: str) -> FloatArray:
    """A coefficient at N0 in loss units: as it is, or its mean over free budgets. (k,)."""
    if solution.form.name == "joint, free levels":
        names = tuple(each for each in solution.form.linear if each.startswith(name))
        return np.asarray(_columns(solution, thetas, names).mean(axis=1), dtype=np.float64)
    return _columns(solution, thetas, (name,))[:, 0]


def _well(solution: Solution, thetas: FloatArray, i: int, size: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Loss at R*, kappa and skew of budget i whose log N / N0 is `size`, each for every parameter vector, (k,)."""
    if solution.form.name == "joint, free levels":
        level, kappa, skew = _columns(solution, thetas, (f"level_{i}", f"kappa_{i}", f"skew_{i}")).T
        return level, kappa, skew
    floor, slope, alpha, kappa, skew = _columns(solution, thetas, ("E", "A", "alpha", "kappa", "skew")).T
    shrunk = np.exp(-alpha * size)
    scale = shrunk if solution.form.name == "joint, scaled" else 1.0
    return floor + slope * shrunk, kappa * scale, skew * scale


def _wells(
    solution: Solution, draws: FloatArray, means: FloatArray, reference: float, confidence: float
) -> list[tuple[float, Curvature]] | None:
    """Loss at R* and curvature of each budget.

    None where no refit converged, where most fall to no loss there, or where the law itself falls without end.
    """
    if len(draws) < 2:
        return None
    everything = np.vstack([solution.theta, draws])
    found = []
    for i, params in enumerate(means):
        level, kappa, skew = _well(solution, everything, i, float(np.log(params / reference)))
        seen = level > 0  # a draw that falls without end may be at a loss of nothing there
        if not seen[0] or seen[1:].mean() <= 0.5:
            return None
        relative = kappa[seen] / level[seen]
        low, high = np.quantile(relative[1:], [(1 - confidence) / 2, (1 + confidence) / 2])
        slant = float(skew[0] / kappa[0]) if kappa[0] > 0 else 0.0
        own = Curvature(params=float(params), value=float(relative[0]), low=float(low), high=float(high), skew=slant)
        found.append((float(level[0]), own))
    return found
