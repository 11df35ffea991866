"""From runs to shapes: mean over seeds, seed noise, and the correction for what shapes miss of their budget."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from scipy import special

from interlaw.laws.cells import MEASURED
from interlaw.laws.rows import FloatArray, IntArray
from interlaw.laws.scales import from_scale, to_scale
from interlaw.laws.settings import LEVEL
from interlaw.laws.table import Runs

# Of log loss against log parameters where one budget cannot show it: the byte-level sweep of arXiv 2605.27989 falls
# from 2.22 at 0.3M to 0.97 at 10M (-0.23); larger language models less.
ASSUMED_SLOPE = -0.2
NEGLIGIBLE = 1e-9  # difference of log sizes that is rounding: sizes are whole numbers below 1e9, or means of some


@dataclass(frozen=True, kw_only=True)
class ShapeMeans:
    """The shapes (budget, depth, width) of some runs.

    Attributes:
        frame: One row a shape, sorted by budget, then by ratio: `budget` (nominal), means over its runs of `params`,
            `spent` (of the budget), `loss` and, where known, `train_tokens`; `depth`, `width`, `ratio` and `log_ratio`;
            `adjusted` (the loss moved to the geometric mean of what its budget's shapes spent, along the slope of the
            sweep), `num_runs`, `size_slope` (d log L / d log spent that the effect of unequal sizes is judged by);
            each interaction column's mean on its scale, turned back: energies by means of logs, ratios by means of
            logits (NaN where no run of a shape was measured).
        run_shape: For each run, the row of its shape.
        relative_noise: Pooled standard deviation of log loss over seeds of one shape; 0 without repeats.
        noise_dof: Degrees of freedom behind it: runs beyond the first of each shape.
    """

    frame: pd.DataFrame
    run_shape: IntArray
    relative_noise: float
    noise_dof: int

    def by_budget(self) -> Iterator[pd.DataFrame]:
        """The shapes of each budget, by size, then by ratio."""
        return (own for _, own in self.frame.groupby("budget"))

    def noise_of_means(self, rows: pd.DataFrame) -> float:
        """Relative standard deviation of the mean loss of these shapes, root mean square; 0 without repeats.

        What a seed does to all shapes alike counts as noise too, so that it errs towards too much.
        """
        return self.relative_noise * float(np.sqrt((1 / rows["num_runs"].to_numpy()).mean()))


def size_effect(rows: pd.DataFrame) -> float:
    """The largest shift of log L that sizes make as they rise or fall with R: their straight line in log R.

    What scatters around that line is noise to a curve; the line itself looks like a slope of the loss in R.
    """
    log_ratio, size = rows["log_ratio"].to_numpy(), np.log(rows["spent"].to_numpy())
    x = log_ratio - log_ratio.mean()
    if not np.ptp(x) > 0:
        return 0.0
    effect = rows["size_slope"].to_numpy() * (size - size.mean())
    return abs(float(x @ effect / (x @ x))) * float(np.abs(x).max())


def group_shapes(runs: Runs) -> ShapeMeans:
    """Average the runs of each shape and estimate the seed noise from their spread."""
    columns = {str(name): values.to_numpy() for name, values in runs.frame.items()}
    depth, width = columns["depth"], columns["width"]
    shapes, run_shape = np.unique(
        np.column_stack([columns["budget"], depth / width, depth, width]), axis=0, return_inverse=True
    )
    run_shape = run_shape.reshape(-1)
    mean = partial(averages, groups=run_shape)
    budget, ratio, depth, width = shapes.T
    means = {name: mean(columns[name]) for name in ("params", "spent", "loss", "train_tokens") if name in columns}
    spent, loss = means["spent"], means["loss"]
    log_loss = np.log(columns["loss"])
    spread = log_loss - mean(log_loss)[run_shape]
    dof = int(len(log_loss) - len(shapes))
    tokens = None if runs.spends_tokens else means.get("train_tokens")
    slope, judged_by = _size_slope(budget, spent=spent, ratio=ratio, loss=loss, tokens=tokens)
    own = {"budget": budget, "depth": depth, "width": width, "ratio": ratio, "log_ratio": np.log(ratio)}
    frame = pd.DataFrame(own | means).assign(
        adjusted=loss * np.exp(-slope * _miss(budget, spent)),
        num_runs=np.bincount(run_shape, minlength=len(shapes)),
        size_slope=judged_by,
        **{name: from_scale(name, mean(to_scale(name, columns[name]))) for name in MEASURED if name in columns},
    )
    noise = float(np.sqrt((spread**2).sum() / max(dof, 1)))
    return ShapeMeans(frame=frame, run_shape=run_shape, relative_noise=noise if dof else 0.0, noise_dof=dof)


def averages(values: FloatArray | IntArray, groups: IntArray) -> FloatArray:
    """Mean of the known values of each group, 0 to the largest; NaN where none is known."""
    known, size = np.isfinite(values), int(groups.max(initial=-1)) + 1
    counts = np.bincount(groups[known], minlength=size)
    sums = np.bincount(groups[known], weights=values[known], minlength=size)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _miss(budget: FloatArray, spent: FloatArray) -> FloatArray:
    """How far each shape's log size lies from the mean of its budget."""
    which, size = np.unique(budget, return_inverse=True)[1], np.log(spent)
    return size - averages(size, which)[which]


def _size_slope(
    budget: FloatArray, *, spent: FloatArray, ratio: FloatArray, loss: FloatArray, tokens: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    """D log L / d log spent of each shape: along which losses are moved, and by which unequal sizes are judged."""
    # small shapes cannot be matched exactly, and are moved along the slope of a surface over the sweep: quadratic in
    # log ratio and linear in log spent, or quadratic where there are more budgets than a line and its error need
    levels, which = np.unique(budget, return_inverse=True)
    size = np.log(spent)
    degree = 1 if len(levels) < 4 else 2  # a parabola through three budgets would have no error
    # the surface has 3 + degree coefficients, and needs a shape more for an error
    if len(levels) < 2 or len(loss) < 4 + degree or np.ptp(_miss(budget, spent)) < NEGLIGIBLE:
        return np.zeros_like(loss), np.full_like(loss, ASSUMED_SLOPE)  # one budget mixes size and shape
    offset, shape = size - size.mean(), np.log(ratio) - np.log(ratio).mean()
    surface = np.column_stack([np.ones_like(loss), shape, shape**2, *(offset**power for power in range(1, degree + 1))])
    solver = np.linalg.pinv(surface)
    coefficients = solver @ np.log(loss)
    along = np.zeros_like(surface)  # the derivative of each column with respect to log spent
    along[:, 3:] = np.column_stack([np.ones_like(offset), 2 * offset])[:, :degree]
    slope, dof = along @ coefficients, len(loss) - surface.shape[1]
    error = np.sqrt(((np.log(loss) - surface @ coefficients) ** 2).sum() / dof) * np.linalg.norm(along @ solver, axis=1)
    clear = slope + special.stdtrit(dof, 1 - LEVEL) * error < 0
    slope = slope * _share_of_size(size, tokens, which=which)
    # more parameters lower the loss. A slope that is not clear of 0 says nothing of that, such as one between budgets
    # whose larger one was trained worse: the steeper of it and the assumed one takes its place
    return slope, np.where(clear, slope, np.minimum(slope, ASSUMED_SLOPE))


def _share_of_size(size: FloatArray, tokens: FloatArray | None, *, which: IntArray) -> float:
    """(1 + growth of tokens with size within budgets) / (1 + growth between budgets); 1 without tokens."""
    # tokens that the count leaves out and that grow with the budget, but not with the sizes within it, have their part
    # in the slope; equal exponents of both are near the .34 and .28 of Hoffmann et al. 2022 (arXiv 2203.15556)
    if tokens is None:
        return 1.0
    data = np.log(tokens)
    means = [averages(values, which) for values in (size, data)]
    if np.ptp(means[0]) < NEGLIGIBLE:
        return 1.0  # budgets that differ in training length alone: the slope is of the sizes within them
    within = _slope(size - means[0][which], data - means[1][which])
    between = _slope(means[0] - means[0].mean(), means[1] - means[1].mean())
    return float(np.clip((1 + within) / (1 + between), 0.0, 1.0)) if between > 0 else 1.0


def _slope(x: FloatArray, y: FloatArray) -> float:
    """Least squares through the origin."""
    return float(x @ y / (x @ x))
