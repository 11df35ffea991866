"""What the tests of the claims read: runs, their shapes and their contexts (a budget of one source and treatment)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from interlaw.laws.cells import number_of
from interlaw.laws.claim import CLAIMED
from interlaw.laws.grouping import ShapeMeans, averages
from interlaw.laws.result import BudgetFit
from interlaw.laws.rows import FloatArray, IntArray
from interlaw.laws.scales import error_on_scale, to_scale
from interlaw.laws.table import Runs


@dataclass(frozen=True, kw_only=True)
class Contexts:
    """k contexts, m shapes and n runs, each a row.

    Attributes:
        contexts: `source` (a table, whatever its treatments), `group` (source and treatment), `budget` (nominal),
            `size` (log of its mean parameters), `log_r_star` (of the loss; NaN where that has no optimum).
        shapes: `context` (its row), `depth` (residual blocks), `width`, `log_ratio` (log depth / width),
            `log_spent` (of its budget), `log_loss` (mean over seeds, at equal size).
        runs: `shape` (its row), `log_loss_of_run` (as measured), and `seed` where the table says which runs share one.
        interaction: Per view, each quantity of the runs on its scale (log, or logit of a ratio); NaN where a run was
            not measured, or the scale has no value, as for an unbiased estimate of the AOFE below 0.
        variance: Per view, the error variance of each of these.
    """

    contexts: pd.DataFrame
    shapes: pd.DataFrame
    runs: pd.DataFrame
    interaction: Mapping[str, pd.DataFrame]
    variance: Mapping[str, pd.DataFrame]

    def by_run(self) -> pd.DataFrame:
        """The runs with the columns of their shape and of their context, (n rows)."""
        return self.runs.join(self.shapes, on="shape").join(self.contexts, on="context")

    def means(self, values: pd.Series[float]) -> FloatArray:
        """Mean of each shape over its measured runs, (m,); NaN where none was measured."""
        return averages(np.asarray(values, dtype=np.float64), self.runs["shape"].to_numpy())

    def by_shape(self, values: pd.Series[float], variance: pd.Series[float]) -> pd.DataFrame:
        """The shapes with `mean` and `count` of their measured runs, and `error`: the mean error variance of a run.

        The error is NaN where one of the runs lacks it.
        """
        known = values.notna()
        shape = self.runs["shape"][known].to_numpy()
        count = np.bincount(shape, minlength=len(self.shapes))
        sums = np.bincount(shape, weights=variance[known], minlength=len(self.shapes))
        return self.shapes.assign(mean=self.means(values), count=count, error=sums / np.maximum(count, 1))


def labels(rows: pd.DataFrame, *names: str) -> IntArray:
    """Equal numbers for rows that agree in these columns."""
    return np.unique(rows[list(names)].to_numpy(), axis=0, return_inverse=True)[1].reshape(-1)


def read_contexts(runs: Runs, shapes: ShapeMeans, *, budgets: Sequence[BudgetFit]) -> Contexts:
    """The contexts of one fitted table: its budgets."""
    frame, own, log_loss = runs.frame, shapes.frame, np.log(runs.frame["loss"].to_numpy())
    levels, context = np.unique(own["budget"], return_inverse=True)
    optima = [each.r_star.value if each.r_star.status == "optimum" else None for each in budgets]
    log_r_star = np.log(np.array(optima, dtype=np.float64))
    size = np.log([each.params_mean for each in budgets])
    interaction, variance = _interaction(runs)
    seeds = {"seed": frame["seed"].to_numpy()} if "seed" in frame else {}
    return Contexts(
        contexts=pd.DataFrame({"source": 0, "group": 0, "budget": levels, "size": size, "log_r_star": log_r_star}),
        shapes=own[["depth", "width", "log_ratio"]].assign(
            context=context.reshape(-1),
            log_spent=np.log(own["spent"]),
            log_loss=averages(log_loss, shapes.run_shape) + np.log(own["adjusted"] / own["loss"]),
        ),
        runs=pd.DataFrame({"shape": shapes.run_shape, "log_loss_of_run": log_loss, **seeds}),
        interaction=interaction,
        variance=variance,
    )


def join(parts: Sequence[Contexts], *, sources: Sequence[str]) -> Contexts:
    """The contexts of several tables or treatments, each a group of its own, with the views that all of them have.

    Treatments of one table share their source.
    """
    source = np.unique(sources, return_inverse=True)[1]
    contexts = [part.contexts.assign(source=source[i], group=i) for i, part in enumerate(parts)]
    first_context, first_shape = (
        np.cumsum([0, *map(len, frames)]) for frames in (contexts, [part.shapes for part in parts])
    )
    shapes = [part.shapes.assign(context=part.shapes["context"] + first_context[i]) for i, part in enumerate(parts)]
    runs = [part.runs.assign(shape=part.runs["shape"] + first_shape[i]) for i, part in enumerate(parts)]
    return Contexts(
        contexts=pd.concat(contexts, ignore_index=True),
        shapes=pd.concat(shapes, ignore_index=True),
        runs=pd.concat(runs, ignore_index=True, join="inner"),  # seeds, where all have them
        interaction=_together([part.interaction for part in parts]),
        variance=_together([part.variance for part in parts]),
    )


def _together(parts: Sequence[Mapping[str, pd.DataFrame]]) -> dict[str, pd.DataFrame]:
    """The views and quantities that all parts have, one part after the other."""
    views = [view for view in parts[0] if all(view in part for part in parts)]
    return {view: pd.concat([part[view] for part in parts], ignore_index=True, join="inner") for view in views}


def _interaction(runs: Runs) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
    """Every view of the table: plain columns under the table's own view, `<view>_aofe` and the like under theirs."""
    names = set(map(str, runs.cells))
    prefixes = {"": runs.view} if {"aofe", "aofe_ratio"} <= names else {}
    for name in sorted(names):
        view = name.removesuffix("_aofe_ratio")
        if view != name and f"{view}_aofe" in names and view != runs.view:
            prefixes[f"{view}_"] = view
    read = {view: _quantities(runs.cells, prefix) for prefix, view in prefixes.items()}
    measured = [view for view, (values, _) in read.items() if len(values.columns)]
    return {view: read[view][0] for view in measured}, {view: read[view][1] for view in measured}


def _quantities(cells: pd.DataFrame, prefix: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The claimed quantities of one view that hold a value, on their scales, and their error variances."""

    def column(name: str) -> FloatArray:
        known = prefix + name in cells
        return number_of(cells[prefix + name]) if known else np.full(len(cells), np.nan)

    values = {name: column(name) for name in CLAIMED}
    with np.errstate(invalid="ignore", divide="ignore"):
        if f"{prefix}excess_ratio" not in cells:
            values["excess_ratio"] = values["aofe_ratio"] - column("null_ratio")
        if f"{prefix}aofe_scale_free" not in cells:
            values["aofe_scale_free"] = values["aofe"] / column("trace") ** 2
    scaled = pd.DataFrame({name: to_scale(name, values[name]) for name in CLAIMED}).dropna(axis=1, how="all")
    errors = {name: error_on_scale(name, values[name], stderr=column(f"{name}_stderr")) for name in map(str, scaled)}
    return scaled, pd.DataFrame(errors)
