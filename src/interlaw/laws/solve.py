"""Fit a form: least squares from many starts, then a robust polish, both in log space; batched for the bootstrap.

Letters: n shapes, q nonlinear, k linear, p = q + k parameters, B batch members (starts or bootstrap draws).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy

from interlaw.laws.forms import Features, Form
from interlaw.laws.rows import BoolArray, FloatArray
from interlaw.laws.settings import HUBER_MULTIPLE, NORMAL_MEDIAN, ROUNDING, TINY

SMALLEST_SCALE = 1e-6  # of log loss: below the rounding of printed losses, so that a perfect fit has a scale
MAX_STEPS = 200  # where the cost turns linear, steps shrink by a constant factor; squares need a dozen
MAX_STARTS = 6  # judgement: more take longer; `num_agreeing` says whether several reached the same minimum
CHUNK_ENTRIES = 4_000_000  # of one array, 32 MB in float64: a judgement about memory, no result depends on it
NO_LOSS = TINY  # a law may predict none, or less, far from what it was fitted to
DIFFERENCE = 1e-6  # of a nonlinear parameter, for a central difference: near the cube root of float64's precision


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A form to be fitted to the mean losses of n shapes; beyond `huber_delta` a log residual's cost is linear."""

    form: Form
    features: Features
    loss: FloatArray
    huber_delta: float = np.inf

    @cached_property
    def log_loss(self) -> FloatArray:
        """Natural logarithm of the losses."""
        return np.log(self.loss)

    def polish(
        self, thetas: FloatArray, *, weights: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray, BoolArray]:
        """Levenberg-Marquardt on the Huber cost of log residuals, all parameters at once, a batch at a time.

        From starting points (B, p), with the weight of each shape in each member, (B, n), 1 when not given, to
        parameters (B, p), costs (B,), and which members met the tolerance (B,).
        """
        weights = np.ones((len(thetas), len(self.loss))) if weights is None else weights
        size = max(1, CHUNK_ENTRIES // (len(self.loss) * self.form.num_parameters))
        parts = [self._polish(thetas[i : i + size], weights[i : i + size]) for i in range(0, len(thetas), size)]
        polished, costs, met = (np.concatenate(each) for each in zip(*parts, strict=True))
        return polished, costs, met

    def _polish(self, thetas: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray, BoolArray]:
        low, high = self.form.limits
        thetas = np.clip(thetas, low, high)
        # Levenberg-Marquardt with Marquardt's first damping. How damping moves decides how many steps are taken, not
        # which minimum they end in. Steps end where parameters change by 1e-7 or the cost by 1e-9 of itself, finer than
        # any number that is shown, or where even a damping of 1e9 leads to nothing lower.
        damping = np.full(len(thetas), 1e-3)
        costs = self._cost(thetas, weights)
        met = np.zeros(len(thetas), dtype=bool)
        for _ in range(MAX_STEPS):
            active = np.flatnonzero(~met & np.isfinite(costs))
            if not len(active):
                break
            gradient, hessian = self._normal(thetas[active], weights[active])
            pinned = ((thetas[active] <= low) & (gradient > 0)) | ((thetas[active] >= high) & (gradient < 0))
            step = _step(gradient, hessian, damping=damping[active], pinned=pinned)
            trial = np.where(pinned, thetas[active], np.clip(thetas[active] + step, low, high))
            new = self._cost(trial, weights[active])
            better = new <= costs[active]
            still = np.abs(trial - thetas[active]).max(axis=1) <= 1e-7 * (1 + np.abs(thetas[active]).max(axis=1))
            gain = costs[active] - new
            met[active] = (better & (still | (gain <= 1e-9 * (costs[active] + 1e-14)))) | (damping[active] > 1e9)
            thetas[active[better]], costs[active[better]] = trial[better], new[better]
            damping[active] = np.clip(np.where(better, damping[active] / 5, damping[active] * 6), 1e-9, 1e10)
        return thetas, costs, met

    def residuals(self, thetas: FloatArray) -> FloatArray:
        """Log prediction minus log loss, (..., n); a prediction of no loss counts as one of `NO_LOSS`."""
        return np.log(np.maximum(self.form.predict(thetas, self.features), NO_LOSS)) - self.log_loss

    def _cost(self, thetas: FloatArray, weights: FloatArray) -> FloatArray:
        size, delta = np.abs(self.residuals(thetas)), self.huber_delta
        with np.errstate(invalid="ignore"):
            each = np.where(size <= delta, size**2 / 2, delta * (size - delta / 2))
        total = (weights * each).sum(axis=1)
        return np.where((size < -0.9 * np.log(NO_LOSS)).all(axis=1), total, np.inf)  # no loss costs all there is

    def _normal(self, thetas: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Gradient (B, p) and Gauss-Newton matrix (B, p, p) of the weighted Huber cost."""
        jacobian, residuals = self.log_jacobian(thetas)
        robust = weights * np.minimum(1.0, self.huber_delta / np.maximum(np.abs(residuals), TINY))
        weighted = jacobian * robust[..., None]
        transposed = weighted.transpose(0, 2, 1)
        return (transposed @ residuals[..., None])[..., 0], transposed @ jacobian

    def log_jacobian(self, thetas: FloatArray) -> tuple[FloatArray, FloatArray]:
        """D log L / d theta of each shape, (B, n, p), and its residual, (B, n)."""
        form, features, q = self.form, self.features, len(self.form.nonlinear)
        basis = form.basis(thetas[:, :q], features)
        predicted = (basis @ thetas[:, q:, None])[..., 0]
        columns = []
        for i in range(q):
            step = np.zeros(thetas.shape[1])
            step[i] = DIFFERENCE
            rise = form.predict(thetas + step, features) - form.predict(thetas - step, features)
            columns.append(rise / (2 * DIFFERENCE))
        jacobian = np.concatenate([np.stack(columns, axis=-1), basis], axis=-1) / predicted[..., None]
        return jacobian, np.log(predicted) - self.log_loss

    def promising(self) -> FloatArray:
        """The starts of least projected residual, at most `MAX_STARTS`, with their linear parameters: (starts, p)."""
        starts = np.array(list(itertools.product(*(free.starts for free in self.form.nonlinear.values()))))
        thetas = np.column_stack([starts, [self._linear(each) for each in starts]])
        sizes = [((self.form.predict(each, self.features) / self.loss - 1) ** 2).sum() for each in thetas]
        return thetas[np.argsort(sizes, kind="stable")[:MAX_STARTS]]

    def _linear(self, nonlinear: FloatArray) -> FloatArray:
        """Linear parameters of least relative error, those that must be positive held there."""
        design = self.form.basis(nonlinear, self.features) / self.loss[:, None]
        ones = np.ones_like(self.loss)
        free = np.linalg.lstsq(design, ones, rcond=None)[0]
        must = np.array([*self.form.linear.values()])
        if not (free[must] < 0).any():
            return np.asarray(free, dtype=np.float64)
        # A negative copy of each free column lets non-negative least squares give it either sign.
        doubled = np.column_stack([design, -design[:, ~must]])
        triangle = np.asarray(np.linalg.qr(np.column_stack([doubled, ones]), mode="r"), dtype=np.float64)
        doubles = scipy.optimize.nnls(triangle[:, :-1], triangle[:, -1])[0]
        result = doubles[: len(must)].copy()
        result[~must] -= doubles[len(must) :]
        return result


@dataclass(frozen=True, kw_only=True)
class Solution:
    """A fitted form.

    Attributes:
        theta: (q + k,) parameters, nonlinear first.
        cost: Huber cost of the log residuals, on the scale of half a sum of squares.
        rmse_log: Root mean square of the log residuals with n - p degrees of freedom (nan when there are none).
        converged: The polish met its tolerance and at least a second start, where there were several, came to it.
        num_agreeing: Starts that ended within 1% of the lowest cost.
        at_bounds: Parameters that ended on a bound: the table does not determine them.
    """

    problem: Problem
    theta: FloatArray
    cost: float
    rmse_log: float
    converged: bool
    num_starts: int
    num_agreeing: int
    at_bounds: tuple[str, ...]

    @property
    def form(self) -> Form:
        """The fitted form."""
        return self.problem.form

    def value(self, name: str) -> float:
        """One parameter by name."""
        return float(self.form.columns(self.theta, name)[0])


def solve(form: Form, features: Features, *, loss: FloatArray, huber_delta: float | None = None) -> Solution:
    """Fit a form to mean losses, (n,); needs more shapes than parameters to say anything about its error."""
    return solve_alike([form], features, loss=loss, huber_delta=huber_delta)[0]


def solve_alike(
    forms: Sequence[Form], features: Features, *, loss: FloatArray, huber_delta: float | None = None
) -> tuple[Solution, ...]:
    """Fit several forms at one loss function, or forms whose costs cannot be compared would compete.

    Without `huber_delta` the cost turns linear at the scale of the form that fits closest.
    """
    problems = [Problem(form=form, features=features, loss=loss) for form in forms]
    searched = [_search(problem) for problem in problems]
    if huber_delta is None:
        huber_delta = HUBER_MULTIPLE * min(scale for _, scale in searched)
    return tuple(
        _robust(replace(problem, huber_delta=huber_delta), thetas)
        for problem, (thetas, _) in zip(problems, searched, strict=True)
    )


def _search(problem: Problem) -> tuple[FloatArray, float]:
    """Least squares from the promising starts, (starts, p), and the scale of the best one's residuals."""
    thetas = problem.promising()
    polished, costs, _ = problem.polish(thetas)
    leader = int(np.argmin(costs))
    if not np.isfinite(costs[leader]):
        return thetas, 0.01  # no start has a finite cost: 1% of the loss, so that the robust polish can still try
    return polished, max(median_scale(problem.residuals(polished[leader])), SMALLEST_SCALE)


def median_scale(residuals: FloatArray) -> float:
    """The standard deviation of normal residuals by the median of their sizes, which outliers do not move."""
    return float(np.median(np.abs(residuals))) / NORMAL_MEDIAN


def _robust(problem: Problem, thetas: FloatArray) -> Solution:
    """The best of the starts after a polish at the problem's loss function."""
    form, num_shapes = problem.form, len(problem.loss)
    polished, costs, met = problem.polish(thetas)
    best = int(np.argmin(costs))
    floor = 0.5 * num_shapes * SMALLEST_SCALE**2
    # within 1% of the lowest cost: the same minimum (judgement; it decides `num_agreeing` alone)
    agreeing = int((costs <= 1.01 * costs[best] + floor).sum())
    theta = polished[best]
    dof = num_shapes - form.num_parameters
    low, high = form.limits
    on_bound = (theta <= low + ROUNDING) | (theta >= high - ROUNDING)
    return Solution(
        problem=problem,
        theta=theta,
        cost=float(costs[best]),
        rmse_log=float(np.sqrt((problem.residuals(theta) ** 2).sum() / dof)) if dof > 0 else float("nan"),
        converged=bool(met[best]) and (agreeing > 1 or len(thetas) == 1),
        num_starts=len(thetas),
        num_agreeing=agreeing,
        at_bounds=tuple(name for name, ends in zip(form.names, on_bound, strict=True) if ends),
    )


def _step(gradient: FloatArray, hessian: FloatArray, *, damping: FloatArray, pinned: BoolArray) -> FloatArray:
    p = gradient.shape[1]
    diagonal = np.einsum("bii->bi", hessian)
    # a parameter that the shapes hardly move, by the square of a millionth of the others, is scaled as if by so much
    scale = np.sqrt(np.maximum(diagonal, 1e-12 * diagonal.max(axis=1, keepdims=True) + TINY))
    scaled = hessian / scale[:, :, None] / scale[:, None, :]
    scaled = np.where(pinned[:, :, None] | pinned[:, None, :], 0.0, scaled)
    # never without damping: two parameters that do the same make the matrix singular
    scaled += np.eye(p) * (np.maximum(damping, 1e-12)[:, None, None] + pinned[:, :, None])
    right = np.where(pinned, 0.0, -gradient / scale)
    return np.asarray(np.linalg.solve(scaled, right[:, :, None])[:, :, 0] / scale, dtype=np.float64)
