"""The claims put to several tables at once: tasks or treatments whose contexts count together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from interlaw.laws.budget_fit import Settings, fit_budget
from interlaw.laws.claim import Claim
from interlaw.laws.claims import judge_claims
from interlaw.laws.contexts import Contexts, join, read_contexts
from interlaw.laws.grouping import group_shapes
from interlaw.laws.table import Columns, read_runs


def pooled_claims(
    tables: Sequence[Columns],
    *,
    delta: float = 0.01,
    confidence: float = 0.9,
    window: float = 0.1,
    num_bootstrap: int = 1000,
    num_permutations: int = 1000,
    seed: int = 0,
) -> tuple[Claim, ...]:
    """C2, C3 and C4 of interaction over the budgets of several tables, each a source and a group of its own.

    Args:
        tables: As `fit_law` takes them, one a task or treatment.
        delta: Tolerance of the loss interval.
        confidence: Level of every interval.
        window: The curve of a budget uses the shapes whose loss is within this fraction of its best.
        num_bootstrap: Bootstrap draws behind each R*.
        num_permutations: Permutations of each test.
        seed: Seed of both.

    Raises:
        InterlawError: A table that `fit_law` refuses.
    """
    settings = Settings(
        delta=delta,
        confidence=confidence,
        window=window,
        num_bootstrap=num_bootstrap,
        num_permutations=num_permutations,
    )
    parts = [_contexts(table, settings=settings, rng=np.random.default_rng(seed)) for table in tables]
    contexts = join(parts, sources=[str(place) for place in range(len(parts))])
    return judge_claims(contexts, confidence=confidence, num_permutations=num_permutations, seed=seed)


def _contexts(table: Columns, *, settings: Settings, rng: np.random.Generator) -> Contexts:
    """One table's contexts with their R*."""
    runs = read_runs(table)
    shapes = group_shapes(runs)
    budgets = [
        fit_budget(shapes, np.flatnonzero(shapes.budget == budget), settings=settings, rng=rng)
        for budget in np.unique(shapes.budget)
    ]
    return read_contexts(table, runs, shapes, budgets)
