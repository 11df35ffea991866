"""T1: does the quantity go with the loss over seeds of one shape? R is the same there, so it cannot confound."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.random import Generator
from scipy import special

from interlaw.laws.claim import MIN_DOF, Claim, not_testable
from interlaw.laws.contexts import Contexts, labels
from interlaw.laws.partial import Projection, correlate, is_constant, orders_within, rows_of
from interlaw.laws.rows import FloatArray, IntArray

BUDGET = ("source", "budget")
ONE_SHAPE = (*BUDGET, "depth", "log_ratio")
NUM_STEPS = 8  # of variances and means in turn; the last one moves the level by less than it is measured to
MIN_UNITS = 2  # one unit has the same studentised statistic whatever is measured


def within_shapes(
    contexts: Contexts, *, asked: Claim, confidence: float, num_permutations: int, rng: Generator
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
    values, variance = contexts.interaction[asked.view], contexts.variance[asked.view]
    runs = contexts.by_run().assign(value=values[asked.quantity], variance=variance[asked.quantity])
    seed = ["seed"] if "seed" in runs else []
    # each run once: two treatments that choose the same rate for a shape hold the same run
    runs = runs[np.isfinite(runs["value"])].drop_duplicates([*ONE_SHAPE, *seed, "log_loss_of_run"])
    runs = runs[runs.groupby("shape")["shape"].transform("size") > 1].sort_values(["shape", *seed], kind="stable")
    if runs.empty:
        return not_testable(asked, "no shape was run and measured with two seeds")
    y, x = runs["log_loss_of_run"].to_numpy(), runs["value"].to_numpy()
    blocks = shapes_and_seeds(runs)
    plain = Projection(blocks, size=len(runs))
    seeds = labels(runs, *BUDGET, "seed") if seed else None
    # how many independent differences of seeds there are; treatments that share seeds add none
    units = None if seeds is None else int(seeds.max()) - int(labels(runs, *BUDGET).max())
    if plain.dof < MIN_DOF:
        reason = f"seeds leave {max(plain.dof, 0)} degrees of freedom where {MIN_DOF} are needed; run more shapes"
        return not_testable(asked, reason)
    if units is not None and units < MIN_UNITS:
        return not_testable(asked, "two seeds of one budget are one independent difference; run a third")
    if is_constant(y, plain(y)) or is_constant(x, plain(x)):
        return not_testable(asked, "the loss or the quantity is the same for every seed")
    cluster = labels(runs, *BUDGET, "group", "seed") if seed else None
    left, right = (_weights(each, blocks, cluster=cluster) for each in (y, x))
    alike = labels(runs, *ONE_SHAPE, *seed)  # under all treatments of a source: they are permuted together
    return correlate(
        y * left,
        x * right,
        noise=runs["variance"].to_numpy() * right**2,
        project=_weighted(blocks, right),
        project_loss=_weighted(blocks, left),
        orders=orders_within(runs["shape"].to_numpy(), alike, num_permutations=num_permutations, rng=rng),
        confidence=confidence,
        asked=asked,
        clusters=cluster,
        independent=seeds,
        units=units,
    )


def _weights(values: FloatArray, blocks: list[tuple[IntArray, FloatArray]], *, cluster: IntArray | None) -> FloatArray:
    """One over the noise of each run's seed in its context, relative to the others, (n,); ones without seeds."""
    # variances and two-way means are estimated in turn: residuals over one minus their leverage (the equations of
    # restricted maximum likelihood). Log variances are then drawn together as far as chance explains their spread
    # (Smyth 2004): equal seeds keep nearly equal weights
    weights = np.ones(len(values))
    if cluster is None:
        return weights
    for _ in range(NUM_STEPS):
        project = _weighted(blocks, weights)
        left = (project(values * weights) / weights) ** 2
        dof = np.maximum(np.bincount(cluster, weights=1 - project.leverage()), 1.0)
        variance = np.bincount(cluster, weights=left) / dof
        # no seed counts as less noisy than a thousandth of the others: a single run lies on its own mean
        log_variance = np.log(np.maximum(variance, 1e-6 * left.mean()))
        log_variance += np.log(dof / 2) - special.digamma(dof / 2)
        chance = special.polygamma(1, dof / 2)
        spread = max(0.0, float(log_variance.var(ddof=1) - chance.mean())) if len(dof) > 1 else 0.0
        weights = np.exp(-0.5 * (log_variance - log_variance.mean()) * spread / (spread + chance))[cluster]
    return weights


def shapes_and_seeds(runs: pd.DataFrame) -> list[tuple[IntArray, FloatArray]]:
    """Indicators of the shapes and, within each context, of the seeds of these runs: their means are a nuisance."""
    blocks = []
    for rows in rows_of(runs["context"].to_numpy()):
        codes = [pd.factorize(runs[name].iloc[rows], sort=True)[0] for name in ("shape", "seed") if name in runs]
        blocks.append((rows, np.column_stack([np.eye(each.max() + 1)[each] for each in codes])))
    return blocks


def _weighted(blocks: list[tuple[IntArray, FloatArray]], weights: FloatArray) -> Projection:
    """Takes the blocks' means out of values times weights."""
    return Projection([(rows, design * weights[rows, None]) for rows, design in blocks], size=len(weights))
