"""The joint law as a value: its parameters with intervals, and R*(N) as a line with a band."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from interlaw.laws.compare import RivalForm

SAME_SIZE = 1.001  # sizes that differ by less are one: they are written with three or four digits


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A parameter with its bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class LinePoint:
    """R*(N) with its interval; `extrapolated` outside the budgets that were fitted."""

    params: float
    ratio: float
    low: float
    high: float
    extrapolated: bool


@dataclass(frozen=True, kw_only=True)
class JointLaw:
    """L(N, R) = E + A N^-alpha + kappa z^2 + skew z^3, z = log R - log R*(N), R*(N) = c N^gamma = R0 (N / N0)^gamma.

    The cubic term lets the two sides of the minimum differ: without it R* is pulled towards the flatter side. Where
    that has the lower AICc, curvature and skew shrink with the reducible loss (`joint, scaled`).

    Attributes:
        form: `joint`, `joint, scaled`, or `joint, free levels` with two or three budgets (see `forms`).
        formula: As a person writes it.
        status: `optimum`; `edge` (R* lies outside the grid); `flat` (kappa not clear of 0); `not converged`. Only with
            `optimum` do `line` and the ratios mean anything.
        parameters: `gamma`, `c`, `ratio_at_reference` (R0), `kappa` and `skew` (at N0; means over the budgets for free
            levels) and, but for those, `E`, `A`, `alpha`. For `joint, scaled`, kappa and skew are those at N0 too.
        reference_params: N0, the geometric mean of N over the shapes used.
        params_low: Smallest budget fitted (mean parameters).
        params_high: Largest.
        covariance: Bootstrap covariance of (log R0, gamma).
        z_quantile: What `ratio` multiplies the standard deviation by.
        line: R*(N) from a tenth of the smallest budget to ten times the largest.
        comparisons: Rival forms on the same shapes, by AICc (lowest first).
        num_shapes: Shapes used (those near their budget's minimum).
        rmse_log: Residual standard deviation of log loss.
        huber_delta: Where the cost turns from square to linear.
        num_starts: Starts of the search.
        num_agreeing: Starts that ended at the lowest cost.
        converged_draws: Share of the bootstrap draws that converged.
        at_bounds: Parameters that ended on a bound: the table does not determine them.
    """

    form: str
    formula: str
    status: str
    parameters: dict[str, Parameter]
    reference_params: float
    params_low: float
    params_high: float
    covariance: tuple[tuple[float, float], tuple[float, float]]
    z_quantile: float
    line: tuple[LinePoint, ...]
    comparisons: tuple[RivalForm, ...]
    num_shapes: int
    rmse_log: float
    huber_delta: float
    num_starts: int
    num_agreeing: int
    converged_draws: float
    at_bounds: tuple[str, ...]

    def ratio(self, params: float) -> LinePoint:
        """R*(N) for any N: the interval widens with the distance from the fitted budgets through gamma's error."""
        away, covariance = float(np.log(params / self.reference_params)), np.array(self.covariance)
        middle = np.log(self.parameters["ratio_at_reference"].value) + self.parameters["gamma"].value * away
        variance = float(covariance[0, 0] + 2 * away * covariance[0, 1] + away**2 * covariance[1, 1])
        reach = self.z_quantile * np.sqrt(max(variance, 0.0))
        return LinePoint(
            params=params,
            ratio=float(np.exp(middle)),
            low=float(np.exp(middle - reach)),
            high=float(np.exp(middle + reach)),
            extrapolated=not (self.params_low / SAME_SIZE <= params <= self.params_high * SAME_SIZE),
        )
