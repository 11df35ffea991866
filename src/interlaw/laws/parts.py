"""Several tables, or one whose rows are several experiments: each fitted alone, then all judged together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Unpack

import pandas as pd

from interlaw.errors import InterlawError, require_among
from interlaw.laws.cells import Columns, cells_of
from interlaw.laws.claim import Claim
from interlaw.laws.claims import judge_claims
from interlaw.laws.contexts import Contexts, join, read_contexts
from interlaw.laws.drift import pooled_loss_drift
from interlaw.laws.fit import fit_law
from interlaw.laws.grouping import group_shapes
from interlaw.laws.law_fit import LawFit
from interlaw.laws.rows import text_of
from interlaw.laws.settings import FitOptions, ReadOptions, Settings
from interlaw.laws.table import read_runs

_SAME = ["params", "depth", "width", "loss"]  # rows that agree in these to the last digit are one run


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


def fit_each(
    tables: Mapping[str, Columns],
    *,
    split: Sequence[str] = (),
    treatment: str | None = None,
    budget_tolerance: float | None = None,
    last_step: bool = False,
    **settings: Unpack[FitOptions],
) -> list[FittedTable]:
    """One fit a table, value of `split` and treatment, for `judge_together`.

    Args:
        tables: Tables by the name of their source.
        split: Columns whose values tell experiments apart: each value is a source of its own.
        treatment: The treatment to keep; None fits each.
        budget_tolerance: As for `fit_law`.
        last_step: As for `fit_law`.
        settings: `delta`, `confidence`, `window`, `given`, `seed`, `num_bootstrap` and `num_permutations` of `fit_law`.

    Raises:
        InterlawError: A column to split by is missing, two sources hold the same runs, or what `fit_law` refuses.

    Example:
        >>> columns = {"params": [1e6] * 4, "depth": [2, 4] * 2, "width": [96, 64] * 2, "loss": [1.9, 1.8, 2.9, 2.7]}
        >>> parts = fit_each({"runs": {**columns, "task": ["a", "a", "b", "b"]}}, split=["task"])
        >>> [(part.source, part.fit.budgets[0].best.loss) for part in parts]
        [('runs, task a', 1.8), ('runs, task b', 2.7)]
    """
    reading: ReadOptions = {"budget_tolerance": budget_tolerance, "last_step": last_step}
    sources = {
        source: part for name, table in tables.items() for source, part in _split(table, split, name=name).items()
    }
    if len(tables) > 1:
        _require_different(sources)
    parts = []
    for source, table in sources.items():
        for one in _treatments(table, treatment):
            try:
                fit = fit_law(table, treatment=one, **reading, **settings)
            except InterlawError as error:
                raise InterlawError(f"{source}: {error}") from error
            parts.append(FittedTable(source=source, treatment=one, table=table, fit=fit, **reading))
    return parts


def _split(table: Columns, names: Sequence[str], *, name: str) -> dict[str, pd.DataFrame]:
    """The rows of each value, by the source's name and the value."""
    cells = table if isinstance(table, pd.DataFrame) else cells_of(table)
    for each in names:
        require_among(f"a column to split {name} by", each, known=list(cells), advice="name one of them")
    if not names:
        return {name: cells}
    texts = pd.DataFrame({each: text_of(cells[each]) for each in names}, index=cells.index)
    parts = {}
    for values, rows in texts.reset_index(drop=True).groupby(list(names), sort=False):
        said = [f"{each} {value or '(none)'}" for each, value in zip(names, values, strict=True)]
        parts[", ".join([name, *said])] = cells.iloc[rows.index]
    return parts


def _treatments(table: pd.DataFrame, chosen: str | None) -> list[str | None]:
    """The treatments to fit one by one: the chosen one, all where there are several, else none by name."""
    if chosen is not None or "treatment" not in table.columns:
        return [chosen]
    treatments = sorted(set(table["treatment"].astype(str)))
    return [*treatments] if len(treatments) > 1 else [None]


def _require_different(sources: Mapping[str, pd.DataFrame]) -> None:
    """Refuses a source whose runs are all in another: they would count twice."""
    rows = {
        name: set(table[_SAME].dropna().itertuples(index=False, name=None))
        for name, table in sources.items()
        if set(_SAME) <= set(table)
    }
    for one, other in combinations(rows, 2):
        fewer, more = sorted((other, one), key=lambda name: len(rows[name]))
        if rows[fewer] and rows[fewer] <= rows[more]:
            raise InterlawError(
                f"expected different runs in every source, found all {len(rows[fewer])} rows of {fewer} in {more}: "
                "leave one of them out"
            )


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
