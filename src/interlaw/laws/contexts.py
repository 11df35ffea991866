"""What the tests of the claims read: runs, their shapes and their contexts (a budget of one source and treatment)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interlaw.laws.claim import CLAIMED
from interlaw.laws.grouping import ShapeMeans, group_means
from interlaw.laws.result import BudgetFit
from interlaw.laws.scales import error_on_scale, to_scale
from interlaw.laws.table import Columns, FloatArray, Runs

IntArray = NDArray[np.int64]
_NUMBERS = ("budget", "size", "log_r_star", "depth", "log_ratio", "log_spent", "log_loss", "log_loss_of_run")


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One quantity of one view on its scale (log, or logit of a ratio): values (n,) and their error variances (n,).

    NaN where a run was not measured, or where the scale has no value: an unbiased estimate of the AOFE may be negative.
    """

    value: FloatArray
    variance: FloatArray


@dataclass(frozen=True, kw_only=True)
class Contexts:
    """k contexts, m shapes and n runs.

    Attributes:
        source: Source of each context, (k,): a table, whatever its treatments.
        group: Its source and treatment, (k,).
        budget: Its nominal budget, (k,).
        size: Log of its mean parameters, (k,).
        log_r_star: Log R* of the loss, (k,); NaN where the loss has no optimum.
        context: Context of each shape, (m,).
        depth: Its residual blocks, (m,).
        log_ratio: Its log depth / width, (m,).
        log_spent: Log of what it spent of its budget, (m,).
        log_loss: Its mean log loss over seeds at equal size, (m,).
        shape: Shape of each run, (n,).
        seed: Its seed, (n,); None when the table does not say.
        log_loss_of_run: Its log loss as measured, (n,).
        interaction: Per view and quantity, what was measured.
    """

    source: IntArray
    group: IntArray
    budget: FloatArray
    size: FloatArray
    log_r_star: FloatArray
    context: IntArray
    depth: FloatArray
    log_ratio: FloatArray
    log_spent: FloatArray
    log_loss: FloatArray
    shape: IntArray
    seed: FloatArray | None
    log_loss_of_run: FloatArray
    interaction: Mapping[str, Mapping[str, Measured]]

    def means(self, measured: Measured) -> FloatArray:
        """Mean of each shape over its measured runs on the quantity's scale, (m,); NaN where none was measured."""
        return group_means(measured.value, self.shape, len(self.context))

    def errors(self, measured: Measured) -> FloatArray:
        """Mean error variance of each shape's measured runs, (m,); NaN where one of them lacks it."""
        known = np.isfinite(measured.value)
        sums = np.bincount(self.shape[known], weights=measured.variance[known], minlength=len(self.context))
        return np.asarray(sums / np.maximum(self.counts(measured), 1), dtype=np.float64)

    def counts(self, measured: Measured) -> IntArray:
        """Measured runs of each shape, (m,)."""
        return np.bincount(self.shape[np.isfinite(measured.value)], minlength=len(self.context))


def averages(values: FloatArray | IntArray, labels: IntArray) -> FloatArray:
    """Mean of the values of each label, 0 to the largest."""
    return np.asarray(np.bincount(labels, weights=values) / np.bincount(labels), dtype=np.float64)


def read_contexts(table: Columns, runs: Runs, shapes: ShapeMeans, budgets: Sequence[BudgetFit]) -> Contexts:
    """The contexts of one fitted table: its budgets."""
    levels, context = np.unique(shapes.budget, return_inverse=True)
    log_loss = np.log(runs.loss)
    means = np.bincount(shapes.run_shape, weights=log_loss) / shapes.num_runs
    optima = [each.r_star.value if each.r_star.status == "optimum" else None for each in budgets]
    return Contexts(
        source=np.zeros(len(levels), dtype=np.int64),
        group=np.zeros(len(levels), dtype=np.int64),
        budget=levels,
        size=np.log([each.params_mean for each in budgets]),
        log_r_star=np.log([np.nan if each is None else each for each in optima]),
        context=context.reshape(-1),
        depth=shapes.depth,
        log_ratio=shapes.log_ratio,
        log_spent=np.log(shapes.spent),
        log_loss=means + np.log(shapes.adjusted / shapes.loss),
        shape=shapes.run_shape,
        seed=runs.seed,
        log_loss_of_run=log_loss,
        interaction=_interaction(table, runs),
    )


def join(parts: Sequence[Contexts], *, sources: Sequence[str]) -> Contexts:
    """The contexts of several tables or treatments, each a group of its own, with the views that all of them have.

    Args:
        parts: The contexts of each.
        sources: The source of each: treatments of one table share it.
    """
    shapes = np.cumsum([0, *(len(part.context) for part in parts)])
    contexts = np.cumsum([0, *(len(part.group) for part in parts)])
    views = [view for view in parts[0].interaction if all(view in part.interaction for part in parts)]
    together = {
        view: {
            quantity: Measured(
                value=np.concatenate([part.interaction[view][quantity].value for part in parts]),
                variance=np.concatenate([part.interaction[view][quantity].variance for part in parts]),
            )
            for quantity in parts[0].interaction[view]
            if all(quantity in part.interaction[view] for part in parts)
        }
        for view in views
    }
    seeds = [part.seed for part in parts if part.seed is not None]
    return Contexts(
        source=np.repeat(np.unique(sources, return_inverse=True)[1], [len(part.group) for part in parts]),
        group=np.repeat(np.arange(len(parts)), [len(part.group) for part in parts]),
        context=np.concatenate([part.context + start for part, start in zip(parts, contexts, strict=False)]),
        shape=np.concatenate([part.shape + start for part, start in zip(parts, shapes, strict=False)]),
        seed=np.concatenate(seeds) if len(seeds) == len(parts) else None,
        interaction=together,
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in _NUMBERS},
    )


def _interaction(table: Columns, runs: Runs) -> dict[str, dict[str, Measured]]:
    """Every view of the table: plain columns under the table's own view, `<view>_aofe` and the like under theirs."""
    names = {str(name) for name in table}
    prefixes = {"": runs.view} if {"aofe", "aofe_ratio"} <= names else {}
    for name in sorted(names):
        view = name.removesuffix("_aofe_ratio")
        if view != name and f"{view}_aofe" in names and view != runs.view:
            prefixes[f"{view}_"] = view
    found = {view: _quantities(table, names, prefix, runs.row) for prefix, view in prefixes.items()}
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
