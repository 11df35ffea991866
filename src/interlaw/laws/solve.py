"""Fit a form: least squares from many starts, then a robust polish, both in log space; batched for the bootstrap.

Letters: n shapes, q nonlinear, k linear, p = q + k parameters, B batch members (starts or bootstrap draws).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from interlaw.laws.forms import Features, Form
from interlaw.laws.table import FloatArray

HUBER_MULTIPLE = 1.345  # of the residual scale: 95% efficient under normal noise (Huber 1964)
SMALLEST_SCALE = 1e-6
MAX_STEPS = 200  # where the cost turns linear, steps shrink by a constant factor; squares need a dozen
MAX_STARTS = 6
CHUNK_ENTRIES = 4_000_000


@dataclass(frozen=True, kw_only=True)
class Solution:
    """A fitted form.

    Attributes:
        form: What was fitted.
        theta: (q + k,) parameters, nonlinear first.
        cost: Huber cost of the log residuals, on the scale of half a sum of squares.
        huber_delta: Where the cost turns from square to linear.
        rmse_log: Root mean square of the log residuals with n - p degrees of freedom (nan when there are none).
        converged: The polish met its tolerance and at least a second start, where there were several, came to it.
        num_starts: Starts tried: the most promising of the form's combinations.
        num_agreeing: Starts that ended within 1% of the lowest cost.
        at_bounds: Parameters that ended on a bound: the table does not determine them.
    """

    form: Form
    theta: FloatArray
    cost: float
    huber_delta: float
    rmse_log: float
    converged: bool
    num_starts: int
    num_agreeing: int
    at_bounds: tuple[str, ...]

    def value(self, name: str) -> float:
        """One parameter by name."""
        return float(self.theta[(*self.form.nonlinear, *self.form.linear).index(name)])


def solve(form: Form, features: Features, *, loss: FloatArray, huber_delta: float | None = None) -> Solution:
    """Fit a form to mean losses, (n,); needs more shapes than parameters to say anything about its error.

    Without `huber_delta` the cost turns linear at a scale of the form's own: forms that are compared need one for all.
    """
    thetas, scale = _search(form, features, loss)
    return _robust(form, features, loss, thetas, HUBER_MULTIPLE * scale if huber_delta is None else huber_delta)


def solve_alike(forms: Sequence[Form], features: Features, *, loss: FloatArray) -> tuple[Solution, ...]:
    """Fit several forms at one loss function: the cost turns linear at the scale of the form that fits closest."""
    searched = [_search(form, features, loss) for form in forms]
    delta = HUBER_MULTIPLE * min(scale for _, scale in searched)
    return tuple(
        _robust(form, features, loss, thetas, delta) for form, (thetas, _) in zip(forms, searched, strict=True)
    )


def _search(form: Form, features: Features, loss: FloatArray) -> tuple[FloatArray, float]:
    """Least squares from the promising starts, (starts, p), and the scale of the best one's residuals."""
    starts = _promising(form, features, loss)
    thetas = np.array([np.concatenate([each, _linear(form, features, loss, each)]) for each in starts])
    weights = np.ones((len(thetas), len(loss)))
    found, costs, _ = polish(form, features, loss=loss, thetas=thetas, weights=weights, huber_delta=np.inf)
    leader = int(np.argmin(costs))
    if not np.isfinite(costs[leader]):
        return thetas, 0.01
    errors = np.log(form.predict(found[leader], features)) - np.log(loss)
    return found, max(float(np.median(np.abs(errors))) / 0.6745, SMALLEST_SCALE)


def _robust(form: Form, features: Features, loss: FloatArray, thetas: FloatArray, huber_delta: float) -> Solution:
    """The best of the starts after a polish at this loss function."""
    weights = np.ones((len(thetas), len(loss)))
    polished, costs, met = polish(form, features, loss=loss, thetas=thetas, weights=weights, huber_delta=huber_delta)
    best = int(np.argmin(costs))
    floor = 0.5 * len(loss) * SMALLEST_SCALE**2
    agreeing = int((costs <= 1.01 * costs[best] + floor).sum())
    theta = polished[best]
    dof = len(loss) - form.num_parameters
    residuals = np.log(np.maximum(form.predict(theta, features), 1e-300)) - np.log(loss)
    return Solution(
        form=form,
        theta=theta,
        cost=float(costs[best]),
        huber_delta=huber_delta,
        rmse_log=float(np.sqrt((residuals**2).sum() / dof)) if dof > 0 else float("nan"),
        converged=bool(met[best]) and (agreeing > 1 or len(thetas) == 1),
        num_starts=len(thetas),
        num_agreeing=agreeing,
        at_bounds=_at_bounds(form, theta),
    )


def _promising(form: Form, features: Features, loss: FloatArray) -> FloatArray:
    """The MAX_STARTS combinations of starting values with the least projected residual."""
    starts = np.array(list(itertools.product(*form.starts)))
    sizes = []
    for start in starts:
        fitted = form.basis(start, features) @ _linear(form, features, loss, start)
        sizes.append(float(((fitted / loss - 1) ** 2).sum()))
    return starts[np.argsort(sizes, kind="stable")[:MAX_STARTS]]


def _linear(form: Form, features: Features, loss: FloatArray, nonlinear: FloatArray) -> FloatArray:
    """Linear parameters of least relative error, those that must be positive held there."""
    design = form.basis(nonlinear, features) / loss[:, None]
    free = np.linalg.lstsq(design, np.ones_like(loss), rcond=None)[0]
    must = np.array(form.positive)
    if not (free[must] < 0).any():
        return np.asarray(free, dtype=np.float64)
    # A negative copy of each free column lets non-negative least squares give it either sign.
    doubled = np.column_stack([design, -design[:, ~must]])
    triangle = np.asarray(np.linalg.qr(np.column_stack([doubled, np.ones_like(loss)]), mode="r"), dtype=np.float64)
    found = scipy.optimize.nnls(triangle[:, :-1], triangle[:, -1])[0]
    result = found[: len(must)].copy()
    result[~must] -= found[len(must) :]
    return result


def polish(
    form: Form,
    features: Features,
    *,
    loss: FloatArray,
    thetas: FloatArray,
    weights: FloatArray,
    huber_delta: float,
) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
    """Levenberg-Marquardt on the Huber cost of log residuals, all parameters at once, a batch at a time.

    Args:
        form: What to fit.
        features: Of n shapes.
        loss: (n,).
        thetas: Starting points, (B, p).
        weights: Weight of each shape in each member, (B, n); bootstrap counts, say.
        huber_delta: Where the cost turns linear.

    Returns:
        Parameters (B, p), costs (B,), and which members met the tolerance (B,).
    """
    size = max(1, CHUNK_ENTRIES // (len(loss) * form.num_parameters))
    parts = [
        _polish(form, features, np.log(loss), thetas[i : i + size].copy(), weights[i : i + size], huber_delta)
        for i in range(0, len(thetas), size)
    ]
    return (
        np.concatenate([part[0] for part in parts]),
        np.concatenate([part[1] for part in parts]),
        np.concatenate([part[2] for part in parts]),
    )


def _polish(
    form: Form,
    features: Features,
    log_loss: FloatArray,
    thetas: FloatArray,
    weights: FloatArray,
    huber_delta: float,
) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
    q, p = len(form.nonlinear), form.num_parameters
    low = np.concatenate([[bound[0] for bound in form.bounds], np.where(form.positive, 0.0, -np.inf)])
    high = np.concatenate([[bound[1] for bound in form.bounds], np.full(p - q, np.inf)])
    thetas = np.clip(thetas, low, high)
    damping = np.full(len(thetas), 1e-3)
    costs = _cost(form, features, log_loss, thetas, weights, huber_delta)
    met = np.zeros(len(thetas), dtype=bool)
    for _ in range(MAX_STEPS):
        active = np.flatnonzero(~met & np.isfinite(costs))
        if not len(active):
            break
        gradient, hessian = _normal(form, features, log_loss, thetas[active], weights[active], huber_delta)
        pinned = ((thetas[active] <= low) & (gradient > 0)) | ((thetas[active] >= high) & (gradient < 0))
        step = _step(gradient, hessian, damping[active], pinned)
        trial = np.where(pinned, thetas[active], np.clip(thetas[active] + step, low, high))
        new = _cost(form, features, log_loss, trial, weights[active], huber_delta)
        better = new <= costs[active]
        still = np.abs(trial - thetas[active]).max(axis=1) <= 1e-7 * (1 + np.abs(thetas[active]).max(axis=1))
        gain = costs[active] - new
        met[active] = (better & (still | (gain <= 1e-9 * (costs[active] + 1e-14)))) | (damping[active] > 1e9)
        thetas[active[better]], costs[active[better]] = trial[better], new[better]
        damping[active] = np.clip(np.where(better, damping[active] / 5, damping[active] * 6), 1e-9, 1e10)
    return thetas, costs, met


def _step(gradient: FloatArray, hessian: FloatArray, damping: FloatArray, pinned: NDArray[np.bool_]) -> FloatArray:
    p = gradient.shape[1]
    diagonal = np.einsum("bii->bi", hessian)
    scale = np.sqrt(np.maximum(diagonal, 1e-12 * diagonal.max(axis=1, keepdims=True) + 1e-300))
    scaled = hessian / scale[:, :, None] / scale[:, None, :]
    scaled = np.where(pinned[:, :, None] | pinned[:, None, :], 0.0, scaled)
    scaled += np.eye(p) * (np.maximum(damping, 1e-12)[:, None, None] + pinned[:, :, None])
    right = np.where(pinned, 0.0, -gradient / scale)
    return np.asarray(np.linalg.solve(scaled, right[:, :, None])[:, :, 0] / scale, dtype=np.float64)


def _cost(
    form: Form, features: Features, log_loss: FloatArray, thetas: FloatArray, weights: FloatArray, huber_delta: float
) -> FloatArray:
    predicted = form.predict(thetas, features)
    with np.errstate(divide="ignore", invalid="ignore"):  # a prediction of no loss costs all there is
        size = np.abs(np.log(predicted) - log_loss)
        each = np.where(size <= huber_delta, size**2 / 2, huber_delta * (size - huber_delta / 2))
        total = (weights * each).sum(axis=1)
    return np.where(np.isfinite(total), total, np.inf)


def _normal(
    form: Form, features: Features, log_loss: FloatArray, thetas: FloatArray, weights: FloatArray, huber_delta: float
) -> tuple[FloatArray, FloatArray]:
    """Gradient (B, p) and Gauss-Newton matrix (B, p, p) of the weighted Huber cost."""
    jacobian, predicted = log_jacobian(form, features, thetas)
    residuals = np.log(predicted) - log_loss
    robust = weights * np.minimum(1.0, huber_delta / np.maximum(np.abs(residuals), 1e-300))
    weighted = jacobian * robust[..., None]
    transposed = weighted.transpose(0, 2, 1)
    return (transposed @ residuals[..., None])[..., 0], transposed @ jacobian


def log_jacobian(form: Form, features: Features, thetas: FloatArray) -> tuple[FloatArray, FloatArray]:
    """D log L / d theta of each shape, (B, n, p), and the predicted L, (B, n)."""
    q = len(form.nonlinear)
    basis = form.basis(thetas[:, :q], features)
    predicted = (basis @ thetas[:, q:, None])[..., 0]
    columns = []
    for i in range(q):
        step = np.zeros(thetas.shape[1])
        step[i] = 1e-6
        columns.append((form.predict(thetas + step, features) - form.predict(thetas - step, features)) / 2e-6)
    return np.concatenate([np.stack(columns, axis=-1), basis], axis=-1) / predicted[..., None], predicted


def _at_bounds(form: Form, theta: FloatArray) -> tuple[str, ...]:
    bounds = [*form.bounds, *((0.0 if positive else -np.inf, np.inf) for positive in form.positive)]
    names = (*form.nonlinear, *form.linear)
    return tuple(
        name
        for name, value, (low, high) in zip(names, theta, bounds, strict=True)
        if value <= low + 1e-9 or value >= high - 1e-9
    )
