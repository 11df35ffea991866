"""From a table of runs to a law: R* per budget, both efficient intervals, how stable they are, and every caveat."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from interlaw.errors import InterlawError
from interlaw.laws.budget_fit import fit_budget
from interlaw.laws.caveats import collect_warnings
from interlaw.laws.cells import Columns
from interlaw.laws.claim import CLAIMED
from interlaw.laws.claims import judge_claims
from interlaw.laws.contexts import read_contexts
from interlaw.laws.drift import loss_drift
from interlaw.laws.grouping import ShapeMeans, group_shapes
from interlaw.laws.interaction_interval import interaction_intervals, pool_intervals
from interlaw.laws.joint_law import JointLaw, fit_joint_law
from interlaw.laws.law_fit import LawFit
from interlaw.laws.published import published_slopes
from interlaw.laws.result import BudgetFit, InteractionInterval
from interlaw.laws.settings import Settings
from interlaw.laws.stability import Slope, Stability, compare_routes, joint_slope, judge_stability, optima_slope
from interlaw.laws.table import read_runs
from interlaw.plain import Json

# Half and half again of the default window: what a reader might have chosen as well.
OTHER_WINDOWS = (0.05, 0.15)
WINDOW_DRAWS = 300  # for a standard error, not for the ends of an interval
JOINT_WINDOW_DRAWS = 100  # each is a fit of all shapes; the ends of this interval only name a verdict


def fit_law(
    table: Columns,
    *,
    delta: float = Settings.delta,
    confidence: float = Settings.confidence,
    window: float | None = None,
    treatment: str | None = None,
    seed: int = 0,
    num_bootstrap: int = Settings.num_bootstrap,
    num_permutations: int = Settings.num_permutations,
    given: bool = Settings.given,
    budget_tolerance: float | None = None,
    last_step: bool = False,
    losses_of: LawFit | None = None,
) -> LawFit:
    """Fit the law of depth and width to a table of runs.

    Per budget the loss near its minimum is a parabola in log R, R = depth / width, with a cubic term where six shapes
    or more allow it (least squares on shape means; bootstrap over shapes). The loss interval is
    {R : L(R) <= (1 + delta) min L}. The interaction interval is the R-range of the shapes that are Pareto-optimal for
    (high aofe_ratio, low aofe) with probability .9; the loss plays no part. With two budgets or more a joint law binds
    them.

    Args:
        table: Columns by name, one row a run (a dict of sequences or a DataFrame): `params`, `depth`, `width`, `loss`;
            used when present: `budget`, `status`, `seed`, `learning_rate`, `treatment`, `train_tokens`, `aofe`,
            `aofe_ratio`, `null_ratio`, `excess_ratio`. Of views under their own names (`loss_aofe_ratio`) `projected`,
            else `loss`, else the first is taken, unless `runs.view_table` chose one.
        delta: Relative tolerance of the loss interval.
        confidence: Level of every interval.
        window: The curve uses the shapes whose loss is within this fraction of the best (at least six shapes); the
            table's `attrs["window"]` when not given, as a packaged sweep has it, else `Settings.window`.
        treatment: Learning-rate treatment to keep, when the table holds several.
        seed: Seed of bootstrap and permutations; the same table and seed give the same fit.
        num_bootstrap: Bootstrap draws.
        num_permutations: Permutations of each claim's test.
        budget_tolerance: Runs within it of each other's parameters share a budget, where the table names none; None
            lets it grow with what rounding widths must miss.
        last_step: Keep the last row of each shape where rows differ in tokens and nothing names their run.
        given: Each row is the optimum of its budget, measured elsewhere: only the slope over budgets is tested.
        losses_of: A fit with the same settings, such as that of another view: what it says of the losses is taken over
            where the losses are the same, so that a further view costs little.

    Returns:
        The fit; see `LawFit`.

    Raises:
        TypeError: No table.
        InterlawError: Wrong columns, impossible values, mixed treatments, or settings out of range.

    Example:
        >>> import numpy as np
        >>> depth = np.arange(2, 10)
        >>> width = 400 / np.sqrt(depth)
        >>> x = np.log(depth / width)
        >>> loss = 2 + 0.05 * (x - np.log(0.03)) ** 2 + 1e-4 * np.cos(9 * x)
        >>> fit = fit_law({"params": np.full(8, 2e6), "depth": depth, "width": width, "loss": loss})
        >>> round(fit.budgets[0].r_star.value, 3)
        0.03

    Source: Sun, Yang, Zhang, Du 2026 (arXiv 2605.27989) for the two intervals.
    """
    settings = Settings(
        delta=delta,
        confidence=confidence,
        window=getattr(table, "attrs", {}).get("window", Settings.window) if window is None else window,
        num_bootstrap=num_bootstrap,
        num_permutations=num_permutations,
        given=given,
    )
    if budget_tolerance is not None and not 0 < budget_tolerance < 1:
        raise InterlawError(f"expected budget_tolerance= between 0 and 1, found {budget_tolerance}: 0.05 means 5%")
    if not hasattr(table, "keys"):
        raise TypeError(f"expected a DataFrame or a dict of columns, fit_law(table), found {type(table).__name__}")
    runs = read_runs(table, treatment=treatment, budget_tolerance=budget_tolerance, last_step=last_step)
    shapes = group_shapes(runs)
    if seed < 0:
        raise InterlawError(f"expected a seed of at least 0, found {seed}; choose another")
    budgets, law, stability = _taken_over(losses_of, shapes) or _fit_losses(shapes, settings, seed=seed)
    contexts = read_contexts(runs, shapes, budgets=budgets)
    intervals = interaction_intervals(contexts, runs.view, seed=seed)
    budgets = tuple(
        replace(_with_interaction(budget, own, interval), kind=runs.budget_kind)
        for budget, own, interval in zip(budgets, shapes.by_budget(), intervals, strict=True)
    )
    claims = judge_claims(contexts, confidence=confidence, num_permutations=num_permutations, seed=seed)
    return LawFit(
        budgets=budgets,
        law=law,
        interaction_interval=pool_intervals(intervals),
        stability=stability,
        claims=(*claims, loss_drift(stability, confidence=confidence)),
        warnings=tuple(collect_warnings(runs, shapes, budgets=budgets, law=law)),
        delta=delta,
        confidence=confidence,
        seed=seed,
        left_out=runs.left_out,
        view=runs.view,
    )


Losses = tuple[tuple[BudgetFit, ...], JointLaw | None, Stability]


def _fit_losses(shapes: ShapeMeans, settings: Settings, *, seed: int) -> Losses:
    """What depends on the losses alone: budgets, the joint law, how stable R* is."""
    rng = np.random.default_rng(seed)
    budgets, law = _fitted(shapes, settings, rng=rng, num_draws=settings.num_bootstrap)
    sizes = [fit.params_mean for fit in budgets]
    published = published_slopes(min(sizes), max(sizes))
    stability = judge_stability(budgets, confidence=settings.confidence, published=published)
    windows = () if settings.given else _other_windows(shapes, settings, rng=rng)
    return budgets, law, compare_routes(stability, joint=joint_slope(law, window=settings.window), windows=windows)


def _fitted(
    shapes: ShapeMeans, settings: Settings, *, rng: np.random.Generator, num_draws: int, compare: bool = True
) -> tuple[tuple[BudgetFit, ...], JointLaw | None]:
    """The budgets, and the joint law with so many draws unless the optima are given."""
    budgets = tuple(fit_budget(shapes, own, settings=settings, rng=rng) for own in shapes.by_budget())
    if settings.given:
        return budgets, None
    confidence = settings.confidence
    law = fit_joint_law(shapes, budgets, confidence=confidence, num_bootstrap=num_draws, rng=rng, compare=compare)
    return budgets, law


def _taken_over(fit: LawFit | None, shapes: ShapeMeans) -> Losses | None:
    """The same of a fit of the same losses; None of other losses."""
    if fit is None:
        return None
    names = ["depth", "width", "loss", "num_runs"]
    known = [[each.budget, *(getattr(point, name) for name in names)] for each in fit.budgets for point in each.points]
    same = known == shapes.frame[["budget", *names]].to_numpy().tolist()
    return (fit.budgets, fit.law, fit.stability) if same else None


def _other_windows(shapes: ShapeMeans, settings: Settings, *, rng: np.random.Generator) -> tuple[Slope, ...]:
    """Gamma of other windows by both routes, where there is one: near is another law than far from the minimum."""
    slopes: list[Slope | None] = []
    for window in OTHER_WINDOWS:
        other = replace(settings, window=window, num_bootstrap=min(settings.num_bootstrap, WINDOW_DRAWS))
        budgets, law = _fitted(
            shapes, other, rng=rng, num_draws=min(settings.num_bootstrap, JOINT_WINDOW_DRAWS), compare=False
        )
        over_optima = judge_stability(budgets, confidence=settings.confidence)
        slopes += [optima_slope(over_optima, window=window), joint_slope(law, window=window)]
    return tuple(each for each in slopes if each is not None)


def _with_interaction(budget: BudgetFit, own: pd.DataFrame, interval: InteractionInterval | None) -> BudgetFit:
    """The budget with its interaction interval; each point with what was measured and its place on the front."""
    front = {(shape.depth, shape.width): shape for shape in (interval.front_probability if interval else ())}
    points = []
    for point, row in zip(budget.points, own.to_dict("records"), strict=True):
        measured: Json = {name: row[name] if pd.notna(row.get(name)) else None for name in CLAIMED}
        shape = front.get((point.depth, point.width))
        pareto, probability = (shape.measured, shape.probability) if shape else (None, None)
        points.append(replace(point, **measured, pareto=pareto, front_probability=probability))
    return replace(budget, interaction_interval=interval, points=tuple(points))
