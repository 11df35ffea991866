"""T2: does the quantity go with the loss where both leave their smooth curves in R?"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.polynomial import chebyshev
from numpy.random import Generator

from interlaw.laws.claim import MIN_DOF, Claim, not_testable
from interlaw.laws.contexts import Contexts, Measured
from interlaw.laws.partial import IntArray, Projection, correlate, is_constant, orders_within
from interlaw.laws.table import FloatArray

DEGREES = (3, 4, 5)  # of the curve in log R: the first one that leaves no smooth remainder in both
NUM_LEADING = 4  # degrees beyond the curve's that a smooth remainder lies in, at most half of what is left
SMOOTH = 0.3  # a remainder whose smoothness has a larger p-value counts as none; generous, for a miss costs the level
NUM_SMOOTH = 200  # permutations behind that p-value: standard error .03 at .3


def off_the_curve(
    contexts: Contexts, measured: Measured, *, asked: Claim, confidence: float, num_permutations: int, rng: Generator
) -> Claim:
    """Partial correlation of shape means given a curve in log R per context (Freedman and Lane 1983).

    Residuals of the quantity are permuted within contexts, alike for shapes of the same depth in all of them, and the
    curves are taken out again. Where sizes differ within contexts, one slope on log size is taken out, too.

    Residuals can be permuted only where those of the loss or those of the quantity are no smooth function of R any
    more: what a cubic leaves of two unrelated smooth curves is a quartic twice, which agrees or disagrees strongly. So
    the degree rises until one of the two remainders is rough; where none is, the claim is not testable.
    """
    means = contexts.means(measured)
    smooth = ""
    for degree in DEGREES:
        rows = _rows(contexts, means, degree)
        curves = _curves(contexts, rows, degree)
        if curves.dof < MIN_DOF:
            few = f"curves leave {max(curves.dof, 0)} degrees of freedom where {MIN_DOF} are needed; run more shapes"
            return not_testable(asked, smooth or few)
        y, x = contexts.log_loss[rows], means[rows]
        if is_constant(y, curves(y)) or is_constant(x, curves(x)):
            return not_testable(asked, "the loss or the quantity lies on its curve exactly")
        if _is_rough(contexts, rows, degree, curves=curves, residuals=curves(np.stack([y, x])), rng=rng):
            return correlate(
                y,
                x,
                noise=(contexts.errors(measured) / contexts.counts(measured).clip(1))[rows],
                project=curves,
                orders=orders_within(contexts.context[rows], _depths(contexts, rows), num_permutations, rng),
                confidence=confidence,
                asked=asked,
            )
        smooth = f"curves of degree {degree} leave a smooth remainder of both, which agree or disagree by chance"
    return not_testable(asked, smooth)


def _rows(contexts: Contexts, means: FloatArray, degree: int) -> IntArray:
    """Measured shapes of contexts that have more of them than the curve has coefficients, by context."""
    known = np.isfinite(means)
    counts = np.bincount(contexts.context[known], minlength=len(contexts.group))
    rows = np.flatnonzero(known & (counts[contexts.context] > degree + 1))
    return rows[np.argsort(contexts.context[rows], kind="stable")]


def _curves(contexts: Contexts, rows: IntArray, degree: int, *, beyond: int = 0) -> Projection:
    """Polynomials per context, and log size within contexts where it varies.

    `beyond` more degrees are taken, but at most half of what the curve leaves in each context.
    """
    context, log_ratio, size = contexts.context[rows], contexts.log_ratio[rows], contexts.log_spent[rows].copy()
    blocks = []
    for one in np.unique(context):
        at = np.flatnonzero(context == one)
        size[at] -= size[at].mean()
        middle, half = (log_ratio[at].max() + log_ratio[at].min()) / 2, max(np.ptp(log_ratio[at]) / 2, 1e-12)
        top = degree + min(beyond, max(1, (len(at) - degree - 1) // 2))
        blocks.append((at, chebyshev.chebvander((log_ratio[at] - middle) / half, top)))
    varies = bool(len(size)) and float(np.abs(size).max()) > 1e-6  # parameters equal to one in a million are equal
    return Projection(blocks, size=len(rows), across=size[:, None] if varies else None)


def _is_rough(
    contexts: Contexts, rows: IntArray, degree: int, *, curves: Projection, residuals: FloatArray, rng: Generator
) -> bool:
    """Whether the residuals of the loss or of the quantity, (2, n), put no more than their share on low degrees."""
    further = _curves(contexts, rows, degree, beyond=NUM_LEADING)
    orders = np.concatenate(list(orders_within(contexts.context[rows], _depths(contexts, rows), NUM_SMOOTH, rng)))

    def share(values: FloatArray) -> FloatArray:
        return np.asarray(1 - (further(values) ** 2).sum(axis=-1) / (values**2).sum(axis=-1), dtype=np.float64)

    return any(
        (1 + (share(curves(each[orders])) >= share(each)).sum()) / (1 + NUM_SMOOTH) > SMOOTH for each in residuals
    )


def _depths(contexts: Contexts, rows: IntArray) -> IntArray:
    """A label for equal depths, which are permuted alike; a second shape of a depth in its context has one of its own.

    Curves of neighbouring budgets leave a polynomial in the same way. Permuted apart, one such coincidence would count
    once a budget.
    """
    shapes = pd.DataFrame({"context": contexts.context[rows], "depth": contexts.depth[rows]})
    shapes["earlier"] = shapes.groupby(["context", "depth"]).cumcount()
    return np.asarray(shapes.groupby(["depth", "earlier"]).ngroup(), dtype=np.int64)
