"""A fit in three plain lines: the best shape and how sure, whether interaction agrees, what to run next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from interlaw.laws.claim import CLAIMED, Claim
from interlaw.laws.result import STATUS_WORDS, BudgetFit, RStar, amounts, listed
from interlaw.laws.stability import JOINT, MIN_BUDGETS, MIN_DECADES, interval_text
from interlaw.size import counted, format_range, format_ratio, format_share, format_size

if TYPE_CHECKING:
    from interlaw.laws import LawFit

MOST_STEPS = 3  # as many as a reader takes on
_MET = 0.02  # sizes whose mean is as near to the budget move the loss by less than anyone asks of a shape


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a fit says, for a person.

    Attributes:
        best: The best shape and how sure that is.
        interaction: Whether interaction agrees, and how much the run could have seen.
        next: What to run next.
        details: The numbers behind: one sentence a test.
    """

    best: str
    interaction: str
    next: str
    details: tuple[str, ...]

    @property
    def lines(self) -> tuple[tuple[str, str], ...]:
        """The three lines with their labels."""
        return (("Best shape", self.best), ("Interaction", self.interaction), ("Next", self.next))


def verdict(fit: LawFit) -> Verdict:
    """The three lines of a fit and the numbers behind them."""
    return Verdict(best=_best(fit), interaction=_interaction(fit), next=_next(fit), details=_details(fit))


def status_text(star: RStar) -> str:
    """A budget's status in words, for a table's cell.

    Example:
        >>> status_text(RStar(value=None, low=0.02, high=None, edge=None, open_side="high", status="open", reason=""))
        'turns, no upper bound'
    """
    if star.status == "edge":
        return "falls towards more layers" if star.edge == "high" else "falls towards fewer layers"
    if star.status == "open":
        return {"low": "turns, no lower bound", "high": "turns, no upper bound"}.get(
            star.open_side or "", "turns, no bound"
        )
    if star.status == "flat" and star.detectable is not None:
        return f"no difference of {star.detectable_text} seen"
    return STATUS_WORDS[star.status]


def _best(fit: LawFit) -> str:
    if all(each.r_star.status == "given" for each in fit.budgets):
        return f"{len(fit.budgets)} optima are given, and nothing here checks them. {_moves(fit)}"
    optima = [each for each in fit.budgets if each.r_star.status == "optimum"]
    largest = fit.budgets[-1]
    most = optima[-1] if optima else largest
    best = most.best
    shape = f"{counted(best.depth, 'layer')} x {best.width}"
    # shapes of unequal sizes are compared at equal size
    how = "measured" if most.leads_as_measured and not best.is_corrected else "at equal size"
    if not optima:
        others = [each for each in most.near_best if (each.depth, each.width) != (best.depth, best.width)]
        near = listed([f"{each.depth} x {each.width}" for each in others])
        within = f"{format_share(fit.delta)} of it"
        return (
            f"No best shape can be named. At {_budget(most)} the lowest loss {how} is that of {shape} "
            f"(R = depth / width = {format_ratio(best.ratio)}), but {most.r_star.reason}. "
            + (f"Within {within}: {near}." if others else f"No other shape is within {within}.")
        )
    star = most.r_star
    interval = f"{fit.confidence:.0%} interval {format_range(star.low, star.high)}"
    if most.is_symmetric:  # no cubic term was fitted
        interval += f", yet {most.num_shapes} shapes cannot show a lopsided curve, whose minimum is 10 to 30% off"
    tied = f"; {best.num_tied} other shape{'s do' if best.num_tied > 1 else ' does'} as well within the seed noise"
    lack = f" At {_budget(largest)} there is {largest.r_star.none_text}: {largest.r_star.reason}."
    return (
        f"At {_budget(most)} the loss is lowest near R = depth / width = {format_ratio(star.value)} ({interval}); "
        f"the best shape {how} is {shape}, loss {best.loss_text}{tied if best.num_tied else ''}."
        f"{_tolerance(most)}{'' if most is largest else lack} {_moves(fit)}"
    )


def _tolerance(budget: BudgetFit) -> str:
    near = budget.loss_interval
    if near is None:
        return ""
    low, high = (
        format_ratio(end) + (" (the end of the grid)" if is_open else "")
        for end, is_open in ((near.low, near.low_open), (near.high, near.high_open))
    )
    return f" R = {low} to {high} costs at most {format_share(near.delta)}."


def _moves(fit: LawFit) -> str:
    """Whether R* stays put, without the numbers; of one budget there is nothing to say."""
    if len(fit.budgets) == 1:
        return "One budget says nothing about others."
    return {
        "stable": "The best ratio stays put as the budget grows.",
        "moves": "The best ratio moves as the budget grows.",
        "cannot tell": "These runs cannot tell whether the best ratio stays put as the budget grows.",
    }[fit.stability.verdict]


def _budget(budget: BudgetFit) -> str:
    """The budget as the table has it; its mean parameters beside it where they are others."""
    if _counts_params(budget):
        return f"{budget.amount} parameters"
    name = "budget " if budget.amount == format_size(budget.budget) else ""  # a unit says what it is
    return f"{name}{budget.amount} (mean of {format_size(budget.params_mean)} parameters)"


def _counts_params(budget: BudgetFit) -> bool:
    return abs(budget.params_mean / budget.budget - 1) <= _MET


def _interaction(fit: LawFit) -> str:
    """What the claims about interaction come to, and how much the tests without an answer could have seen."""
    asked = [claim for claim in fit.claims if claim.claim in ("C2", "C3")]
    tested = [claim for claim in asked if claim.verdict != "not testable"]
    if not tested:
        return asked[0].sentence if asked else "Not measured."
    parts = [
        f"{opening}: {listed([_named(claim) for claim in tested if claim.verdict == verdict])}."
        for verdict, opening in _OPENINGS.items()
        if any(claim.verdict == verdict for claim in tested)
    ]
    unsure = [claim for claim in tested if claim.verdict == "cannot tell"]
    if unsure:
        parts.append(f"{len(unsure)} of {len(tested)} tests cannot tell{_power(unsure)}.")
    return " ".join(parts)


def _power(unsure: Sequence[Claim]) -> str:
    """The correlation that the sharpest of the tests would have shown; a perfect one is out of reach of them all."""
    sharpest = min((claim.detectable for claim in unsure if claim.detectable is not None), default=None)
    if sharpest is None:
        return ""
    if sharpest > 0.995:  # reads 1.00
        return "; with so few seeds and shapes they would see no relation, however close"
    return f"; the sharpest, alone, would show |r| = {sharpest:.2f} in 4 of 5 such runs"


_OPENINGS = {"holds": "As claimed", "opposite": "Against the claim", "negligible": "Next to no relation with the loss"}


def _named(claim: Claim) -> str:
    """A quantity, its view and its test in short."""
    what = CLAIMED[claim.quantity][1] if claim.quantity in CLAIMED else claim.quantity
    view = f" of the {claim.view} view" if claim.view else ""
    return f"{what}{view} ({claim.test.replace('-', ' ')})"


def _next(fit: LawFit) -> str:
    """The runs that would settle most, at most `MOST_STEPS`."""
    if all(each.r_star.status == "given" for each in fit.budgets):
        return "Run a grid of depths with two seeds at each of at least three budgets, a tenfold span apart."
    # budgets that leave open what lies beyond an end of their grid; beyond a single layer there is nothing to run
    low, high = (
        [each for each in fit.budgets if (each.r_star.edge or each.r_star.open_side) in (side, "both")]
        for side in ("low", "high")
    )
    single = [each for each in low if min(point.depth for point in each.points) <= 1]
    wanted = {"wider and shallower shapes": [each for each in low if each not in single]}
    wanted["deeper and narrower shapes"] = high
    for status, words in _LACKS.items():
        wanted[words] = [each for each in fit.budgets if each.r_star.status == status]
    steps = [f"{words} at {amounts(budgets)}" for words, budgets in wanted.items() if budgets]
    if all(each.seed_noise is None for each in fit.budgets):
        steps.append("a second seed of the best shape and its neighbours (the seed noise is unknown)")
    if fit.stability.verdict == "cannot tell":
        steps.append(_more_budgets(fit))
    said = []
    if single:
        said.append(
            f"At {amounts(single)} the best shape may be a single layer: run larger budgets, train longer or try "
            "another learning rate."
        )
    if steps:
        said.append(f"Run {'; '.join(steps[: MOST_STEPS - len(said)])}.")
    return " ".join(said) or "Nothing more is needed to answer these questions; a larger budget would test the law."


# what budgets of a status lack
_LACKS = {
    "too_few_shapes": "at least five shapes",
    "flat": "more seeds, or shapes farther apart,",
    "not_comparable": "shapes of equal size",
}


def _more_budgets(fit: LawFit) -> str:
    if fit.stability.num_budgets < MIN_BUDGETS:
        return "at least three budgets with an optimum inside their grid"
    if fit.stability.decades < MIN_DECADES:
        optima = [each for each in fit.budgets if each.r_star.status == "optimum"]
        smallest = min(optima, key=lambda each: each.params_mean)
        size, unit = (smallest.budget, "") if _counts_params(smallest) else (smallest.params_mean, " parameters")
        return f"a budget of {format_size(10 * size)}{unit} or more, for a tenfold span"
    return f"more budgets between {format_size(fit.budgets[0].budget)} and {fit.budgets[-1].amount}, or beyond"


def _details(fit: LawFit) -> tuple[str, ...]:
    """The numbers of the tests, one sentence each."""
    sentences = [f"gamma = d log R* / d log N: {fit.stability.reason}."]
    if fit.law is not None and fit.law.status == "optimum":
        gamma = fit.law.parameters["gamma"]
        interval = interval_text(gamma.value, low=gamma.low, high=gamma.high)
        others = [each for each in fit.stability.others[1:] if each.route == JOINT]
        windows = ", ".join(f"within {each.window:.0%} of the best loss {each.gamma:+.2f}" for each in others)
        sentences.append(f"The joint law of all runs says {interval}{f'; {windows}' if windows else ''}.")
    pooled = fit.interaction_interval
    if pooled is not None:
        where = f"R = {format_range(pooled.low, pooled.high)}" if pooled.low and pooled.high else pooled.reason
        sentences.append(f"The interaction interval, in which the loss plays no part: {pooled.status}; {where}.")
    if any(claim.effect is not None and claim.claim in ("C2", "C3") for claim in fit.claims):
        sentences.append(
            f"Of the tests below, the interval of r is two-sided at {fit.confidence:.0%}; p is one-sided and adjusted "
            "over the quantities and views of a test (Holm), so that it may say 'cannot tell' of an interval without 0."
        )
    return (*sentences, *(claim.sentence for claim in fit.claims if claim.quantity != "r_star_loss"))
