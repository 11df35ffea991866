"""What rows of a table mean: which are seeds, checkpoints, copies or rates of one shape, and which share a budget."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interlaw.errors import InterlawError

FloatArray = NDArray[np.float64]
Mask = NDArray[np.bool_]

RUN_NAMES = ("run", "run_name", "run_id", "key", "trial")
PROGRESS = ("train_tokens", "step", "steps")
# Of inferred budgets: sizes that no matching rule rounded differ by less; those of the coarsest rule are kept apart
# from the next budget, which is seldom within a quarter.
LEAST_TOLERANCE, MOST_TOLERANCE = 0.05, 0.25


@dataclass(frozen=True, kw_only=True)
class Kept:
    """Rows that stay, how many went, and what to tell of it."""

    keep: Mask
    dropped: int = 0
    told: tuple[str, ...] = ()


def last_checkpoints(
    columns: Mapping[str, FloatArray], done: Mask, *, runs: NDArray[np.str_] | None, last_step: bool
) -> Kept:
    """The last row of each run, where rows of one run at several steps are told by tokens that differ.

    Args:
        columns: `budget`, `depth`, `width` and, where the table has them, `seed`, `learning_rate`, one of `PROGRESS`.
        done: Rows that ended well.
        runs: Name of each row's run; None without such a column.
        last_step: Take the last row of each shape and rate even where nothing names the run.

    Raises:
        InterlawError: Rows of a shape differ in tokens, and neither a run's name nor a seed tells which are seeds.
    """
    progress = next((columns[name] for name in PROGRESS if name in columns), None)
    if progress is None:
        return Kept(keep=done.copy())
    keys = [_shape_ids(columns)]
    if runs is not None:
        keys.append(np.unique(runs, return_inverse=True)[1])
    else:
        keys += [_codes(columns[name]) for name in ("seed", "learning_rate") if name in columns]
    keep = done.copy()
    for rows in _groups(np.column_stack(keys), done):
        last = np.nanmax(progress[rows]) if np.isfinite(progress[rows]).any() else np.nan
        earlier = rows[progress[rows] < last]
        if len(earlier) and runs is None and "seed" not in columns and not last_step:
            depth, width = columns["depth"][rows[0]], columns["width"][rows[0]]
            raise InterlawError(
                f"expected one row a run, found {len(rows)} rows of {depth:g} x {width:g} at different tokens, and "
                "neither a column run nor seed to tell checkpoints from seeds: add one, or keep the last row of each "
                "shape with last_step= (--last-step)"
            )
        keep[earlier] = False
    dropped = int(done.sum() - keep.sum())
    told = f"{dropped} rows are earlier checkpoints of a run, which are not seeds: the last of each run is used"
    return Kept(keep=keep, dropped=dropped, told=(told,) if dropped else ())


def best_rates(columns: Mapping[str, FloatArray], keep: Mask, *, transferred: bool = False) -> tuple[Kept, int]:
    """The rate of lowest mean validation loss of each shape, and how many shapes chose the end of what was tried.

    Args:
        columns: The table's numbers.
        keep: The rows to choose among.
        transferred: Whether the rate is that of a base shape, which a rule moves to each other shape.

    Raises:
        InterlawError: Shapes were tried at several rates, and the table has no `val_loss` to choose by.
    """
    if "learning_rate" not in columns:
        unknown = "the table has no column learning_rate: whether every shape had a rate that suits it is unknown"
        return Kept(keep=keep.copy(), told=(unknown,)), 0
    rates, chosen, edges, counts = columns["learning_rate"], keep.copy(), 0, []
    for rows in _groups(_shape_ids(columns)[:, None], keep):
        tried = np.unique(rates[rows][np.isfinite(rates[rows])])
        counts.append(max(1, len(tried)))
        if len(tried) < 2:
            continue
        losses = _validation(columns, rows)
        best = int(np.argmin([losses[rates[rows] == rate].mean() for rate in tried]))
        edges += best in (0, len(tried) - 1)
        chosen[rows[rates[rows] != tried[best]]] = False
    told = []
    if min(counts) < max(counts):
        told.append(
            f"shapes were searched over {min(counts)} to {max(counts)} learning rates: those with more of them win by "
            "that alone"
        )
    used = np.unique(rates[chosen])
    if len(used) == 1 and np.isfinite(used).all() and len(counts) > 1 and max(counts) == 1 and not transferred:
        told.append(
            f"one learning rate ({used[0]:g}) for all shapes: R* and gamma are those at this rate, where a shape that "
            "another rate suits looks worse"
        )
    return Kept(keep=chosen, dropped=int(keep.sum() - chosen.sum()), told=tuple(told)), edges


def _validation(columns: Mapping[str, FloatArray], rows: NDArray[np.int64]) -> FloatArray:
    if "val_loss" not in columns or not np.isfinite(columns["val_loss"][rows]).all():
        raise InterlawError(
            "expected a column val_loss to choose each shape's learning rate by, found several rates a shape without "
            "it: the loss that is fitted cannot choose, for more rates would win by luck; add val_loss, keep one rate "
            "a shape, or map a validation loss with --column val_loss=THEIRS"
        )
    return columns["val_loss"][rows]


def without_copies(
    columns: Mapping[str, FloatArray], keep: Mask, *, cells: Callable[[], list[NDArray[np.str_]]]
) -> Kept:
    """One of each group of rows that agree in every column, whose `cells` are read only where shape and loss agree."""
    result = keep.copy()
    texts: list[NDArray[np.str_]] = []
    same = np.column_stack([_shape_ids(columns), _codes(columns["loss"])])
    for rows in _groups(same, keep):
        if len(rows) > 1:
            texts = texts or cells()
            whole = np.column_stack([values[rows] for values in texts])
            first = np.unique(whole, axis=0, return_index=True)[1]
            result[np.delete(rows, first)] = False
    dropped = int(keep.sum() - result.sum())
    told = f"{dropped} rows repeat another row exactly and were counted once"
    return Kept(keep=result, dropped=dropped, told=(told,) if dropped else ())


def shared_seeds(columns: Mapping[str, FloatArray], keep: Mask) -> tuple[FloatArray | None, tuple[str, ...]]:
    """The seed of each kept run where seeds pair runs of several shapes, else None, and what to tell of it.

    A number that every run bears, or that no two shapes of a budget share, pairs nothing.
    """
    if "seed" not in columns or not np.isfinite(columns["seed"][keep]).all():
        return None, ()
    shape, seed = _shape_ids(columns)[keep], columns["seed"][keep]
    budget = columns["budget"][keep]
    pairs = np.unique(np.column_stack([budget, seed, shape]), axis=0)
    is_shared = len(np.unique(pairs[:, :2], axis=0)) < len(pairs)
    if len(np.unique(shape)) == len(shape) or (is_shared and len(np.unique(pairs[:, 2])) < len(pairs)):
        return seed, ()
    return None, ("no seed is shared by two shapes and differs between two runs: runs of a shape count as independent",)


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
    miss = min(step / float(width.min()), 0.5)
    return float(np.clip((1 + miss) / (1 - miss) - 1, LEAST_TOLERANCE, MOST_TOLERANCE))


def _shape_ids(columns: Mapping[str, FloatArray]) -> NDArray[np.int64]:
    keys = np.column_stack([columns["budget"], columns["depth"], columns["width"]])
    return np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1)


def _codes(values: FloatArray) -> NDArray[np.int64]:
    """Equal numbers, and missing ones, as equal whole numbers."""
    return np.unique(np.nan_to_num(values, nan=-np.inf), return_inverse=True)[1].reshape(-1)


def _groups(keys: NDArray[np.int64], keep: Mask) -> Iterator[NDArray[np.int64]]:
    """Kept rows that share a key, group by group."""
    rows = np.flatnonzero(keep)
    group = np.unique(keys[rows], axis=0, return_inverse=True)[1].reshape(-1)
    order = np.argsort(group, kind="stable")
    yield from np.split(rows[order], np.flatnonzero(np.diff(group[order])) + 1)
