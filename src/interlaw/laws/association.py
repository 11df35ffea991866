"""Does a measured quantity go with the loss once size and shape are taken away? Neighbours, ranks, a power law.

Correlations over a handful of shapes mislead; the sign of the change between neighbouring depths, where only the shape
differs and the change exceeds the seed noise, is the harder test (Jiang et al. 2019, arXiv 1912.02178; Dziugaite et al.
2020, arXiv 2010.11924).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from interlaw.laws.compare import corrected_aic
from interlaw.laws.forms import power_of, size_only
from interlaw.laws.grouping import ShapeMeans
from interlaw.laws.solve import solve
from interlaw.laws.table import FloatArray

# What the paper claims: where the quantity is higher, the loss is lower (-1) or higher (+1).
CLAIMED_SIGN = {"aofe": 1, "aofe_ratio": -1, "excess_ratio": -1}
MIN_SHAPES = 6


@dataclass(frozen=True, kw_only=True)
class SignAgreement:
    """Neighbouring depths of one budget whose loss moved as the claim says, given the quantity's move.

    `num_pairs` counts the pairs kept, `num_within_noise` those whose loss differs by less than the seed noise allows
    to tell (None: no repeated seeds, nothing was filtered). `p_value`: one-sided, values shuffled over the shapes of
    each budget. `low`, `high`: Clopper-Pearson; neighbouring pairs share a shape, so it is somewhat too narrow.
    """

    num_agreeing: int
    num_pairs: int
    num_within_noise: int | None
    share: float | None
    low: float | None
    high: float | None
    p_value: float | None


@dataclass(frozen=True, kw_only=True)
class RankCorrelation:
    """Spearman's rho with Fisher interval and a two-sided p-value from shuffles within budgets; None if undefined."""

    rho: float | None
    low: float | None
    high: float | None
    p_value: float | None


@dataclass(frozen=True, kw_only=True)
class PowerLaw:
    """loss = E + A quantity^exponent over all measured shapes.

    `r_squared` and `rmse_log` are of log loss; `aicc_size` is the AICc of E + A N^-alpha on the same shapes: where it
    is lower than `aicc`, plain size explains the loss better than the quantity does.
    """

    exponent: float
    E: float
    r_squared: float
    rmse_log: float
    aicc: float | None
    aicc_size: float | None
    converged: bool


@dataclass(frozen=True, kw_only=True)
class Association:
    """One measured quantity against the loss.

    Attributes:
        quantity: `aofe`, `aofe_ratio` or `excess_ratio`.
        claimed_sign: Sign of the association that the paper claims (arXiv 2605.27989).
        num_shapes: Shapes with the quantity measured.
        signs: Agreement over neighbouring depths.
        raw: Rank correlation over all shapes: mostly size.
        given_size: Partial rank correlation given log N.
        given_size_and_shape: Given log N, log R and (log R)^2: what the quantity knows beyond the shape.
        power_law: Loss as a power of the quantity; None where it is not positive throughout.
    """

    quantity: str
    claimed_sign: int
    num_shapes: int
    signs: SignAgreement
    raw: RankCorrelation
    given_size: RankCorrelation
    given_size_and_shape: RankCorrelation
    power_law: PowerLaw | None


def associate(
    shapes: ShapeMeans, *, confidence: float, num_permutations: int, rng: np.random.Generator
) -> tuple[Association, ...]:
    """Every measured quantity against the loss; empty when fewer than six shapes were measured."""
    found = []
    for quantity, sign in CLAIMED_SIGN.items():
        values = shapes.measured.get(quantity)
        if values is None or int(np.isfinite(values).sum()) < MIN_SHAPES:
            continue
        rows = np.flatnonzero(np.isfinite(values))
        orders = _shuffles(shapes.budget[rows], num_permutations, rng)
        size, ratio = np.log(shapes.spent[rows]), shapes.log_ratio[rows]
        controls = {"raw": [], "given_size": [size], "given_size_and_shape": [size, ratio, (ratio - ratio.mean()) ** 2]}
        correlations = {
            name: rank_correlation(
                values[rows], shapes.loss[rows], controls=control, orders=orders, confidence=confidence
            )
            for name, control in controls.items()
        }
        found.append(
            Association(
                quantity=quantity,
                claimed_sign=sign,
                num_shapes=len(rows),
                signs=_signs(shapes, rows, values[rows], sign, orders, confidence),
                power_law=_power_law(quantity, values[rows], shapes.loss[rows], size),
                **correlations,
            )
        )
    return tuple(found)


def _shuffles(
    budget: FloatArray, num_permutations: int, rng: np.random.Generator
) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Orders that move entries only within their budget, (num_permutations, n)."""
    orders = np.tile(np.arange(len(budget)), (num_permutations, 1))
    for level in np.unique(budget):
        rows = np.flatnonzero(budget == level)
        orders[:, rows] = rng.permuted(orders[:, rows], axis=1)
    return orders


def rank_correlation(
    x: FloatArray,
    y: FloatArray,
    *,
    controls: list[FloatArray],
    orders: np.ndarray[tuple[int, int], np.dtype[np.int64]],
    confidence: float,
) -> RankCorrelation:
    """Spearman's rho of x and y after the ranks of the controls are regressed out of both ranks.

    Args:
        x: (n,) values.
        y: (n,) values.
        controls: Quantities to hold fixed.
        orders: Permutations of x under the null, (num_permutations, n).
        confidence: Level of the Fisher interval, variance 1.06 / (n - 3 - num_controls).
    """
    n = len(x)
    design = np.column_stack([np.ones(n), *(stats.rankdata(control) for control in controls)])
    basis = np.linalg.qr(design)[0]
    ranks = np.stack([stats.rankdata(x), stats.rankdata(y)])
    left = ranks - (ranks @ basis) @ basis.T
    norms = np.linalg.norm(left, axis=1)
    if (norms <= 1e-9 * np.linalg.norm(ranks, axis=1)).any():
        return RankCorrelation(rho=None, low=None, high=None, p_value=None)
    rho = float(left[0] @ left[1] / norms[0] / norms[1])
    shuffled = ranks[0][orders]
    lengths = np.sqrt(np.maximum((shuffled**2).sum(axis=1) - ((shuffled @ basis) ** 2).sum(axis=1), 1e-12))
    null = (shuffled @ left[1]) / lengths / norms[1]
    p_value = float((1 + (np.abs(null) >= abs(rho) - 1e-12).sum()) / (1 + len(null)))
    freedom = n - 3 - len(controls)
    if freedom < 1 or abs(rho) >= 1 - 1e-12:
        return RankCorrelation(rho=rho, low=None, high=None, p_value=p_value)
    reach = float(stats.norm.ppf((1 + confidence) / 2)) * np.sqrt(1.06 / freedom)
    return RankCorrelation(
        rho=rho,
        low=float(np.tanh(np.arctanh(rho) - reach)),
        high=float(np.tanh(np.arctanh(rho) + reach)),
        p_value=p_value,
    )


def _signs(
    shapes: ShapeMeans,
    rows: np.ndarray[tuple[int], np.dtype[np.int64]],
    values: FloatArray,
    sign: int,
    orders: np.ndarray[tuple[int, int], np.dtype[np.int64]],
    confidence: float,
) -> SignAgreement:
    """Pairs of shapes next to each other in depth within a budget; `rows` are sorted by budget, then ratio."""
    left = np.flatnonzero((np.diff(shapes.budget[rows]) == 0) & (np.diff(shapes.depth[rows]) > 0))
    change = np.diff(np.log(shapes.adjusted[rows]))[left]
    filtered = None
    if shapes.relative_noise is not None:
        runs = shapes.num_runs[rows]
        quantile = float(stats.t.ppf((1 + confidence) / 2, shapes.noise_dof))
        clear = np.abs(change) > quantile * shapes.relative_noise * np.sqrt(1 / runs[left] + 1 / runs[left + 1])
        filtered = int((~clear).sum())
        left, change = left[clear], change[clear]
    moves = np.sign(np.diff(values)[left])
    moved = (moves != 0) & (change != 0)
    left, change, moves = left[moved], change[moved], moves[moved]
    if not len(left):
        return SignAgreement(
            num_agreeing=0, num_pairs=0, num_within_noise=filtered, share=None, low=None, high=None, p_value=None
        )
    agreeing = int((moves * np.sign(change) == sign).sum())
    null = (np.sign(np.diff(values[orders], axis=1)[:, left]) * np.sign(change) == sign).sum(axis=1)
    interval = stats.binomtest(agreeing, len(left)).proportion_ci(confidence)
    return SignAgreement(
        num_agreeing=agreeing,
        num_pairs=len(left),
        num_within_noise=filtered,
        share=agreeing / len(left),
        low=float(interval.low),
        high=float(interval.high),
        p_value=float((1 + (null >= agreeing).sum()) / (1 + len(null))),
    )


def _power_law(quantity: str, values: FloatArray, loss: FloatArray, size: FloatArray) -> PowerLaw | None:
    if (values <= 0).any() or np.ptp(np.log(values)) < 1e-6 or np.ptp(loss) <= 1e-9 * loss.mean():
        return None
    features = {"size": size - size.mean(), quantity: np.log(values) - np.log(values).mean()}
    solution = solve(power_of(quantity), features, loss=loss)
    residuals = np.log(solution.form.predict(solution.theta, features)) - np.log(loss)
    return PowerLaw(
        exponent=solution.value("p"),
        E=solution.value("E"),
        r_squared=float(1 - residuals.var() / np.log(loss).var()),
        rmse_log=solution.rmse_log,
        aicc=corrected_aic(solution, features, loss=loss),
        aicc_size=corrected_aic(solve(size_only(), features, loss=loss), features, loss=loss),
        converged=solution.converged,
    )
