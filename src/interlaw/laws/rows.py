"""What rows of a table mean: which are seeds, checkpoints, copies or rates of one shape, and which share a budget."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from interlaw.errors import InterlawError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

SHAPE = ["budget", "depth", "width"]  # rows that agree in these are runs of one shape
RUN_NAMES = ("run", "run_name", "run_id", "key", "trial")
# what grows while a run trains, the coarsest first: steps may begin anew with each epoch
PROGRESS = (
    *("train_tokens", "tokens", "tokens_seen", "num_tokens", "total_tokens", "samples_seen", "epoch", "epochs"),
    *("iter", "iters", "iteration", "iterations", "global_step", "train_step", "train_steps", "step", "steps"),
)
# Of inferred budgets: sizes that no matching rule rounded differ by less; those of the coarsest rule are kept apart
# from the next budget, which is seldom within a quarter.
LEAST_TOLERANCE, MOST_TOLERANCE = 0.05, 0.25


def last_checkpoints(rows: pd.DataFrame, *, last_step: bool) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The last row of each run, and what to say of it; rows of a run at several steps differ in what `PROGRESS` names.

    With `last_step` it is the last of each shape and rate, even where nothing names the run.

    Raises:
        InterlawError: Rows of a shape differ in tokens, and neither a run's name nor a seed says which are seeds.
    """
    names = ["run"] if "run" in rows else [name for name in ("seed", "learning_rate") if name in rows]
    last = rows
    for progress in (name for name in PROGRESS if name in rows):
        same = last.groupby([*SHAPE, *names], dropna=False)[progress]
        earlier = last[progress] < same.transform("max")
        if earlier.any() and "run" not in rows and "seed" not in rows and not last_step:
            first, count = last[earlier].iloc[0], same.transform("size")[earlier].iloc[0]
            different = "tokens" if progress == "train_tokens" else f"values of {progress}"
            raise InterlawError(
                f"expected one row a run, found {count} rows of {first['depth']:g} x {first['width']:g} at different "
                f"{different}, and neither a column run nor seed to separate checkpoints from seeds: add one, or keep "
                "the last row of each shape with last_step= (--last-step)"
            )
        last = last[~earlier]
    dropped = len(rows) - len(last)
    note = f"{dropped} rows are earlier checkpoints of a run, which are not seeds: the last of each run is used"
    return last, (note,) if dropped else ()


def best_rates(rows: pd.DataFrame, *, transferred: bool) -> tuple[pd.DataFrame, tuple[str, ...], int]:
    """Rows at each shape's rate of lowest mean validation loss, what to say, and how many chose the end of the rates.

    A rate is `transferred` where it is that of a base shape, which a rule moves to each other shape.

    Raises:
        InterlawError: Shapes were tried at several rates, and the table has no `val_loss` to choose by.
    """
    if "learning_rate" not in rows:
        note = "the table has no column learning_rate: whether every shape had a rate that suits it is unknown"
        return rows, (note,), 0
    counts = rows.groupby(SHAPE)["learning_rate"].transform("nunique").clip(lower=1)
    several = rows[counts > 1]
    losses = _validation(several).groupby([several[name] for name in (*SHAPE, "learning_rate")]).mean()
    of_shape = losses.groupby(level=SHAPE)
    best = pd.Series([place[-1] for place in of_shape.idxmin()], index=of_shape.size().index, dtype=float)
    ends = several.groupby(SHAPE)["learning_rate"].agg(["min", "max"])
    chosen = several[SHAPE].join(best.rename("rate"), on=SHAPE)["rate"]
    kept = rows[(rows["learning_rate"] == chosen.reindex(rows.index)) | (counts <= 1)]
    notes = []
    if counts.min() < counts.max():
        notes.append(
            f"shapes were searched over {counts.min()} to {counts.max()} learning rates: those with more of them win "
            "by that alone"
        )
    used = kept["learning_rate"].unique()
    num_shapes = len(rows.drop_duplicates(SHAPE))
    if len(used) == 1 and np.isfinite(used).all() and num_shapes > 1 and counts.max() == 1 and not transferred:
        notes.append(
            f"one learning rate ({used[0]:g}) for all shapes: R* and gamma are those at this rate, where a shape that "
            "another rate suits looks worse"
        )
    return kept, tuple(notes), int(ends.eq(best, axis=0).any(axis=1).sum())


def _validation(rows: pd.DataFrame) -> pd.Series[float]:
    if len(rows) and not ("val_loss" in rows and np.isfinite(rows["val_loss"]).all()):
        raise InterlawError(
            "expected a column val_loss to choose each shape's learning rate by, found several rates a shape without "
            "it: the loss that is fitted cannot choose, for more rates would win by luck; add val_loss, keep one rate "
            "a shape, or map a validation loss with --column val_loss=THEIRS"
        )
    return rows["val_loss"] if len(rows) else rows["loss"]  # of no rows: nothing is chosen


def without_copies(rows: pd.DataFrame, cells: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """One of each group of rows whose `cells` all agree; these are compared only where shape and loss agree."""
    alike = rows.index[rows.duplicated([*SHAPE, "loss"], keep=False)]
    texts = {str(name): text_of(values) for name, values in cells.loc[alike].items()}
    copies = alike[pd.DataFrame(texts).duplicated()]
    note = f"{len(copies)} rows repeat another row exactly and were counted once"
    return rows.drop(copies), (note,) if len(copies) else ()


def text_of(cells: pd.Series[Any]) -> NDArray[np.str_]:
    """Each cell as text; what is unknown is empty."""
    return np.where(cells.isna(), "", cells.to_numpy(dtype=object).astype(np.str_))


def shared_seeds(rows: pd.DataFrame) -> tuple[bool, tuple[str, ...]]:
    """Whether seeds pair runs of several shapes, and what to say where they do not.

    A number that every run has, or that no two shapes of a budget share, pairs nothing.
    """
    if "seed" not in rows or not np.isfinite(rows["seed"]).all():
        return False, ()
    pairs = rows.drop_duplicates([*SHAPE, "seed"])
    pairing = pairs.duplicated(["budget", "seed"]).any() and pairs.duplicated(SHAPE).any()
    if pairing or not rows.duplicated(SHAPE).any():
        return True, ()
    return False, (
        "the column seed pairs no runs: all runs have one number, or no two shapes of a budget share one; runs of a "
        "shape count as independent",
    )


def infer_budgets(params: FloatArray, width: FloatArray, *, tolerance: float | None) -> tuple[FloatArray, float]:
    """Nominal budget of each row by nearly equal parameters, and the widest tolerance that was used.

    A group holds what lies within a tolerance of its smallest member. Without one given it is what rounding widths to
    multiples of g leaves: the rule `nearest` misses by up to m = g / width either way (N grows as width^2), so that two
    shapes of one budget differ by (1 + m) / (1 - m) - 1; `largest` misses by as much, on one side.
    """
    budget = np.full_like(params, np.nan)
    finite = np.isfinite(params) & (params > 0)
    step = _step(width[finite])
    order = np.flatnonzero(finite)[np.argsort(params[finite], kind="stable")]
    start, widest = 0, 0.0
    for position in range(1, len(order) + 1):
        group = order[start:position]
        limit = _rounding(step, width[group]) if tolerance is None else tolerance
        widest = max(widest, limit)
        if position == len(order) or params[order[position]] > (1 + limit) * params[order[start]]:
            budget[group] = float(np.exp(np.log(params[group]).mean()))
            start = position
    return budget, widest


def _step(width: FloatArray) -> float:
    """The greatest common divisor of the widths; 0 where they are no whole numbers or all the same."""
    whole = np.unique(width[np.isfinite(width)])
    if len(whole) < 2 or not (whole == np.round(whole)).all():
        return 0.0
    return float(np.gcd.reduce(whole.astype(np.int64)))


def _rounding(step: float, width: FloatArray) -> float:
    miss = min(step / float(width.min()), 0.5)  # half a width off: the limit below is reached long before
    return float(np.clip((1 + miss) / (1 - miss) - 1, LEAST_TOLERANCE, MOST_TOLERANCE))
