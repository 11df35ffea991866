"""Errors that neighbours share, against dense matrices and against sweeps whose correlation is known."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.coverage_laws import TRUTHS, sweep
from scipy import optimize, special

from interlaw.laws.dependence import dependence
from interlaw.laws.forms import features_of, joint
from interlaw.laws.grouping import group_shapes
from interlaw.laws.solve import Solution, solve
from interlaw.laws.table import read_runs


def solved(name: str, draw: int) -> tuple[Solution, np.ndarray]:
    shapes = group_shapes(read_runs(sweep(TRUTHS[name], noise=0.003, draw=draw)))
    columns = {str(name): values.to_numpy() for name, values in shapes.frame.items()}
    features = features_of(**{name: columns[name] for name in ("params", "depth", "width")})
    return solve(joint(features), features, loss=columns["loss"]), columns["budget"]


def dense(solution: Solution, budget: np.ndarray) -> np.ndarray:
    """The same by n x n matrices and a root search; central differences in place of the form's basis."""
    features, loss = solution.problem.features, solution.problem.loss
    n, p = len(loss), len(solution.theta)
    steps = 1e-6 * np.maximum(np.abs(solution.theta), 1e-2)

    def log_loss(theta: np.ndarray) -> np.ndarray:
        return np.log(solution.form.predict(theta, features))

    J = np.column_stack(
        [(log_loss(solution.theta + e) - log_loss(solution.theta - e)) / (2 * e.sum()) for e in np.diag(steps)]
    )
    inverse = np.linalg.pinv(J, rcond=1e-12)
    M = np.eye(n) - J @ inverse
    near = np.equal.outer(budget, budget)
    away = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    L = 0.5 * (near & (away == 1))
    r = np.log(loss) - log_loss(solution.theta)

    def covariance(rho: float) -> np.ndarray:
        return near * rho ** away.astype(float)

    def gap(rho: float) -> float:
        S = covariance(rho)
        return float(np.trace(M @ L @ M @ S) / np.trace(M @ S) - r @ L @ r / (r @ r))

    rho = 0.0 if gap(0.0) >= 0 else 0.9 if gap(0.9) <= 0 else optimize.brentq(gap, 0.0, 0.9)
    S = covariance(rho)
    wider = np.diag(inverse @ S @ inverse.T) / np.diag(inverse @ inverse.T) * (n - p) / np.trace(M @ S)
    dof = np.trace(M @ S) ** 2 / np.trace(M @ S @ M @ S)
    return np.sqrt(np.maximum(wider, 1)) * special.stdtrit(dof, 0.95) / special.ndtri(0.95)


@pytest.mark.parametrize("draw", range(2))
@pytest.mark.parametrize("name", ["AR(.8) along depth", "in the family"])
def test_factors_are_those_of_dense_matrices(name: str, draw: int) -> None:
    """Factors are interpolated between ten values of rho: within 2%."""
    solution, budget = solved(name, draw)
    found = dependence(solution, budget=budget, confidence=0.9)
    np.testing.assert_allclose(found, dense(solution, budget), rtol=0.02)


def test_correlated_errors_widen_the_interval_of_gamma() -> None:
    """Independent errors cost Student's quantile and the noise of rho; AR(.8) more."""
    factors = {}
    for name in ("AR(.8) along depth", "in the family"):
        found = []
        for draw in range(20):
            solution, budget = solved(name, draw)
            place = solution.form.names.index("gamma")
            found.append(dependence(solution, budget=budget, confidence=0.9)[place])
        factors[name] = float(np.median(found))
    assert 1.03 < factors["in the family"] < 1.1  # t of 28 degrees of freedom over the normal: 1.034
    assert factors["AR(.8) along depth"] > factors["in the family"] + 0.08
