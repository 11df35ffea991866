"""Where a user's own models lie among the published ones."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from interlaw.errors import InterlawError
from interlaw.plain import Json
from interlaw.published.row import PublishedRow

# Byte-level sweep of arXiv 2605.27989: these R are within 2 % of the best test loss at every budget from 1M to 10M.
PAPER_INTERVAL = (0.020, 0.065)
NUM_NEAREST = 3  # as many as stand in one line


def centre_of(interval: tuple[float, float]) -> float:
    """The middle of an interval of R in its logarithm, which the paper's claim calls best.

    Example:
        >>> round(centre_of(PAPER_INTERVAL), 4)
        0.0361
    """
    return math.sqrt(interval[0] * interval[1])


@dataclass(frozen=True, kw_only=True)
class Placement:
    """One row that a user added.

    Attributes:
        row: The row.
        position: `below`, `inside` or `above` the claimed interval of R.
        compared: Whether its score is one of the comparison's (same protocol and variant).
        nearest: The `NUM_NEAREST` compared models nearest in log N and log R, other than itself.
    """

    row: PublishedRow
    position: str
    compared: bool
    nearest: tuple[PublishedRow, ...]

    def to_dict(self) -> Json:
        """What the command's JSON says of it."""
        row = self.row
        return {
            **row.model_dump(include={"name", "depth", "width", "variant", "protocol", "mmlu_pro"}),
            "ratio": row.ratio,
            "params": row.params_total,
            "position": self.position,
            "compared": self.compared,
            "nearest": [
                {"name": near.name, "ratio": near.ratio, "params": near.params_total, "mmlu_pro": near.mmlu_pro}
                for near in self.nearest
            ],
        }


def position(ratio: float, interval: tuple[float, float]) -> str:
    """Where R lies: `below` the interval is shallower and wider, `above` it deeper and narrower, else `inside`."""
    return "below" if ratio < interval[0] else "above" if ratio > interval[1] else "inside"


def require_interval(interval: tuple[float, float]) -> tuple[float, float]:
    """The interval of R as two numbers.

    Raises:
        InterlawError: It is no interval of positive numbers.
    """
    try:
        low, high = map(float, interval)
    except (TypeError, ValueError):
        raise InterlawError(f"expected an interval (low, high) of two numbers, found {interval!r}; fix it") from None
    if not 0 < low < high < math.inf:
        raise InterlawError(f"expected an interval 0 < low < high, found {low} to {high}; fix it")
    return low, high


def place_rows(
    added: Iterable[PublishedRow], models: Sequence[PublishedRow], *, interval: tuple[float, float]
) -> tuple[Placement, ...]:
    """Places rows against an interval of R and the nearest models of a comparison.

    Args:
        added: A user's rows.
        models: The models compared (they may include the added ones).
        interval: The claimed interval of R.
    """
    return tuple(
        Placement(
            row=row,
            position=position(row.ratio, interval),
            compared=any(model is row for model in models),
            nearest=nearest_models(row, [model for model in models if model.name != row.name]),
        )
        for row in added
    )


def nearest_models(
    row: PublishedRow, models: Iterable[PublishedRow], *, count: int = NUM_NEAREST
) -> tuple[PublishedRow, ...]:
    """The models nearest to one in the plane of log N and log R, nearest first.

    Distance is sqrt((log N / N')^2 + (log R / R')^2): a factor of two in size weighs as much as one in ratio.
    """

    def distance(other: PublishedRow) -> float:
        return math.hypot(math.log(other.params_total / row.params_total), math.log(other.ratio / row.ratio))

    return tuple(sorted(models, key=lambda other: (distance(other), other.name))[:count])
