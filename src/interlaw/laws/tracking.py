"""T3 and the shape of most efficient interaction: does its R* follow that of the loss from context to context?"""

from __future__ import annotations

import numpy as np

from interlaw.laws.claim import CLAIMED, Claim, ask, not_testable
from interlaw.laws.contexts import Contexts, labels
from interlaw.laws.grouping import averages
from interlaw.laws.loss_curve import MIN_CUBIC_SHAPES
from interlaw.laws.partial import Clusters, Projection, answered, orders_within
from interlaw.laws.rows import FloatArray
from interlaw.laws.settings import GRID_POINTS

MIN_CONTEXTS = 8  # mean and drift leave six of them: with fewer no correlation is seen with 80% power
MIN_SOURCES = 3  # to studentise over
MIN_WITHIN = 5  # degrees of freedom that the means of sources must leave; below, sources are compared with each other
MIN_SPREAD = 0.1  # standard deviation of log R*: optima within 10% of each other have nothing to track
DEGREE = 3  # as of the loss curves: the two sides of the top may differ


def efficient_ratio(contexts: Contexts, view: str) -> tuple[FloatArray, FloatArray]:
    """Log R of the most efficient interaction per context, (k,), and whether it lies inside its grid.

    The score is the mean of the quantities, each standardised over the shapes of a context and turned so that the
    claim calls a higher score efficient; its cubic in log R has its highest point there. NaN with fewer than
    six shapes measured.
    """
    num_contexts = len(contexts.contexts)
    ratios, inside = np.full(num_contexts, np.nan), np.zeros(num_contexts)
    measured = {str(name): contexts.means(values) for name, values in contexts.interaction[view].items()}
    complete = contexts.shapes.assign(**measured).dropna(subset=[*measured])
    for one in range(num_contexts):
        rows = complete[complete["context"] == one]
        if len(rows) < MIN_CUBIC_SHAPES:
            continue
        columns = {name: rows[name].to_numpy() for name in measured}
        scores = [-CLAIMED[name][0] * ((y - y.mean()) / (y.std() or 1.0)) for name, y in columns.items()]
        x = rows["log_ratio"].to_numpy()
        grid = np.linspace(x.min(), x.max(), GRID_POINTS)
        curve = np.polynomial.Polynomial.fit(x, np.mean(scores, axis=0), DEGREE)
        top = int(np.argmax(curve(grid)))
        ratios[one], inside[one] = grid[top], 0 < top < GRID_POINTS - 1
    return ratios, inside


def tracking(
    contexts: Contexts,
    efficient: FloatArray,
    *,
    view: str,
    confidence: float,
    num_permutations: int,
    rng: np.random.Generator,
) -> Claim:
    """Whether log R* of the loss and of interaction are nearer in one context than in permuted pairings of contexts.

    Both may drift with the budget for reasons of their own, so one slope on log N is taken out of each. Contexts of one
    source may share a shift, so its means are taken out and pairings permuted within sources, where they have budgets
    enough. Else the statistic is studentised over sources: sum_s g_s / sqrt(sum_s g_s^2), g the mean distance to all
    contexts minus the distance to the own, D = sum |difference| up to a constant. The treatments of a budget share its
    seeds, so they count as one context, their mean. The error of estimating R of interaction is part of the scatter of
    contexts.
    """
    asked = ask("C3", "tracking", quantity="efficiency", view=view)
    known = contexts.contexts.assign(interaction=efficient).dropna(subset=["log_r_star", "interaction"])
    loss, interaction, size = (known[name].to_numpy() for name in ("log_r_star", "interaction", "size"))
    source, unit = labels(known, "source"), labels(known, "source", "budget")
    count = len(set(unit))
    if count < MIN_CONTEXTS:
        what = f"contexts (budget, task) with an optimum of the loss and {MIN_CUBIC_SHAPES} measured shapes"
        return not_testable(asked, f"{what}: {count}, where {MIN_CONTEXTS} are needed")
    num_sources = int(source.max()) + 1
    many = num_sources >= MIN_SOURCES and count - 1 - num_sources < MIN_WITHIN
    # means of source and treatment are taken out, unless sources are compared with each other
    group = source * 0 if many else labels(known, "group")
    loss, interaction, size = (
        averages(each - averages(each, group)[group], unit) for each in (loss, interaction, size)
    )
    source = averages(source, unit).astype(np.int64)
    rows = np.arange(len(loss))
    clusters, means = (source, np.ones((len(rows), 1))) if many else (rows, np.eye(int(source.max()) + 1)[source])
    size = size - size.mean()
    drift = Projection([(rows, means)], size=len(rows), across=size[:, None] if size.any() else None)
    loss, interaction = drift(loss), drift(interaction)
    if min(loss.std(), interaction.std()) < MIN_SPREAD:
        return not_testable(asked, "R* is nearly the same in all contexts: there is nothing to track")
    sums = Clusters(clusters)
    orders = np.concatenate(
        list(orders_within(source * 0 if many else source, rows, num_permutations=num_permutations, rng=rng))
    )
    units = int(clusters.max())
    return answered(
        asked,
        effect=float(np.corrcoef(loss, interaction)[0, 1]),
        error=max(1 / np.sqrt(drift.dof - 2), sums.error(loss, interaction, units=units)),
        observed=sums.studentised(_gains(loss, interaction[None]))[0],
        permuted=sums.studentised(_gains(loss, drift(interaction[orders]))),
        confidence=confidence,
        dof=drift.dof,
        units=units,
    )


def _gains(loss: FloatArray, interaction: FloatArray) -> FloatArray:
    """Mean distance of each R* of interaction, (p, k), from all R* of the loss, minus that from its own, (p, k)."""
    every = np.abs(interaction[:, :, None] - loss).mean(axis=2)
    return np.asarray(every - np.abs(interaction - loss), dtype=np.float64)
