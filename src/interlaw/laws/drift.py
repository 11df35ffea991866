"""C4, the R* of loss and interaction as the budget grows: equivalence tests of gamma = d log R* / d log N."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import special

from interlaw.laws.claim import Claim, ask, not_testable, opening
from interlaw.laws.contexts import Contexts, labels
from interlaw.laws.grouping import averages
from interlaw.laws.joint_law import one_size
from interlaw.laws.rows import FloatArray
from interlaw.laws.settings import LEVEL, POWER
from interlaw.laws.stability import LEAST_STDERR, MIN_BUDGETS, MIN_DECADES, Stability, equivalence, interval_text

_WORDS = {"holds": "stays put, as claimed", "opposite": "moves, against the claim", "cannot tell": "cannot tell"}


def loss_drift(stability: Stability, *, confidence: float) -> Claim:
    """C4 of the loss itself, from the fit's own gamma."""
    asked = ask("C4", "equivalence", quantity="r_star_loss")
    if stability.gamma is None or stability.low is None or stability.high is None:
        return not_testable(asked, stability.reason)
    dof = max(1, stability.num_budgets - 2)
    stderr = (stability.high - stability.low) / 2 / float(special.stdtrit(dof, (1 + confidence) / 2))
    verdict = {"stable": "holds", "moves": "opposite"}.get(stability.verdict, "cannot tell")
    p_value = stability.tests[0].p_value if stability.tests else None
    tested = replace(
        asked, effect=stability.gamma, low=stability.low, high=stability.high, p_value=p_value, verdict=verdict
    )
    return _worded(tested, stderr=stderr, dof=dof, reason=stability.reason)


def pooled_loss_drift(contexts: Contexts, *, confidence: float) -> Claim:
    """C4 of the loss over the contexts of several sources: one intercept a group, one slope."""
    asked = ask("C4", "equivalence", quantity="r_star_loss")
    return _slope_test(asked, contexts, values=contexts.contexts["log_r_star"].to_numpy(), confidence=confidence)


def interaction_drift(
    contexts: Contexts, efficient: FloatArray, *, inside: FloatArray, view: str, confidence: float
) -> tuple[Claim, ...]:
    """C4 of the most efficient R, and of its distance from R* of the loss, over contexts that have them in their grid.

    Least squares with one intercept a group (source and treatment) and one slope; the scatter about it is the error,
    that of estimating either R in it. Treatments of one source share seeds, so a budget of a source is one unit, the
    mean of its treatments. For the difference each context is its own pair: an error that both share does not count.
    """
    own = np.where(inside > 0, efficient, np.nan)
    values = {"r_star_interaction": own, "r_star_difference": own - contexts.contexts["log_r_star"].to_numpy()}
    return tuple(
        _slope_test(
            ask("C4", "equivalence", quantity=quantity, view=view), contexts, values=each, confidence=confidence
        )
        for quantity, each in values.items()
    )


def _slope_test(asked: Claim, contexts: Contexts, *, values: FloatArray, confidence: float) -> Claim:
    known = contexts.contexts.assign(value=values).dropna(subset="value")
    size = known["size"].to_numpy()
    decades = float(np.ptp(size) / np.log(10)) if len(size) else 0.0
    unit, group = labels(known, "source", "budget"), labels(known, "group")
    budgets, sources = len(set(unit)), known["source"].nunique()
    dof = budgets - sources - 1
    needed = max(MIN_BUDGETS, sources + 2)  # an intercept a source, the slope, and one for the error
    if budgets < needed:
        reason = f"budgets that have it inside their grid: {budgets}, where {needed} are needed"
        return not_testable(asked, reason)
    x, y = (averages(each - averages(each, group)[group], unit) for each in (size, known["value"].to_numpy()))
    if one_size(np.exp(x)):
        return not_testable(asked, f"{budgets} budgets have it inside their grid, all of one size")
    slope = float(x @ y / (x @ x))
    left = y - slope * x
    stderr = max(float(np.sqrt(left @ left / dof / (x @ x))), LEAST_STDERR)
    enough = decades >= MIN_DECADES
    test = equivalence("0", 0.0, slope=slope, stderr=stderr, dof=dof, confidence=confidence, enough_span=enough)
    verdict = {"same": "holds", "different": "opposite"}.get(test.verdict, "cannot tell")
    reason = interval_text(slope, low=test.difference_low, high=test.difference_high)
    if asked.quantity != "r_star_loss":
        reason += f", its error the scatter of {budgets} budgets about the line"
    if not enough:
        reason += f", over a factor {10**decades:.3g} in size where 10 is needed"
    tested = replace(asked, effect=slope, low=test.difference_low, high=test.difference_high, p_value=test.p_value)
    return _worded(replace(tested, verdict=verdict), stderr=stderr, dof=dof, reason=reason)


def _worded(claim: Claim, *, stderr: float, dof: int, reason: str) -> Claim:
    """A judged claim with the gamma that it could have seen, and its sentence."""
    seen = float(special.stdtrit(dof, 1 - LEVEL) + special.stdtrit(dof, POWER)) * stderr
    power = f" A gamma of {seen:.2f} would be seen with {POWER:.0%} power." if claim.verdict == "cannot tell" else ""
    about = opening("equivalence", quantity=claim.quantity, view=claim.view)
    sentence = f"{about}: {_WORDS[claim.verdict]}; {reason}.{power}"
    return replace(claim, p_adjusted=claim.p_value, dof=dof, detectable=seen, sentence=sentence)
