"""What each published line says at one size, and the real models of that size: beside the pool, without a vote."""

from __future__ import annotations

import math
from dataclasses import dataclass

from interlaw.laws import PublishedLaw, published_laws
from interlaw.plain import Json
from interlaw.published import PAPER_INTERVAL, PublishedRow, centre_of, published_models

PAPER = "sun2026"
SIMILAR_SIZE_FACTOR = 1.5  # of N: over it the steepest published slope, -.5, moves R* by a fifth


@dataclass(frozen=True, kw_only=True)
class LawOpinion:
    """One published line at one size.

    Attributes:
        law: The line with its source, trust mark, standing and words.
        ratio: Its R*; outside the sizes it speaks about, that at the nearest of them. None without a level.
        covered: Whether the sizes that the line speaks about hold this one.
    """

    law: PublishedLaw
    ratio: float | None
    covered: bool

    def to_dict(self) -> Json:
        """What the command's JSON says of it."""
        names = ("key", "name", "source", "trust", "standing", "statement", "params_low", "params_high")
        return {
            **{name: getattr(self.law, name) for name in names},
            "ratio": self.ratio,
            "low": self.law.ratio_low,
            "high": self.law.ratio_high,
            "covered": self.covered,
        }


def law_opinions(params: float) -> tuple[LawOpinion, ...]:
    """Every published line at N, those that name a ratio first, from shallow to deep.

    Args:
        params: N, total parameters.

    Example:
        >>> levine = next(one for one in law_opinions(98e6) if one.law.key == "levine2020")
        >>> round(levine.ratio, 4), levine.law.standing
        (0.0411, 'measured')
    """
    opinions = []
    for law in published_laws():
        # at the size, or at the nearest that it speaks about: tables are not continued beyond their ends
        nearest, covered = min(max(params, law.params_low), law.params_high), law.covers(params)
        ratio = law.ratio(nearest)
        if law.key == PAPER:
            ratio = centre_of(PAPER_INTERVAL)  # it claims one interval for all sizes
        opinions.append(LawOpinion(law=law, ratio=ratio, covered=covered))
    return tuple(sorted(opinions, key=lambda one: one.ratio if one.ratio is not None else math.inf))


def similar_models(params: float) -> tuple[PublishedRow, ...]:
    """Published base models within a factor of 1.5 of N, from shallow to deep."""
    reach = math.log(SIMILAR_SIZE_FACTOR)
    near = [model for model in published_models() if abs(math.log(model.params_total / params)) <= reach]
    return tuple(sorted(near, key=lambda model: (model.ratio, model.name)))
