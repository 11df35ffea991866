"""T3 and the shape of most efficient interaction: does its R* follow that of the loss from context to context?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import stats

from interlaw.laws.claim import CLAIMED, Claim, detectable, not_testable
from interlaw.laws.contexts import Contexts, Measured
from interlaw.laws.table import FloatArray

MIN_CONTEXTS = 8  # 8! pairings, and a correlation of .88 seen with 80% power
MIN_SPREAD = 0.1  # standard deviation of log R*: optima within 10% of each other have nothing to track
MIN_SHAPES = 6  # a cubic with two residuals
DEGREE = 3
NUM_POINTS = 401  # of the grid in log R: steps of 1% over a range of a factor 50


def efficient_ratio(contexts: Contexts, measured: Mapping[str, Measured]) -> tuple[FloatArray, FloatArray]:
    """Log R of the most efficient interaction per context, (k,), and whether it lies inside its grid.

    The score is the mean of the quantities, each standardised over the shapes of a context and turned so that the
    claim calls a higher score efficient; its cubic in log R has its highest point there. NaN with fewer than
    six shapes measured.
    """
    ratios, inside = np.full(len(contexts.group), np.nan), np.zeros(len(contexts.group))
    means = {name: contexts.means(each) for name, each in measured.items()}
    complete = np.all([np.isfinite(each) for each in means.values()], axis=0)
    for one in range(len(ratios)):
        rows = np.flatnonzero(complete & (contexts.context == one))
        if len(rows) < MIN_SHAPES:
            continue
        score = np.mean([-CLAIMED[name][0] * _standardised(each[rows]) for name, each in means.items()], axis=0)
        x = contexts.log_ratio[rows]
        grid = np.linspace(x.min(), x.max(), NUM_POINTS)
        curve = np.polynomial.Polynomial.fit(x, score, DEGREE)
        top = int(np.argmax(curve(grid)))
        ratios[one], inside[one] = grid[top], 0 < top < NUM_POINTS - 1
    return ratios, inside


def _standardised(values: FloatArray) -> FloatArray:
    spread = float(values.std())
    return np.asarray((values - values.mean()) / spread if spread > 0 else np.zeros_like(values), dtype=np.float64)


def tracking(
    contexts: Contexts,
    efficient: FloatArray,
    *,
    view: str,
    confidence: float,
    num_permutations: int,
    rng: np.random.Generator,
) -> Claim:
    """D = sum over contexts of |log R* of the loss - log R* of interaction| against permuted pairings of contexts.

    Args:
        contexts: Their R* of the loss.
        efficient: Log R* of interaction, (k,).
        view: Its view.
        confidence: Level of the interval of the correlation.
        num_permutations: Permutations.
        rng: Their source.
    """
    names = {"claim": "C3", "test": "tracking", "quantity": "efficiency", "view": view}
    known = np.isfinite(contexts.log_r_star) & np.isfinite(efficient)
    loss, interaction = contexts.log_r_star[known], efficient[known]
    if len(loss) < MIN_CONTEXTS:
        return not_testable(
            reason=f"{len(loss)} contexts (budget, task, treatment) have an optimum of the loss and {MIN_SHAPES} "
            f"measured shapes; {MIN_CONTEXTS} are needed",
            **names,
        )
    if min(loss.std(), interaction.std()) < MIN_SPREAD:
        return not_testable(reason="R* is nearly the same in all contexts: there is nothing to track", **names)
    orders = rng.permuted(np.tile(np.arange(len(loss)), (num_permutations, 1)), axis=1)
    distance = float(np.abs(loss - interaction).sum())
    permuted = np.abs(loss - interaction[orders]).sum(axis=1)
    effect = float(np.corrcoef(loss, interaction)[0, 1])
    reach = float(stats.norm.ppf((1 + confidence) / 2)) / np.sqrt(len(loss) - 3)
    middle = np.arctanh(np.clip(effect, -1 + 1e-9, 1 - 1e-9))
    slack = 1e-12 * distance
    return Claim(
        **{
            **vars(not_testable(reason="", **names)),
            "effect": effect,
            "low": float(np.tanh(middle - reach)),
            "high": float(np.tanh(middle + reach)),
            "p_value": float((1 + (permuted <= distance + slack).sum()) / (1 + num_permutations)),
            "p_opposite": float((1 + (permuted >= distance - slack).sum()) / (1 + num_permutations)),
            "dof": len(loss) - 1,
            "detectable": detectable(len(loss) - 1),
        }
    )
