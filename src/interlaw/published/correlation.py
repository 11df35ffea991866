"""Partial correlations of a handful of related models: intervals and p-values that know about families.

Legend: X (n, p) columns x, y, controls; R their correlation matrix; z Fisher's arctanh of a correlation.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from interlaw.laws import POWER

Array = NDArray[np.float64]

# Judgements: with fewer, no correlation that models have is seen above chance. A family is one independent unit.
MIN_MODELS, MIN_FAMILIES = 5, 3
CONFIDENCE = 0.95  # of intervals over families: a convention
_SINGULAR = 1e-9  # relative: a column that varies, or differs from the others, by less is rounding
_NEARLY_ONE = 0.999  # z of 1 is infinite


@dataclass(frozen=True, kw_only=True)
class Correlation:
    """A correlation between two properties of models, with what is known about its uncertainty.

    Attributes:
        value: The correlation over all models; None when undefined (too few models, or a constant column).
        low: Lower end of a 95% interval, z -+ t SE with SE by leaving out one family at a time; None below three
            families, and where the value rests on one of them.
        high: Its upper end.
        detectable: The smallest true correlation whose interval leaves out 0 in 80% of such tables.
        p_value: Two-sided, of the same z / SE.
        num_models: Models that have all columns.
        num_families: Their families.
        effective_families: The number of equally large families that would say as much; Student's t has one degree of
            freedom less.
        leave_out_low: Smallest value when one family is left out.
        leave_out_high: Largest value when one family is left out.
        most_influential: The family whose absence moves the value most.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    detectable: float | None = None
    p_value: float | None = None
    num_models: int
    num_families: int
    effective_families: float
    leave_out_low: float | None = None
    leave_out_high: float | None = None
    most_influential: str | None = None

    @property
    def differs(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high

    def text(self) -> str:
        """The value with its interval, where it has one, as tables and sentences print it."""
        if self.value is None:
            return f"too few models ({self.num_models})"
        interval = f"n {self.num_models}" if self.low is None else f"{self.low:+.2f}, {self.high:+.2f}"
        return f"{self.value:+.2f} ({interval})"


def correlate(
    x: Array, y: Array, *, families: Sequence[str], controls: Sequence[Array] = (), ranks: bool = False
) -> Correlation:
    """Pearson, Spearman or partial correlation of x and y, with family-aware uncertainty.

    rho = S_xy / sqrt(S_xx S_yy), with S = R_11 - R_12 R_22^-1 R_21 the correlation matrix of (x, y) given the controls:
    Pearson's without controls. Spearman's is the same on mid-ranks.

    Models of one family may depend on each other in any way: SE^2 = (F - 1) / F sum_f (z_-f - mean)^2 over the F
    families left out in turn, and t has G - 1 degrees of freedom, G = (sum_f n_f)^2 / sum_f n_f^2.

    Args:
        x: One value a model; models with a NaN in any column are left out.
        y: One value a model.
        families: The family of each model.
        controls: Columns held constant linearly.
        ranks: Replace every column by its mid-ranks first.

    Returns:
        The correlation; its value is None for fewer than five models (plus one a control), or a constant or collinear
        column.

    Example:
        >>> x = np.arange(8.0)
        >>> correlate(x, x**3, families=list("aabbccdd"), ranks=True).value
        1.0

    Source:
        Jackknife over clusters: MacKinnon, Nielsen, Webb 2023. Effective number of clusters: Carter, Schnepel,
        Steigerwald 2017, with clusters that are dependent throughout.
    """
    X = np.column_stack([x, y, *controls]).astype(float)
    keep = np.isfinite(X).all(axis=1)
    X = X[keep]
    names, group, sizes = np.unique(np.array(families, dtype=str)[keep], return_inverse=True, return_counts=True)
    effective = effective_number(sizes.tolist())
    value = _partial(X, ranks=ranks)
    if not math.isfinite(value):
        return Correlation(value=None, num_models=len(X), num_families=len(names), effective_families=effective)
    without = np.array([_partial(X[group != one], ranks=ranks) for one in range(len(names))])
    left = without[np.isfinite(without)]
    return Correlation(
        value=value,
        **(_uncertainty(value, without, effective=effective) if len(left) == len(names) >= MIN_FAMILIES else {}),
        num_models=len(X),
        num_families=len(names),
        effective_families=effective,
        leave_out_low=float(left.min()) if len(left) else None,
        leave_out_high=float(left.max()) if len(left) else None,
        most_influential=str(names[np.nanargmax(abs(without - value))]) if len(left) else None,
    )


def effective_number(sizes: Iterable[int]) -> float:
    """How many equally large families say as much as families of these sizes: (sum n)^2 / sum n^2.

    Example:
        >>> effective_number([5, 5, 5]), effective_number([13, 1, 1])
        (3.0, 1.3157894736842106)
    """
    sizes = list(sizes)
    return sum(sizes) ** 2 / (sum(size**2 for size in sizes) or 1)


def _uncertainty(value: float, without: Array, *, effective: float) -> dict[str, float]:
    """Interval, p-value and detectable correlation by the values that leave out a family each."""
    z, *each = np.arctanh(np.clip([value, *without], -_NEARLY_ONE, _NEARLY_ONE))
    error = math.sqrt((len(each) - 1) * np.var(each))
    reach, power = special.stdtrit(effective - 1, [(1 + CONFIDENCE) / 2, POWER]) * error
    return {
        "low": min(value, float(np.tanh(z - reach))),
        "high": max(value, float(np.tanh(z + reach))),
        "detectable": float(np.tanh(reach + power)),
        "p_value": 2 * float(special.stdtr(effective - 1, -abs(z) / max(error, _SINGULAR))),
    }


def _partial(X: Array, *, ranks: bool) -> float:
    """The correlation of columns 0 and 1 given the rest; NaN for a constant or determined column, or too few models."""
    controls = X.shape[1] - 2  # a model more for each: three points given one control always correlate by 1 or -1
    if len(X) < MIN_MODELS + controls or (np.ptp(X, axis=0) <= _SINGULAR * abs(X).max(axis=0)).any():
        return math.nan
    if ranks:
        X = (X[:, None] > X).sum(axis=1) + (X[:, None] == X).sum(axis=1) / 2
    R = np.atleast_2d(np.corrcoef(X.T))
    if controls and np.linalg.det(R[2:, 2:]) <= _SINGULAR:
        return math.nan
    S = R[:2, :2] - R[:2, 2:] @ np.linalg.solve(R[2:, 2:], R[2:, :2])
    if min(S[0, 0], S[1, 1]) <= _SINGULAR:  # the controls determine x or y
        return math.nan
    return float(np.clip(S[0, 1] / math.sqrt(S[0, 0] * S[1, 1]), -1, 1))
