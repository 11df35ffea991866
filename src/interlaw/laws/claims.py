"""Every claim of the paper that one table, several tables or several treatments can test: C2 twice, C3, C4."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from interlaw.errors import InterlawError
from interlaw.laws.cells import Columns
from interlaw.laws.claim import Claim, adjust, ask, not_testable
from interlaw.laws.contexts import Contexts, join, read_contexts
from interlaw.laws.drift import interaction_drift, pooled_loss_drift
from interlaw.laws.grouping import group_shapes
from interlaw.laws.off_the_curve import off_the_curve
from interlaw.laws.settings import Settings
from interlaw.laws.table import read_runs
from interlaw.laws.tracking import efficient_ratio, tracking
from interlaw.laws.within_shapes import within_shapes

if TYPE_CHECKING:
    from interlaw.laws import LawFit

_UNMEASURED = (("C2", "within-shapes"), ("C2", "off-the-curve"), ("C3", "tracking"))


def judge_claims(contexts: Contexts, *, confidence: float, num_permutations: int, seed: int) -> tuple[Claim, ...]:
    """The claims about interaction, most useful first; p-values adjusted over quantities and views of each test."""
    if not contexts.interaction:
        return tuple(not_testable(ask(claim, test), "interaction was not measured") for claim, test in _UNMEASURED)
    claims: list[Claim] = []
    for stream, (name, test) in enumerate({"within-shapes": within_shapes, "off-the-curve": off_the_curve}.items()):
        put = partial(test, contexts, confidence=confidence, num_permutations=num_permutations)
        tested = [
            put(asked=ask("C2", name, quantity=quantity, view=view), rng=np.random.default_rng([seed, stream]))
            for view, quantities in contexts.interaction.items()
            for quantity in map(str, quantities)
        ]
        claims.extend(adjust(tested))
    ratios = {view: efficient_ratio(contexts, view) for view in contexts.interaction}
    rng = np.random.default_rng([seed, 2])
    tracked = [
        tracking(contexts, where, view=view, confidence=confidence, num_permutations=num_permutations, rng=rng)
        for view, (where, _) in ratios.items()
    ]
    claims.extend(adjust(tracked))
    for view, (where, inside) in ratios.items():
        claims.extend(interaction_drift(contexts, where, inside=inside, view=view, confidence=confidence))
    return tuple(claims)


@dataclass(frozen=True, kw_only=True)
class FittedTable:
    """A table, its fit, and where it came from.

    Attributes:
        source: A name; treatments of one source share it.
        treatment: The treatment that was fitted; None where the table holds one.
        table: The table.
        fit: What `fit_law` says of it.
        budget_tolerance: As it was fitted.
        last_step: As it was fitted.
    """

    source: str
    treatment: str | None
    table: Columns
    fit: LawFit
    budget_tolerance: float | None = None
    last_step: bool = False


def read_together(parts: Sequence[FittedTable]) -> Contexts:
    """Every budget of every source and treatment, of the runs that their fits used."""
    read = []
    for part in parts:
        runs = read_runs(
            part.table, treatment=part.treatment, budget_tolerance=part.budget_tolerance, last_step=part.last_step
        )
        read.append(read_contexts(runs, group_shapes(runs), budgets=part.fit.budgets))
    return join(read, sources=[part.source for part in parts])


def judge_together(
    parts: Sequence[FittedTable], *, num_permutations: int = Settings.num_permutations, seed: int = 0
) -> tuple[Claim, ...]:
    """The claims of several fitted tables: every budget of every source and treatment is a context.

    Runs are compared within their shape, shapes within their context; R* is compared over contexts. Confidence is that
    of the fits.

    Args:
        parts: The tables.
        num_permutations: Permutations of each test.
        seed: Their seed.

    Raises:
        InterlawError: No table.
    """
    if not parts:
        raise InterlawError("expected at least one fitted table, found none; name a run")
    contexts, confidence = read_together(parts), parts[0].fit.confidence
    claims = judge_claims(contexts, confidence=confidence, num_permutations=num_permutations, seed=seed)
    return (*claims, pooled_loss_drift(contexts, confidence=confidence))
