"""One shape to choose: what it costs, what it is predicted to lose, who supports it and who disagrees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from interlaw.laws import LawFit
from interlaw.published import PAPER_INTERVAL, RatioPoint, nearest_rows, published_ratio_points, published_rows
from interlaw.recommendation.dimensions import kv_cache_bytes_per_token
from interlaw.recommendation.evidence import LawOpinion, Stance
from interlaw.recommendation.interval import RatioInterval
from interlaw.recommendation.penalty import Penalty, predicted_penalty
from interlaw.shapes import Budget, Shape


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One shape to choose.

    Attributes:
        shape: The shape with its exact counts.
        budget_error: Relative miss of the budget.
        train_tokens: Tokens per parameter times parameters.
        train_flops: Training FLOPs over these tokens.
        kv_cache_bytes_per_token: Keys and values of all layers for one token, at two bytes an entry.
        inside: Whether R lies in the interval.
        penalty: Predicted relative loss above the best shape of the budget.
        stances: What each published law says of it, by the law's key.
        nearest: Real models nearest in log N and log R.
    """

    shape: Shape
    budget_error: float
    train_tokens: int
    train_flops: int
    kv_cache_bytes_per_token: int
    inside: bool
    penalty: Penalty
    stances: dict[str, Stance]
    nearest: tuple[RatioPoint, ...]

    def laws(self, stance: Stance) -> list[str]:
        """Keys of the laws that say this of it."""
        return [key for key, said in self.stances.items() if said == stance]

    def to_dict(self) -> dict[str, Any]:
        """Shape, costs and evidence as plain values."""
        return {
            **self.shape.to_dict(),
            "budget_error": self.budget_error,
            "train_tokens": self.train_tokens,
            "train_flops": self.train_flops,
            "kv_cache_bytes_per_token": self.kv_cache_bytes_per_token,
            "inside": self.inside,
            "in_paper_interval": PAPER_INTERVAL[0] <= self.shape.ratio <= PAPER_INTERVAL[1],
            "loss_penalty": self.penalty.to_dict(),
            "supported_by": self.laws("supports"),
            "prefer_deeper": self.laws("prefers deeper"),
            "prefer_shallower": self.laws("prefers shallower"),
            "nearest_models": [dict(vars(point)) for point in self.nearest],
        }


def describe(
    shape: Shape,
    *,
    budget: Budget,
    interval: RatioInterval,
    evidence: RatioInterval,
    opinions: Sequence[LawOpinion],
    fit: LawFit | None,
    tokens_per_param: float,
) -> Candidate:
    """Costs and evidence of a shape.

    Args:
        shape: The shape.
        budget: What it was to spend.
        interval: The interval chosen from.
        evidence: Where the fit, or else the published laws, put R*: it decides the penalty.
        opinions: Every published law at the size.
        fit: The fit, if any.
        tokens_per_param: Training tokens per total parameter.
    """
    points = {point.name: point for point in published_ratio_points()}
    near = nearest_rows(published_rows(), params=shape.params, ratio=shape.ratio)
    tokens = round(tokens_per_param * shape.params)
    return Candidate(
        shape=shape,
        budget_error=budget.error(shape),
        train_tokens=tokens,
        train_flops=tokens * shape.flops_per_token,
        kv_cache_bytes_per_token=kv_cache_bytes_per_token(shape),
        inside=interval.position(shape.ratio) == "inside",
        penalty=predicted_penalty(shape.ratio, params=shape.params, interval=evidence, fit=fit),
        stances={one.law.key: one.stance(shape.ratio) for one in opinions},
        nearest=tuple(points[row.name] for row in near),
    )
