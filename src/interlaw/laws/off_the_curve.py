"""T2: does the quantity go with the loss where both leave their smooth curves in R?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from interlaw.laws.claim import MIN_DOF, Claim, not_testable
from interlaw.laws.contexts import Contexts, Measured
from interlaw.laws.partial import CHUNK, IntArray, Projection, correlate, is_constant
from interlaw.laws.table import FloatArray

DEGREE = 3  # of the curve in log R: a parabola and its lopsidedness


def off_the_curve(
    contexts: Contexts,
    measured: Measured,
    *,
    quantity: str,
    view: str,
    confidence: float,
    num_permutations: int,
    rng: np.random.Generator,
) -> Claim:
    """Partial correlation of shape means given a cubic in log R per context (Freedman and Lane 1983).

    Residuals of the quantity are permuted within contexts, alike for shapes of the same depth in all of them, and the
    curves are taken out again. Where sizes differ within contexts, one slope on log size is taken out, too.

    Args:
        contexts: The shapes.
        measured: The quantity.
        quantity: Its name.
        view: Its view.
        confidence: Level of the interval.
        num_permutations: Permutations.
        rng: Their source.
    """
    names = {"claim": "C2", "test": "off-the-curve", "quantity": quantity, "view": view}
    means = contexts.means(measured)
    known = np.isfinite(means)
    counts = np.bincount(contexts.context[known], minlength=len(contexts.group))
    rows = np.flatnonzero(known & (counts[contexts.context] > DEGREE + 1))
    if not len(rows):
        return not_testable(reason=f"no budget has more than {DEGREE + 1} measured shapes", **names)
    rows = rows[np.argsort(contexts.context[rows], kind="stable")]
    context = contexts.context[rows]
    project = _curves(context, contexts.log_ratio[rows], contexts.log_spent[rows])
    y, x = contexts.log_loss[rows], means[rows]
    if project.dof < MIN_DOF:
        return not_testable(
            reason=f"curves leave {max(project.dof, 0)} degrees of freedom where {MIN_DOF} are needed; run more shapes",
            **names,
        )
    if is_constant(y, project(y)) or is_constant(x, project(x)):
        return not_testable(reason="the loss or the quantity lies on its curve exactly", **names)
    return correlate(
        y,
        x,
        noise=_noise_of_means(contexts, measured)[rows],
        project=project,
        orders=_alike(context, contexts.depth[rows], num_permutations, rng),
        confidence=confidence,
        claim=not_testable(reason="", **names),
    )


def _curves(context: IntArray, log_ratio: FloatArray, log_spent: FloatArray) -> Projection:
    """A cubic per context, and log size within contexts where it varies."""
    blocks, size = [], log_spent.copy()
    for one in np.unique(context):
        rows = np.flatnonzero(context == one)
        size[rows] -= size[rows].mean()
        blocks.append((rows, np.vander(log_ratio[rows] - log_ratio[rows].mean(), DEGREE + 1)))
    varies = float(np.abs(size).max()) > 1e-6  # parameters equal to one in a million are equal
    return Projection(blocks, size=len(context), across=size[:, None] if varies else None)


def _noise_of_means(contexts: Contexts, measured: Measured) -> FloatArray:
    """Error variance of each shape's mean, (m,)."""
    known = np.isfinite(measured.value)
    counts = np.bincount(contexts.shape[known], minlength=len(contexts.context))
    sums = np.bincount(contexts.shape[known], weights=measured.variance[known], minlength=len(contexts.context))
    return np.asarray(sums / np.maximum(counts, 1) ** 2, dtype=np.float64)


def _alike(context: IntArray, depth: FloatArray, num_permutations: int, rng: np.random.Generator) -> Iterator[IntArray]:
    """Permutations within contexts, (p, n), that move equal depths alike.

    Curves of neighbouring budgets leave a polynomial in the same way. Permuted apart, one such coincidence would count
    once a budget.
    """
    which = np.unique(depth, return_inverse=True)[1].reshape(-1)
    step = max(1, CHUNK // len(context))
    for start in range(0, num_permutations, step):
        count = min(step, num_permutations - start)
        keys = rng.random((count, int(which.max()) + 1))[:, which] + 1e-9 * rng.random((count, len(which)))
        orders = np.empty(keys.shape, dtype=np.int64)
        for one in np.unique(context):
            rows = np.flatnonzero(context == one)
            orders[:, rows] = rows[np.argsort(keys[:, rows], axis=1)]
        yield orders
