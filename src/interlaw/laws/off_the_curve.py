"""T2: does the quantity go with the loss where both leave their smooth curves in R?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.polynomial import chebyshev
from numpy.random import Generator

from interlaw.laws.claim import MIN_DOF, Claim, not_testable
from interlaw.laws.contexts import Contexts, labels
from interlaw.laws.partial import Projection, correlate, is_constant, orders_within, rows_of
from interlaw.laws.rows import FloatArray, IntArray

DEGREES = (3, 4, 5)  # of the curve in log R: the first one that leaves no smooth remainder in both
NUM_LEADING = 4  # degrees beyond the curve's that a smooth remainder lies in, at most half of what is left
SMOOTH = 0.3  # a remainder whose smoothness has a larger p-value counts as none; generous, for a miss costs the level
NUM_SMOOTH = 200  # permutations behind that p-value: standard error .03 at .3


def off_the_curve(
    contexts: Contexts, *, asked: Claim, confidence: float, num_permutations: int, rng: Generator
) -> Claim:
    """Partial correlation of shape means given a curve in log R per context (Freedman and Lane 1983).

    Residuals of the quantity are permuted within contexts, alike for shapes of the same depth in all of them, and the
    curves are taken out again. Where sizes differ within contexts, one slope on log size is taken out, too.

    Residuals can be permuted only where those of the loss, or those of the quantity, are not a smooth function of R:
    what a cubic leaves of two unrelated smooth curves are two quartics, which agree or disagree strongly. So the degree
    rises until one of the two remainders is rough; where neither is, the claim is not testable.
    """
    values, variance = contexts.interaction[asked.view], contexts.variance[asked.view]
    known = contexts.by_shape(values[asked.quantity], variance[asked.quantity]).dropna(subset="mean")
    counts = known.groupby("context")["context"].transform("size")
    smooth = ""
    for degree in DEGREES:
        rows = known[counts > degree + 1].sort_values("context", kind="stable")
        curves = _curves(rows, degree)
        if curves.dof < MIN_DOF:
            few = f"curves leave {max(curves.dof, 0)} degrees of freedom where {MIN_DOF} are needed; run more shapes"
            return not_testable(asked, smooth or few)
        y, x = rows["log_loss"].to_numpy(), rows["mean"].to_numpy()
        if is_constant(y, curves(y)) or is_constant(x, curves(x)):
            return not_testable(asked, "the loss or the quantity lies on its curve exactly")
        if _is_rough(rows, degree, curves=curves, residuals=curves(np.stack([y, x])), rng=rng):
            return correlate(
                y,
                x,
                noise=(rows["error"] / rows["count"]).to_numpy(),
                project=curves,
                orders=_orders(rows, count=num_permutations, rng=rng),
                confidence=confidence,
                asked=asked,
            )
        smooth = f"curves of degree {degree} leave a smooth remainder of both, which agree or disagree by chance"
    return not_testable(asked, smooth)


def _curves(rows: pd.DataFrame, degree: int, *, beyond: int = 0) -> Projection:
    """Polynomials per context, and log size within contexts where it varies; `beyond` degrees more if half is left."""
    log_ratio, size = rows["log_ratio"].to_numpy(), rows["log_spent"].to_numpy(copy=True)
    blocks = []
    for at in rows_of(rows["context"].to_numpy()):
        size[at] -= size[at].mean()
        middle, half = (log_ratio[at].max() + log_ratio[at].min()) / 2, np.ptp(log_ratio[at]) / 2 or 1.0
        # at most half of what the curve leaves in a context: the other half is what it is compared with
        top = degree + min(beyond, max(1, (len(at) - degree - 1) // 2))
        blocks.append((at, chebyshev.chebvander((log_ratio[at] - middle) / half, top)))
    varies = bool(len(size)) and float(np.abs(size).max()) > 1e-6  # parameters equal to one in a million are equal
    return Projection(blocks, size=len(rows), across=size[:, None] if varies else None)


def _is_rough(rows: pd.DataFrame, degree: int, *, curves: Projection, residuals: FloatArray, rng: Generator) -> bool:
    """Whether the residuals of the loss or of the quantity, (2, n), put no more than their share on low degrees."""
    further = _curves(rows, degree, beyond=NUM_LEADING)
    orders = np.concatenate(list(_orders(rows, count=NUM_SMOOTH, rng=rng)))

    def share(values: FloatArray) -> FloatArray:
        return np.asarray(1 - (further(values) ** 2).sum(axis=-1) / (values**2).sum(axis=-1), dtype=np.float64)

    return any(
        (1 + (share(curves(each[orders])) >= share(each)).sum()) / (1 + NUM_SMOOTH) > SMOOTH for each in residuals
    )


def _orders(rows: pd.DataFrame, *, count: int, rng: Generator) -> Iterator[IntArray]:
    """Permutations within contexts, equal depths alike; a second shape of a depth in its context moves by itself."""
    # curves of neighbouring budgets leave a polynomial in the same way: permuted apart, one such coincidence would
    # count once a budget
    alike = labels(rows.assign(earlier=rows.groupby(["context", "depth"]).cumcount()), "depth", "earlier")
    return orders_within(rows["context"].to_numpy(), alike, num_permutations=count, rng=rng)
