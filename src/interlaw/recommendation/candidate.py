"""One shape to choose: what it costs, what it is predicted to lose, who supports it and who disagrees."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from interlaw.laws import LawFit
from interlaw.published import PAPER_INTERVAL, RatioPoint, nearest_rows, published_ratio_points, published_rows
from interlaw.recommendation.dimensions import Dimensions, equal_budget_shapes, kv_cache_bytes_per_token
from interlaw.recommendation.evidence import LawOpinion, Stance
from interlaw.recommendation.interval import RatioInterval
from interlaw.recommendation.penalty import Penalty, predicted_penalty
from interlaw.shapes import Budget, Shape

# Against the distance from the interval's centre: the roughest shape counts as half the interval's width off.
ROUGHNESS_WEIGHT = 0.5


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


def choose_shapes(
    dimensions: Dimensions, budget: Budget, interval: RatioInterval, *, tolerance: float, count: int
) -> tuple[list[Shape], bool]:
    """Shapes spread over the interval, those near its centre that suit hardware first.

    Returns:
        The shapes, and whether they meet the budget inside the interval. If none does, the two that come nearest.
    """
    shapes = list(equal_budget_shapes(dimensions, budget, low=0.0, high=math.inf))
    spread = math.log(interval.high / interval.low)

    def cost(shape: Shape) -> float:
        from_centre = abs(math.log(shape.ratio / interval.centre)) / spread
        return from_centre + ROUGHNESS_WEIGHT * dimensions.roughness(shape)

    def miss(shape: Shape) -> float:
        outside = max(0.0, math.log(interval.low / shape.ratio), math.log(shape.ratio / interval.high))
        return outside + max(0.0, abs(budget.error(shape)) - tolerance)

    chosen: list[Shape] = []
    for shape in sorted((shape for shape in shapes if miss(shape) == 0), key=cost):
        if all(abs(math.log(shape.ratio / other.ratio)) >= spread / (2 * count) for other in chosen):
            chosen.append(shape)
    if not chosen:
        return sorted(shapes, key=miss)[: min(count, 2)], False
    return chosen[:count], True


def describe(
    shape: Shape,
    *,
    budget: Budget,
    interval: RatioInterval,
    opinions: Sequence[LawOpinion],
    fit: LawFit | None,
    tokens_per_param: float,
) -> Candidate:
    """Costs and evidence of a shape.

    Args:
        shape: The shape.
        budget: What it was to spend.
        interval: The interval recommended from.
        opinions: Every published law at the size.
        fit: The fit that gave the interval, if any.
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
        penalty=predicted_penalty(shape.ratio, params=shape.params, interval=interval, fit=fit),
        stances={one.law.key: one.stance(shape.ratio) for one in opinions},
        nearest=tuple(points[row.name] for row in near),
    )
