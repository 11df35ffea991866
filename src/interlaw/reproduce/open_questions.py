"""The two questions that arXiv 2605.27989 leaves open, put to the data of an experiment."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from interlaw.laws import Claim, LawFit

FOLLOWS = "Does the shape of most efficient interaction, found without the loss, follow the shape of lowest loss?"
SAME_SIGN = "Does the excess over the null carry the sign that the raw AOFE-ratio does?"


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
    return _follows(fit), _same_sign(fit)


def tested(fit: LawFit, quantity: str) -> Claim | None:
    """The claim on one quantity of the fit's view: over seeds of one shape, else off the smooth curve in R."""
    found = [each for each in fit.claims if (each.claim, each.quantity, each.view) == ("C2", quantity, fit.view)]
    return next((each for each in found if each.p_value is not None), found[0] if found else None)


def _follows(fit: LawFit) -> Answer:
    """The tracking test of the fit's view."""
    (claim,) = [each for each in fit.claims if each.claim == "C3" and each.view in (fit.view, "")][:1]
    answers: dict[str, Literal["yes", "no"]] = {"holds": "yes", "opposite": "no"}
    return Answer(
        question=FOLLOWS,
        answer=answers.get(claim.verdict, "cannot tell"),
        evidence=claim.sentence,
        numbers=_numbers(claim),
    )


def _same_sign(fit: LawFit) -> Answer:
    """Yes or no only where both relations with the loss are known."""
    claims = [tested(fit, quantity) for quantity in ("aofe_ratio", "excess_ratio")]
    known = [claim for claim in claims if claim is not None]
    if len(known) < len(claims):
        evidence = "the ratio and its excess were not both measured"
        return Answer(question=SAME_SIGN, answer="cannot tell", evidence=evidence, numbers={})
    signs = [(claim.effect or 0.0) > 0 for claim in known if claim.verdict in ("holds", "opposite")]
    answer: Literal["yes", "no", "cannot tell"] = "cannot tell"
    if len(signs) == len(known):
        answer = "yes" if signs[0] == signs[1] else "no"
    return Answer(
        question=SAME_SIGN,
        answer=answer,
        evidence=" ".join(claim.sentence for claim in known),
        numbers={claim.quantity: _numbers(claim) for claim in known},
    )


def _numbers(claim: Claim) -> dict[str, Any]:
    return {name: getattr(claim, name) for name in ("effect", "low", "high", "p_adjusted", "dof", "verdict")}
