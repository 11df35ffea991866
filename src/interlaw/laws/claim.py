"""One claim of the paper put to one test: what came out, how sure that is, and what it means in a sentence.

A claim fails by evidence only: an interval that excludes it, or one that lies within `NEGLIGIBLE` of nothing. Where the
data show neither, the verdict is `cannot tell`, with the effect that the design could have seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy import special

from interlaw.laws.settings import LEVEL, POWER

NEGLIGIBLE = 0.2  # a correlation this small explains at most 4% of the variance
MANY_UNITS = 12  # from here on Student's quantiles are within 7% of the normal ones
MIN_DOF = 7  # with fewer, even the largest correlation is seen with less than `POWER`

# Quantity -> the sign of its relation with the loss that arXiv 2605.27989 claims, and its name in a sentence.
CLAIMED = {
    "aofe_ratio": (-1, "AOFE-ratio"),
    "aofe_scale_free": (1, "scale-free AOFE"),
    "aofe": (1, "AOFE"),
    "excess_ratio": (-1, "excess of the ratio over chance"),
}


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What one test says of one claim.

    Attributes:
        claim: `C2` (efficient interaction goes with a low loss), `C3` (the shape of lowest loss is the shape of most
            efficient interaction) or `C4` (R* stays put as the budget grows).
        test: `within-shapes`, `off-the-curve`, `tracking` or `equivalence`.
        quantity: A column (`aofe_ratio`, `aofe_scale_free`, `aofe`, `excess_ratio`), `efficiency`, or the R* that is
            tested (`r_star_loss`, `r_star_interaction`, `r_star_difference`). Empty when nothing was measured.
        view: The measured view; empty for the loss and where the table does not name it.
        effect: Partial correlation of the quantity with log loss (C2), correlation of log R* of interaction with log
            R* of the loss (C3), or the slope gamma = d log R* / d log N (C4). None when not testable.
        low: Lower end of its interval at the fit's confidence.
        high: Upper end.
        p_value: One-sided, in the claimed direction; of C4, of two one-sided tests of |gamma| within the margin.
        p_adjusted: After Holm over the quantities and views of the same test.
        dof: Degrees of freedom behind the effect.
        detectable: The effect, without its sign, that this test shows with 80% power at the 5% level where it is the
            only one; after Holm's correction over several it takes a larger one.
        verdict: `holds`, `opposite`, `negligible`, `cannot tell` or `not testable`.
        sentence: The verdict in plain words, with its numbers.
        p_opposite: One-sided p-value of the opposite direction, after Holm; None for C4.
        corrected: Effect divided by sqrt(reliability): without the error of measuring. None where that is unknown.
        reliability: Share of the quantity's variance in the test that is no measuring error, from the standard errors.
    """

    claim: str
    test: str
    quantity: str
    view: str
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    p_adjusted: float | None = None
    dof: int | None = None
    detectable: float | None = None
    verdict: str
    sentence: str
    p_opposite: float | None = None
    corrected: float | None = None
    reliability: float | None = None

    @property
    def gist(self) -> str:
        """The sentence; without quantity and view where nothing could be tested: all of them share the reason."""
        if self.verdict != "not testable" or self.quantity not in CLAIMED:
            return self.sentence
        about = opening(self.test, quantity=self.quantity, view=self.view)
        return opening(self.test) + self.sentence.removeprefix(about)


def ask(claim: str, test: str, *, quantity: str = "", view: str = "") -> Claim:
    """A claim before its test: what is to be tested."""
    return Claim(claim=claim, test=test, quantity=quantity, view=view, verdict="not testable", sentence="")


def not_testable(asked: Claim, reason: str) -> Claim:
    """A claim that the data cannot test, with the reason."""
    about = opening(asked.test, quantity=asked.quantity, view=asked.view)
    return replace(asked, sentence=f"{about}: not testable, {reason}.")


def adjust(claims: Sequence[Claim]) -> tuple[Claim, ...]:
    """Holm's correction over the claims of one test that have a p-value; verdicts and sentences follow from it."""
    tested = [each for each in claims if each.p_value is not None]
    claimed, opposite = (holm([getattr(each, name) for each in tested]) for name in ("p_value", "p_opposite"))
    judged = (
        judge(replace(each, p_adjusted=p_adjusted, p_opposite=p_opposite))
        for each, p_adjusted, p_opposite in zip(tested, claimed, opposite, strict=True)
    )
    return tuple(each if each.p_value is None else next(judged) for each in claims)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment (1979): controls the chance of any false rejection under any dependence.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    steps = np.asarray(p_values)[order] * np.arange(len(order), 0, -1)
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return [float(each) for each in adjusted]


def detectable(dof: int, *, units: int | None = None) -> float:
    """The correlation seen with 80% power by a one-sided test at 5%: (z_.95 + z_.80) / sqrt(dof), at most 1.

    Student's quantiles replace the normal ones where fewer than `MANY_UNITS` independent units carry the test.
    """
    few = units is not None and units < MANY_UNITS
    quantile = partial(special.stdtrit, units) if few else special.ndtri
    return min(1.0, (float(quantile(1 - LEVEL)) + float(quantile(POWER))) / float(np.sqrt(dof)))


def judge(claim: Claim) -> Claim:
    """The verdict of a correlation from its adjusted p-values and interval, and its sentence."""
    low, high = claim.low, claim.high
    if low is not None and high is not None and low > -NEGLIGIBLE and high < NEGLIGIBLE:
        verdict = "negligible"
    elif claim.p_adjusted is not None and claim.p_adjusted <= LEVEL:
        verdict = "holds"
    elif claim.p_opposite is not None and claim.p_opposite <= LEVEL:
        verdict = "opposite"
    else:
        verdict = "cannot tell"
    return replace(claim, verdict=verdict, sentence=_sentence(claim, verdict))


def opening(test: str, *, quantity: str = "", view: str = "") -> str:
    """What a sentence is about: the test, the quantity and the view, as far as they are known.

    Example:
        >>> opening("within-shapes", quantity="aofe_ratio", view="loss")
        'Over seeds of one shape, AOFE-ratio of the loss view'
    """
    where = f" of the {view} view" if view else ""
    if test == "equivalence":
        return f"{_SUBJECTS[quantity]}{where} as the budget grows"
    if test == "tracking":
        return f"R* of the loss and R of the most efficient interaction{where}"
    about = {"within-shapes": "Over seeds of one shape", "off-the-curve": "Off the smooth curve in R"}[test]
    return about + (f", {CLAIMED[quantity][1]}" if quantity else "") + where


_SUBJECTS = {
    "r_star_loss": "R* of the loss",
    "r_star_interaction": "R of the most efficient interaction",
    "r_star_difference": "R of the most efficient interaction over R* of the loss",
}


def _sentence(claim: Claim, verdict: str) -> str:
    about = opening(claim.test, quantity=claim.quantity, view=claim.view)
    numbers = f"r = {claim.effect:+.2f} ({claim.low:+.2f} to {claim.high:+.2f}), "
    seen = f"a higher value goes with a {'higher' if (claim.effect or 0) > 0 else 'lower'} loss"
    if claim.test == "tracking":
        seen = "the two go together"
    if verdict == "holds":
        return f"{about}: as claimed, {seen}; {numbers}p = {claim.p_adjusted:.2g}."
    if verdict == "opposite":
        return f"{about}: against the claim, {seen}; {numbers}p = {claim.p_opposite:.2g} for this direction."
    if verdict == "negligible":
        return f"{about}: next to no relation with the loss; {numbers}within {NEGLIGIBLE:g} of 0."
    if claim.detectable is not None and claim.detectable < 1:
        power = f"Alone, this test would show |r| of {claim.detectable:.2f} or more with {POWER:.0%} power"
    else:
        power = f"No r is shown with {POWER:.0%} power by so few"
    return f"{about}: cannot tell; {numbers}p = {claim.p_adjusted:.2g}. {power}."
