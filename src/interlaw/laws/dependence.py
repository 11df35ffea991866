"""Errors that neighbouring shapes of a budget share: how much wider they make the error of each parameter.

Letters: r residuals of log loss at the fit, J = d log L / d theta (n x p), M = I - J J^+, L the mean of both neighbours
within a budget, S(rho) the covariance rho^|i - j| of shapes i, j of one budget, in the order of R.
"""

from __future__ import annotations

import numpy as np
from scipy import linalg, special

from interlaw.laws.rows import BoolArray, FloatArray
from interlaw.laws.settings import ROUNDING, TINY
from interlaw.laws.solve import Solution

# beyond .9 a budget's errors are one shift, which its level takes
CORRELATIONS = np.linspace(0.0, 0.9, 10)


def dependence(solution: Solution, *, budget: FloatArray, confidence: float) -> FloatArray:
    """Factor of each parameter's standard error because of errors that are correlated along R, (p,).

    A fit takes out part of what neighbours share, so rho solves r' L r / r' r = tr(M L M S(rho)) / tr(M S(rho)). Then
    Var(theta) = J^+ S J^+' (r' r / tr(M S)), over what independent errors of the same residuals would give. Student's
    quantile with tr(M S)^2 / tr((M S)^2) degrees of freedom (Satterthwaite 1946) takes the place of the normal one.
    The shapes of a `budget`, (n,), stand side by side and in the order of R.
    """
    jacobian, residuals = solution.problem.log_jacobian(solution.theta[None])
    scale = np.linalg.norm(jacobian[0], axis=0)
    basis, triangle = np.linalg.qr(jacobian[0] / np.where(scale > 0, scale, 1.0))
    if np.abs(np.diag(triangle)).min() < ROUNDING:  # a parameter that the shapes do not determine has no error to widen
        return np.ones(len(scale))
    same = budget[1:] == budget[:-1]
    r = residuals[0]
    lag_one = _neighbours(r, same) @ r / max(float(r @ r), TINY)
    inverse = linalg.solve_triangular(triangle, basis.T)
    assumed = (_expected(rho, basis=basis, inverse=inverse, same=same, confidence=confidence) for rho in CORRELATIONS)
    expected, factors = zip(*assumed, strict=True)
    rho = float(np.interp(lag_one, np.maximum.accumulate(expected), CORRELATIONS))
    return np.array([np.interp(rho, CORRELATIONS, each) for each in np.array(factors).T])


def _expected(
    rho: float, *, basis: FloatArray, inverse: FloatArray, same: BoolArray, confidence: float
) -> tuple[float, FloatArray]:
    """Expected lag-one ratio of residuals under S(rho), and the factor of each parameter's standard error."""
    n, p = basis.shape
    correlated, neighbours = _covary(basis, rho=rho, same=same), _neighbours(basis.T, same).T
    inner = basis.T @ correlated
    left = n - float(np.trace(inner))
    shared = rho * float(same.sum()) - 2 * float((neighbours * correlated).sum())
    shared += float(((basis.T @ neighbours) * inner.T).sum())
    square = float(_covary(np.ones((n, 1)), rho=rho**2, same=same).sum())  # tr(S^2)
    dof = left**2 / (square - 2 * float((correlated**2).sum()) + float((inner**2).sum()))
    spread = (_covary(inverse.T, rho=rho, same=same).T * inverse).sum(axis=1)
    wider = np.maximum(spread / (inverse**2).sum(axis=1) * (n - p) / left, 1.0)
    tail = (1 + confidence) / 2
    return shared / left, np.sqrt(wider) * special.stdtrit(max(dof, 1.0), tail) / special.ndtri(tail)


def _covary(values: FloatArray, *, rho: float, same: BoolArray) -> FloatArray:
    """S(rho) times values, (n, k): the inverse of S has three diagonals."""
    before, after = np.concatenate([[False], same]), np.concatenate([same, [False]])
    ends = before.astype(float) + after - 1  # 1 inside a budget, 0 at its ends, -1 of a budget of one shape
    bands = np.stack([np.where(before, -rho, 0.0), 1 + rho**2 * ends])
    return np.asarray((1 - rho**2) * linalg.solveh_banded(bands, values), dtype=np.float64)


def _neighbours(values: FloatArray, same: BoolArray) -> FloatArray:
    """Half the sum of both neighbours within a budget, along the last axis."""
    sums = np.zeros_like(values)
    sums[..., 1:] += 0.5 * np.where(same, values[..., :-1], 0.0)
    sums[..., :-1] += 0.5 * np.where(same, values[..., 1:], 0.0)
    return sums
