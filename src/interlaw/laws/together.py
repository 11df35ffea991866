"""Several tables, or several treatments of one, put to the same tests of the claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from interlaw.errors import InterlawError
from interlaw.laws.claim import Claim
from interlaw.laws.claims import judge_claims
from interlaw.laws.contexts import join, read_contexts
from interlaw.laws.drift import pooled_loss_drift
from interlaw.laws.grouping import group_shapes
from interlaw.laws.law_result import LawResult
from interlaw.laws.table import Columns, read_runs


@dataclass(frozen=True, kw_only=True)
class FittedTable:
    """A table, its fit, and where it came from.

    Attributes:
        source: A name; treatments of one source share it.
        treatment: The treatment that was fitted; None where the table holds one.
        table: The table.
        fit: What `fit_law` found of it.
        reading: `budget_tolerance` and `last_step`, where it was fitted with any.
    """

    source: str
    treatment: str | None
    table: Columns
    fit: LawResult
    reading: Mapping[str, Any] = field(default_factory=dict)


def judge_together(parts: Sequence[FittedTable], *, num_permutations: int = 1000, seed: int = 0) -> tuple[Claim, ...]:
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
    read = []
    for part in parts:
        runs = read_runs(part.table, treatment=part.treatment, **part.reading)
        read.append(read_contexts(part.table, runs, group_shapes(runs), part.fit.budgets))
    contexts = join(read, sources=[part.source for part in parts])
    confidence = parts[0].fit.confidence
    claims = judge_claims(contexts, confidence=confidence, num_permutations=num_permutations, seed=seed)
    return (*claims, pooled_loss_drift(contexts, confidence=confidence))
