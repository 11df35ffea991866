"""Which form of the law describes a table best, all at one loss function: AICc, error on what was held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from interlaw.laws.forms import additive, aspect, joint, size_only
from interlaw.laws.rows import FloatArray
from interlaw.laws.settings import TINY
from interlaw.laws.solve import Solution, solve

NUM_FOLDS = 5  # a convention; fewer leave too little to fit, more cost time (Breiman and Spector 1992)
MIN_BUDGETS = 3  # E + A N^-alpha has three parameters
MIN_BUDGETS_TO_EXTRAPOLATE = MIN_BUDGETS + 1  # with the largest held out


@dataclass(frozen=True, kw_only=True)
class RivalForm:
    """One form on the shapes that every form was fitted to; errors are root mean squares of log loss.

    `held_out_rmse`: five-fold over shapes (all seeds of a shape together). `held_out_largest`: the largest budget
    predicted from the others; None with fewer than four budgets. `aicc` is None where the shapes are too few for it.
    """

    name: str
    formula: str
    num_parameters: int
    aicc: float | None
    rmse_log: float | None
    held_out_rmse: float
    held_out_largest: float | None
    converged: bool
    at_bounds: tuple[str, ...]


def compare_forms(solved: Sequence[Solution], *, rng: np.random.Generator) -> tuple[RivalForm, ...]:
    """Fit every form that the number of shapes and budgets allows; sorted by AICc. Empty with fewer than three budgets.

    Forms that are not solved already are fitted to the same shapes at the same Huber scale.
    """
    problem = solved[0].problem
    features, loss, budget = problem.features, problem.loss, problem.features["level"]
    num_budgets = len(np.unique(budget))
    if num_budgets < MIN_BUDGETS:
        return ()
    forms = [
        size_only(),
        joint(features),
        joint(features, scaled=True),
        joint(features, gamma=False),
        joint(features, scaled=True, gamma=False),
        joint(features, skew=False),
        additive(features),
        aspect(features),
    ]
    usable = [form for form in forms if len(loss) >= form.num_parameters + 3]  # AICc has a value
    folds = rng.permutation(len(loss)) % min(NUM_FOLDS, len(loss))
    kept = [(folds != fold) for fold in np.unique(folds)]
    if num_budgets >= MIN_BUDGETS_TO_EXTRAPOLATE:
        kept.append(budget != budget.max())
    weights = np.array(kept, dtype=np.float64)
    known = {solution.form.name: solution for solution in solved}
    compared = []
    for form in usable:
        solution = known.get(form.name) or solve(form, features, loss=loss, huber_delta=problem.huber_delta)
        compared.append(_compare(solution, weights, extrapolate=len(kept) > len(np.unique(folds))))
    return tuple(sorted(compared, key=lambda each: np.inf if each.aicc is None else each.aicc))


def _compare(solution: Solution, weights: FloatArray, *, extrapolate: bool) -> RivalForm:
    problem, form = solution.problem, solution.form
    thetas = problem.polish(np.tile(solution.theta, (len(weights), 1)), weights=weights)[0]
    squares = problem.residuals(thetas) ** 2
    hidden = weights == 0
    shapes = slice(0, len(weights) - 1) if extrapolate else slice(None)
    return RivalForm(
        name=form.name,
        formula=form.formula,
        num_parameters=form.num_parameters,
        aicc=corrected_aic(solution),
        rmse_log=None if np.isnan(solution.rmse_log) else solution.rmse_log,
        held_out_rmse=float(np.sqrt(squares[shapes][hidden[shapes]].mean())),
        held_out_largest=float(np.sqrt(squares[-1][hidden[-1]].mean())) if extrapolate else None,
        converged=solution.converged,
        at_bounds=solution.at_bounds,
    )


def corrected_aic(solution: Solution) -> float | None:
    """N log(2 cost / n) + 2 k + 2 k (k + 1) / (n - k - 1), k counting the noise level too (Hurvich and Tsai 1989).

    The Huber cost stands for the sum of squares (Ronchetti 1997): so one outlier does not decide the form.
    """
    n, k = len(solution.problem.loss), solution.form.num_parameters + 1
    if n - k - 1 <= 0:
        return None
    return n * float(np.log(max(2 * solution.cost, TINY) / n)) + 2 * k + 2 * k * (k + 1) / (n - k - 1)
