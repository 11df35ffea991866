"""What a report shows of a run, gathered once: the trials, the fit of each treatment and view, what was left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from interlaw import laws, runs
from interlaw.errors import InterlawError
from interlaw.tasks import Units

if TYPE_CHECKING:  # figures of shapes alone, as `explore` draws them, start without pandas
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """The fit of one learning-rate treatment, with the interaction read from one view; none when nothing was measured.

    `table` holds the treatment's trials, with the view's columns under their plain names.
    """

    treatment: str
    view: str
    table: pd.DataFrame
    fit: laws.LawFit


@dataclass(frozen=True, kw_only=True)
class RunResults:
    """A run, read.

    Attributes:
        path: The run's folder.
        name: The recipe's name, as the user wrote it.
        recipe: The recipe's text.
        table: One row a finished trial, whichever way it ended.
        records: The finished trials' records by key.
        curves: Their learning curves by key: training data and loss at each validation.
        num_pending: Planned trials that have not ended.
        task: The kind of task that was learned.
        units: What the task's loss and data are measured in.
        views: The measured views, the one that carries the law first.
        analyses: One a treatment and view; the first is the report's default.
    """

    path: Path
    name: str
    recipe: str
    table: pd.DataFrame
    records: dict[str, runs.Record]
    curves: dict[str, tuple[list[float], list[float]]]
    num_pending: int
    task: str
    units: Units
    views: tuple[str, ...]
    analyses: tuple[Analysis, ...]

    @property
    def budget_kind(self) -> str:
        """Which count the budgets hold equal."""
        return str(self.table["budget_kind"].iloc[0])

    @cached_property
    def comparison(self) -> laws.TreatmentComparison | None:
        """R* and losses under each learning-rate treatment, where the run has several."""
        return laws.compare_treatments(self.table) if len(by_treatment(self.analyses)) > 1 else None


def load_results(run_dir: str | Path) -> RunResults:
    """Reads a run folder and fits its law.

    Raises:
        InterlawError: When the folder holds no run, or not one trial that ended well.
    """
    folder = runs.require_run(run_dir)
    table = runs.load_table(run_dir)
    trials, records = folder.trials(), folder.records()
    _check_any_done(table, folder, num_trials=len(trials))
    views = tuple(runs.measured_views(table))
    task = trials[0].spec().task
    return RunResults(
        path=folder.path,
        name=runs.run_name(folder),
        recipe=folder.recipe.read_text(encoding="utf-8", errors="replace"),
        table=table,
        records=records,
        curves={key: _curve(folder, key) for key in records},
        num_pending=len(trials) - len(records),
        task=task.kind,
        units=task.units,
        views=views,
        analyses=tuple(analyses_of(table, views)),
    )


def _curve(folder: runs.RunFolder, key: str) -> tuple[list[float], list[float]]:
    curve = runs.load_curve(folder.trial(key))
    return (curve["units"].tolist(), curve["val_loss"].tolist()) if len(curve) else ([], [])


def _check_any_done(table: pd.DataFrame, folder: runs.RunFolder, *, num_trials: int) -> None:
    if not len(table):
        raise InterlawError(
            f"expected finished trials in {str(folder.path)!r}, found none of {num_trials}; "
            "run `interlaw sweep` on it (it does what is missing)"
        )
    if not is_final(table).any():
        counts = ", ".join(f"{count} {status}" for status, count in table["status"].value_counts().items())
        if (table["status"] == "done").any():
            counts += ", all of them to choose a learning rate"
        raise InterlawError(
            f"expected at least one trial that ended well in {str(folder.path)!r}, found {counts}; "
            "lower the learning rate or read the reasons with `interlaw status`"
        )


def is_final(table: pd.DataFrame) -> pd.Series[bool]:
    """Which trials count for the law: those that ended well and do not only try a learning rate."""
    return (table["status"] == "done") & (table["stage"] == "final")


def analyses_of(table: pd.DataFrame, views: tuple[str, ...]) -> list[Analysis]:
    """One fit a treatment with a finished trial and a view."""
    final = table[is_final(table)]
    analyses: list[Analysis] = []
    for treatment in sorted(final["treatment"].unique(), key=lambda name: (name != "fixed", name)):
        chosen = table[table["treatment"] == treatment].reset_index(drop=True)
        fit = None
        for view in views or ("",):
            renamed = runs.view_table(chosen, view=view or None)
            fit = laws.fit_law(renamed, losses_of=fit)  # every view has the same losses
            analyses.append(Analysis(treatment=str(treatment), view=view, table=renamed, fit=fit))
    return analyses


def by_treatment(analyses: Sequence[Analysis]) -> dict[str, list[Analysis]]:
    """The analyses of each learning-rate treatment, one a view."""
    names = dict.fromkeys(each.treatment for each in analyses)
    return {name: [each for each in analyses if each.treatment == name] for name in names}
