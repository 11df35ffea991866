"""What the tests of the claims read: runs, their shapes and their contexts (a budget of one source and treatment)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from interlaw.laws.claim import CLAIMED
from interlaw.laws.grouping import ShapeMeans, group_means
from interlaw.laws.result import BudgetFit
from interlaw.laws.scales import error_on_scale, to_scale
from interlaw.laws.table import Columns, FloatArray, Runs

IntArray = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One quantity of one view on its scale (log, or logit of a ratio): values (n,) and their error variances (n,).

    NaN where a run was not measured, or where the scale has no value: an unbiased estimate of the AOFE may be negative.
    """

    value: FloatArray
    variance: FloatArray


@dataclass(frozen=True, kw_only=True)
class Contexts:
    """k contexts, m shapes and n runs, each a row.

    Attributes:
        contexts: `source` (a table, whatever its treatments), `group` (source and treatment), `budget` (nominal),
            `size` (log of its mean parameters), `log_r_star` (of the loss; NaN where that has no optimum).
        shapes: `context` (its row), `depth` (residual blocks), `width`, `log_ratio` (log depth / width),
            `log_spent` (of its budget), `log_loss` (mean over seeds, at equal size).
        runs: `shape` (its row), `log_loss_of_run` (as measured), and `seed` where the table says which runs share one.
        interaction: Per view and quantity, what was measured of the runs.
    """

    contexts: pd.DataFrame
    shapes: pd.DataFrame
    runs: pd.DataFrame
    interaction: Mapping[str, Mapping[str, Measured]]

    def by_run(self) -> pd.DataFrame:
        """The runs with the columns of their shape and of their context, (n rows)."""
        return self.runs.join(self.shapes, on="shape").join(self.contexts, on="context")

    def means(self, measured: Measured) -> FloatArray:
        """Mean of each shape over its measured runs on the quantity's scale, (m,); NaN where none was measured."""
        return group_means(measured.value, self.runs["shape"].to_numpy(), len(self.shapes))

    def errors(self, measured: Measured) -> FloatArray:
        """Mean error variance of each shape's measured runs, (m,); NaN where one of them lacks it."""
        known = np.isfinite(measured.value)
        shape = self.runs["shape"].to_numpy()[known]
        sums = np.bincount(shape, weights=measured.variance[known], minlength=len(self.shapes))
        return np.asarray(sums / np.maximum(self.counts(measured), 1), dtype=np.float64)

    def counts(self, measured: Measured) -> IntArray:
        """Measured runs of each shape, (m,)."""
        return np.bincount(self.runs["shape"][np.isfinite(measured.value)], minlength=len(self.shapes))


def labels(rows: pd.DataFrame, *names: str) -> IntArray:
    """Equal numbers for rows that agree in these columns."""
    return np.unique(rows[list(names)].to_numpy(), axis=0, return_inverse=True)[1].reshape(-1)


def averages(values: FloatArray | IntArray, labels: IntArray) -> FloatArray:
    """Mean of the values of each label, 0 to the largest."""
    return np.asarray(np.bincount(labels, weights=values) / np.bincount(labels), dtype=np.float64)


def read_contexts(table: Columns, runs: Runs, shapes: ShapeMeans, budgets: Sequence[BudgetFit]) -> Contexts:
    """The contexts of one fitted table: its budgets."""
    frame, own, log_loss = runs.frame, shapes.frame, np.log(runs.frame["loss"].to_numpy())
    levels, context = np.unique(own["budget"], return_inverse=True)
    optima = [each.r_star.value if each.r_star.status == "optimum" else None for each in budgets]
    r_star = np.array([np.nan if each is None else each for each in optima])
    size = np.log([each.params_mean for each in budgets])
    means = np.bincount(shapes.run_shape, weights=log_loss) / own["num_runs"]
    seeds = {"seed": frame["seed"].to_numpy()} if "seed" in frame else {}
    return Contexts(
        contexts=pd.DataFrame({"source": 0, "group": 0, "budget": levels, "size": size, "log_r_star": np.log(r_star)}),
        shapes=own[["depth", "width", "log_ratio"]].assign(
            context=context.reshape(-1),
            log_spent=np.log(own["spent"]),
            log_loss=means + np.log(own["adjusted"] / own["loss"]),
        ),
        runs=pd.DataFrame({"shape": shapes.run_shape, "log_loss_of_run": log_loss, **seeds}),
        interaction=_interaction(table, runs),
    )


def join(parts: Sequence[Contexts], *, sources: Sequence[str]) -> Contexts:
    """The contexts of several tables or treatments, each a group of its own, with the views that all of them have.

    Args:
        parts: The contexts of each.
        sources: The source of each: treatments of one table share it.
    """
    source = np.unique(sources, return_inverse=True)[1]
    contexts = [part.contexts.assign(source=source[i], group=i) for i, part in enumerate(parts)]
    first_context, first_shape = (
        np.cumsum([0, *map(len, frames)]) for frames in (contexts, [part.shapes for part in parts])
    )
    together = {
        view: {
            quantity: Measured(
                value=np.concatenate([part.interaction[view][quantity].value for part in parts]),
                variance=np.concatenate([part.interaction[view][quantity].variance for part in parts]),
            )
            for quantity in quantities
            if all(quantity in part.interaction[view] for part in parts)
        }
        for view, quantities in parts[0].interaction.items()
        if all(view in part.interaction for part in parts)
    }
    shapes = [part.shapes.assign(context=part.shapes["context"] + first_context[i]) for i, part in enumerate(parts)]
    runs = [part.runs.assign(shape=part.runs["shape"] + first_shape[i]) for i, part in enumerate(parts)]
    return Contexts(
        contexts=pd.concat(contexts, ignore_index=True),
        shapes=pd.concat(shapes, ignore_index=True),
        runs=pd.concat(runs, ignore_index=True, join="inner"),  # seeds, where all have them
        interaction=together,
    )


def _interaction(table: Columns, runs: Runs) -> dict[str, dict[str, Measured]]:
    """Every view of the table: plain columns under the table's own view, `<view>_aofe` and the like under theirs."""
    names = {str(name) for name in table}
    prefixes = {"": runs.view} if {"aofe", "aofe_ratio"} <= names else {}
    for name in sorted(names):
        view = name.removesuffix("_aofe_ratio")
        if view != name and f"{view}_aofe" in names and view != runs.view:
            prefixes[f"{view}_"] = view
    rows = runs.frame.index.to_numpy()
    found = {view: _quantities(table, names, prefix, rows) for prefix, view in prefixes.items()}
    return {view: measured for view, measured in found.items() if measured}


def _quantities(table: Columns, names: set[str], prefix: str, rows: IntArray) -> dict[str, Measured]:
    """The claimed quantities of one view that hold a value."""

    def column(name: str) -> FloatArray:
        if prefix + name not in names:
            return np.full(len(rows), np.nan)
        return np.asarray(table[prefix + name], dtype=np.float64)[rows]

    values = {name: column(name) for name in CLAIMED}
    with np.errstate(invalid="ignore", divide="ignore"):
        if f"{prefix}excess_ratio" not in names:
            values["excess_ratio"] = values["aofe_ratio"] - column("null_ratio")
        if f"{prefix}aofe_scale_free" not in names:
            values["aofe_scale_free"] = values["aofe"] / column("trace") ** 2
    found = {
        name: Measured(
            value=to_scale(name, values[name]),
            variance=error_on_scale(name, values[name], column(f"{name}_stderr")),
        )
        for name in CLAIMED
    }
    return {name: each for name, each in found.items() if np.isfinite(each.value).any()}
