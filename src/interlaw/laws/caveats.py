"""Every caveat of a fit, in words."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from interlaw.laws.cells import MEASURED
from interlaw.laws.grouping import ShapeMeans
from interlaw.laws.joint_law import JointLaw, one_size
from interlaw.laws.result import BudgetFit, amounts
from interlaw.laws.scales import to_scale
from interlaw.laws.table import Runs
from interlaw.size import UNEVEN, counted


def collect_warnings(
    runs: Runs, shapes: ShapeMeans, *, budgets: tuple[BudgetFit, ...], law: JointLaw | None
) -> Iterator[str]:
    """Sentences, each a reason to trust some number less."""
    left_out = runs.left_out
    if left_out.bias:
        yield left_out.bias + (f"; no run left of {', '.join(left_out.lost_shapes)}" if left_out.lost_shapes else "")
    yield from runs.notes
    if runs.rate_edges:
        yield f"{runs.rate_edges} shapes were best at the lowest or highest learning rate tried: they are not tuned yet"
    if not shapes.noise_dof and len(shapes.frame) > len(budgets):
        yield (
            "no shape was run with two seeds: the seed noise is unknown, ties cannot be distinguished from gains, and "
            "errors that neighbouring shapes share would pass for a curve"
        )
    given = all(fit.r_star.status == "given" for fit in budgets)
    if given:
        yield (
            "the optima are given: the grids, seeds and learning rates behind them are unknown here, and integer "
            "depths make small models jump"
        )
    elif len(budgets) > 1 and all(fit.num_shapes == 1 for fit in budgets):
        yield (
            "one shape a budget: a ladder of models says nothing about the best shape of a budget; run several "
            "shapes of each, or pass given= (--given) if each row is an optimum that was measured elsewhere"
        )
    else:
        yield from _without_optimum(budgets)
    for fit in budgets:
        yield from _of_budget(fit, alone=len(budgets) == 1)
    yield from _of_measurements(runs, shapes)
    if not given:
        yield from _of_law(budgets, law)


def _without_optimum(budgets: tuple[BudgetFit, ...]) -> Iterator[str]:
    """Why budgets have none, those of one reason together."""
    without = [fit for fit in budgets if fit.r_star.status != "optimum"]
    for reason in dict.fromkeys(fit.r_star.reason for fit in without):
        those = [fit for fit in without if fit.r_star.reason == reason]
        yield f"budget{'s' * (len(those) > 1)} {amounts(those)}: {those[0].r_star.none_text} to report; {reason}"


def _of_budget(fit: BudgetFit, *, alone: bool) -> Iterator[str]:
    name, lowest = f"budget {fit.amount}", fit.measured_best
    if fit.r_star.status == "optimum" and fit.is_symmetric:
        yield (
            f"{name}: {fit.num_shapes} shapes allow a symmetric curve only; on a lopsided one its minimum is 10 to 30% "
            "off in R"
        )
    if fit.budget_spread > UNEVEN:
        corrected = "not correctable with one budget" if alone else "corrected along the sweep's slope"
        yield f"{name}: its sizes differ by {fit.budget_spread:.0%} ({corrected})"
    if not fit.leads_as_measured:
        yield (
            f"{name}: {lowest.depth}x{lowest.width} has the lowest loss as measured ({lowest.loss:.4g}); "
            f"{fit.best.depth}x{fit.best.width} leads only once sizes are corrected for"
        )


def _of_measurements(runs: Runs, shapes: ShapeMeans) -> Iterator[str]:
    columns = {name: runs.frame[name].to_numpy() for name in MEASURED if name in runs.frame}
    measured = np.isfinite(columns.get("aofe_ratio", shapes.run_shape))
    missing = len(shapes.frame) - len(np.unique(shapes.run_shape[measured]))
    if missing:
        yield f"{missing} of {len(shapes.frame)} shapes have no interaction measured"
    for name, values in columns.items():
        beyond = int((np.isfinite(values) & ~np.isfinite(to_scale(name, values))).sum())
        if beyond:
            where = "not between 0 and 1" if name == "aofe_ratio" else "of 0 or less"
            yield (
                f"{counted(beyond, 'run')} with {name} {where} count as not measured, because averages are taken on a "
                "log scale: their shapes rest on what is left"
            )


def _of_law(budgets: tuple[BudgetFit, ...], law: JointLaw | None) -> Iterator[str]:
    if law is None:
        alike = "one budget" if len(budgets) == 1 else "all budgets are of one size"
        known = one_size([fit.params_mean for fit in budgets])
        reason = alike if known else "too few shapes near the minima, or equal losses"
        yield f"no law over budgets: {reason}"
        return
    if law.status != "optimum":
        meaning = {
            "edge": "its best ratio lies outside most budgets' grids",
            "flat": "its curvature cannot be distinguished from 0",
            "not converged": f"only {law.num_agreeing} of {law.num_starts} starts reached its lowest cost"
            if law.num_agreeing < 2
            else "the search for its parameters did not come to rest",
        }[law.status]
        yield f"the joint law gives no best ratio: {meaning}"
    if law.at_bounds:
        yield f"the table does not determine {', '.join(law.at_bounds)} of the joint law (on a bound)"
    if law.converged_draws < 0.95:  # judgement: fewer lost draws hardly move the ends of a 90% interval
        yield f"{1 - law.converged_draws:.0%} of the joint law's bootstrap draws did not converge"
    errors = {each.name: each.held_out_rmse for each in law.comparisons}
    # judgement: a rival is named when it predicts shapes left out by a fifth better
    limit = 0.8 * errors.get(law.form, 0.0)
    if better := [name for name, error in errors.items() if not name.startswith("joint") and error < limit]:
        yield f"held-out shapes are predicted better by another form: {', '.join(better)}"
