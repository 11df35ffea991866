"""The interaction interval: the shapes that are surely Pareto-optimal for (high aofe_ratio, low aofe).

Nothing here reads the loss.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from interlaw.laws.contexts import Contexts
from interlaw.laws.partial import Projection
from interlaw.laws.result import FrontShape, InteractionInterval, PooledInterval
from interlaw.laws.rows import BoolArray, FloatArray, IntArray
from interlaw.laws.settings import TINY
from interlaw.laws.within_shapes import shapes_and_seeds
from interlaw.size import format_ratio

PAIR = ["aofe_ratio", "aofe"]
SURE = 0.9  # probability from which a shape counts as on the front
MIN_SHAPES = 3  # of two shapes at least one is always on the front
NUM_DRAWS = 2000  # standard error of a probability of .9: .007


def pareto_front(aofe_ratio: FloatArray, aofe: FloatArray) -> BoolArray:
    """True where no other shape has a ratio at least as high and an energy at least as low, one of them strictly.

    Args:
        aofe_ratio: (..., n).
        aofe: (..., n).

    Example:
        >>> import numpy as np
        >>> pareto_front(np.array([0.9, 0.8, 0.95]), np.array([1.0, 2.0, 3.0])).tolist()
        [True, False, True]
    """
    ratio, other = aofe_ratio[..., :, None], aofe_ratio[..., None, :]
    energy, others = aofe[..., :, None], aofe[..., None, :]
    no_worse = (ratio >= other) & (energy <= others)
    better = (ratio > other) | (energy < others)
    return np.asarray(~(no_worse & better).any(axis=-2), dtype=bool)


def interaction_intervals(contexts: Contexts, view: str, *, seed: int) -> list[InteractionInterval | None]:
    """Per context the front with each shape's probability of lying on it; None where fewer than three were measured.

    Shape means are drawn from a multivariate t about the measured means of (logit ratio, log AOFE), these drawn towards
    the context's mean as far as errors explain their spread (James and Stein): the best of many equal shapes looks
    better than it is. The covariance is that of the seeds, shape and seed means taken out, pooled over all contexts; on
    its diagonal at least the measurement's own error.
    """
    values = contexts.interaction.get(view, pd.DataFrame())
    if not set(PAIR) <= set(values):
        return [None] * len(contexts.contexts)
    values = values[PAIR].where(values[PAIR].notna().all(axis=1))
    known = values[PAIR[0]].notna()
    covariance, dof = _seed_covariance(contexts.by_run()[known], values[known].to_numpy().T)
    ratio, energy = (contexts.by_shape(values[name], contexts.variance[view][name]) for name in PAIR)
    rng = np.random.default_rng([seed, 3])  # streams 0 to 2 are those of the claims
    intervals: list[InteractionInterval | None] = []
    for context, budget in enumerate(contexts.contexts["budget"]):
        rows = ratio[(ratio["context"] == context) & (ratio["count"] > 0)]
        if len(rows) < MIN_SHAPES:
            intervals.append(None)
            continue
        means, errors = (np.stack([rows[name], energy.loc[rows.index, name]], axis=-1) for name in ("mean", "error"))
        draws = _draws(means, covariance=covariance, dof=dof, errors=errors, counts=rows["count"].to_numpy(), rng=rng)
        drawn = [None] * len(rows) if draws is None else pareto_front(*np.moveaxis(draws, -1, 0)).mean(axis=0).tolist()
        shapes = tuple(
            FrontShape(
                budget=float(budget),
                depth=int(row["depth"]),
                width=int(row["width"]),
                ratio=float(np.exp(row["log_ratio"])),
                measured=measured,
                probability=probability,
            )
            for row, measured, probability in zip(
                rows.to_dict("records"), pareto_front(*means.T).tolist(), drawn, strict=True
            )
        )
        intervals.append(_named(shapes, has_seeds=dof > 0))
    return intervals


def _seed_covariance(runs: pd.DataFrame, values: FloatArray) -> tuple[FloatArray, int]:
    """Covariance (2, 2) of the quantities (2, n) over seeds and its degrees of freedom; zeros where no seed repeats."""
    repeated = (runs.groupby("shape")["shape"].transform("size") > 1).to_numpy()
    project = Projection(shapes_and_seeds(runs[repeated]), size=int(repeated.sum()))
    if project.dof < 1:
        return np.zeros((2, 2)), 0
    left = project(values[:, repeated])
    return np.asarray(left @ left.T / project.dof, dtype=np.float64), project.dof


def _draws(
    means: FloatArray,
    *,
    covariance: FloatArray,
    dof: int,
    errors: FloatArray,
    counts: IntArray,
    rng: np.random.Generator,
) -> FloatArray | None:
    """Draws of the shapes' true means, (draws, n, 2); None where neither seeds nor standard errors give a spread."""
    if dof < 1 and not np.isfinite(errors).all():
        return None
    floor = np.where(np.isfinite(errors), errors, 0.0)
    spread = np.diag(covariance)
    scale = np.sqrt(np.maximum(spread, floor))
    lengths = np.sqrt(spread)
    together = covariance[0, 1] / lengths.prod() if dof > 0 and lengths.all() else 0.0
    normal = rng.standard_normal((NUM_DRAWS, len(means), 2))
    normal[..., 1] = together * normal[..., 0] + np.sqrt(max(0.0, 1 - together**2)) * normal[..., 1]
    error = scale**2 / counts[:, None]
    middle = means.mean(axis=0)
    spreads = np.maximum(((means - middle) ** 2).sum(axis=0) / (len(means) - 1), TINY)
    kept = np.maximum(0.0, 1 - error.mean(axis=0) / spreads)
    centre = middle + kept * (means - middle)
    heavy = np.sqrt(dof / rng.chisquare(dof, NUM_DRAWS)) if dof > 0 else np.ones(NUM_DRAWS)
    return np.asarray(centre + heavy[:, None, None] * normal * scale / np.sqrt(counts)[:, None], dtype=np.float64)


def _named(shapes: tuple[FrontShape, ...], *, has_seeds: bool) -> InteractionInterval:
    """The interval of the sure shapes, where there is one."""
    sure = [i for i, shape in enumerate(shapes) if (shape.probability or 0.0) >= SURE]
    ratios = [shapes[i].ratio for i in sure]
    reason = ""
    if shapes[0].probability is None:
        reason = "one seed a shape and no standard errors: nothing says how sure the front is"
    elif not has_seeds:
        reason = "one seed a shape: how far seeds move the front is unknown"
    elif not sure:
        reason = f"no shape is on the front with probability {SURE:g}"
    elif sure[-1] - sure[0] >= len(sure):
        reason = (
            f"the shapes that are surely on the front (R = {', '.join(map(format_ratio, ratios))}) are no neighbours"
        )
    return InteractionInterval(
        status="not determined" if reason else "determined",
        reason=reason or f"{len(sure)} of {len(shapes)} shapes are on the front with probability {SURE:g} or more",
        low=None if reason else min(ratios),
        high=None if reason else max(ratios),
        num_shapes=len(shapes),
        front_probability=shapes,
    )


def pool_intervals(intervals: Sequence[InteractionInterval | None]) -> PooledInterval | None:
    """The interval over all budgets: geometric means of the ends, where every measured budget has one."""
    measured = [each for each in intervals if each is not None]
    if not measured:
        return None
    named = [(each.low, each.high) for each in measured if each.low is not None and each.high is not None]
    ends, count = {}, f"{len(named)} of {len(measured)}"
    if len(named) == len(measured):
        lows, highs = np.array(named).T
        ends, count = {"low": np.exp(np.log(lows).mean()), "high": np.exp(np.log(highs).mean())}, f"all {len(named)}"
        if lows.max() <= highs.min():
            ends |= {"common_low": lows.max(), "common_high": highs.min()}
    return PooledInterval(
        status="determined" if ends else "not determined",
        reason=measured[0].reason if len(measured) == 1 else f"{count} budgets determine one",
        num_budgets=len(measured),
        front_probability=tuple(shape for each in measured for shape in each.front_probability),
        **{name: float(end) for name, end in ends.items()},
    )
