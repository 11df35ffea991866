"""A partial correlation with its permutation distribution: p-values, interval, reliability."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from scipy import special

from interlaw.laws.claim import CLAIMED, Claim, detectable
from interlaw.laws.rows import FloatArray, IntArray
from interlaw.laws.settings import ROUNDING, TINY

CHUNK = 2_000_000  # numbers of a block of permutations: 16 MB in float64


class Projection:
    """Takes a linear nuisance out of rows of values: v - v Q Q^T, block by block.

    Args:
        blocks: For each block the positions of its entries and a design over them, (entries, columns).
        size: Length of a row.
        across: A design over all entries, (size, columns), taken out beside the blocks'.
    """

    def __init__(
        self, blocks: list[tuple[IntArray, FloatArray]], *, size: int, across: FloatArray | None = None
    ) -> None:
        self.blocks = [(rows, _orthonormal(design)) for rows, design in blocks]
        self.across: FloatArray | None = None
        self.dof = size - sum(basis.shape[1] for _, basis in self.blocks)
        if across is not None:
            left = self(across.T).T
            kept = np.linalg.norm(left, axis=0) > ROUNDING * np.linalg.norm(across, axis=0)
            self.across = _orthonormal(left[:, kept])
            self.dof -= self.across.shape[1]

    def __call__(self, values: FloatArray) -> FloatArray:
        """Residuals of each row of `values`, (..., size)."""
        left = values.copy()
        for rows, basis in self.blocks:
            part = values[..., rows]
            left[..., rows] = part - (part @ basis) @ basis.T
        return left if self.across is None else left - (left @ self.across) @ self.across.T

    def leverage(self) -> FloatArray:
        """The share of each entry that the blocks explain, (size,)."""
        return np.concatenate([(basis**2).sum(axis=1) for _, basis in self.blocks])[
            np.argsort(np.concatenate([rows for rows, _ in self.blocks]))
        ]


def _orthonormal(design: FloatArray) -> FloatArray:
    """Columns that span the design's; a column that others determine to `ROUNDING` of its length adds nothing."""
    lengths = np.linalg.norm(design, axis=0)
    left, singular, _ = np.linalg.svd(design[:, lengths > 0] / lengths[lengths > 0], full_matrices=False)
    return np.asarray(left[:, singular > ROUNDING * max(1.0, singular.max(initial=0.0))], dtype=np.float64)


def rows_of(labels: IntArray) -> list[IntArray]:
    """The places of each label, by label."""
    return [np.flatnonzero(labels == one) for one in np.unique(labels)]


def orders_within(
    groups: IntArray, alike: IntArray, *, num_permutations: int, rng: np.random.Generator
) -> Iterator[IntArray]:
    """Blocks of permutations (p, n) that move entries within their group only, entries of one label `alike` alike.

    Groups with the same labels in the same order get the same permutation.
    """
    num_labels = int(alike.max(initial=-1)) + 1
    places = rows_of(groups)
    sizes = {len(rows) for rows in places}
    of_size = [np.array([rows for rows in places if len(rows) == size]) for size in sorted(sizes)]
    step = max(1, CHUNK // max(1, len(groups)))
    for start in range(0, num_permutations, step):
        count = min(step, num_permutations - start)
        keys = rng.random((count, num_labels))[:, alike]
        orders = np.empty((count, len(groups)), dtype=np.int64)
        for rows in of_size:
            drawn = np.argsort(keys[:, rows], axis=2)
            orders[:, rows.ravel()] = np.take_along_axis(rows[None], drawn, axis=2).reshape(count, -1)
        yield orders


def correlate(
    y: FloatArray,
    x: FloatArray,
    *,
    noise: FloatArray,
    project: Projection,
    project_loss: Projection | None = None,
    orders: Iterator[IntArray],
    confidence: float,
    asked: Claim,
    clusters: IntArray | None = None,
    independent: IntArray | None = None,
    units: int | None = None,
) -> Claim:
    """The partial correlation of x and y given the nuisance, its two tails and its interval.

    The interval is Fisher's, its standard error the largest of 1 / sqrt(dof - 2), the spread of the permuted
    correlations and that of the clusters: where few runs carry the variance, or entries depend on each other, these
    know and the formula does not.

    With clusters the p-value is that of a studentised statistic, sum_k c_k / sqrt(sum_k c_k^2) with c_k the sum of
    products in cluster k (Janssen 1997; DiCiccio and Romano 2017): permutations break what entries of one cluster
    share, and the studentised statistic has the same distribution with and without.

    Args:
        y: Log losses, (n,).
        x: The quantity on its scale, (n,).
        noise: Error variance of x, (n,); NaN where unknown.
        project: Takes the nuisance out of x, and out of y without `project_loss`.
        project_loss: Takes it out of y, where y has weights of its own.
        orders: Permutations of residuals of x.
        confidence: Level of the interval.
        asked: What is tested; returned with its numbers, not yet judged.
        clusters: Of each entry, (n,), where entries of one cluster may depend on each other.
        independent: Larger clusters, of which one does not depend on another, (n,); the interval rests on them.
        units: How many independent differences they leave; all degrees of freedom when not given.
    """
    left, right = (project_loss or project)(y), project(x)
    sums = None if clusters is None else Clusters(clusters)

    def both(values: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Correlation of each row with `left`, and the statistic that is compared."""
        lengths = np.linalg.norm(values, axis=1) * np.linalg.norm(left)
        correlations = np.clip(values @ left / np.maximum(lengths, TINY), -1, 1)
        return correlations, correlations if sums is None else sums.studentised(values * left)

    effect, observed = (float(each[0]) for each in both(right[None]))
    drawn = [both(project(right[order])) for order in orders]
    permuted, statistics = (np.concatenate(each) for each in zip(*drawn, strict=True))
    sign = CLAIMED[asked.quantity][0] if asked.quantity in CLAIMED else 1
    error = 0.0 if independent is None or units is None else Clusters(independent).error(left, right, units=units)
    spread = max(1 / np.sqrt(project.dof - 2), float(permuted.std()), error)
    known = np.isfinite(noise).all()
    reliability = max(0.0, float(1 - project.dof * noise.mean() / (right @ right))) if known else None
    answer = answered(
        asked,
        effect=effect,
        error=spread,
        observed=sign * observed,
        permuted=sign * statistics,
        confidence=confidence,
        dof=project.dof,
        units=units,
    )
    return replace(
        answer, reliability=reliability, corrected=effect / float(np.sqrt(reliability)) if reliability else None
    )


def answered(
    asked: Claim,
    *,
    effect: float,
    error: float,
    observed: float,
    permuted: FloatArray,
    confidence: float,
    dof: int,
    units: int | None,
) -> Claim:
    """A claim with its correlation, the interval and both tails, not yet judged.

    The inverse hyperbolic tangent of the effect has the standard error `error` (Fisher 1921). The tails are shares of
    the permuted statistics at least as high, and at least as low, the observed one counted among them.
    """
    middle = np.arctanh(np.clip(effect, -1 + ROUNDING, 1 - ROUNDING))
    reach = special.ndtri((1 + confidence) / 2) * error
    slack = 1e-12  # equal up to rounding counts as equal
    tails = (permuted >= observed - slack).sum(), (permuted <= observed + slack).sum()
    p_value, p_opposite = (float((1 + tail) / (1 + len(permuted))) for tail in tails)
    return replace(
        asked,
        effect=effect,
        low=float(np.tanh(middle - reach)),
        high=float(np.tanh(middle + reach)),
        p_value=p_value,
        p_opposite=p_opposite,
        dof=dof,
        detectable=detectable(dof, units=units),
    )


class Clusters:
    """Sums over the entries of each cluster, and what their scatter says."""

    def __init__(self, labels: IntArray) -> None:
        self.order = np.argsort(labels, kind="stable")
        self.starts = np.flatnonzero(np.diff(labels[self.order], prepend=labels.min() - 1))

    def studentised(self, values: FloatArray) -> FloatArray:
        """sum_k c_k / sqrt(sum_k c_k^2) of each row of values, (p, n), with c_k the sum over cluster k."""
        sums = np.add.reduceat(values[:, self.order], self.starts, axis=1)
        return np.asarray(sums.sum(axis=1) / np.maximum(np.linalg.norm(sums, axis=1), TINY), dtype=np.float64)

    def error(self, left: FloatArray, right: FloatArray, *, units: int) -> float:
        """Standard error of the correlation of two vectors of residuals from the scatter of the clusters' sums."""
        sums = np.add.reduceat((left * right)[self.order], self.starts)
        scatter = float(np.linalg.norm(sums - sums.mean())) * np.sqrt(len(sums) / units)
        return float(scatter / np.linalg.norm(left) / np.linalg.norm(right))


def is_constant(values: FloatArray, residuals: FloatArray) -> bool:
    """Whether the nuisance explains the values to rounding: nothing is left to correlate."""
    return bool(np.linalg.norm(residuals) <= ROUNDING * max(float(np.linalg.norm(values)), TINY))
