"""What published laws and published models say about the ratio at one size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from interlaw.laws import PublishedLaw, published_laws
from interlaw.published import PAPER_INTERVAL, RatioPoint, published_ratio_points

Stance = Literal["supports", "prefers deeper", "prefers shallower", "names no ratio"]

# Two ratios agree within this factor: at the sharpest minimum published (2 % over R = .020 to .065) it costs 1 %.
AGREEMENT_FACTOR = 1.5
# A law of vision transformers is shown, but says nothing about where the interval of a language model lies.
VISION = ("sovit2023",)
PAPER = "sun2026"
SIMILAR_SIZE_FACTOR = 1.5


@dataclass(frozen=True, kw_only=True)
class LawOpinion:
    """One published law at one size.

    Attributes:
        law: The law with its source, trust mark and words.
        params: N, the size asked about.
        ratio: Its R*; outside the sizes it speaks about, its R* at the nearest size that it does. None without a level.
        low: Lower end of a stated interval of good ratios, if any.
        high: Its upper end.
        covered: Whether the law speaks about this size. The paper's interval covers every size, since that it stays put
            is what the paper claims.
    """

    law: PublishedLaw
    params: float
    ratio: float | None
    low: float | None
    high: float | None
    covered: bool

    @property
    def counts(self) -> bool:
        """Whether it helps to place an interval: it names a ratio, and for language models."""
        return self.ratio is not None and self.law.key not in VISION

    @property
    def gap(self) -> float:
        """How far the size lies outside those that the law speaks about, as |log N / N'|; 0 where it is covered."""
        if self.covered:
            return 0.0
        return max(math.log(self.law.params_low / self.params), math.log(self.params / self.law.params_high))

    def stance(self, ratio: float) -> Stance:
        """What the law says of a shape with this ratio."""
        low, high = self.low, self.high
        if low is None or high is None:
            if self.ratio is None:
                return "names no ratio"
            low, high = self.ratio / AGREEMENT_FACTOR, self.ratio * AGREEMENT_FACTOR
        if ratio < low:
            return "prefers deeper"
        return "prefers shallower" if ratio > high else "supports"

    def to_dict(self) -> dict[str, Any]:
        """What the command's JSON says of it."""
        law = self.law
        return {
            "key": law.key,
            "name": law.name,
            "source": law.source,
            "trust": law.trust,
            "statement": law.statement,
            "ratio": self.ratio,
            "low": self.low,
            "high": self.high,
            "covered": self.covered,
            "params_low": law.params_low,
            "params_high": law.params_high,
        }


def law_opinions(params: float) -> tuple[LawOpinion, ...]:
    """Every published law at N, those that name a ratio first, from shallow to deep.

    Args:
        params: N, total parameters.

    Example:
        >>> levine = next(one for one in law_opinions(98e6) if one.law.key == "levine2020")
        >>> levine.stance(0.03), levine.stance(0.01)
        ('supports', 'prefers deeper')
    """
    opinions = [_opinion(law, params) for law in published_laws()]
    return tuple(sorted(opinions, key=lambda one: one.ratio if one.ratio is not None else math.inf))


def similar_models(params: float) -> tuple[RatioPoint, ...]:
    """Published base models within a factor of 1.5 of N, from shallow to deep."""
    near = [
        point
        for point in published_ratio_points()
        if abs(math.log(point.params / params)) <= math.log(SIMILAR_SIZE_FACTOR)
    ]
    return tuple(sorted(near, key=lambda point: (point.ratio, point.name)))


def _opinion(law: PublishedLaw, params: float) -> LawOpinion:
    """A law at the size, or at the nearest size that it speaks about: tables are not continued beyond their ends."""
    ratio = None if law.kind in ("flat", "slope") else law.ratio(min(max(params, law.params_low), law.params_high))
    covered = law.covers(params)
    if law.key == PAPER:
        ratio, covered = math.sqrt(PAPER_INTERVAL[0] * PAPER_INTERVAL[1]), True
    return LawOpinion(law=law, params=params, ratio=ratio, low=law.ratio_low, high=law.ratio_high, covered=covered)
