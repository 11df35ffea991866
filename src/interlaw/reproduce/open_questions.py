"""The two questions that arXiv 2605.27989 leaves open, put to the data of an experiment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

import numpy as np

from interlaw.laws import Association, LawFit, Overlap

HOLDS_BEST = "Does the interaction interval, found without the loss, hold the best loss more often than chance?"
SAME_SIGN = "Does the excess over the null carry the sign that the raw AOFE-ratio does?"
LEVEL = 0.05


class Correlation(Protocol):
    """What is read of a rank correlation."""

    @property
    def rho(self) -> float | None:
        """Spearman's rho."""

    @property
    def p_value(self) -> float | None:
        """Two-sided, from shuffles within budgets."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One question, answered for one data set.

    Attributes:
        question: In words.
        answer: `yes`, `no`, or `cannot tell` where the data do not decide.
        evidence: The numbers behind it, in words.
        numbers: The same, by name.
    """

    question: str
    answer: Literal["yes", "no", "cannot tell"]
    evidence: str
    numbers: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def answer_open_questions(fit: LawFit) -> tuple[Answer, Answer]:
    """Both questions for a fitted table with measured interaction."""
    return _holds_best(fit), _same_sign(fit)


def tail_probability(chances: Sequence[float], count: int) -> float:
    """P(at least `count` successes) of independent trials with these chances (Poisson binomial), by convolution.

    Example:
        >>> round(tail_probability([0.5, 0.5, 0.5], 2), 12)
        0.5
    """
    distribution = np.ones(1)
    for chance in chances:
        distribution = np.convolve(distribution, [1 - chance, chance])
    return float(distribution[count:].sum())


def _holds_best(fit: LawFit) -> Answer:
    """Counts budgets whose best shape lies inside, against the chance of a shuffled interval."""
    overlaps = [budget.overlap for budget in fit.budgets if budget.overlap is not None]
    if not overlaps:
        measured = any(point.aofe_ratio is not None for budget in fit.budgets for point in budget.points)
        evidence = "no budget has three measured shapes to find an interval among"
        evidence = evidence if measured else "interaction was not measured"
        return Answer(question=HOLDS_BEST, answer="cannot tell", evidence=evidence, numbers={})
    if len(overlaps) == 1:
        return _in_one_budget(overlaps[0])
    inside = sum(each.best_inside for each in overlaps)
    chances = [each.chance_best_inside for each in overlaps]
    p_value = tail_probability(chances, inside)
    possible = tail_probability(chances, len(chances))
    words = (
        f"the best is inside in {inside} of {len(overlaps)} budgets where shuffled shapes give {sum(chances):.2f} "
        f"(p = {p_value:.2g})"
    )
    if p_value <= LEVEL:
        answer: Literal["yes", "no", "cannot tell"] = "yes"
    elif possible > LEVEL:
        answer = "cannot tell"
        words += f"; even all {len(overlaps)} would give p = {possible:.2g}, so more budgets are needed"
    else:
        answer = "no"
    numbers = {"inside": inside, "budgets": len(overlaps), "by_chance": sum(chances), "p_value": p_value}
    return Answer(question=HOLDS_BEST, answer=answer, evidence=words, numbers=numbers)


def _in_one_budget(overlap: Overlap) -> Answer:
    """One best shape says nothing by itself; how much of the loss interval is covered has a chance level of its own."""
    place = "inside" if overlap.best_inside else "outside"
    words = (
        f"in the one budget the best is {place}, where shuffled shapes hold it with probability "
        f"{overlap.chance_best_inside:.2f}; the interval overlaps that of the lowest losses by {overlap.jaccard:.2f}, "
        f"shuffled shapes by {overlap.chance:.2f} (p = {overlap.p_value:.2g})"
    )
    holds = overlap.best_inside and overlap.p_value <= LEVEL
    numbers = {
        "inside": int(overlap.best_inside),
        "budgets": 1,
        "by_chance": overlap.chance_best_inside,
        "p_value": overlap.p_value,
    }
    return Answer(question=HOLDS_BEST, answer="yes" if holds else "cannot tell", evidence=words, numbers=numbers)


def _same_sign(fit: LawFit) -> Answer:
    """Compares the partial rank correlations with the loss, size held fixed."""
    found = {each.quantity: each for each in fit.associations}
    raw, excess = found.get("aofe_ratio"), found.get("excess_ratio")
    if raw is None or excess is None:
        evidence = "fewer than six shapes have both measured"
        return Answer(question=SAME_SIGN, answer="cannot tell", evidence=evidence, numbers={})
    chosen = {"aofe_ratio": _correlation(raw), "excess_ratio": _correlation(excess)}
    numbers = {name: {"rho": each.rho, "p_value": each.p_value} for name, each in chosen.items()}
    words = ", ".join(f"{name} against loss at fixed size: rho = {_words(each)}" for name, each in chosen.items())
    signs = [_sign(each) for each in chosen.values()]
    if None in signs:
        answer: Literal["yes", "no", "cannot tell"] = "cannot tell"
    else:
        answer = "yes" if signs[0] == signs[1] else "no"
    return Answer(question=SAME_SIGN, answer=answer, evidence=words, numbers=numbers)


def _correlation(association: Association) -> Correlation:
    """Given size where sizes differ, else over all shapes."""
    return association.given_size if association.given_size.rho is not None else association.raw


def _sign(correlation: Correlation) -> int | None:
    """The sign, where shuffled shapes seldom give as much."""
    if correlation.rho is None or correlation.p_value is None or correlation.p_value > LEVEL:
        return None
    return 1 if correlation.rho > 0 else -1


def _words(correlation: Correlation) -> str:
    """A correlation with its p-value."""
    if correlation.rho is None or correlation.p_value is None:
        return "undefined"
    return f"{correlation.rho:+.2f} (p = {correlation.p_value:.2g})"
