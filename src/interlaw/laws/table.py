"""Read a table of runs: which columns it must have, which rows count, and what was left out and why."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from interlaw.errors import InterlawError
from interlaw.laws.cells import MEASURED, REQUIRED, Columns, cells_of, numbers_of, row_names
from interlaw.laws.names import state_column, states_of
from interlaw.laws.repeats import require_seeds
from interlaw.laws.rows import (
    RUN_NAMES,
    SHAPE,
    BoolArray,
    best_rates,
    infer_budgets,
    last_checkpoints,
    shared_seeds,
    text_of,
    without_copies,
)
from interlaw.size import format_size
from interlaw.views import measured_views, view_table

# treatments under which the rate follows the shape by a rule
TRANSFERRED = {"mup", "completep"}


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """Rows that no fit used, and what their absence may do to the result.

    Attributes:
        num_rows: Rows of the table (of the chosen treatment).
        diverged: Rows whose status is `diverged`.
        failed: Rows with any other status than `done`.
        slower_rates: Rows at learning rates that were not the best of their shape.
        checkpoints: Rows of a run before its last.
        duplicates: Rows that agree with another in every column.
        lost_shapes: Shapes without a single usable run, as `depth x width @ budget`.
        bias: In words, which way the omission may pull the optimum; empty when nothing was left out.
    """

    num_rows: int
    diverged: int = 0
    failed: int = 0
    slower_rates: int = 0
    checkpoints: int = 0
    duplicates: int = 0
    lost_shapes: tuple[str, ...] = ()
    bias: str = ""


@dataclass(frozen=True, kw_only=True)
class Runs:
    """The usable rows.

    Attributes:
        frame: One row a run, under the number of its row in the table: `budget` (the nominal one: parameters, or
            whatever the table's column counts), `params`, `spent` (of the budget: the count that is held equal,
            parameters unless the table says otherwise), `depth` (residual blocks), `width` (hidden units, channels or
            d_model), `loss` (test loss); and, where the table has them, `train_tokens`, `seed` (where runs of several
            shapes share one) and the interaction columns (NaN where a run was not measured).
        cells: The same rows as the table has them, every column.
        budget_kind: What `budget` counts, by the table's own account; empty when it does not say.
        spends_tokens: What is spent counts the tokens too: training FLOPs.
        notes: What was done with the rows that a reader would want to know, a sentence each.
        rate_edges: Shapes whose best learning rate was the lowest or highest one tried.
        left_out: What was dropped.
        view: The view of the interaction columns, by the table's own account; empty when it does not say.
    """

    frame: pd.DataFrame
    cells: pd.DataFrame
    budget_kind: str
    spends_tokens: bool
    notes: tuple[str, ...]
    rate_edges: int
    left_out: LeftOut
    view: str


def read_runs(
    table: Columns, *, treatment: str | None = None, budget_tolerance: float | None = None, last_step: bool = False
) -> Runs:
    """Check a table and keep the runs that ended well.

    Args:
        table: Columns by name (a dict of sequences, a DataFrame): `params`, `depth`, `width`, `loss`; used when
            present: `budget`, `budget_spent`, `budget_kind`, `status` (or `state`), `seed`, `learning_rate`,
            `val_loss`, `rate_at_edge`, `treatment`, `train_tokens` (or `tokens`, `epoch`, `step`), `run`, `aofe`,
            `aofe_ratio`, `null_ratio`, `excess_ratio`, `view`. Without `aofe_ratio`, those of the first of
            `measured_views`.
        treatment: The learning-rate treatment to keep, when the table holds several.
        budget_tolerance: Runs within it of each other's parameters share a budget, where the table has no `budget`;
            None lets it grow with what rounding widths must miss.
        last_step: Keep the last row of each shape where rows differ in tokens and nothing names their run.

    Raises:
        InterlawError: A column is missing, not numeric, of another length, or holds a value that no run can have; or
            the table mixes treatments.

    Example:
        >>> columns = {"params": [1e6, 1e6], "depth": [2, 4], "width": [96, 64], "loss": [1.9, 1.8]}
        >>> read_runs({**columns, "status": ["finished", "crashed"]}).frame["depth"].tolist()
        [2.0]
    """
    every = cells_of(table)
    cells = _of_treatment(_final(every), treatment)
    if "aofe_ratio" not in cells and measured_views(cells):
        cells = view_table(cells)
    state = state_column(map(str, cells))
    status = np.full(len(cells), "done") if state is None else states_of(text_of(cells[state]), column=state)
    columns = numbers_of(cells)
    done = status == "done"
    _check_runs(columns[done], row_names(table, len(every)))
    if not done.any():
        raise InterlawError(f"expected runs with status done, found none among {len(status)}: the sweep has no result")
    columns, inferred = _with_budgets(columns, tolerance=budget_tolerance)
    run_name = next((name for name in RUN_NAMES if name in cells), None)
    named = {} if run_name is None else {"run": text_of(cells[run_name][done])}
    treatments, kinds, views = (_values(cells, name) for name in ("treatment", "budget_kind", "view"))
    if len(views) > 1:
        raise InterlawError(f"expected interaction of one view, found {', '.join(views)} in column view; keep one")
    ended, late = last_checkpoints(columns[done].assign(**named), last_step=last_step)
    taken = require_seeds(ended, cells)
    rated, searched, edges = best_rates(ended, transferred=bool(treatments) and set(treatments) <= TRANSFERRED)
    kept, copied = without_copies(rated, cells)
    has_seeds, unshared = shared_seeds(kept)
    searched_edges = kept.reindex(columns=[*SHAPE, "rate_at_edge"])  # by the table's own account
    has_tokens = "train_tokens" in kept and bool(_positive(kept["train_tokens"]).all())
    unknown = [name for name, known in (("seed", has_seeds), ("train_tokens", has_tokens)) if not known]
    kept = kept.assign(spent=kept.get("budget_spent", kept["params"])).drop(columns=unknown, errors="ignore")
    return Runs(
        frame=kept.filter(items=["budget", *REQUIRED, "spent", "train_tokens", "seed", *MEASURED]),
        cells=cells.loc[kept.index],
        budget_kind=kinds[0] if len(kinds) == 1 else "",
        spends_tokens="train_flops" in kinds,
        notes=(*inferred, *late, *taken, *searched, *copied, *unshared),
        rate_edges=edges + len(searched_edges[searched_edges["rate_at_edge"] == 1].drop_duplicates()),
        left_out=LeftOut(
            num_rows=len(status),
            diverged=int((status == "diverged").sum()),
            failed=int((~done & (status != "diverged")).sum()),
            slower_rates=len(ended) - len(rated),
            checkpoints=int(done.sum()) - len(ended),
            duplicates=len(rated) - len(kept),
            lost_shapes=_lost_shapes(columns, done),
            bias=_bias(columns, done),
        ),
        view=views[0] if views else "",
    )


def _with_budgets(columns: pd.DataFrame, *, tolerance: float | None) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The columns with the budget of each row, and what to say where it was inferred."""
    if "budget" in columns:
        return columns, ()
    params, width = (columns[name].to_numpy() for name in ("params", "width"))
    budget, widest = infer_budgets(params, width, tolerance=tolerance)
    note = (
        f"the table has no column budget: runs within {widest:.0%} of each other's parameters count as one budget "
        "(budget_tolerance= or --budget-tolerance sets it)"
    )
    return columns.assign(budget=budget), (note,)


def _values(cells: pd.DataFrame, name: str) -> list[str]:
    """What a column says, each value once; nothing without it."""
    return sorted(set(map(str, text_of(cells[name])))) if name in cells else []


def _final(cells: pd.DataFrame) -> pd.DataFrame:
    """Rows without the trials that only searched for a rate: a final trial repeats the seed of one of them."""
    return cells[cells["stage"] == "final"] if _values(cells, "stage") == ["final", "search"] else cells


def _of_treatment(cells: pd.DataFrame, treatment: str | None) -> pd.DataFrame:
    """The rows of one learning-rate treatment."""
    treatments = _values(cells, "treatment")
    if treatment is None and len(treatments) < 2:
        return cells
    if treatment is None:
        raise InterlawError(
            f"expected one learning-rate treatment, found {', '.join(treatments)}: shapes compared across treatments "
            "confound shape with tuning; choose one with treatment= (--treatment)"
        )
    if not treatments:
        raise InterlawError(f"expected a column treatment to choose {treatment!r} from, found none: leave it out")
    if treatment not in treatments:
        raise InterlawError(f"expected treatment to be one of {', '.join(treatments)}, found {treatment!r}")
    return cells.take(np.flatnonzero(text_of(cells["treatment"]) == treatment))


def _positive(values: pd.Series[float]) -> pd.Series[bool]:
    return values.gt(0) & values.lt(np.inf)


def _check_runs(runs: pd.DataFrame, names: list[str]) -> None:
    """Refuses values that no run can have; `names` says where each row of the table stands."""
    for name in (*REQUIRED, *(name for name in ("budget", "budget_spent") if name in runs)):
        bad = runs[~_positive(runs[name])]
        if len(bad):
            raise InterlawError(
                f"expected positive finite {name} in every finished run, found {bad[name].iloc[0]} in "
                f"{names[bad.index[0]]} ({len(bad)} such rows): drop them, or mark them with a column status=diverged"
            )
    small = runs[runs["params"] < runs["depth"] * runs["width"]]
    if len(small):
        of = small.iloc[0]
        raise InterlawError(
            f"expected at least depth x width parameters, found {of['params']:g} for {of['depth']:g} x {of['width']:g} "
            f"in {names[small.index[0]]} ({len(small)} such rows); write params in units: 16000000 or 16M, not 16"
        )


def _lost_shapes(columns: pd.DataFrame, done: BoolArray) -> tuple[str, ...]:
    shapes = columns.assign(done=done).groupby(SHAPE)["done"].any()
    return tuple(
        f"{depth:g} x {width:g} @ {format_size(budget)}"
        for budget, depth, width in shapes.index[~shapes.to_numpy(dtype=bool)]
        if np.isfinite([budget, depth, width]).all()
    )


def _bias(columns: pd.DataFrame, done: BoolArray) -> str:
    """Say on which side of the kept runs the missing ones lie."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(columns["depth"].to_numpy() / columns["width"].to_numpy())
    missing = ratio[~done & np.isfinite(ratio)]
    if not len(missing):
        return ""
    kept = ratio[done]
    share_deep = float((missing > np.median(kept)).mean())
    if 1 / 3 < share_deep < 2 / 3:  # judgement: what lies more often on one side is named by it
        return (
            f"{len(missing)} runs without a usable loss lie on both sides of the kept ones: the interval is based on "
            "the shapes that trained easily"
        )
    side, other = ("deeper and narrower", "shallow") if share_deep >= 2 / 3 else ("wider and shallower", "deep")
    lie = (
        f"1 run without a usable loss is {side} than most of the kept ones"
        if len(missing) == 1
        else f"{len(missing)} runs without a usable loss lie mostly {side} than the kept ones"
    )
    return f"{lie}: the optimum may be pulled towards {other} shapes"
