"""T1: does the quantity go with the loss over seeds of one shape? R is the same there, so it cannot confound."""

from __future__ import annotations

import numpy as np

from interlaw.laws.claim import MIN_DOF, Claim, not_testable
from interlaw.laws.contexts import Contexts, Measured
from interlaw.laws.partial import IntArray, Projection, correlate, is_constant, orders_within
from interlaw.laws.table import FloatArray

MIN_UNITS = 2  # one unit has the same studentised statistic whatever is measured


def within_shapes(
    contexts: Contexts,
    measured: Measured,
    *,
    quantity: str,
    view: str,
    confidence: float,
    num_permutations: int,
    rng: np.random.Generator,
) -> Claim:
    """Partial correlation of the quantity with log loss, shape means and seed-by-context means taken out.

    dof = sum over contexts of (shapes - 1) (seeds - 1) in a full design. The quantity's residuals are permuted over
    the seeds inside each shape and both means are taken out again. Shapes that share a seed may depend on each other
    beyond a common shift, so the statistic is studentised over (context, seed): neighbouring depths with errors
    correlated by .8 make the plain one reject 11 to 13%. Without a column `seed` only shape means are taken out, and
    runs count as independent.

    Args:
        contexts: The runs.
        measured: The quantity.
        quantity: Its name.
        view: Its view.
        confidence: Level of the interval.
        num_permutations: Permutations.
        rng: Their source.
    """
    names = {"claim": "C2", "test": "within-shapes", "quantity": quantity, "view": view}
    rows = _once(contexts, np.flatnonzero(np.isfinite(measured.value)))
    counts = np.bincount(contexts.shape[rows], minlength=len(contexts.context))
    rows = rows[counts[contexts.shape[rows]] > 1]
    if not len(rows):
        return not_testable(reason="no shape was run and measured with two seeds", **names)
    rows = rows[np.argsort(contexts.shape[rows], kind="stable")]
    shape = contexts.shape[rows]
    project = shapes_and_seeds(contexts, rows)
    clusters, units = _seeds(contexts, rows)
    y, x = contexts.log_loss_of_run[rows], measured.value[rows]
    if project.dof < MIN_DOF:
        return not_testable(
            reason=f"seeds leave {max(project.dof, 0)} degrees of freedom where {MIN_DOF} are needed; run more shapes",
            **names,
        )
    if units is not None and units < MIN_UNITS:
        return not_testable(reason="two seeds of one budget are one independent difference; run a third", **names)
    if is_constant(y, project(y)) or is_constant(x, project(x)):
        return not_testable(reason="the loss or the quantity is the same for every seed", **names)
    return correlate(
        y,
        x,
        noise=measured.variance[rows],
        project=project,
        orders=orders_within(shape, num_permutations, rng),
        confidence=confidence,
        claim=not_testable(reason="", **names),
        clusters=clusters,
        units=units,
    )


def _seeds(contexts: Contexts, rows: IntArray) -> tuple[IntArray | None, int | None]:
    """The (context, seed) of each run, and how many independent differences of seeds there are."""
    if contexts.seed is None:
        return None, None
    context = contexts.context[contexts.shape[rows]]
    seeds = np.unique(np.column_stack([context, contexts.seed[rows]]), axis=0, return_inverse=True)
    return seeds[1].reshape(-1), len(seeds[0]) - len(np.unique(context))


def _once(contexts: Contexts, rows: IntArray) -> IntArray:
    """Each run once: two treatments that choose the same rate for a shape hold the same run."""
    shape = contexts.shape[rows]
    setting = contexts.context[shape]
    names = [contexts.source[setting], contexts.budget[setting], contexts.depth[shape], contexts.log_ratio[shape]]
    seed = np.zeros(len(rows)) if contexts.seed is None else contexts.seed[rows]
    runs = np.column_stack([*names, seed, contexts.log_loss_of_run[rows]])
    return rows[np.sort(np.unique(runs, axis=0, return_index=True)[1])]


def shapes_and_seeds(contexts: Contexts, runs: IntArray) -> Projection:
    """Takes shape means and, within each context, seed means out of these runs."""
    shape = contexts.shape[runs]
    context, seed = contexts.context[shape], None if contexts.seed is None else contexts.seed[runs]
    blocks = []
    for one in np.unique(context):
        rows = np.flatnonzero(context == one)
        indicators = _indicators(shape[rows])
        if seed is not None:
            indicators = np.column_stack([indicators, _indicators(seed[rows])])
        blocks.append((rows, indicators))
    return Projection(blocks, size=len(context))


def _indicators(labels: IntArray | FloatArray) -> FloatArray:
    which = np.unique(labels, return_inverse=True)[1].reshape(-1)
    return np.asarray(np.eye(int(which.max()) + 1)[which], dtype=np.float64)
