"""T1: does the quantity go with the loss over seeds of one shape? R is the same there, so it cannot confound."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from scipy import special

from interlaw.laws.claim import MIN_DOF, Claim, not_testable
from interlaw.laws.contexts import Contexts, Measured
from interlaw.laws.partial import IntArray, Projection, correlate, is_constant, orders_within
from interlaw.laws.table import FloatArray

NUM_STEPS = 8  # of variances and means in turn; the last one moves the level by less than it is measured to
MIN_UNITS = 2  # one unit has the same studentised statistic whatever is measured


def within_shapes(
    contexts: Contexts, measured: Measured, *, asked: Claim, confidence: float, num_permutations: int, rng: Generator
) -> Claim:
    """Partial correlation of the quantity with log loss, shape means and seed-by-context means taken out.

    dof = sum over contexts of (shapes - 1) (seeds - 1) in a full design. Each run counts by one over the noise of its
    seed: a seed four times as noisy in both makes the unweighted test reject 8 to 16%. The quantity's residuals are
    permuted over the seeds inside each shape and both means are taken out again. Shapes that share a seed may depend on
    each other beyond a common shift, so the statistic is studentised over (context, seed): neighbouring depths with
    errors correlated by .8 make the plain one reject 11 to 13%. A seed is permuted alike under all treatments of a
    source, and is one unit for the interval.
    Without a column `seed` only shape means are taken out, and runs count as independent.
    """
    rows = _once(contexts, np.flatnonzero(np.isfinite(measured.value)))
    counts = np.bincount(contexts.shape[rows], minlength=len(contexts.context))
    rows = rows[counts[contexts.shape[rows]] > 1]
    if not len(rows):
        return not_testable(asked, "no shape was run and measured with two seeds")
    seed = np.zeros(len(rows)) if contexts.seed is None else contexts.seed[rows]
    rows = rows[np.lexsort((seed, contexts.shape[rows]))]
    y, x = contexts.log_loss_of_run[rows], measured.value[rows]
    plain = shapes_and_seeds(contexts, rows)
    units = _units(contexts, rows)
    if plain.dof < MIN_DOF:
        reason = f"seeds leave {max(plain.dof, 0)} degrees of freedom where {MIN_DOF} are needed; run more shapes"
        return not_testable(asked, reason)
    if units is not None and units < MIN_UNITS:
        return not_testable(asked, "two seeds of one budget are one independent difference; run a third")
    if is_constant(y, plain(y)) or is_constant(x, plain(x)):
        return not_testable(asked, "the loss or the quantity is the same for every seed")
    left, right = (_weights(contexts, rows, each) for each in (y, x))
    return correlate(
        y * left,
        x * right,
        noise=measured.variance[rows] * right**2,
        project=shapes_and_seeds(contexts, rows, weights=right),
        project_loss=shapes_and_seeds(contexts, rows, weights=left),
        orders=orders_within(contexts.shape[rows], _runs_alike(contexts, rows), num_permutations, rng),
        confidence=confidence,
        asked=asked,
        clusters=None if contexts.seed is None else _labels(contexts, rows, "source", "budget", "group", seed=True),
        independent=None if contexts.seed is None else _labels(contexts, rows, "source", "budget", seed=True),
        units=units,
    )


def _labels(contexts: Contexts, rows: IntArray, *names: str, seed: bool = False, shape: bool = False) -> IntArray:
    """Equal numbers for runs that agree in these attributes of their context, in seed, and in shape."""
    shapes = contexts.shape[rows]
    columns = [getattr(contexts, name)[contexts.context[shapes]] for name in names]
    if shape:
        columns += [contexts.depth[shapes], contexts.log_ratio[shapes]]
    if seed and contexts.seed is not None:
        columns.append(contexts.seed[rows])
    return np.unique(np.column_stack(columns), axis=0, return_inverse=True)[1].reshape(-1)


def _runs_alike(contexts: Contexts, rows: IntArray) -> IntArray:
    """One label for the runs of a shape and seed under all treatments of a source: they are permuted together."""
    return _labels(contexts, rows, "source", "budget", seed=True, shape=True)


def _units(contexts: Contexts, rows: IntArray) -> int | None:
    """How many independent differences of seeds there are; treatments that share seeds add none."""
    if contexts.seed is None:
        return None
    seeds = _labels(contexts, rows, "source", "budget", seed=True)
    return int(seeds.max()) - int(_labels(contexts, rows, "source", "budget").max())


def _weights(contexts: Contexts, rows: IntArray, values: FloatArray) -> FloatArray:
    """One over the noise of each run's seed in its context, relative to the others, (n,); ones without seeds.

    Variances and two-way means are estimated in turn: residuals over one minus their leverage (the equations of
    restricted maximum likelihood). Log variances are then drawn together as far as chance explains their spread
    (Smyth 2004): equal seeds keep nearly equal weights.
    """
    weights = np.ones(len(rows))
    if contexts.seed is None:
        return weights
    cluster = _labels(contexts, rows, "source", "budget", "group", seed=True)
    for _ in range(NUM_STEPS):
        project = shapes_and_seeds(contexts, rows, weights=weights)
        left = (project(values * weights) / weights) ** 2
        dof = np.maximum(np.bincount(cluster, weights=1 - project.leverage()), 1.0)
        log_variance = np.log(np.maximum(np.bincount(cluster, weights=left) / dof, 1e-6 * left.mean()))
        log_variance += np.log(dof / 2) - special.digamma(dof / 2)
        chance = special.polygamma(1, dof / 2)
        spread = max(0.0, float(log_variance.var(ddof=1) - chance.mean())) if len(dof) > 1 else 0.0
        weights = np.exp(-0.5 * (log_variance - log_variance.mean()) * spread / (spread + chance))[cluster]
    return weights


def _once(contexts: Contexts, rows: IntArray) -> IntArray:
    """Each run once: two treatments that choose the same rate for a shape hold the same run."""
    shape = contexts.shape[rows]
    setting = contexts.context[shape]
    names = [contexts.source[setting], contexts.budget[setting], contexts.depth[shape], contexts.log_ratio[shape]]
    seed = np.zeros(len(rows)) if contexts.seed is None else contexts.seed[rows]
    runs = np.column_stack([*names, seed, contexts.log_loss_of_run[rows]])
    return rows[np.sort(np.unique(runs, axis=0, return_index=True)[1])]


def shapes_and_seeds(contexts: Contexts, runs: IntArray, *, weights: FloatArray | None = None) -> Projection:
    """Takes shape means and, within each context, seed means out of these runs, their values times `weights`."""
    shape = contexts.shape[runs]
    context, seed = contexts.context[shape], None if contexts.seed is None else contexts.seed[runs]
    blocks = []
    for one in np.unique(context):
        rows = np.flatnonzero(context == one)
        indicators = _indicators(shape[rows])
        if seed is not None:
            indicators = np.column_stack([indicators, _indicators(seed[rows])])
        blocks.append((rows, indicators if weights is None else indicators * weights[rows, None]))
    return Projection(blocks, size=len(context))


def _indicators(labels: IntArray | FloatArray) -> FloatArray:
    which = np.unique(labels, return_inverse=True)[1].reshape(-1)
    return np.asarray(np.eye(int(which.max()) + 1)[which], dtype=np.float64)
