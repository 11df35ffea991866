"""What the learning-rate treatment does to R*: one budget's minimum under each treatment, and their differences."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from math import log

import numpy as np
import pandas as pd

from interlaw.errors import InterlawError
from interlaw.laws.budget_fit import budget_curve
from interlaw.laws.cells import Columns
from interlaw.laws.claim import Claim
from interlaw.laws.fit import fit_law
from interlaw.laws.grouping import group_shapes
from interlaw.laws.loss_curve import LossCurve, grid
from interlaw.laws.parts import FittedTable, judge_together
from interlaw.laws.result import BudgetFit
from interlaw.laws.rows import FloatArray
from interlaw.laws.settings import Settings
from interlaw.laws.stability import judged
from interlaw.laws.table import read_runs
from interlaw.plain import Json, plain

SAME_FACTOR = 1.5  # R* within this factor of each other is the same choice of shape


@dataclass(frozen=True, kw_only=True)
class TreatedBudget(BudgetFit):
    """One budget under one treatment: what `fit_law` says of it."""

    treatment: str


@dataclass(frozen=True, kw_only=True)
class TreatmentDifference:
    """R* of `second` over R* of `first` in one budget, and what it gains in loss.

    Attributes:
        budget: Nominal budget.
        first: A treatment.
        second: Another.
        factor: R*(second) / R*(first); None unless both are optima inside the grid.
        low: Lower end of its interval; None where the data give no bound.
        high: Upper end, likewise.
        verdict: `same` (the interval lies within a factor of `SAME_FACTOR`, even one that leaves out 1), `moves` (it
            leaves out 1) or `cannot tell`.
        loss_change: Lowest loss on the curve, second relative to first, minus 1; negative where the second is better.
        loss_change_low: Lower end of its interval.
        loss_change_high: Upper end.
    """

    budget: float
    first: str
    second: str
    factor: float | None
    low: float | None = None
    high: float | None = None
    verdict: str
    loss_change: float | None = None
    loss_change_low: float | None = None
    loss_change_high: float | None = None


@dataclass(frozen=True, kw_only=True)
class TreatmentCost:
    """Trials and training FLOPs of a treatment, and the part of both that went into trying rates."""

    treatment: str
    num_trials: int
    num_search_trials: int
    train_flops: float | None
    search_flops: float | None


@dataclass(frozen=True, kw_only=True)
class TreatmentComparison:
    """Every budget under every treatment, their differences pair by pair, what each cost, and the claims over all."""

    treatments: tuple[str, ...]
    budgets: tuple[TreatedBudget, ...]
    differences: tuple[TreatmentDifference, ...]
    costs: tuple[TreatmentCost, ...]
    claims: tuple[Claim, ...]
    warnings: tuple[str, ...]
    confidence: float

    def to_dict(self) -> Json:
        """Everything as plain values for JSON."""
        return dict(plain(self))


def compare_treatments(
    table: Columns,
    *,
    confidence: float = Settings.confidence,
    seed: int = 0,
    num_bootstrap: int = Settings.num_bootstrap,
) -> TreatmentComparison:
    """R* per budget and treatment, with intervals on the differences.

    Each treatment's loss curve has its own bootstrap over shapes (`fit_law`); a difference is taken between draws of
    the two curves as if their errors were independent. Paired seeds make the errors agree a little, so the intervals
    are on the wide side. A drawn minimum beyond the grid counts as anywhere beyond it: ends that depend on such draws
    are open.

    Args:
        table: As for `fit_law`, with a column `treatment` of at least two values; `stage` and `train_flops` are used
            when present: rows of stage `search` count for the cost only.
        confidence: Level of every interval.
        seed: Seed of the bootstrap.
        num_bootstrap: Bootstrap draws, and permutations of each claim's test.

    Raises:
        InterlawError: Fewer than two treatments, or what `fit_law` refuses.

    Example:
        >>> import numpy as np
        >>> depth = np.tile(np.arange(2, 10), 2)
        >>> width = 400 / np.sqrt(depth)
        >>> x = np.log(depth / width)
        >>> centre = np.repeat(np.log([0.02, 0.03]), 8)
        >>> loss = 2 + 0.05 * (x - centre) ** 2 + 1e-4 * np.cos(9 * x)
        >>> treatment = np.repeat(["fixed", "search"], 8)
        >>> table = {"params": np.full(16, 2e6), "depth": depth, "width": width, "loss": loss, "treatment": treatment}
        >>> difference = compare_treatments(table).differences[0]
        >>> round(difference.factor, 2), difference.verdict
        (1.5, 'moves')
    """
    runs = pd.DataFrame({str(name): np.asarray(table[name]) for name in table})
    if "treatment" not in runs:
        raise InterlawError("expected a column treatment, found none: compare runs of interlaw sweep")
    runs["treatment"] = runs["treatment"].astype(str)
    treatments = tuple(runs["treatment"].unique())
    if len(treatments) < 2:
        raise InterlawError(
            f"expected at least two treatments, found {', '.join(treatments) or 'none'}: "
            "give runs that differ in training.treatment"
        )
    final = runs[runs["stage"].astype(str) == "final"] if "stage" in runs else runs
    missing = set(treatments) - set(final["treatment"])
    if missing:
        raise InterlawError(
            f"expected final trials of {', '.join(sorted(missing))}, found none: finish the sweep first"
        )
    parts: list[FittedTable] = []
    treated: dict[tuple[float, str], tuple[TreatedBudget, LossCurve | None]] = {}
    settings = Settings(confidence=confidence, num_bootstrap=num_bootstrap)
    for treatment in treatments:
        fit = fit_law(final, treatment=treatment, confidence=confidence, seed=seed, num_bootstrap=num_bootstrap)
        parts.append(FittedTable(source="", treatment=treatment, table=final, fit=fit))
        curves = _curves(final, treatment, settings=settings, seed=seed)
        for each, curve in zip(fit.budgets, curves, strict=True):
            treated[each.budget, treatment] = TreatedBudget(treatment=treatment, **vars(each)), curve
    levels = sorted({budget for budget, _ in treated})
    pairs = [[treated.get((level, each)) for each in pair] for level in levels for pair in combinations(treatments, 2)]
    return TreatmentComparison(
        treatments=treatments,
        budgets=tuple(treated[level, each][0] for level in levels for each in treatments if (level, each) in treated),
        differences=tuple(_difference(one, two, confidence=confidence) for one, two in pairs if one and two),
        costs=tuple(_cost(runs[runs["treatment"] == treatment], treatment) for treatment in treatments),
        claims=judge_together(parts, num_permutations=num_bootstrap, seed=seed),
        warnings=tuple(f"{part.treatment}: {warning}" for part in parts for warning in part.fit.warnings),
        confidence=confidence,
    )


def _curves(table: pd.DataFrame, treatment: str, *, settings: Settings, seed: int) -> list[LossCurve | None]:
    """The loss curve of each budget, with draws of its own."""
    shapes = group_shapes(read_runs(table, treatment=treatment))
    rng = np.random.default_rng([seed, *treatment.encode()])
    return [budget_curve(shapes, own, settings=settings, rng=rng)[0] for own in shapes.by_budget()]


def _difference(
    one: tuple[TreatedBudget, LossCurve | None], two: tuple[TreatedBudget, LossCurve | None], *, confidence: float
) -> TreatmentDifference:
    """One pair in one budget."""
    (first, curve), (second, other) = one, two
    a, b = first.r_star.value, second.r_star.value
    unknown = TreatmentDifference(
        budget=first.budget,
        first=first.treatment,
        second=second.treatment,
        factor=None if a is None or b is None else b / a,
        verdict="cannot tell",
    )
    if curve is None or other is None or not len(curve.draws) or not len(other.draws):
        return unknown
    tails = (1 - confidence) / 2, (1 + confidence) / 2
    # of log R*(second) - log R*(first) over paired draws, each known to lie between two ends
    (first_low, first_high), (second_low, second_high) = _minimum_bounds(curve), _minimum_bounds(other)
    low = float(np.quantile(second_low - first_high, tails[0], method="closest_observation"))
    high = float(np.quantile(second_high - first_low, tails[1], method="closest_observation"))
    change = other.predict(grid(other)).min() / curve.predict(grid(curve)).min() - 1
    drawn = other.predict_draws(grid(other)).min(axis=1) / curve.predict_draws(grid(curve)).min(axis=1) - 1
    change_low, change_high = np.quantile(drawn, tails)
    verdict = judged(low, high, margin=log(SAME_FACTOR))
    return replace(
        unknown,
        low=None if np.isinf(low) else float(np.exp(low)),
        high=None if np.isinf(high) else float(np.exp(high)),
        verdict="moves" if verdict == "different" else verdict,
        loss_change=float(change),
        loss_change_low=float(change_low),
        loss_change_high=float(change_high),
    )


def _minimum_bounds(curve: LossCurve) -> tuple[FloatArray, FloatArray]:
    """Where each drawn minimum may lie: a point inside the grid, or anywhere beyond the end it falls towards."""
    drawn, first, last = curve.turns, curve.x[0], curve.x[-1]
    low = np.where(drawn < first, -np.inf, np.minimum(drawn, last))
    return low, np.where(drawn > last, np.inf, np.maximum(drawn, first))


def _cost(runs: pd.DataFrame, treatment: str) -> TreatmentCost:
    """What a treatment's trials took."""
    searched = runs[runs["stage"].astype(str) == "search"] if "stage" in runs else runs[:0]
    flops = [float(each["train_flops"].sum()) if "train_flops" in runs else None for each in (runs, searched)]
    return TreatmentCost(
        treatment=treatment,
        num_trials=len(runs),
        num_search_trials=len(searched),
        train_flops=flops[0],
        search_flops=flops[1],
    )
